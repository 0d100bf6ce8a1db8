"""From a prepared dataset and a recipe to a checkpoint: cached steps, objectives, one loop."""
