"""A trained system, its folder, and drafts with their evidence."""
