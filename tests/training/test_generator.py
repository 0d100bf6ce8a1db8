"""How often a study is drawn, by its rarest condition, and by which figure the epoch is chosen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from makers import TINY
from radscribe.core.config import RecipeError, from_mapping
from radscribe.core.errors import RadscribeError
from radscribe.drafting.films import Films
from radscribe.imaging.crop import FilmConfig
from radscribe.labels.conditions import POSITIVE
from radscribe.labels.rules import label_report
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.evidence import FilmEvidence
from radscribe.training.generator import ReportObjective, Split, draws, repeat_factors, wording_factors
from radscribe.training.loop.fit import epoch_order
from radscribe.training.recipe import GeneratorConfig, Recipe


def test_a_study_is_drawn_by_the_rate_of_its_rarest_positive_condition() -> None:
    states = np.zeros((100, 18), dtype=np.int64)
    states[:50, 0] = POSITIVE
    states[40:44, 1] = POSITIVE  # four of them have the first one, too
    states[60, 2] = POSITIVE
    states[70, 15] = POSITIVE  # no condition that is scored
    states[80, 1] = 2  # negated
    factors = repeat_factors(states, 0.25)
    assert factors[[0, 39, 45, 50, 70, 80]].tolist() == [1.0] * 6
    assert factors[[40, 60]] == pytest.approx([(0.25 / 0.04) ** 0.5, 5.0])


def test_a_wording_that_many_studies_share_is_drawn_less_often_for_each() -> None:
    reports = ["clear"] * 4 + ["large heart"]
    assert wording_factors(reports, 0.0).tolist() == [1.0] * 5
    assert wording_factors(reports, 0.5).tolist() == [0.5] * 4 + [1.0]
    films = Films(np.zeros((5, 64, 64), np.uint8), range(5), FilmConfig(resize=64, crop=64))
    labels = torch.zeros(5, 18, dtype=torch.long)
    labels[4, 1] = POSITIVE
    split = Split(films, labels, reports)
    writer: Any = Repeats(reports)
    often = [
        Written(torch.nn.Linear(1, 1), writer, split, split, GeneratorConfig(**config), SearchConfig(), 0).often
        for config in ({}, {"alike": 1.0}, {"alike": 1.0, "rare_rate": 0.8})
    ]
    assert often[0] is None and often[1] is not None and often[2] is not None
    # Every wording counts once, and the rare condition twice beside that.
    assert often[1].tolist() == [0.25] * 4 + [1.0] and often[2].tolist() == [0.25] * 4 + [2.0]
    with pytest.raises(RecipeError, match=r"generator: alike must be between 0 and 1, not 1\.5"):
        from_mapping(Recipe, {**TINY, "generator": {**TINY["generator"], "alike": 1.5}})


def test_what_teaches_the_generator_nothing_is_never_drawn() -> None:
    states = np.zeros((40, 18), dtype=np.int64)
    states[:8, 3] = POSITIVE
    states[8:12, 3] = 2  # negated
    reports = [f"report {number}" for number in range(40)]
    assert draws(states, reports, GeneratorConfig()) is None
    without = draws(states, reports, GeneratorConfig(withheld="lung lesion"))
    assert without is not None and without.tolist() == [0.0] * 8 + [1.0] * 32
    few = draws(states, reports, GeneratorConfig(withheld="lung lesion", pairs=0.25))
    assert few is not None and few.sum() == 8 and not few[:8].any()
    objective: Any = SimpleNamespace(strata=None, often=few, count=40, smallest_batch=1)
    drawn = [row for epoch in range(3) for batch in epoch_order(objective, 16, 0, epoch) for row in batch]
    assert len(drawn) == 120 and set(drawn) == set(np.nonzero(few)[0].tolist())
    states[:, 3] = POSITIVE
    with pytest.raises(RadscribeError, match="every training study states lung lesion"):
        draws(states, reports, GeneratorConfig(withheld="lung lesion"))
    for wrong in ({"pairs": 0.0}, {"withheld": "lesions"}):
        with pytest.raises(ValueError, match=r"pairs must be|no condition 'lesions'; take one of enlarged"):
            GeneratorConfig(**wrong)  # type: ignore[arg-type]


class Written(ReportObjective):
    """Writes the given reports."""

    def load(self, indices: list[int], epoch: int) -> None: ...

    def begin_epoch(self, epoch: int) -> None: ...

    def see(self, indices: list[int]) -> FilmEvidence:
        return FilmEvidence(torch.tensor(indices).view(-1, 1, 1))


class Repeats:
    """A writer whose tokens are the number of a study, and whose words are its report."""

    def __init__(self, reports: list[str]) -> None:
        self.tokenizer = SimpleNamespace(decode=lambda number: reports[number])

    def write(self, evidence: FilmEvidence, _: SearchConfig) -> list[int]:
        return [int(number) for number in evidence.patches[:, 0, 0]]


def test_the_epoch_is_chosen_by_the_figure_that_is_named() -> None:
    clear, ill = "The heart is normal. The lungs are clear.", "There is a left pleural effusion."
    labels = torch.tensor([label_report(text) for text in (clear, clear, clear, ill)])
    films = Films(np.zeros((4, 64, 64), np.uint8), range(4), FilmConfig(resize=64, crop=64))
    split = Split(films, labels, [clear] * 4)
    for name, expected in (("micro_f1", 0.75), ("micro_f1_13", 0.0)):
        config = GeneratorConfig(chosen_by=name)  # type: ignore[arg-type]
        writer: Any = Repeats([clear] * 4)
        figures, _ = Written(torch.nn.Linear(1, 1), writer, split, split, config, SearchConfig(), 0).written()
        assert figures["score"] == pytest.approx(expected)
        assert (figures["micro_f1"], figures["micro_f1_13"]) == (pytest.approx(0.75), 0.0)


def test_a_rate_above_one_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"generator: rare_rate must be between 0 and 1, not 2\.0"):
        from_mapping(Recipe, {**TINY, "generator": {**TINY["generator"], "rare_rate": 2}})
