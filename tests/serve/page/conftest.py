"""The page in a real browser: Chromium by Playwright, with services to talk to."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from scripted import Scripted

from radscribe.drafting.reporter import Reporter
from radscribe.serve.app import create_app
from radscribe.serve.database import open_database
from radscribe.serve.page import FOLDER
from radscribe.serve.service import DraftService
from radscribe.serve.settings import DecodingLimits, ServeConfig

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a graphics card; as root there is no sandbox.
FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, args=list(FLAGS))
        yield opened
        opened.close()


class _QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/empty":
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture(scope="session")
def logic(browser: Any) -> Iterator[Callable[..., Any]]:
    """Evaluates an expression of a module ``m`` of the page and of what is ``given``, in the browser."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietFiles, directory=FOLDER.parent))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    opened = browser.new_page()
    opened.goto(f"http://127.0.0.1:{server.server_port}/empty")

    def evaluate(module: str, expression: str, given: Any = None) -> Any:
        source = f"async (given) => {{ const m = await import('/page/logic/{module}.js'); return {expression}; }}"
        return opened.evaluate(source, given)

    yield evaluate
    opened.close()
    server.shutdown()
    server.server_close()


def _started(stack: ExitStack, model: Any, data: Path, **settings: Any) -> str:
    """The address of a service that runs until ``stack`` ends."""
    data.mkdir()
    config = ServeConfig(**({"data": data, "decoding": DecodingLimits(workers=1)} | settings))
    database = open_database(config.database_url)
    stack.callback(database.close)
    app = create_app(DraftService(model, config, database))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    stack.callback(_stop, server, thread)
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


@pytest.fixture
def site(reporter: Reporter, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a real service on a port of its own, by default with scripted drafts; returns its address."""
    with ExitStack() as stack:

        def start(model: Any = None, **settings: Any) -> str:
            data = tmp_path / f"data-{len(list(tmp_path.iterdir()))}"
            return _started(stack, model or Scripted(reporter), data, **settings)

        yield start


@pytest.fixture(scope="session")
def shared_site(reporter: Reporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with scripted drafts for all tests that look at one study of their own."""
    with ExitStack() as stack:
        yield _started(stack, Scripted(reporter), tmp_path_factory.mktemp("shared-site") / "data")


def _stop(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address in a window of its own; a fault of a script, or what the policy refuses, fails the test."""
    faults: list[str] = []
    with ExitStack() as stack:

        def open_page(address: str, **options: Any) -> Any:
            settings: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "accept_downloads": True}
            context = browser.new_context(**(settings | options))
            stack.callback(context.close)
            context.set_default_timeout(20_000)
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
            page.goto(address)
            return page

        yield open_page
    assert faults == []
