"""Labels from report text: conditions with their states, and entity-place triplets, by rules."""
