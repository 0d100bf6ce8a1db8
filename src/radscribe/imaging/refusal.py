"""Defines the error for a file that cannot be read as a chest radiograph."""

from __future__ import annotations

from radscribe.core.errors import RadscribeError


class RefusedFilm(RadscribeError):
    """A file that cannot be read as a chest radiograph; ``reason`` is the message without the file's name."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self) -> tuple[type[RefusedFilm], tuple[str, str]]:
        return type(self), (self.source, self.reason)  # it is pickled between the processes of a pool
