"""A service of the tiny checkpoint, in this process, and films to send to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.serve.app import create_app
from radscribe.serve.database import open_database
from radscribe.serve.service import DraftService
from radscribe.serve.settings import DecodingLimits, ServeConfig

LOCAL_URL = "http://127.0.0.1"


@pytest.fixture(scope="session")
def reporter(checkpoint: Path) -> Reporter:
    """The tiny checkpoint, loaded once."""
    return load_reporter(checkpoint)


@pytest.fixture(scope="session")
def film(phantoms: PreparedDataset) -> Callable[[int], bytes]:
    """The PNG file of a phantom; each number is another film."""

    def make(number: int) -> bytes:
        content, grey = BytesIO(), np.array(phantoms.pixels[number % len(phantoms.pixels)])
        grey[0, :4] = np.frombuffer(number.to_bytes(4, "big"), np.uint8)
        Image.fromarray(grey).save(content, "PNG")
        return content.getvalue()

    return make


@pytest.fixture
def unstarted(reporter: Reporter, tmp_path: Path) -> Callable[..., TestClient]:
    """Makes a service with these settings, which runs within ``with``; its client has it as ``app.state.service``."""

    def make(model: Any = reporter, **settings: Any) -> TestClient:
        known = {"data": tmp_path / "data", "decoding": DecodingLimits(workers=1)}
        config = ServeConfig(**(known | settings))
        config.data.mkdir(exist_ok=True)
        made = DraftService(model, config, open_database(config.database_url))
        app = create_app(made)
        app.state.service = made
        return TestClient(app, LOCAL_URL)

    return make


@pytest.fixture
def service(unstarted: Callable[..., TestClient]) -> Iterator[Callable[..., TestClient]]:
    """Starts services as ``unstarted`` makes them, until the test ends."""
    with ExitStack() as stack:
        yield lambda *model, **settings: stack.enter_context(unstarted(*model, **settings))


@pytest.fixture(scope="module")
def client(reporter: Reporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service for all tests of a file."""
    config = ServeConfig(data=tmp_path_factory.mktemp("service"), decoding=DecodingLimits(workers=1))
    made = DraftService(reporter, config, open_database(config.database_url))
    app = create_app(made)
    app.state.service = made
    with TestClient(app, LOCAL_URL) as client:
        yield client


@pytest.fixture(scope="session")
def post() -> Callable[..., Any]:
    """Sends films as one study."""

    def send(client: TestClient, *films: bytes, **options: Any) -> Any:
        return client.post("/v1/drafts", files=[("files", ("film", each)) for each in films], **options)

    return send
