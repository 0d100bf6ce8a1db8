"""Wraps a file so that a parser can read only a limited amount from it."""

from __future__ import annotations

import io
from typing import BinaryIO

from radscribe.imaging.refusal import RefusedFilm

HEADER_BYTES = 32 * 2**20
# The header of a radiograph takes some hundred reads; a Python parser makes this many in a second.
READS = 200_000


class BoundedFile:
    """``file`` limited to ``most_bytes`` and ``most_reads``, for a parser that trusts the lengths and nesting in it.

    Raises:
        RefusedFilm: from ``read``, when either limit is exceeded; ``source`` names the file in it.
    """

    def __init__(self, file: BinaryIO, source: str, most_bytes: int = HEADER_BYTES, most_reads: int = READS) -> None:
        self._file, self._source = file, source
        self.bytes_left, self.reads_left = most_bytes, most_reads

    def read(self, size: int | None = -1) -> bytes:
        most = self.bytes_left + 1  # a buffered file would allocate all that is requested
        data = self._file.read(most if size is None or size < 0 else min(size, most))
        self.bytes_left -= len(data)
        self.reads_left -= 1
        if self.bytes_left < 0 or self.reads_left < 0:
            raise RefusedFilm(self._source, "its header is larger than that of any radiograph")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
