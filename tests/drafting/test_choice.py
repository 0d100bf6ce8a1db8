"""One of several drawn reports: which it is, and that it depends on the film alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from makers import TINY
from radscribe.core.config import RecipeError, from_mapping
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.checkpoint import save_checkpoint
from radscribe.drafting.choice import best_draw, write_chosen
from radscribe.drafting.reporter import load_reporter
from radscribe.labels.conditions import CONDITIONS, POSITIVE
from radscribe.metrics.nlg import rouge_l
from radscribe.models.decoding.search import ChoiceConfig, SearchConfig
from radscribe.models.evidence import FilmEvidence
from radscribe.training.generator import validation_search
from radscribe.training.recipe import GeneratorConfig, Recipe

CLEAR, EFFUSION, BIG, BOTH = (
    "The heart is normal. The lungs are clear.",
    "There is a left pleural effusion.",
    "The heart is enlarged.",
    "The heart is enlarged. There is a left pleural effusion.",
)
DRAWING = SearchConfig(beams=1, temperature=0.7, choice=ChoiceConfig(draws=4))


class Drawer:
    """A writer whose draws of a film are four reports in turn, and which holds effusion likely by the film's value."""

    texts = (CLEAR, EFFUSION, BIG, BOTH)

    def __init__(self, knows: bool = True) -> None:
        self.knows, self.seeds = knows, torch.zeros(0)
        self.tokenizer = SimpleNamespace(decode=lambda words: " ".join(words))

    def write(self, evidence: FilmEvidence, config: SearchConfig) -> list[list[str]]:
        assert evidence.seeds is not None
        self.seeds = evidence.seeds
        return [self.texts[int(seed) % len(self.texts)].split() for seed in evidence.seeds]

    def findings(self, evidence: FilmEvidence) -> torch.Tensor | None:
        if not self.knows:
            return None
        states = torch.zeros(len(evidence), len(CONDITIONS), 4)
        states[:, CONDITIONS.index("pleural effusion"), POSITIVE] = evidence.patches[:, 0, 0]
        return states


def chosen(writer: Any, values: list[float], config: SearchConfig = DRAWING) -> list[str]:
    seeds = torch.arange(len(values)) + 7
    evidence = FilmEvidence(torch.tensor(values).view(-1, 1, 1), seeds=seeds)
    return [" ".join(words) for words in write_chosen(writer, evidence, config).tokens]  # type: ignore[arg-type]


def test_the_report_states_what_is_held_likely_and_nothing_else() -> None:
    assert chosen(Drawer(), [0.9, 0.1, 0.3]) == [EFFUSION, CLEAR, EFFUSION]
    bold, shy = (replace(DRAWING, choice=ChoiceConfig(draws=4, threshold=value)) for value in (0.05, 0.5))
    assert chosen(Drawer(), [0.1, 0.4], bold) == [EFFUSION, EFFUSION]
    assert chosen(Drawer(), [0.1, 0.4], shy) == [CLEAR, CLEAR]


def test_without_probabilities_the_share_of_draws_is_taken_for_them() -> None:
    writer = Drawer(knows=False)
    assert chosen(writer, [0.0]) == [BOTH]  # half of the draws state each
    shy = replace(DRAWING, choice=ChoiceConfig(draws=4, threshold=0.6))
    assert chosen(writer, [0.9], shy) == [CLEAR]


def test_each_draw_of_each_film_begins_from_a_number_of_its_own() -> None:
    writer = Drawer()
    chosen(writer, [0.0, 0.0, 0.0])
    assert len(writer.seeds) == len(set(writer.seeds.tolist())) == 12


def test_without_a_choice_the_model_writes_as_the_search_says() -> None:
    assert chosen(Drawer(), [0.9], replace(DRAWING, choice=None)) == [BOTH]  # seed 7: what is drawn first


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=2, max_size=6),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.floats(0, 0.9),
    st.integers(0, 2**18 - 1),
)
def test_no_draw_gains_more_and_none_that_gains_as_much_is_more_like_the_others(
    drawn: list[list[int]], probabilities: list[float], threshold: float, bits: int
) -> None:
    stated = np.array([bits >> place & 1 for place in range(18)], dtype=bool).reshape(6, 3)[: len(drawn)]
    number = best_draw(drawn, stated, np.array(probabilities), threshold)
    gains = [
        sum(probability - threshold for says, probability in zip(row, probabilities, strict=True) if says)
        for row in stated
    ]
    alike = [np.mean([rouge_l([mine], [other])[0] for other in drawn]) for mine in drawn]
    for other in range(len(drawn)):
        assert gains[number] >= gains[other] - 2e-9
        assert gains[other] < gains[number] - 1e-12 or alike[other] <= alike[number] + 1e-12


def test_a_film_gets_its_report_in_any_batch_and_a_checkpoint_keeps_how(
    checkpoint: Path, phantoms: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = load_reporter(checkpoint)
    search = replace(reporter.system.config.search, beams=1, temperature=1.0, choice=ChoiceConfig(draws=3))
    reporter.system.config = replace(reporter.system.config, search=search)
    save_checkpoint(tmp_path / "choosing", reporter.system, {}, half=False, texts=False)
    choosing = load_reporter(tmp_path / "choosing")
    assert choosing.system.config.search == search
    views = [choosing.view(phantoms.film(study)) for study in phantoms.split("test")[:4]]
    together = [draft.report for draft in choosing.drafts(views, list("abcd"))]
    assert together == [choosing.drafts([view], ["a"])[0].report for view in views]
    assert together == choosing.write(choosing.see(views))
    monkeypatch.setattr("radscribe.drafting.choice.ROWS", 1)  # one film at a time
    assert together == choosing.write(choosing.see(views))
    draws = set()
    for seed in range(3):
        choosing.system.config = replace(choosing.system.config, search=replace(search, seed=seed))
        draws.add(tuple(choosing.write(choosing.see(views))))
    assert len(draws) > 1


def test_validation_searches_greedily_where_drafts_are_chosen() -> None:
    config = GeneratorConfig()
    assert validation_search(DRAWING, config) == SearchConfig(beams=1)
    assert validation_search(replace(DRAWING, choice=None), config) == replace(DRAWING, choice=None)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"choice": {}}, "search: choice needs a temperature above 0"),
        ({"temperature": 1.0, "choice": {"draws": 1}}, r"search\.choice: draws must be at least 2, not 1"),
        (
            {"temperature": 1.0, "choice": {"threshold": 1.0}},
            r"search\.choice: threshold must be at least 0",
        ),
    ],
)
def test_a_choice_that_chooses_nothing_is_refused(search: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        from_mapping(Recipe, {**TINY, "search": {**TINY["search"], **search}})
