"""The queue to the model: batches, its bound, studies that arrive twice, and studies that fail."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from pictures import encoded
from PIL import Image
from stand_in import StandIn
from starlette.testclient import TestClient

from radscribe.drafting.reporter import Reporter

Films = Callable[[int], bytes]
Post = Callable[..., Any]
Service = Callable[..., TestClient]


BRIGHT_FILM = Image.fromarray(np.tile(np.arange(210, 250, dtype=np.uint8), (40, 1)))


def held(client: TestClient) -> int:
    return client.app.state.service.drafter.held  # type: ignore[attr-defined, no-any-return]


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it did not come true within a minute"
        time.sleep(0.01)


def test_the_same_study_twenty_times_at_once_is_drafted_once(
    service: Service, post: Post, film: Films, reporter: Reporter
) -> None:
    model = StandIn(reporter)
    client = service(model)
    model.go.clear()
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(post, client, film(1)) for _ in range(20)]
        wait_until(lambda: bool(model.batches))
        model.go.set()
        found = [answer.result() for answer in answers]
    assert sorted(answer.status_code for answer in found) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in found}) == 1 and model.batches == [1]
    kept = client.app.state.service.films._folder  # type: ignore[attr-defined]
    assert [path.name for path in kept.iterdir()] == [found[0].json()["id"]]


def test_a_full_queue_refuses_and_says_when_to_come_again(
    service: Service, post: Post, film: Films, reporter: Reporter
) -> None:
    model = StandIn(reporter)
    client = service(model, queue=3, batch=2)
    known = post(client, film(0)).json()
    model.go.clear()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(post, client, film(number)) for number in (1, 2, 3)]
        wait_until(lambda: held(client) == 3)
        refused = post(client, film(4))
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        assert "3 studies are waiting" in refused.json()["detail"]
        assert post(client, film(0)).json() == known, "a study that is known needs no place"
        assert "radscribe_queue_length 3.0" in client.get("/metrics").text
        model.go.set()
        assert [answer.result().status_code for answer in waiting] == [201] * 3
    assert held(client) == 0 and post(client, film(4)).status_code == 201
    assert max(model.batches) <= 2


def test_what_waits_is_drafted_together(service: Service, post: Post, film: Films, reporter: Reporter) -> None:
    model = StandIn(reporter)
    client = service(model, batch=4)
    model.go.clear()
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(post, client, film(0))]
        wait_until(lambda: len(model.batches) == 1)
        answers += [pool.submit(post, client, film(number)) for number in (1, 2, 3, 4)]
        jobs = client.app.state.service.drafter._jobs  # type: ignore[attr-defined]
        wait_until(lambda: jobs.qsize() == 4)
        model.go.set()
        assert {answer.result().status_code for answer in answers} == {201}
    assert model.batches == [1, 4]


def test_a_study_that_fails_costs_no_other_and_tells_no_secret(
    service: Service, post: Post, film: Films, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    model = StandIn(reporter)
    client = service(model)
    jobs = client.app.state.service.drafter._jobs  # type: ignore[attr-defined]
    model.go.clear()
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(post, client, film(0))]
        wait_until(lambda: len(model.batches) == 1)
        answers += [pool.submit(post, client, content) for content in (film(1), encoded(BRIGHT_FILM), film(2))]
        wait_until(lambda: jobs.qsize() == 3)
        model.go.set()
        found = [answer.result() for answer in answers]
    assert [answer.status_code for answer in found] == [201, 201, 500, 201]
    assert model.batches == [1, 3, 1, 1, 1] and held(client) == 0
    assert "RuntimeError" in caplog.text and "Secret" not in caplog.text + found[2].text
    assert post(client, encoded(BRIGHT_FILM)).status_code == 500, "the failed study is not taken for a draft"
