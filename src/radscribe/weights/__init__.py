"""Import published weights as folders that recipes can name: one module per family, listed in ``kinds.py``."""
