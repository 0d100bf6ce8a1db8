"""Silences the libraries that parse a file, as their warnings and log lines quote values from it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Drop the warnings and the log lines of ``library``, and of all its modules, while it parses a file."""
    logger = logging.getLogger(library)
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)
