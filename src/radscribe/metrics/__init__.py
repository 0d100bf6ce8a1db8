"""Figures of reports against references, computed without a model."""
