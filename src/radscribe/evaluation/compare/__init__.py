"""Two or more scorecards beside each other."""
