"""Speed side by side with what a user would take instead; agreement is measured in the same run."""
