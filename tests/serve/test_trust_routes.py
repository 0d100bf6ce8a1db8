"""The routes in docs/trust/threat-model.md are all that the service has, and need a token as it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.routing import Mount
from starlette.testclient import TestClient

from radscribe.serve.settings import read_tokens

PAGE = (Path(__file__).parents[2] / "docs" / "trust" / "threat-model.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("\n## Routes\n")[2].partition("\n## ")[0]
LINES = [line.strip("|").split("|") for line in TABLE.splitlines() if line.startswith("|")][2:]
ROWS = {route.strip(" `"): (methods.strip(), token.strip()) for route, methods, token in LINES}


def routes(client: TestClient) -> dict[str, str]:
    """The methods of each route of the service."""
    known: dict[str, set[str]] = {}
    for route in client.app.routes:  # type: ignore[attr-defined]
        path, methods = (f"{route.path}/*", {"GET"}) if isinstance(route, Mount) else (route.path, route.methods)
        known.setdefault(path, set()).update(methods)
    return {path: ", ".join(sorted(methods - {"HEAD"})) for path, methods in known.items()}


def test_every_route_is_listed_with_its_methods(service: Callable[..., TestClient]) -> None:
    assert {route: methods for route, (methods, _) in ROWS.items()} == routes(service())


def test_a_token_is_needed_where_the_page_says_so(service: Callable[..., TestClient], tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("anna 0123456789abcdef\n")
    client = service(tokens=read_tokens(tmp_path / "tokens"))
    for route, (methods, token) in ROWS.items():
        for method in methods.split(", "):
            status = client.request(method, route.replace("*", "index.html")).status_code
            assert token in ("yes", "no") and (status == 401) == (token == "yes"), f"{method} {route}"
