"""Prepares raw sources into a dataset: one folder with the films, the reports and their labels."""
