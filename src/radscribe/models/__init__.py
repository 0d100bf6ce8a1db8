"""The published systems, each on one screen."""
