"""Image, text and entity encoders, and the published weights that start them."""
