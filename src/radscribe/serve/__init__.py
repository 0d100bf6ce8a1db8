"""The HTTP service: drafts for uploaded films, their editing and their safety. It stands on drafting and clinic."""
