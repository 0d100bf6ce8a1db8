"""The list of studies and the work on it: each study once, whatever fails in between."""

from __future__ import annotations

import itertools
import math
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from radscribe.core.errors import RadscribeError
from radscribe.imaging.refusal import RefusedFilm
from radscribe.pacs.drafting import StudyDocuments
from radscribe.pacs.errors import ArchiveError, ArchiveUnreachable
from radscribe.pacs.state import WorkState, opened_state
from radscribe.pacs.work import BackOff, StudyWork, study_name

MODEL, OTHER = "model", "other"


class Drafter:
    """Drafts differently each time; ``refused`` and ``abstaining`` studies are known by their films."""

    fingerprint = MODEL

    def __init__(self) -> None:
        self.count = itertools.count(1)
        self.refused: set[str] = set()
        self.abstaining: set[str] = set()

    def draft(self, paths: Sequence[Path]) -> StudyDocuments:
        study = str(paths[0])
        if study in self.refused:
            raise RefusedFilm(study, "it shows HAND, not a chest")
        note = "It is turned." if study in self.abstaining else ""
        return StudyDocuments((f"{study} {next(self.count)}".encode(), b"other"), note)


class Memory:
    """An archive in memory; ``errors`` are raised, in their order, by the next calls of the method of that name."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, list[bytes]]] = []
        self.errors: dict[str, list[Exception]] = {"films": [], "store": []}
        self.listings: dict[str, str] = {}
        self.there: set[tuple[str, str]] = set()
        self.over: list[str] = []

    def listing(self, study: str) -> str:
        return self.listings.get(study, "one film")

    def films(self, study: str, folder: Path) -> list[Path]:
        self._fail("films")
        assert folder.is_dir()
        return [Path(study)]

    def holds_drafts(self, study: str, fingerprint: str) -> bool:
        return (study, fingerprint) in self.there

    def store(self, study: str, documents: Sequence[bytes]) -> None:
        self.stored.append((study, list(documents)))
        self._fail("store")

    def finished(self, study: str) -> None:
        self.over.append(study)

    def _fail(self, name: str) -> None:
        if self.errors[name]:
            raise self.errors[name].pop(0)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WorkState]:
    with opened_state(tmp_path / "list.db") as opened:
        yield opened


@pytest.fixture
def made(state: WorkState, tmp_path: Path) -> tuple[StudyWork, Drafter, Memory]:
    drafter, archive = Drafter(), Memory()
    work = StudyWork(state, drafter, archive, BackOff(10, 100, tries=3), tmp_path)  # type: ignore[arg-type]
    return work, drafter, archive


Made = tuple[StudyWork, Drafter, Memory]


def statuses(state: WorkState, *studies: str) -> list[str]:
    return [row.status for study in studies if (row := state.get(study, MODEL))]


def test_each_study_is_drafted_and_stored_once(made: Made, state: WorkState) -> None:
    work, _, archive = made
    for study in ("a", "b", "a"):
        state.add(study, MODEL, 0.0)
    assert work.run().outcomes == {"stored": 2}
    assert [study for study, _ in archive.stored] == ["a", "b"] == archive.over
    state.add("a", MODEL, 0.0)
    assert not work.run(now=math.inf).outcomes and len(archive.stored) == 2


def test_what_failed_is_sent_again_as_it_was_drafted_and_rests_before(made: Made, state: WorkState) -> None:
    work, drafter, archive = made
    archive.errors["store"] = [ArchiveError("it confirmed 2 of 4"), ArchiveError("it confirmed 3 of 4")]
    state.add("a", MODEL, 0.0)
    assert work.run().outcomes == {"failed": 1} and statuses(state, "a") == ["drafted"]
    assert not work.run().outcomes  # it rests for 10 s
    row = state.get("a", MODEL)
    assert row and 8 < row.due - time.time() < 12
    work.run(now=math.inf)
    row = state.get("a", MODEL)
    assert row and 18 < row.due - time.time() < 22
    assert work.run(now=math.inf).outcomes == {"stored": 1}
    assert archive.stored == [("a", [b"a 1", b"other"])] * 3 and next(drafter.count) == 2
    assert state.documents(row) == []


def test_a_process_that_is_killed_after_drafting_sends_the_same_documents(tmp_path: Path) -> None:
    path, archive = tmp_path / "list.db", Memory()
    for error in (KeyboardInterrupt(), None):
        archive.errors["store"] = [error] if error else []  # type: ignore[list-item]
        with opened_state(path) as state:
            state.add("a", MODEL, 0.0)
            work = StudyWork(state, Drafter(), archive, BackOff(), tmp_path)  # type: ignore[arg-type]
            if error:
                with pytest.raises(KeyboardInterrupt):
                    work.run()
            else:
                assert work.run().outcomes == {"stored": 1}
    assert archive.stored[0] == archive.stored[1]


@pytest.mark.parametrize(("step", "status"), [("films", "waiting"), ("store", "drafted")])
def test_a_study_that_always_fails_is_given_up_and_can_be_taken_up_again(
    made: Made, state: WorkState, capsys: pytest.CaptureFixture[str], step: str, status: str
) -> None:
    work, drafter, archive = made
    archive.errors[step] = [ArchiveError("it answers 409")] * 3
    state.add("1.2.3", MODEL, 0.0)
    found = [dict(work.run(now=math.inf).outcomes) for _ in range(4)]
    assert found == [{"failed": 1}, {"failed": 1}, {"given up": 1}, {}]
    err = capsys.readouterr().err
    assert f"study {study_name('1.2.3')}: given up after 3 tries: it answers 409" in err and "1.2.3" not in err
    state.take_up_again(MODEL)
    assert statuses(state, "1.2.3") == [status]
    assert work.run().outcomes == {"stored": 1} and next(drafter.count) == 2


def test_an_archive_that_is_gone_ends_the_pass_and_gives_nothing_up(made: Made, state: WorkState) -> None:
    work, _, archive = made
    archive.errors["films"] = [ArchiveUnreachable("nobody answers")] * 5
    for study in ("a", "b"):
        state.add(study, MODEL, 0.0)
    for _ in range(5):
        with pytest.raises(ArchiveUnreachable):
            work.run(now=math.inf)
    assert statuses(state, "a", "b") == ["waiting"] * 2
    assert work.run(now=math.inf).outcomes == {"stored": 2}


def test_a_refused_study_is_noted_once_and_costs_no_other(
    made: Made, state: WorkState, capsys: pytest.CaptureFixture[str]
) -> None:
    work, drafter, archive = made
    drafter.refused = {"hand"}
    for study in ("hand", "chest"):
        state.add(study, MODEL, 0.0)
    assert work.run().outcomes == {"refused": 1, "stored": 1}
    assert not work.run(now=math.inf).outcomes and [study for study, _ in archive.stored] == ["chest"]
    line = f"radscribe: study {study_name('hand')}: refused: it shows HAND, not a chest"
    assert capsys.readouterr().err.splitlines().count(line) == 1
    row = state.get("hand", MODEL)
    assert row and row.note == "it shows HAND, not a chest"


@pytest.mark.parametrize("kind", ["refused", "abstaining"])
def test_a_study_without_a_draft_is_looked_at_again_when_it_has_other_films(
    made: Made, state: WorkState, kind: str
) -> None:
    work, drafter, archive = made
    setattr(drafter, kind, {"a"})
    state.add("a", MODEL, 0.0)
    work.run()
    work.reopen("a", 0.0)
    assert not work.run().outcomes
    archive.listings["a"] = "two films"
    archive.there = {("a", MODEL)}  # what says that the draft abstains
    setattr(drafter, kind, set())
    work.reopen("a", 0.0)
    assert work.run().outcomes == {"stored": 1}
    archive.listings["a"] = "three films"
    work.reopen("a", 0.0)
    assert not work.run().outcomes


def test_a_study_that_has_our_documents_is_not_drafted(made: Made, state: WorkState) -> None:
    work, _, archive = made
    archive.there = {("a", MODEL), ("b", OTHER)}
    for study in ("a", "b"):
        state.add(study, MODEL, 0.0)
    assert work.run().outcomes == {"stored before": 1, "stored": 1}
    assert [study for study, _ in archive.stored] == ["b"]


def test_another_model_drafts_a_study_anew_and_sends_what_the_first_one_left(made: Made, state: WorkState) -> None:
    work, _, archive = made
    for study in ("a", "b"):
        state.add(study, OTHER, 0.0)
    left = state.due(OTHER, 0.0)
    state.keep_documents(left[0], [b"of the other model"], "film", "")
    state.add("a", MODEL, 0.0)
    assert work.run().outcomes == {"stored": 2}
    assert sorted(archive.stored)[0][1] != sorted(archive.stored)[1][1]
    row = state.get("b", OTHER)
    assert row and row.status == "waiting"


def test_a_limit_takes_the_longest_waiting_first(made: Made, state: WorkState) -> None:
    work, _, archive = made
    for place, study in enumerate("dcba"):
        state.add(study, MODEL, float(-place))
    assert work.run(limit=3).outcomes == {"stored": 3}
    assert [study for study, _ in archive.stored] == ["a", "b", "c"]


def test_waiting_doubles_up_to_its_most() -> None:
    back_off = BackOff(first=1, most=5)
    assert [back_off.seconds(failures) for failures in (1, 2, 3, 4, 10_000)] == [1, 2, 4, 5, 5]
    with pytest.raises(ValueError, match="above 0"):
        BackOff(first=0)


def test_the_list_is_for_its_user_alone(tmp_path: Path) -> None:
    with opened_state(tmp_path / "new" / "list.db"):
        for path in (tmp_path / "new").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("spoil", [lambda path: path.mkdir(), lambda path: path.write_text("no database " * 100)])
def test_a_file_that_is_no_list_is_one_line(tmp_path: Path, spoil: Callable[[Path], Any]) -> None:
    spoil(tmp_path / "list.db")
    with pytest.raises(RadscribeError, match=r"list\.db: .*; name another file"), opened_state(tmp_path / "list.db"):
        pass
