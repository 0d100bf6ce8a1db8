"""Deletion and insertion on a toy whose dependence is known, and the table of all kinds of map."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.choice import Written
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.drafting.sentence_maps import sentence_maps
from radscribe.evaluation import maps as maps_module
from radscribe.evaluation.controls.deletion import SHARES, area, deletion_and_insertion, highest_cells
from radscribe.evaluation.maps import score_maps
from radscribe.labels.conditions import CONDITIONS, POSITIVE
from radscribe.labels.rules import label_sentence

EFFUSION = CONDITIONS.index("pleural effusion")


def toy(row: int, column: int) -> Any:
    """A system whose one word and whose effusion are as likely as one cell of the film (of 7 x 7) is bright."""

    def level(films: Tensor) -> Tensor:
        return films[:, 0, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8].mean((1, 2))

    def findings(films: Tensor) -> Tensor:
        states = torch.zeros(len(films), 18, 4)
        states[:, EFFUSION, POSITIVE] = level(films)
        return states

    model = SimpleNamespace(
        log_probabilities=lambda words, films: level(films).clamp(min=1e-9).log()[:, None], findings=findings
    )
    return SimpleNamespace(see=lambda films: films, model=model)


def map_of(row: int, column: int) -> Any:
    values = np.zeros((7, 7))
    values[row, column] = 1.0
    return values


@given(st.integers(0, 6), st.integers(0, 6))
def test_the_true_map_has_the_least_deletion_and_the_most_insertion(row: int, column: int) -> None:
    films = torch.zeros(1, 1, 56, 56)
    films[..., row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 1.0
    true, flat, false = deletion_and_insertion(
        toy(row, column), films, [1], (0, 1), [EFFUSION], [map_of(row, column), np.ones((7, 7)), -map_of(row, column)]
    )
    assert true.deletion + 0.3 < true.insertion
    assert true.deletion <= flat.deletion <= false.deletion and true.insertion >= flat.insertion >= false.insertion
    assert true.condition_deletion == pytest.approx(true.deletion, abs=1e-5)  # the toy's two probabilities are the same
    assert true.condition_insertion == pytest.approx(true.insertion, abs=1e-5)


def test_cells_are_taken_from_the_highest_on_and_a_flat_map_in_reading_order() -> None:
    taken = highest_cells(map_of(6, 2), 28)
    assert taken.shape == (len(SHARES), 28, 28) and not taken[0].any() and bool(taken[-1].all())
    assert taken.mean((1, 2)).tolist() == pytest.approx(SHARES, abs=1e-3)
    assert bool((taken[1:] >= taken[:-1]).all())
    down, across = taken[1].nonzero().float().mean(0).tolist()
    assert abs(down - 25.5) < 2 and abs(across - 9.5) < 2
    assert bool(highest_cells(np.ones((7, 7)), 28)[1][:1].all())
    assert area([1.0] * len(SHARES)) == pytest.approx(1.0) and area(list(SHARES)) == pytest.approx(0.5)


def test_a_model_without_states_has_the_areas_of_its_sentence_alone() -> None:
    system = toy(1, 1)
    system.model.findings = lambda films: None
    found = deletion_and_insertion(system, torch.rand(1, 1, 56, 56), [1], (0, 1), [EFFUSION], [map_of(1, 1)])[0]
    assert found.condition_deletion is None and found.condition_insertion is None and 0 <= found.deletion <= 1


def stating(reporter: Reporter, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an untrained model draft the reports of the phantoms, and every window show something."""
    tokenizer = reporter.system.model.tokenizer
    reports = iter([study.findings for study in phantoms.split("validate")])
    written = (Written([tokenizer.encode(report, 60)[:-1]], None) for report in reports)
    monkeypatch.setattr(maps_module, "write_chosen", lambda *given: next(written))
    monkeypatch.setattr("radscribe.drafting.counterfactual.LEAST_FALL", -1.0)
    monkeypatch.setattr("radscribe.drafting.counterfactual.TIMES", 0.0)


def test_every_kind_of_map_is_measured_on_the_same_sentences(
    checkpoint: Path, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = load_reporter(checkpoint)
    stating(reporter, phantoms, monkeypatch)
    found = score_maps(reporter, phantoms, "validate")
    assert list(found.figures) == ["activation", "counterfactual", "attention", "random"]
    assert 0 < found.compared <= found.sentences and set(found.seconds) == {"activation", "counterfactual", "attention"}
    for kind, figures in found.figures.items():
        assert {"deletion", "insertion", "condition_deletion", "condition_insertion"} <= figures.keys()
        assert all(0 <= figure.low <= figure.value <= figure.high <= 1 for figure in figures.values())
        if kind != "activation":
            for name, figure in figures.items():
                expected = found.figures["activation"][name].value - figure.value
                assert found.differences[kind][name].value == pytest.approx(expected, abs=1e-9)
    assert "| activation minus |" in found.markdown() and json.dumps(found.to_dict())


def test_the_verb_prints_the_table_and_writes_the_figures(
    checkpoint: Path,
    phantoms: PreparedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., tuple[int, str, str]],
) -> None:
    stating(load_reporter(checkpoint), phantoms, monkeypatch)
    out = tmp_path / "maps.json"
    given = ("maps", "--data", str(phantoms.folder), "--checkpoint", str(checkpoint), "--out", str(out))
    code, printed, _ = run(*given)
    assert code == 0 and printed.count("| activation |") == 1 and json.loads(out.read_text())["compared"] > 0


def test_maps_are_drawn_for_findings_alone() -> None:
    system = toy(1, 1)
    normal = [label_sentence("The lungs are clear.")]
    assert sentence_maps(
        "counterfactual", system, torch.rand(1, 1, 56, 56), [1], [(0, 1)], normal, torch.ones(1, 49)
    ) == [None]
