"""Write a prepared dataset as the files that published repositories run on, one module per format."""
