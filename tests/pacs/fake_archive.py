"""A small DICOMweb archive in memory that goes wrong when it is bidden."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydicom import Dataset, dcmread

BOUNDARY = "frontier"
ROUTES = {
    "studies": r"/studies",
    "instances": r"/studies/([^/]+)/instances",
    "series": r"/studies/([^/]+)/series",
    "metadata": r"/studies/([^/]+)/series/([^/]+)/metadata",
    "film": r"/studies/([^/]+)/series/([^/]+)/instances/([^/]+)",
    "store": r"/studies/([^/]+)",
}
Fault = Callable[["Handler"], None]


class FakeArchive:
    """Answers as an archive; ``faults`` are what it does next instead, by the name of the route."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.heads: list[tuple[str, dict[str, str]]] = []
        self.queries: list[tuple[str, set[str]]] = []
        self.faults: list[tuple[str, Fault]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"archive": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def put(self, content: bytes) -> str:
        uid = str(dcmread(BytesIO(content), stop_before_pixels=True).SOPInstanceUID)
        self.files[uid] = content
        return uid

    def headers(self, study: str | None = None) -> list[Dataset]:
        found = [dcmread(BytesIO(content), stop_before_pixels=True) for content in self.files.values()]
        return [each for each in found if study in (None, each.StudyInstanceUID)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    archive: FakeArchive
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *words: Any) -> None:
        """Says nothing."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        wanted = [name for name in ROUTES if (name == "store") == (self.command == "POST")]
        name, match = next((name, m) for name in wanted if (m := re.fullmatch(ROUTES[name], parts.path)))
        self.archive.asked[name] += 1
        self.archive.heads.append((name, dict(self.headers)))
        self.archive.queries.append((f"{self.command} {parts.path}", set(self.query)))
        length = int(self.headers.get("Content-Length") or 0)
        self.body, self.groups = self.rfile.read(length), match.groups()
        for place, (route, fault) in enumerate(self.archive.faults):
            if route == name:
                del self.archive.faults[place]
                return fault(self)
        getattr(self, f"_{name}")(*match.groups())

    def send(self, content: bytes, kind: str, status: int = 200, claimed: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if claimed is None else claimed))
        self.end_headers()
        self.wfile.write(content)

    def send_items(self, items: Any) -> None:
        self.send(json.dumps(items).encode(), "application/dicom+json")

    def send_film(self, content: bytes) -> None:
        head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        self.send(head + content + f"\r\n--{BOUNDARY}--".encode(), kind)

    def _studies(self) -> None:
        found: dict[str, dict[str, Any]] = {}
        for each in self.archive.headers():
            count = str(len(self.archive.headers(each.StudyInstanceUID)))
            item = {"0020000D": _values(each.StudyInstanceUID), "00201208": _values(count)}
            if each.Modality == self.query["ModalitiesInStudy"]:
                found[each.StudyInstanceUID] = item
        begin, limit = int(self.query.get("offset", 0)), int(self.query["limit"])
        self.send_items(list(found.values())[begin : begin + limit])

    def _instances(self, study: str) -> None:
        uid = self.query.get("SOPInstanceUID")
        self.send_items([_item(each) for each in self.archive.headers(study) if uid in (None, each.SOPInstanceUID)])

    def _series(self, study: str) -> None:
        self.send_items([_item(each) for each in self.archive.headers(study)])

    def _metadata(self, study: str, series: str) -> None:
        found = [each for each in self.archive.headers(study) if each.SeriesInstanceUID == series]
        self.send_items([each.to_json_dict(bulk_data_threshold=10, bulk_data_element_handler=str) for each in found])

    def _film(self, study: str, series: str, uid: str) -> None:
        self.send_film(self.archive.files[uid])

    def _store(self, study: str) -> None:
        for part in parts_of(self.body):
            self.archive.put(part)
        self.send_items(confirmation(self.body))


def parts_of(body: bytes) -> list[bytes]:
    """The objects in a body of STOW-RS."""
    delimiter = body.lstrip(b"\r\n").split(b"\r\n", 1)[0]
    return [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in body.split(delimiter)[1:-1]]


def confirmation(body: bytes) -> dict[str, Any]:
    """What an archive answers that has stored all of ``body``."""
    uids = [str(dcmread(BytesIO(part), stop_before_pixels=True).SOPInstanceUID) for part in parts_of(body)]
    return {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [uid]}} for uid in uids]}}


def status(number: int) -> Fault:
    """Answers with this status."""
    return lambda handler: handler.send(b"Secret^Patient", "text/plain", number)


def silent(seconds: float) -> Fault:
    """Says nothing for a while."""
    return lambda handler: time.sleep(seconds)


def cut(handler: Handler) -> None:
    """Promises more than it sends, and hangs up."""
    handler.send(b"--frontier\r\nContent-Type: ", f"multipart/related; boundary={BOUNDARY}", claimed=5000)
    handler.close_connection = True


def nonsense(handler: Handler) -> None:
    """Answers with what is no JSON and no film."""
    handler.send(b"<html>Secret^Patient</html>", "application/dicom+json")


def only_says_so(handler: Handler) -> None:
    """Confirms all, and stores nothing."""
    handler.send_items(confirmation(handler.body))


def empty_answer(handler: Handler) -> None:
    """200 and not a word more, and stores nothing."""
    handler.send(b"", "application/dicom+json")


def half_stored(handler: Handler) -> None:
    """Stores the first two objects and says that the others failed."""
    parts = parts_of(handler.body)
    for part in parts[:2]:
        handler.archive.put(part)
    answer = confirmation(handler.body)
    items = answer["00081199"]["Value"]
    failed = [{**each, "00081197": {"vr": "US", "Value": [0xA700]}} for each in items[2:]]
    handler.send_items({"00081199": {"vr": "SQ", "Value": items[:2]}, "00081198": {"vr": "SQ", "Value": failed}})


def _values(value: Any) -> dict[str, Any]:
    return {"vr": "UI", "Value": [str(value)]}


def _item(header: Dataset) -> dict[str, Any]:
    tags = {"SOPClassUID": "00080016", "SOPInstanceUID": "00080018", "Modality": "00080060",
            "SeriesInstanceUID": "0020000E", "InstanceNumber": "00200013"}  # fmt: skip
    return {tag: _values(header.get(keyword)) for keyword, tag in tags.items() if keyword in header}
