"""What is looked up: the report database and its index in the learned ball, prompts, and the memory bank."""
