"""A checkpoint folder: strict, atomic, of one piece."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import radscribe
from radscribe.core.errors import RadscribeError
from radscribe.drafting.checkpoint import load_checkpoint, save_checkpoint
from radscribe.drafting.index_files import CheckpointError, load_index
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.models.knowledge.index import StaleIndexError

FILM = np.random.default_rng(5).integers(0, 256, (90, 80)).astype(np.uint8)


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def test_a_folder_has_all_that_the_formats_name(checkpoint: Path) -> None:
    names = {path.name for path in checkpoint.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "index", "training.jsonl", "curves.png"} <= names
    about = json.loads((checkpoint / "config.json").read_text())
    assert about["format"] == "radscribe-checkpoint/1" and about["radscribe_version"] == radscribe.__version__
    assert "Research use only" in (checkpoint / "MODEL_CARD.md").read_text()
    stages = {json.loads(line)["stage"] for line in (checkpoint / "training.jsonl").read_text().splitlines()}
    assert stages == {"text encoder", "entity model", "generator"}


def test_saved_and_loaded_again_it_drafts_the_same(checkpoint: Path, tmp_path: Path) -> None:
    first = load_reporter(checkpoint)
    first.save_pretrained(tmp_path / "again")
    second = Reporter.from_pretrained(str(tmp_path / "again"))
    assert second.fingerprint == first.fingerprint
    assert second.draft(FILM) == first.draft(FILM)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape", "value"])
def test_a_tensor_that_is_not_the_checkpoints_is_named(copy: Path, change: str) -> None:
    path, name = copy / "model.safetensors", "model.decoder.transform.weight"
    tensors = load_file(path)
    if change == "missing":
        del tensors[name]
    elif change == "unknown":
        tensors["model.decoder.unheard_of"] = torch.zeros(1)
    elif change == "shape":
        tensors[name] = tensors[name][:-1].contiguous()
    else:
        tensors[name] = tensors[name] + 1
    save_file(tensors, path)
    wanted = {
        "missing": f"lacks tensor {name}",
        "unknown": "unheard_of",
        "shape": name,
        "value": "do not belong together",
    }
    with pytest.raises(CheckpointError, match=wanted[change]):
        load_checkpoint(copy)


def test_an_index_of_another_model_is_stale(copy: Path) -> None:
    path = copy / "index" / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprint": "0" * 64}))
    with pytest.raises(StaleIndexError, match="index build"):
        load_checkpoint(copy)


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.json", b"{"), ("config.json", b"{}"), ("model.safetensors", b"junk"), ("index/studies.parquet", b"junk"),
     ("index/vectors.safetensors", b""), ("tokenizer.json", b"[]")],
)  # fmt: skip
def test_a_damaged_file_is_one_line_with_its_name(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(RadscribeError) as caught:
        load_checkpoint(copy)
    assert "\n" not in str(caught.value) and str(copy) in str(caught.value)


def test_a_missing_folder_and_an_unknown_hub_id_are_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint folder"):
        load_reporter(tmp_path / "nothing")


def test_a_full_disk_leaves_what_was_there(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    system, about = load_checkpoint(copy)

    def full(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RadscribeError, match="No space left"):
        save_checkpoint(copy, system, {"recipe": about["recipe"]}, half=True, texts=False)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_texts_attach_and_change_no_drafted_word(
    checkpoint: Path, tmp_path: Path, phantoms: object, run: Callable[..., tuple[int, str, str]]
) -> None:
    reporter = load_reporter(checkpoint)
    bare = tmp_path / "bare"
    shutil.copytree(checkpoint, bare)
    save_checkpoint(bare, reporter.system, {}, half=True, texts=False)
    without = load_reporter(bare).draft(FILM)
    assert without.reference is not None and without.reference.report is None
    assert all(sentence.reference and sentence.reference.sentence is None for sentence in without.sentences)
    code, _, error = run("index", "attach", "--data", str(phantoms.folder), "--checkpoint", str(bare))  # type: ignore[attr-defined]
    assert (code, error) == (0, "")
    attached = load_reporter(bare).draft(FILM)
    assert attached.reference is not None and attached.reference.report
    assert attached.report == without.report and attached.findings == without.findings
    assert attached == load_reporter(checkpoint).draft(FILM)


def test_texts_of_another_collection_do_not_attach(checkpoint: Path) -> None:
    database, _ = load_index(checkpoint / "index")
    with pytest.raises(RadscribeError, match="not among those given"):
        database.with_reports({})
    with pytest.raises(RadscribeError, match="sentences of the index are not in the reports"):
        database.with_reports(dict.fromkeys(database.report_ids, "Another text."))
