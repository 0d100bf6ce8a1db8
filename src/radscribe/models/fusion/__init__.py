"""Where image and text meet: transport attention and the consistency between its maps."""
