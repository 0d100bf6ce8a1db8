"""A prepared dataset looked at: what it holds, as one page that needs nothing else."""
