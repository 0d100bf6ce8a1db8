"""All that working on studies needs, for as long as a block works: the list, the model, the decoders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from radscribe.core.errors import RadscribeError
from radscribe.core.locks import try_lock
from radscribe.drafting.sentence_maps import kind_for
from radscribe.drafting.session import drafting
from radscribe.imaging.quiet import quiet
from radscribe.pacs.drafting import StudyDrafter
from radscribe.pacs.state import opened_state
from radscribe.pacs.work import Archive, BackOff, StudyWork
from radscribe.serve.decoding import DecodingPool
from radscribe.serve.settings import DecodingLimits

LIBRARIES = ("dicomweb_client", "pynetdicom", "pydicom")


@contextmanager
def study_work(
    state: Path, archive: Archive, checkpoint: str | Path | None, device: str, evidence: str, back_off: BackOff
) -> Iterator[StudyWork]:
    """The work on the list in the file ``state``, which no other process may work on meanwhile.

    Within the block the files that this process writes are its user's alone, and the libraries of DICOM, whose log
    lines quote what they read, are silent.

    Raises:
        WrongUse: the model has no map of the kind ``evidence``.
        RadscribeError: another process works on the list, or list or checkpoint cannot be opened.
    """
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
        reporter = stack.enter_context(drafting(checkpoint, device))
        kind_for(reporter.system.model, evidence)
        pool = DecodingPool(reporter.system.config.film, DecodingLimits(workers=1))
        stack.callback(pool.close)
        yield StudyWork(opened, StudyDrafter(reporter, pool, evidence), archive, back_off, folder)
