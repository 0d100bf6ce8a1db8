"""A file that gives up when a parser asks too much of it."""

from __future__ import annotations

import io
from typing import BinaryIO

from radscribe.imaging.refusal import RefusedFilm

HEADER_BYTES = 32 * 2**20
# A header of a radiograph takes some hundred reads; a parser of Python makes this many in a second.
READS = 200_000


class BoundedFile:
    """``file`` to a parser that believes lengths and nesting: so many bytes and so many reads, then a refusal.

    Raises:
        RefusedFilm: from ``read``, when either budget is spent; ``source`` names the file in it.
    """

    def __init__(self, file: BinaryIO, source: str, most_bytes: int = HEADER_BYTES, most_reads: int = READS) -> None:
        self._file, self._source = file, source
        self.bytes_left, self.reads_left = most_bytes, most_reads

    def read(self, size: int | None = -1) -> bytes:
        most = self.bytes_left + 1  # a buffered file would make room for all that is asked of it
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
