"""Ablation tables: their runs, tests and files."""
