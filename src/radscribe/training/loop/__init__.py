"""One loop trains everything."""
