"""A decoder that reads the words of its reference: they reach the draft, padding does not, maps stay on the film."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_revtaf import batch, knowledge_of

from makers import TINY
from radscribe.core.config import RecipeError, from_mapping
from radscribe.core.errors import RadscribeError
from radscribe.drafting.reporter import load_reporter
from radscribe.drafting.system import System
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.encoders.entity import FilmEntities
from radscribe.models.knowledge.reference_words import ReferenceWords, report_tokens
from radscribe.models.knowledge.revtaf_knowledge import knowledge_from
from radscribe.models.revtaf import Revtaf
from radscribe.training.recipe import Recipe

WORDS = 12


@pytest.fixture(scope="module")
def reading(checkpoint: Path) -> tuple[System, Revtaf]:
    """A system whose database has its texts, and an untrained model that reads 12 words of a reference."""
    system: System = load_reporter(checkpoint).system
    config = system.config.model
    assert config.fusion is not None
    torch.manual_seed(0)
    wider = replace(config, fusion=replace(config.fusion, reference_words=WORDS))
    model = Revtaf(wider, system.text_encoder.width, system.model.tokenizer)
    known = system.knowledge
    system.knowledge = knowledge_from(known.database, known.table, model.tokenizer, wider.fusion)
    system.knowledge = knowledge_of(model, system)
    return system, model


def test_the_tokens_are_those_of_the_reports(reading: tuple[System, Revtaf]) -> None:
    system, model = reading
    database, tokenizer = system.knowledge.database, model.tokenizer
    assert system.knowledge.words.shape == (len(database.sentences_of_report), WORDS)
    for study in (0, 5, 9):
        text = database.report_text(study)
        row = system.knowledge.words[database.report_of_study[study]].tolist()
        assert row == (tokenizer.encode(text, WORDS) + [tokenizer.padding] * WORDS)[:WORDS]
    given = system.knowledge.words_of(torch.tensor([[3, 4], [-1, 4]]), tokenizer.padding)
    assert given[0].tolist() == system.knowledge.words[database.report_of_study[3]].tolist()
    assert given[1].tolist() == [tokenizer.padding] * WORDS  # nothing is near enough
    with pytest.raises(RadscribeError, match="radscribe index attach"):
        report_tokens(replace(database, sentences=None), tokenizer, WORDS)


def test_words_reach_the_loss_and_gradients_reach_their_map(reading: tuple[System, Revtaf]) -> None:
    system, model = reading
    one = batch(system)
    one.references[0] = -1  # nothing is near enough for one of them
    losses = model.train()(one, system.knowledge)
    losses["task"].backward()
    for parameter in model.reference_words.parameters():
        assert parameter.grad is not None and parameter.grad.any()
    model.zero_grad()
    with torch.no_grad():
        model.eval()
        memory = torch.randn(6, 16, model.decoder.layers[0].cross_attention.key.in_features)
        words = system.knowledge.words_of(one.references, model.tokenizer.padding)
        other = words.roll(1, 0)
        found = [
            model.task_loss(model.with_words(memory, given), one.labels, one.tokens) for given in (words, other, None)
        ]
    assert len({float(value) for value in found}) == 3


def test_behind_the_end_one_learned_vector_stands() -> None:
    torch.manual_seed(0)
    layer = ReferenceWords(8, 6)
    written = torch.tensor([[True, True, False], [False, False, False]])
    found = layer(torch.randn(2, 3, 8), written)
    assert torch.equal(found[~written], layer.nothing.expand(2, 3, -1)[~written])
    assert not torch.isclose(found[written], layer.nothing[0]).all(-1).any()


def test_evidence_brings_the_words_and_maps_are_of_patches_alone(reading: tuple[System, Revtaf]) -> None:
    system, model = reading
    one = batch(system)
    model.eval()
    evidence = model.evidence_of(one.films, FilmEntities(*one.entities), system.knowledge)
    assert evidence.reference_words is not None and evidence.reference_words.shape == (6, WORDS)
    assert model.memory(evidence).shape[1] == evidence.patches.shape[1] + WORDS
    other = evidence.with_part_of("global", evidence.rows(torch.arange(6).roll(1)))
    assert torch.equal(other.reference_words, evidence.reference_words.roll(1, 0))  # type: ignore[arg-type]
    tokens = model.write(evidence.rows(torch.tensor([0])), SearchConfig(beams=2, max_new_tokens=5))[0]
    explained = model.explain([*tokens, model.tokenizer.end], evidence.rows(torch.tensor([0])))
    assert explained.attention.shape == (len(tokens) + 1, evidence.patches.shape[1])
    assert bool((explained.attention.sum(1) < 1).all())  # the rest looks at words


def test_a_recipe_must_store_what_drafting_reads() -> None:
    plan = {**TINY, "store_reports": False, "model": {**TINY["model"]}}
    plan["model"]["fusion"] = {**plan["model"].get("fusion", {}), "reference_words": 20}
    with pytest.raises(RecipeError, match="write store_reports: true"):
        from_mapping(Recipe, plan)
    assert from_mapping(Recipe, {**plan, "store_reports": True}).model.fusion.reference_words == 20
