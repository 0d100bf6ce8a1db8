"""The two layouts of the lineage, apart from all that is slow to import."""

from enum import StrEnum


class Layout(StrEnum):
    """Whose files an export looks like."""

    IU = "iu"
    MIMIC = "mimic"
