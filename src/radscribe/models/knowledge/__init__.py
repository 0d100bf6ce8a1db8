"""What is looked up: the learned ball and its index, the report database, the prompts made from it."""
