"""All that working on studies needs, for as long as a block works: the list, the model, the decoders."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from radscribe.core.errors import RadscribeError
from radscribe.core.locks import try_lock
from radscribe.drafting.acceptance import read_acceptance
from radscribe.drafting.sentence_maps import kind_for
from radscribe.drafting.session import drafting
from radscribe.imaging.quiet import quiet
from radscribe.pacs.drafting import StudyDrafter
from radscribe.pacs.model_change import admit
from radscribe.pacs.state import opened_state
from radscribe.pacs.work import Archive, BackOff, StudyWork
from radscribe.serve.decoding import DecodingPool
from radscribe.serve.settings import DecodingLimits, require_reason

LIBRARIES = ("dicomweb_client", "pynetdicom", "pydicom")


@dataclass(frozen=True)
class ModelChoice:
    """Which model drafts, and how; raises ``WrongUse`` for an ``accept_unscored`` that is no reason."""

    # A folder or hub id; None is the packaged one.
    checkpoint: str | Path | None = None
    device: str = "cpu"
    # The kind of map that sentences show, as ``radscribe generate`` takes it.
    evidence: str = "best"
    # What a model must show to take the place of another; None is the file that comes with the package.
    acceptance: Path | None = None
    # Why a model that does not show it may take that place all the same; it is kept, so nothing of a patient.
    accept_unscored: str | None = None

    def __post_init__(self) -> None:
        require_reason(self.accept_unscored)


@contextmanager
def study_work(state: Path, archive: Archive, choice: ModelChoice, back_off: BackOff) -> Iterator[StudyWork]:
    """The work on the list in the file ``state``, which no other process may work on meanwhile.

    Within the block the files that this process writes are its user's alone, and the libraries of DICOM, whose log
    lines quote what they read, are silent.

    Raises:
        WrongUse: the model has no map of the kind ``choice.evidence``, or there is no file of limits.
        RadscribeError: another process works on the list, list or checkpoint cannot be opened, or another model
            drafted last and this one is not accepted in its place.
    """
    acceptance = read_acceptance(choice.acceptance)
    umask, folder = os.umask(0o077), state.with_name(state.name + ".films")
    with ExitStack() as stack:
        stack.callback(os.umask, umask)
        for library in LIBRARIES:
            stack.enter_context(quiet(library))
        if not stack.enter_context(try_lock(state.with_name(state.name + ".lock"))):
            raise RadscribeError(f"{state}: another process works on this list; stop that one or name another file")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)  # what a killed process had fetched
        folder.mkdir(parents=True)
        opened = stack.enter_context(opened_state(state))
        reporter = stack.enter_context(drafting(choice.checkpoint, choice.device))
        kind_for(reporter.system.model, choice.evidence)
        if line := admit(opened, reporter, acceptance, choice.accept_unscored):
            print(f"radscribe: {line}", file=sys.stderr, flush=True)
        pool = DecodingPool(reporter.system.config.film, DecodingLimits(workers=1))
        stack.callback(pool.close)
        yield StudyWork(opened, StudyDrafter(reporter, pool, choice.evidence), archive, back_off, folder)
