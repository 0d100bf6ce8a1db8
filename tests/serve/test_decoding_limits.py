"""Films are decoded elsewhere, within limits: what dies there costs one study, and is replaced."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from malice import largest_film
from radiographs import dicom
from starlette.testclient import TestClient

from radscribe.imaging.crop import FilmConfig
from radscribe.imaging.film import read_film
from radscribe.imaging.refusal import RefusedFilm
from radscribe.serve.decoding import DecodingPool, FilmTooLarge
from radscribe.serve.settings import DecodingLimits

CONFIG = FilmConfig(resize=72, crop=64)


@pytest.fixture
def pool() -> Iterator[Callable[..., DecodingPool]]:
    made: list[DecodingPool] = []

    def start(**limits: Any) -> DecodingPool:
        made.append(DecodingPool(CONFIG, DecodingLimits(**({"workers": 1} | limits))))
        return made[-1]

    yield start
    for each in made:
        each.close()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_film_comes_back_as_the_reporter_reads_it(
    pool: Callable[..., DecodingPool], tmp_path: Path, reporter: Any
) -> None:
    path = written(tmp_path / "film", dicom(BitsStored=None))
    film = pool().decode(path)
    assert (film.pixels == reporter.view(read_film(path, longest=72).pixels)).all()
    assert (film.width, film.height, film.bits, film.view) == (64, 48, 16, "frontal")
    assert film.warnings == read_film(path).warnings


def test_the_largest_film_fits_and_takes_more_than_little_memory(
    pool: Callable[..., DecodingPool], tmp_path: Path
) -> None:
    path = written(tmp_path / "film", largest_film())
    assert pool().decode(path).width == 6000
    with pytest.raises(RefusedFilm):
        pool(memory=260).decode(path)


def test_a_killed_process_costs_one_film_and_is_replaced(pool: Callable[..., DecodingPool], tmp_path: Path) -> None:
    decoding, path = pool(), written(tmp_path / "film", dicom())
    decoding.decode(path)
    (before,) = decoding.processes()
    os.kill(before, signal.SIGSTOP)  # the next film waits for it
    threading.Timer(0.5, os.kill, (before, signal.SIGKILL)).start()
    with pytest.raises(FilmTooLarge, match="its decoder ended"):
        decoding.decode(path)
    assert decoding.decode(path).width == 64
    assert decoding.processes() != [before]


def test_a_film_that_takes_too_long_is_given_up(pool: Callable[..., DecodingPool], tmp_path: Path) -> None:
    decoding, path = pool(seconds=1.0), written(tmp_path / "film", dicom())
    decoding.decode(path)
    (before,) = decoding.processes()
    os.kill(before, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(FilmTooLarge, match="longer to decode than 1 s"):
        decoding.decode(path)
    assert time.monotonic() - began < 20 and not Path(f"/proc/{before}").exists()
    assert decoding.decode(path).width == 64


def test_a_process_that_waits_for_nobody_ends(pool: Callable[..., DecodingPool], tmp_path: Path) -> None:
    decoding = pool()
    decoding.decode(written(tmp_path / "film", dicom()))
    process = decoding._processes[0]
    process._connection.close()  # type: ignore[union-attr]
    process._process.join(20)  # type: ignore[union-attr]
    assert process._process.exitcode == 0  # type: ignore[union-attr]


def test_an_answer_that_is_no_film_is_refused(
    pool: Callable[..., DecodingPool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = pool()
    for answer in (({}, b""), ({"width": 1, "height": 1, "bits": 8, "view": None, "warnings": []}, bytes(7))):
        monkeypatch.setattr(decoding, "_ask", lambda request, answer=answer: answer)
        with pytest.raises(RefusedFilm, match="gave no film"):
            decoding.decode(tmp_path)


def test_the_service_answers_for_a_killed_decoder_and_goes_on(
    service: Callable[..., TestClient], post: Callable[..., Any], film: Callable[[int], bytes]
) -> None:
    client = service()
    assert post(client, film(0)).status_code == 201
    decoding = client.app.state.service.decoding  # type: ignore[attr-defined]
    (before,) = decoding.processes()
    os.kill(before, signal.SIGSTOP)
    threading.Timer(0.5, os.kill, (before, signal.SIGKILL)).start()
    answer = post(client, film(1))
    assert answer.status_code == 413 and "decoder ended" in answer.json()["detail"]
    assert [post(client, film(number)).status_code for number in (1, 2)] == [201, 201]


def test_a_decoder_has_its_limits_and_no_torch(pool: Callable[..., DecodingPool], tmp_path: Path) -> None:
    decoding = pool(memory=900)
    decoding.decode(written(tmp_path / "film", dicom()))
    process = Path(f"/proc/{decoding.processes()[0]}")
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (process / "limits").read_text().splitlines()}
    assert limits["Max address space"] == [str(900 * 2**20)] * 2
    assert limits["Max file size"] == limits["Max core file size"] == ["0", "0"]
    assert int(limits["Max cpu time"][0]) < 60
    assert "libtorch" not in (process / "maps").read_text()
