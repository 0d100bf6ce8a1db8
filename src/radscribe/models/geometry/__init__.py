"""Pure mathematics without state: hyperbolic geometry and optimal transport."""
