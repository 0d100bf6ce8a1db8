"""A checkpoint takes the place of another by its scores alone, and the packaged one has them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from radscribe.core.config import RecipeError
from radscribe.core.errors import WrongUse
from radscribe.drafting.acceptance import Acceptance, Limit, read_acceptance
from radscribe.drafting.checkpoint import SCORES
from radscribe.drafting.index_files import CheckpointError
from radscribe.drafting.reporter import load_reporter, packaged_checkpoint
from radscribe.drafting.scores import CheckpointScores, companions_hash, load_scores, save_scores

FIGURES = {"f1": {"value": 0.5, "low": 0.4, "high": 0.6}, "error": {"value": 0.1}}
SCORED = CheckpointScores("print", "beside", "test", "data", "full", "rules", 300, FIGURES)
LIMITS = Acceptance("test", 200, (Limit("f1", at_least=0.3), Limit("error", at_most=0.2)))


@pytest.fixture(scope="module")
def packaged() -> CheckpointScores:
    """The scores of the packaged checkpoint."""
    scores = load_scores(packaged_checkpoint())
    assert scores is not None
    return scores


def test_the_packaged_checkpoint_passes_the_packaged_limits(packaged: CheckpointScores) -> None:
    reporter = load_reporter()
    assert reporter.folder
    assert read_acceptance().misses(packaged, reporter.fingerprint, companions_hash(reporter.folder)) == []


def test_each_packaged_limit_refuses_a_checkpoint_that_misses_it(packaged: CheckpointScores) -> None:
    limits = read_acceptance().limits
    assert len({limit.figure for limit in limits}) == len(limits) >= 15
    for limit in limits:
        beyond = limit.at_least - 0.01 if limit.at_least is not None else (limit.at_most or 0) + 0.01
        figures = {**packaged.figures, limit.figure: {**packaged.figures[limit.figure], limit.of: beyond}}
        found = read_acceptance().misses(replace(packaged, figures=figures), packaged.fingerprint, packaged.companions)
        assert len(found) == 1 and found[0].startswith(limit.figure)
        del figures[limit.figure]
        found = read_acceptance().misses(replace(packaged, figures=figures), packaged.fingerprint, packaged.companions)
        assert len(found) == 1 and "was not measured" in found[0]


CARD = (
    ("micro_f1_13", r"this system[^\n]+?\| *{}"),
    ("micro_f1_13_shuffled", r"shuffled images[^\n]+?\| *{}"),
    ("micro_f1_drop_shuffled", r"shuffled images[^\n]+\| *{}"),
    ("normal_called_normal", r"\| normal +\| +357 \| +{}"),
    ("abnormal_called_normal", r"\| abnormal +\| +233 \| +{}"),
    ("mean_area", r"\| mean +\| +{}"),
    ("area_of_cardiomegaly", r"\| cardiomegaly +\| +{}"),
    ("area_of_support_devices", r"\| support devices +\| +{}"),
    ("share_true_of_present", r"\| a condition is present or possible \| +216 \| +{}"),
    ("area_of_present", r"\| a condition is present or possible \|[^\n]+\| +{}"),
    ("calibration_error_of_present", r"\| a condition is present or possible \|[^\n]+\| +{} \|\n"),
    ("area_of_absent", r"\| a condition is absent +\|[^\n]+\| +{}"),
    ("calibration_error_of_absent", r"\| a condition is absent +\|[^\n]+\| +{} \|\n"),
    ("precision_as_written", r"\| as written +\| +166 \| +{}"),
    ("precision_after_doubts", r"\| with doubts, possible ones too +\| +108 \| +{}"),
    ("precision_of_sure_ones", r"\| with doubts, sure ones alone +\| +44 \| +{}"),
)


@pytest.mark.parametrize(("name", "place"), CARD)
def test_the_packaged_scores_are_those_of_the_model_card(name: str, place: str, packaged: CheckpointScores) -> None:
    card = (packaged_checkpoint() / "MODEL_CARD.md").read_text(encoding="utf-8").partition("\n## Scores")[2]
    figure = packaged.figures[name]
    shown = f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
    assert re.search(place.format(re.escape(shown)), card), f"{name}: {shown}"


def test_the_packaged_scores_belong_to_the_evaluation_of_the_model_card(packaged: CheckpointScores) -> None:
    card = (packaged_checkpoint() / "MODEL_CARD.md").read_text(encoding="utf-8").partition("\n## Scores")[2]
    where = f"Split {packaged.split} of dataset {packaged.dataset[:16]}, protocol {packaged.protocol}."
    assert where in card and f"{packaged.studies} studies" in card
    assert f"spoken of in {packaged.figures['speaks_of_earlier_film']['value']:.1%}" in card


def test_scores_within_the_limits_are_accepted() -> None:
    assert LIMITS.misses(SCORED, "print", "beside") == []
    exact = Acceptance("test", 300, (Limit("f1", at_least=0.5), Limit("error", at_most=0.1)))
    assert exact.misses(SCORED, "print", "beside") == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fingerprint": "other"}, "another model"),
        ({"companions": "other"}, "changed since it was scored"),
        ({"split": "validate"}, "split validate, not test"),
        ({"studies": 199}, "199 studies, not 200"),
        ({"figures": {**FIGURES, "f1": {"value": 0.29}}}, "f1 is 0.290, below 0.3"),
        ({"figures": {**FIGURES, "error": {"value": 0.21}}}, "error is 0.210, above 0.2"),
        ({"figures": {"error": {"value": 0.1}}}, "f1 was not measured"),
    ],
)
def test_each_miss_is_named(changes: dict[str, Any], reason: str) -> None:
    found = LIMITS.misses(replace(SCORED, **changes), "print", "beside")
    assert len(found) == 1 and reason in found[0]


def test_a_checkpoint_without_scores_is_not_accepted() -> None:
    assert "evaluate --card" in LIMITS.misses(None, "print", "beside")[0]


def test_a_limit_may_be_on_an_end_of_the_interval() -> None:
    assert Limit("f1", at_least=0.45, of="low").miss(SCORED) == "f1 (low end) is 0.400, below 0.45"
    assert Limit("f1", at_most=0.55, of="high").miss(SCORED) == "f1 (high end) is 0.600, above 0.55"
    assert Limit("error", at_most=0.2, of="high").miss(SCORED) == "error (high end) was not measured"


def test_limits_that_limit_nothing_are_refused(tmp_path: Path) -> None:
    for content, reason in (
        ("split: test\nleast_studies: 2\nlimits: []", "at least one"),
        ("split: test\nleast_studies: 2\nlimits: [{figure: f1}]", "at_least or at_most"),
        ("split: test\nleast_studies: 2\nlimits: [{figure: f1, at_least: 1, at_most: 2}]", "at_least or at_most"),
        ("split: test\nleast_studies: 2\nlimits: [{figure: f1, at_leats: 1}]", "unknown key"),
    ):
        (tmp_path / "limits.yaml").write_text(content)
        with pytest.raises(RecipeError, match=reason):
            read_acceptance(tmp_path / "limits.yaml")
    with pytest.raises(WrongUse, match="no such file of limits"):
        read_acceptance(tmp_path / "none.yaml")


def test_scores_come_back_from_their_file_and_damaged_ones_do_not(tmp_path: Path) -> None:
    assert load_scores(tmp_path) is None
    save_scores(SCORED, tmp_path)
    assert load_scores(tmp_path) == SCORED
    whole = json.loads((tmp_path / SCORES).read_text())
    for damage in (
        {"format": "other"},
        {"studies": "many"},
        {"figures": {"f1": {"low": 0.1}}},
        {"figures": {"f1": {"value": "high"}}},
    ):
        (tmp_path / SCORES).write_text(json.dumps({**whole, **damage}))
        with pytest.raises(CheckpointError, match="evaluate --card"):
            load_scores(tmp_path)


def test_what_decides_drafts_beside_the_weights_is_hashed_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(packaged_checkpoint(), folder)
    before = companions_hash(folder)
    for name in ("MODEL_CARD.md", SCORES, "training.jsonl", "index/studies.parquet"):
        (folder / name).write_bytes(b"other")
        assert companions_hash(folder) == before, name
    seen = {before}
    for name in ("calibration.json", "gate.json", "gate.safetensors", "tokenizer.json", "phrases.safetensors"):
        (folder / name).write_bytes(b"other")
        seen.add(companions_hash(folder))
    for name in ("index/vectors.safetensors", "index/triplets.safetensors"):
        (folder / name).unlink()
        seen.add(companions_hash(folder))
    assert len(seen) == 8
