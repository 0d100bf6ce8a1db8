"""The two file layouts of exports, in a module that is fast to import."""

from enum import StrEnum


class Layout(StrEnum):
    """The dataset whose published files an export imitates: IU X-Ray or MIMIC-CXR."""

    IU = "iu"
    MIMIC = "mimic"
