"""What a scorecard holds, and how it is shown."""
