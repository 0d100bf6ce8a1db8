"""A prepared dataset as the files that the published repositories of this field run on; one file a format."""
