"""Shows what a prepared dataset holds, as one self-contained HTML page."""
