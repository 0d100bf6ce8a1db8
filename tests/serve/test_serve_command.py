"""``radscribe serve`` as a command: one line for each wrong use, a clean start and stop."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from running import Running

from radscribe.core.locks import try_lock

Run = Callable[..., tuple[int, str, str]]


def one_line(answer: tuple[int, str, str]) -> str:
    code, out, err = answer
    assert code in (1, 2) and not out and err.startswith("radscribe: ") and err.count("\n") == 1, answer
    return err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--host", "0.0.0.0"), "--token-file"),
        (("--port", "99999"), "no such port"),
        (("--retain", "0"), "days above 0"),
        (("--queue", "0"), "--queue"),
        (("--token-file", "nowhere"), "no such file"),
        (("--checkpoint", "nowhere/at/all"), "no such checkpoint"),
        (("--host", "192.0.2.1", "--token-file", "tokens"), "--host 192.0.2.1"),
        (("--db", "mysql://x/y"), "sqlite:///FILE"),
        (("--open", "empty"), "the folder has no DICOM, PNG or JPEG file"),
    ],
)
def test_a_wrong_use_is_one_line(
    options: tuple[str, ...], reason: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokens").write_text("anna 0123456789abcdef\n")
    (tmp_path / "empty").mkdir()
    assert reason in one_line(run("serve", "--port", "0", *options))


def test_a_kind_of_map_that_the_model_does_not_have_is_one_line(run: Run, tmp_path: Path, checkpoint: Path) -> None:
    options = ("--port", "0", "--data", str(tmp_path), "--checkpoint", str(checkpoint), "--evidence", "dowsing")
    assert "no such map" in one_line(run("serve", *options))


def test_a_port_or_folder_in_use_is_one_line(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"--port {port}" in one_line(run("serve", "--data", str(tmp_path), "--port", port))
    with try_lock(tmp_path / "lock") as held:
        assert held and "another service" in one_line(run("serve", "--data", str(tmp_path), "--port", "0"))


@pytest.mark.parametrize("verb", [("serve",), ("audit", "verify")])
def test_without_the_extra_it_says_what_to_install(
    verb: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert "pip install 'radscribe[serve]'" in one_line(run(*verb))


def test_the_command_line_loads_nothing_of_the_service() -> None:
    names = "'fastapi', 'sqlalchemy', 'uvicorn', 'pydantic'"
    code = f"import sys, radscribe.cli.main; print(sorted({{{names}}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_films_that_are_named_are_in_the_list_in_their_order_once(
    checkpoint: Path, film: Callable[[int], bytes], tmp_path: Path
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for name, content in {"a.png": film(1), "b.png": film(2), "c.png": b"\x89PNG\r\n\x1a\nno film"}.items():
        (films / name).write_bytes(content)
    (films / "notes.txt").write_text("no film either")
    options = ("--checkpoint", str(checkpoint), "--data", str(tmp_path / "data"), "--open", str(films))
    seen = []
    for _ in range(2):
        service = Running(*options)
        drafts = httpx.get(f"{service.address}/v1/drafts", timeout=60).json()["drafts"]
        assert service.stop() in (1, 130)
        seen.append([draft["id"] for draft in drafts])
        refusals = [line for line in service.log().splitlines() if "c.png" in line]
        assert len(refusals) == 1 and "it has no draft" in refusals[0] and "Traceback" not in service.log()
    assert seen[0] == seen[1] and len(seen[0]) == 2
    first, second = (tmp_path / "data" / "films" / name / "0" for name in seen[0])
    assert first.read_bytes() == film(1) and second.read_bytes() == film(2)


def test_it_starts_says_where_and_stops(checkpoint: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    service = Running("--checkpoint", str(checkpoint), "--data", str(data))
    assert service.address.startswith("http://127.0.0.1:")
    assert httpx.get(f"{service.address}/readyz", timeout=60).json() == {"status": "ready"}
    assert "server" not in httpx.get(f"{service.address}/healthz", timeout=60).headers
    assert service.stop() in (1, 130)
    assert service.log().count("\n") <= 2 and "Traceback" not in service.log()
    assert data.stat().st_mode & 0o077 == 0 and (data / "radscribe.db").stat().st_mode & 0o077 == 0
    assert not (data / "radscribe.db-wal").exists(), "the database was closed"
