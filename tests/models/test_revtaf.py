"""The whole model: what is off is absent, gradients reach all that is on, parts can be exchanged alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.drafting.system import System
from radscribe.models.encoders.entity import FilmEntities
from radscribe.models.knowledge.revtaf_knowledge import RevtafKnowledge
from radscribe.models.revtaf import Ranking, Revtaf, RevtafBatch
from radscribe.training.revtaf import build_index

PARTS = {"retrieval": ("retrieval",), "fusion": ("global_branch", "local_branch")}
SETTINGS = {"baseline": (), "LRE only": ("retrieval",), "FVTAF only": ("fusion",), "both": ("retrieval", "fusion")}


@pytest.fixture(scope="module")
def system(checkpoint) -> System:  # type: ignore[no-untyped-def]
    return load_reporter(checkpoint).system


def model_with(system: System, parts: tuple[str, ...]) -> Revtaf:
    off = {name: None for name in PARTS if name not in parts}
    torch.manual_seed(0)
    return Revtaf(replace(system.config.model, **off), system.text_encoder.width, system.model.tokenizer)


def batch(system: System, size: int = 6) -> RevtafBatch:
    random = torch.Generator().manual_seed(0)
    count = len(system.knowledge.database)
    words = torch.randint(20, 40, (size, 9), generator=random)
    words[:, -1] = system.model.tokenizer.end
    words[0, 5:] = system.model.tokenizer.padding
    entities = FilmEntities(
        torch.rand(size, 75, generator=random),
        torch.randint(0, 51, (size, 75), generator=random),
        torch.randn(size, 8, generator=random),
    )
    labels = torch.randint(0, 4, (size, 18), generator=random)
    return RevtafBatch(
        films=torch.rand(size, 1, 64, 64, generator=random),
        entities=entities,
        labels=labels,
        ranking=Ranking(entities.presence, entities.presence.round(), labels, torch.arange(size)),
        references=torch.randint(0, count, (size, 1), generator=random),
        neighbours=torch.randint(0, count, (size, 4), generator=random),
        tokens=words,
        film_states=labels,
        known=torch.ones(size, 18, dtype=torch.bool),
    )


def knowledge_of(model: Revtaf, system: System) -> RevtafKnowledge:
    presence = torch.rand(len(system.knowledge.database), 75, generator=torch.Generator().manual_seed(1))
    return build_index(model, replace(system.knowledge, index=None), presence, "")


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_part_that_is_off_has_no_parameters_and_is_never_called(system: System, setting: str) -> None:
    model = model_with(system, SETTINGS[setting])
    prefixes = {name.split(".")[0] for name in model.state_dict()}
    for part, names in PARTS.items():
        assert set(names) <= prefixes if part in SETTINGS[setting] else not set(names) & prefixes
    assert ("project" in prefixes) == ("fusion" not in SETTINGS[setting])
    called: set[str] = set()
    for name, child in model.named_children():
        child.register_forward_hook(lambda *_, name=name: called.add(name))
    losses = model.train()(batch(system), knowledge_of(model, system))
    assert called | {"decoder"} == prefixes  # which is called by its parts, not by forward
    assert ("rank" in losses) == ("retrieval" in SETTINGS[setting])
    assert ("consistency" in losses) == ("fusion" in SETTINGS[setting])


@pytest.mark.parametrize("setting", SETTINGS)
def test_gradients_reach_every_parameter(system: System, setting: str) -> None:
    model = model_with(system, SETTINGS[setting]).train()
    model(batch(system), knowledge_of(model, system))["loss"].backward()
    untouched = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.abs().sum() > 0)
    ]
    # Softmax is blind to what adds the same to all of its inputs: a key's bias, and a lone query's self-attention.
    assert [name for name in untouched if "key.bias" not in name and "reader.decoder" not in name] == []


def test_padding_words_change_no_loss(system: System) -> None:
    model = model_with(system, SETTINGS["both"]).eval()
    first = batch(system)
    longer = torch.nn.functional.pad(first.tokens, (0, 4), value=system.model.tokenizer.padding)
    memory = torch.randn(6, 16, 16)
    found = model.task_loss(memory, first.labels, first.tokens)
    torch.testing.assert_close(model.task_loss(memory, first.labels, longer), found)


def test_the_first_word_is_a_target_and_the_states_are_not(system: System) -> None:
    model = model_with(system, SETTINGS["both"]).eval()
    seen: list[int] = []
    model.decoder.transform.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[0]))
    one = batch(system)
    model.task_loss(torch.randn(6, 16, 16), one.labels, one.tokens)
    assert seen == [int((one.tokens != system.model.tokenizer.padding).sum())]


def test_each_part_exchanged_alone_changes_only_itself_and_reaches_the_memory(checkpoint) -> None:  # type: ignore[no-untyped-def]
    reporter: Reporter = load_reporter(checkpoint)
    random = torch.Generator().manual_seed(0)
    views = torch.randint(0, 256, (2, 64, 64), generator=random).to(torch.uint8).numpy()
    evidence = reporter.see(views)
    other = evidence.rows(torch.tensor([1, 0]))
    # Untrained layers see both films alike: make the parts differ.
    other = replace(
        other, states=(other.states + 1) % 4, global_text=other.global_text + 1, local_text=-other.local_text
    )
    model = reporter.system.model

    for part, field in (("patches", "patches"), ("global", "global_text"), ("local", "local_text")):
        exchanged = evidence.with_part_of(part, other)
        assert torch.equal(getattr(exchanged, field), getattr(other, field))
        assert not torch.equal(model.memory(exchanged), model.memory(evidence)), part
    exchanged = evidence.with_part_of("states", other)
    assert torch.equal(model.memory(exchanged), model.memory(evidence))
    assert not torch.equal(model.prompt(exchanged.states), model.prompt(evidence.states))


def test_training_leaves_the_frozen_blocks_statistics_alone(system: System) -> None:
    config = replace(system.config.model, image_encoder=replace(system.config.model.image_encoder, frozen_blocks=2))
    model = Revtaf(config, system.text_encoder.width, system.model.tokenizer).train()
    norms = [module for module in model.image_encoder.blocks[:2].modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    model.image_encoder(torch.rand(2, 1, 64, 64))
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))
    assert not any(parameter.requires_grad for parameter in model.image_encoder.blocks[:2].parameters())
