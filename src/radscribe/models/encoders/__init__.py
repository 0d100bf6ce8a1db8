"""Image, text and entity encoders."""
