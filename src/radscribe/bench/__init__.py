"""Speed beside the tools that a user would otherwise take; agreement is measured in the same run."""
