"""Published weights of the field become folders that recipes can name: one file a family, ``kinds.py`` their table."""
