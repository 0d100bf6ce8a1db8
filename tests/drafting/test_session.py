"""A drafting session computes with the reporter's threads and gives them back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from radscribe.core.compute import threads
from radscribe.drafting.index_files import CheckpointError
from radscribe.drafting.session import drafting


def test_a_session_has_the_threads_of_its_reporter_and_gives_them_back(checkpoint: Path) -> None:
    with threads(3):
        with drafting(checkpoint) as reporter:
            assert reporter.threads == torch.get_num_threads() == 1  # a small network
        assert torch.get_num_threads() == 3
        with pytest.raises(KeyError), drafting(checkpoint):
            raise KeyError
        assert torch.get_num_threads() == 3


def test_a_missing_checkpoint_is_named_before_anything_changes(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    with pytest.raises(CheckpointError, match="absent"), drafting(tmp_path / "absent"):
        pass
    assert torch.get_num_threads() == before
