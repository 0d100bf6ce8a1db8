"""What shows whether a model looks at its evidence."""
