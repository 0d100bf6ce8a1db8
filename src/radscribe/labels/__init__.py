"""Label report text: conditions with their states, by rules or CheXbert, and entity-place triplets, by rules."""
