"""Requests that schemathesis makes up from the OpenAPI description: none makes the service fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from running import Running

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service as a process."""
    data = tmp_path_factory.mktemp("fuzzed")
    running = Running("--checkpoint", str(checkpoint), "--data", str(data), "--evidence", "none")
    yield running
    running.kill()


def ask(operation: Any, counts: Counter[int]) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=60, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def each(case: Any) -> None:
        answer = case.call()
        counts[answer.status_code] += 1
        assert answer.status_code < 500, (answer.status_code, answer.text)

    each()


def test_no_request_makes_it_fail(service: Running) -> None:
    schema = schemathesis.openapi.from_url(f"{service.address}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    answered: dict[str, Counter[int]] = {operation.label: Counter() for operation in operations}
    for operation in operations:
        ask(operation, answered[operation.label])
    assert set(answered) >= {"POST /v1/drafts", "PATCH /v1/drafts/{name}", "GET /v1/drafts", "GET /metrics"}
    assert answered["POST /v1/drafts"][422] > 10 and answered["GET /v1/drafts"][200] > 10, answered


def test_it_is_alive_afterwards_and_logged_no_fault(service: Running) -> None:
    assert httpx.get(f"{service.address}/readyz", timeout=60).status_code == 200
    assert "Error" not in service.log() and "Traceback" not in service.log()
