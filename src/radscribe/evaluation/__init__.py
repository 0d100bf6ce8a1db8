"""Scores of drafted reports: language, clinical content, evidence, each with its interval and its controls."""
