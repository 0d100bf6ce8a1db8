"""An archive that speaks DICOMweb: studies found by QIDO-RS, films by WADO-RS, documents stored by STOW-RS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread

from radscribe.clinic.folder import OBJECTS
from radscribe.clinic.objects import MANUFACTURER
from radscribe.core.files import sha256_of
from radscribe.imaging.dicom import RADIOGRAPH_CLASSES
from radscribe.pacs.errors import ArchiveError, ArchiveUnreachable
from radscribe.pacs.http_session import ArchiveSession, Login, TooLarge

MODALITIES = ("CR", "DX")
PAGE = 100
# Seconds to connect, and between two packets of an answer.
TIMEOUT = (10.0, 60.0)
# More than any body that is sent: dicomweb-client sends longer ones in chunks, without their size, and archives have
# answered 200 to such and stored nothing.
NEVER_CHUNKED = 2**40
MOST_FILMS = 64
UNREACHABLE = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
UID = re.compile(r"[0-9.]{1,64}")
# Attributes in DICOM JSON (PS3.18 F.2).
CLASS, INSTANCE, STUDY, SERIES = "00080016", "00080018", "0020000D", "0020000E"
COUNT = "00201208"  # Number of Study Related Instances
MODALITY, MAKER, SERIAL, SERIES_NUMBER, NUMBER = "00080060", "00080070", "00181000", "00200011", "00200013"
Item = dict[str, Any]


class DicomwebArchive:
    """The archive at ``url``; nothing is sent before a method is called."""

    def __init__(self, url: str, login: Login, timeout: tuple[float, float] = TIMEOUT) -> None:
        self._url = url.rstrip("/")
        self._client = DICOMwebClient(
            self._url, ArchiveSession(login), chunk_size=NEVER_CHUNKED, permissive_uid=True, timeout=timeout
        )
        self._client.set_http_retry_params(retry=False)  # what is tried again, and when, is decided in one place

    def studies(self, since: date | None) -> dict[str, str]:
        """The UIDs of the studies with CR or DX films since a day (None: all), each with its number of instances.

        The number is "" where the archive does not say it. Raises ``ArchiveError``.
        """
        found: dict[str, str] = {}
        for modality in MODALITIES:
            filters = {"ModalitiesInStudy": modality}
            if since:
                filters["StudyDate"] = f"{since:%Y%m%d}-"
            listed: dict[str, str] = {}
            offset, new = 0, True
            while new:  # an archive that does not count from the offset gives the same page again
                with self._asking("search for studies"):
                    page = self._client.search_for_studies(limit=PAGE, offset=offset, search_filters=filters)
                    studies = {uid: _first(each, COUNT) for each in page if UID.fullmatch(uid := _first(each, STUDY))}
                offset, new = offset + len(page), not studies.keys() <= listed.keys()
                listed |= studies
            found |= listed
        return found

    def listing(self, study: str) -> str:
        """SHA-256 of the UIDs of the study's films; raises ``ArchiveError``."""
        return sha256_of(" ".join(sorted(_first(each, INSTANCE) for each in self._films(study))).encode())

    def films(self, study: str, folder: Path) -> list[Path]:
        """The study's films, fetched into ``folder`` in the order of their numbers.

        Raises ``ArchiveError``, also for an answer that is another film than the one asked for.
        """
        found = self._films(study)
        found.sort(key=lambda each: (_number(each, SERIES_NUMBER), _number(each, NUMBER), _first(each, INSTANCE)))
        paths: list[Path] = []
        for place, each in enumerate(found[:MOST_FILMS]):
            asked = (study, _first(each, SERIES), _first(each, INSTANCE))
            path = folder / f"{place}.dcm"
            with self._asking("fetch a film"):
                film = self._client.retrieve_instance(*asked)
                if (str(film.get("StudyInstanceUID")), str(film.get("SOPInstanceUID"))) != (study, asked[2]):
                    raise ArchiveError(f"{self._url}: it answered with another film than the one asked for")
                film.save_as(path, enforce_file_format=True)
            paths.append(path)
        return paths

    def holds_drafts(self, study: str, fingerprint: str) -> bool:
        """Whether the study has each kind of document, made by this program with the model of this fingerprint."""
        kinds: set[str] = set()
        with self._asking("list the series of a study"):
            for series in self._client.search_for_series(study):
                uid = _first(series, SERIES)
                if uid.startswith("2.25.") and UID.fullmatch(uid) and _first(series, MODALITY) not in MODALITIES:
                    found = self._client.retrieve_series_metadata(study, uid)
                    kinds |= {_first(each, CLASS) for each in found if _is_ours(each, fingerprint)}
        return len(kinds) >= len(OBJECTS)

    def store(self, study: str, documents: Sequence[bytes]) -> None:
        """Store documents of a study, those alone that are not there; then ask whether they are.

        The answer to storing is not enough: archives have answered 200 and stored nothing.

        Raises ``ArchiveError`` where one is not confirmed, or not found afterwards.
        """
        objects = [dcmread(BytesIO(content)) for content in documents]
        missing = self._missing(study, objects)
        if not missing:
            return
        with self._asking("store documents"):
            answer = self._client.store_instances(missing, study)
            confirmed = {str(each.ReferencedSOPInstanceUID) for each in answer.get("ReferencedSOPSequence", ())}
            refused = len(answer.get("FailedSOPSequence", ()))
        unconfirmed = sum(str(each.SOPInstanceUID) not in confirmed for each in missing)
        if refused or unconfirmed:
            raise ArchiveError(f"{self._url}: it confirmed {len(missing) - unconfirmed} of {len(missing)} documents")
        if lost := self._missing(study, objects):
            raise ArchiveError(f"{self._url}: it confirmed all documents, yet {len(lost)} of them are not there")

    def finished(self, study: str) -> None:
        """Nothing is kept of a study."""

    def _films(self, study: str) -> list[Item]:
        with self._asking("list the films of a study"):
            return [each for each in self._client.search_for_instances(study) if _is_film(each)]

    def _missing(self, study: str, objects: Sequence[Dataset]) -> list[Dataset]:
        missing = []
        for each in objects:
            with self._asking("look for a document"):
                filters = {"SOPInstanceUID": str(each.SOPInstanceUID)}
                found = self._client.search_for_instances(study, search_filters=filters)
            if str(each.SOPInstanceUID) not in {_first(item, INSTANCE) for item in found}:
                missing.append(each)
        return missing

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turns whatever goes wrong into an ``ArchiveError`` of one line; the libraries' errors quote identifiers."""
        try:
            yield
        except ArchiveError:
            raise
        except TooLarge as error:
            raise ArchiveError(f"{self._url}: could not {what}: {error}") from None
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            kind = ArchiveUnreachable if status in UNREACHABLE else ArchiveError
            raise kind(f"{self._url}: could not {what}: it answers {status}{_fix(status)}") from None
        except requests.ConnectTimeout:
            raise ArchiveUnreachable(f"{self._url}: nobody answers; is it running, and is the address right?") from None
        except requests.Timeout:
            raise ArchiveError(f"{self._url}: could not {what}: no answer in time") from None
        except requests.exceptions.SSLError:
            raise ArchiveUnreachable(
                f"{self._url}: its certificate is not trusted; name its authority's file in REQUESTS_CA_BUNDLE"
            ) from None
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            raise ArchiveError(f"{self._url}: could not {what}: its answer ended early") from None
        except requests.ConnectionError:
            raise ArchiveUnreachable(f"{self._url}: nobody answers; is it running, and is the address right?") from None
        except Exception as error:  # a damaged answer makes the parsers raise almost anything
            if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
                raise  # of our own disk
            raise ArchiveError(
                f"{self._url}: could not {what}: its answer cannot be read ({type(error).__name__})"
            ) from None


def _fix(status: int) -> str:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "; give --token-file, or --user and --password-file"
    return "; is this the address of its DICOMweb service?" if status == HTTPStatus.NOT_FOUND else ""


def _first(item: Item, tag: str) -> str:
    """The first value of an attribute in DICOM JSON as text, "" where it has none."""
    values = (item.get(tag) or {}).get("Value") or [""]
    return str(values[0])


def _number(item: Item, tag: str) -> int:
    text = _first(item, tag)
    return int(text) if text.isascii() and text.isdigit() else 0


def _is_film(item: Item) -> bool:
    """Whether an instance is a film: what this program stores is of other modalities."""
    modality = _first(item, MODALITY)
    named = all(UID.fullmatch(_first(item, tag)) for tag in (SERIES, INSTANCE))
    return named and modality in (*MODALITIES, "") and _first(item, CLASS) in RADIOGRAPH_CLASSES


def _is_ours(item: Item, fingerprint: str) -> bool:
    return _first(item, MAKER) == MANUFACTURER and _first(item, SERIAL) == fingerprint[:64]
