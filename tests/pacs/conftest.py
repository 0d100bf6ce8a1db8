"""Films, archives and works for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from cases import case_of_file, film_dataset
from fake_archive import FakeArchive
from numpy.typing import NDArray

from radscribe.clinic.folder import OBJECTS, write_documents
from radscribe.pacs.dicomweb import DicomwebArchive
from radscribe.pacs.http_session import Login


@pytest.fixture(scope="session")
def film() -> Callable[..., bytes]:
    """The DICOM file of a film of the study of this number: of noise, or of ``pixels`` (grey levels, uint8)."""

    def make(
        study: int = 1,
        number: int = 1,
        rows: int = 80,
        columns: int = 70,
        pixels: NDArray[np.uint8] | None = None,
        **fields: Any,
    ) -> bytes:
        root = f"1.2.826.{study}"
        known = {"StudyInstanceUID": root, "SeriesInstanceUID": f"{root}.1", "SOPInstanceUID": f"{root}.1.{number}"}
        content, fields = BytesIO(), known | {"InstanceNumber": number} | fields
        dataset = film_dataset(*((rows, columns) if pixels is None else pixels.shape), **fields)
        if pixels is not None:
            dataset.PixelData = (pixels.astype("<u2") << 4).tobytes()
        dataset.save_as(content, enforce_file_format=True)
        return content.getvalue()

    return make


@pytest.fixture
def fake() -> Iterator[FakeArchive]:
    """An archive that goes wrong when it is bidden."""
    archive = FakeArchive()
    yield archive
    archive.close()


@pytest.fixture
def archive(fake: FakeArchive) -> DicomwebArchive:
    """``fake`` as the program sees it, with little patience."""
    return DicomwebArchive(fake.url, Login(), timeout=(1.0, 0.5))


@pytest.fixture(scope="session")
def documents(film: Callable[..., bytes], tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The documents of a draft of ``film()``."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "film.dcm").write_bytes(film())
    write_documents(case_of_file(folder / "film.dcm"), folder)
    return [(folder / name).read_bytes() for name in OBJECTS]
