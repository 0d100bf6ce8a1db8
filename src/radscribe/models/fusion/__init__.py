"""Fusion of image and text: transport attention and consistency (REVTAF), consolidation and alignment (MCSAM)."""
