"""Raw sources: each module turns files as published, or as users keep them, into studies to prepare."""
