"""The whole model: what is off is absent, gradients reach all that is on, and no word sees one behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from makers import TINY_MCSAM
from radscribe.core.config import RecipeError, from_mapping
from radscribe.labels.conditions import CONDITIONS, NO_FINDING, POSITIVE, STATES
from radscribe.models.augmentation import PatchSwap
from radscribe.models.decoding.decoder import ReportDecoder
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.decoding.tokenizer import ReportTokenizer, train_word_pieces
from radscribe.models.fusion.alignment import AlignmentConfig
from radscribe.models.mcsam import Mcsam, McsamBatch, McsamConfig, McsamEvidence

FULL = from_mapping(McsamConfig, TINY_MCSAM["model"])
BASE = replace(FULL, memory=None, alignment=None, decoder=replace(FULL.decoder, memory_tokens=0))
# Each setting and the parts that it leaves out.
SETTINGS: dict[str, tuple[McsamConfig, tuple[str, ...]]] = {
    "full": (FULL, ()),
    "no memory": (replace(FULL, memory=None), ("bank", "consolidate_image", "consolidate_text")),
    "no visual consolidation": (replace(FULL, image_consolidation=False), ("consolidate_image",)),
    "no text consolidation": (replace(FULL, text_consolidation=False), ("consolidate_text",)),
    "no SAM": (replace(FULL, alignment=None), ("alignment",)),
    "no semantic token": (replace(FULL, alignment=AlignmentConfig(width=8, semantic="none")), ("alignment.semantic",)),
    "no memory tokens": (replace(FULL, decoder=replace(FULL.decoder, memory_tokens=0)), ("decoder.memory_tokens",)),
    "base transformer": (
        BASE,
        ("bank", "consolidate_image", "consolidate_text", "alignment", "decoder.memory_tokens"),
    ),
}
OTHERS = {
    "semantic words": replace(FULL, alignment=AlignmentConfig(width=8, semantic="words")),
    "gate": replace(FULL, join="gate"),
    "concatenate": replace(FULL, join="concatenate"),
    "two views": replace(FULL, views=2),
    "middle stage": replace(FULL, image_stage="middle"),
    "siamese": replace(FULL, alignment=AlignmentConfig(width=8, encoder="siamese", heads=2)),
    "normalised join": replace(FULL, normalized_join=True),
    "contrast into the memory": replace(FULL, alignment=AlignmentConfig(width=8, reach="memory")),
    "states": replace(FULL, losses=replace(FULL.losses, states=0.5)),
    "relational memory": replace(BASE, decoder=replace(BASE.decoder, relational_slots=3)),
}
ALL = {**{name: config for name, (config, _) in SETTINGS.items()}, **OTHERS}


@pytest.fixture(scope="module")
def tokenizer() -> ReportTokenizer:
    return ReportTokenizer(train_word_pieces(["the heart is normal . no effusion ."] * 2, 100))


def model_of(config: McsamConfig, tokenizer: ReportTokenizer) -> Mcsam:
    torch.manual_seed(0)
    return Mcsam(config, tokenizer)


def batch(config: McsamConfig, tokenizer: ReportTokenizer, size: int = 4) -> McsamBatch:
    random = torch.Generator().manual_seed(0)
    words = torch.randint(12, len(tokenizer), (size, 7), generator=random)
    words[:, -1] = tokenizer.end
    words[0, 4], words[0, 5:] = tokenizer.end, tokenizer.padding
    shape = (size, 2, 1, 64, 64) if config.views == 2 else (size, 1, 64, 64)
    labels = torch.zeros(size, len(CONDITIONS), dtype=torch.long)
    labels[torch.arange(size), torch.arange(size) % 3] = POSITIVE
    labels[1] = 0
    labels[1, NO_FINDING] = POSITIVE
    films = torch.rand(shape, generator=random)
    return McsamBatch(films, words, torch.arange(size), labels, torch.tensor(0.25))


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_part_that_is_off_has_no_parameters_and_is_never_called(setting: str, tokenizer: ReportTokenizer) -> None:
    config, off = SETTINGS[setting]
    full, model = model_of(FULL, tokenizer), model_of(config, tokenizer)
    missing = full.state_dict().keys() - model.state_dict().keys()
    assert missing == {name for name in full.state_dict() if name.startswith(tuple(f"{part}" for part in off))}
    called: set[str] = set()
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: called.add(name))
    losses = model(batch(config, tokenizer))
    assert not any(name.startswith(off) for name in called) or not off
    losses["loss"].backward()
    called.clear()
    evidence = model.eval().see(batch(config, tokenizer).films)
    words = model.write(evidence, SearchConfig(beams=2, max_new_tokens=4))
    model.explain([*words[0], tokenizer.end], evidence.rows(torch.tensor([0])))
    assert not any(name.startswith(off) for name in called) or not off
    # All that is there is used: gradients reach every parameter.
    silent = [
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert all(name.endswith(("key.bias", "in_proj_bias")) for name in silent), silent
    assert ("alignment" in losses) == (config.alignment is not None)


def test_borrowed_patches_are_healthy_ones_at_their_own_place_and_only_in_training(tokenizer: ReportTokenizer) -> None:
    values = torch.arange(4.0)[:, None, None] + torch.arange(50.0)[None, :, None] / 100
    healthy = torch.tensor([False, True, False, False])
    torch.manual_seed(0)
    mixed = PatchSwap((4, 50), healthy, 1.0).applied(values)
    borrowed = mixed != values
    assert torch.equal(mixed[borrowed], values[1].expand(4, -1, -1)[borrowed])
    shares = borrowed.float().mean((1, 2))
    assert shares[1] == 0 and 0 < shares[0] < 1 and len(shares.unique()) == 4
    for share, nobody in ((0.0, healthy), (1.0, torch.zeros(4, dtype=torch.bool))):
        assert torch.equal(PatchSwap((4, 50), nobody, share).applied(values), values)
    config = replace(FULL, healthy_patches=1.0)
    model, one = model_of(config, tokenizer), batch(config, tokenizer)
    losses = [float(model(one)["task"].detach()) for _ in range(2)]
    assert losses[0] != losses[1]
    sights = [model.eval().see(one.films).patches for _ in range(2)]
    assert torch.equal(*sights)


def test_a_falling_alignment_counts_by_what_is_left_of_the_epochs(tokenizer: ReportTokenizer) -> None:
    one = batch(FULL, tokenizer)
    falling = replace(FULL, losses=replace(FULL.losses, alignment_until=0.5))
    for config, progress, share in ((FULL, 0.75, 1.0), (falling, 0.0, 1.0), (falling, 0.25, 0.5), (falling, 0.75, 0.0)):
        losses = model_of(config, tokenizer)(one._replace(progress=torch.tensor(progress)))
        torch.testing.assert_close(losses["loss"], losses["task"] + share * losses["alignment"])
    with pytest.raises(ValueError, match="alignment_until"):
        replace(FULL.losses, alignment_until=0.0)


def test_states_are_told_from_the_patches_of_the_film_itself(tokenizer: ReportTokenizer) -> None:
    config = replace(ALL["states"], healthy_patches=1.0)
    model, one = model_of(config, tokenizer), batch(config, tokenizer)
    losses = model(one)
    torch.testing.assert_close(losses["loss"], losses["task"] + losses["alignment"] + 0.5 * losses["states"])
    assert torch.equal(model(one)["states"], losses["states"])  # no patch of another study is among them
    losses["states"].backward()
    moved = {name.partition(".")[0] for name, value in model.named_parameters() if value.grad is not None}
    assert moved == {"states", "image_encoder"}
    evidence = model.eval().see(one.films)
    found = model.findings(evidence)
    assert found is not None and found.shape == (4, len(CONDITIONS), len(STATES))
    torch.testing.assert_close(found.sum(-1), torch.ones(4, len(CONDITIONS)))
    loss = model(one)["states"]  # as it is said: nothing is dropped on the way, no film is seen otherwise
    torch.testing.assert_close(-found.gather(-1, one.labels[..., None]).log().mean(), loss)
    two = replace(config, views=2)
    pairs = batch(two, tokenizer).films
    pair, single = model_of(two, tokenizer).eval(), model_of(config, tokenizer).eval()
    logits = [single.see(pairs[:, view]).state_logits for view in (0, 1)]
    torch.testing.assert_close(pair.see(pairs).state_logits, sum(logits) / 2)  # type: ignore[arg-type]
    plain = model_of(FULL, tokenizer).eval()
    assert plain.findings(plain.see(one.films)) is None
    with pytest.raises(ValueError, match="states"):
        replace(FULL.losses, states=-1.0)


@pytest.mark.parametrize(("setting", "everywhere"), [("full", True), ("contrast into the memory", False)])
def test_the_contrast_reaches_as_far_as_it_may(setting: str, everywhere: bool, tokenizer: ReportTokenizer) -> None:
    model = model_of(ALL[setting], tokenizer)
    losses = model(batch(FULL, tokenizer))
    losses["alignment"].backward(retain_graph=True)
    moved = {name for name, value in model.named_parameters() if value.grad is not None and value.grad.any()}
    assert {"bank.slots", "bank.query.weight", "alignment.image_head.0.weight"} <= moved
    assert ("decoder.words.weight" in moved, "project.weight" in moved) == (everywhere, everywhere)
    # The report's own loss reaches all of them, through s_v too.
    model.zero_grad()
    losses["task"].backward()
    assert all(
        value.grad is not None
        for name, value in model.named_parameters()
        if "text_head" not in name and "scale" not in name
    )


def test_lambda_0_is_not_the_same_as_no_alignment(tokenizer: ReportTokenizer) -> None:
    config = replace(FULL, losses=replace(FULL.losses, alignment=0.0))
    losses = model_of(config, tokenizer)(batch(config, tokenizer))
    torch.testing.assert_close(losses["loss"], losses["task"])
    assert "alignment" in losses and any("alignment" in name for name in model_of(config, tokenizer).state_dict())


def test_settings_of_one_seed_begin_with_the_same_base_transformer(tokenizer: ReportTokenizer) -> None:
    """So that what a part does is not mixed with what another draw of weights does."""
    base = model_of(BASE, tokenizer).state_dict()
    for name, config in ALL.items():
        if name not in ("relational memory", "middle stage"):
            weights = model_of(config, tokenizer).state_dict()
            assert all(torch.equal(weights[part], value) for part, value in base.items()), name


@torch.no_grad()
def test_no_memory_tokens_is_the_base_decoder_exactly() -> None:
    """The same weights without the tokens give what a decoder gives that never had any; with them something else."""
    torch.manual_seed(0)
    with_tokens = ReportDecoder(FULL.decoder, 30, 16).eval()
    base = ReportDecoder(replace(FULL.decoder, memory_tokens=0), 30, 16).eval()
    weights = with_tokens.state_dict()
    del weights["memory_tokens"]
    assert weights.keys() == base.state_dict().keys()
    base.load_state_dict(weights)
    tokens, memory = torch.randint(0, 30, (2, 5)), torch.randn(2, 4, 16)
    layer = base.layers[0]
    hidden = base.embed(tokens)
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    attended = layer.self_attention(hidden, *layer.self_attention.keys_values(hidden), causal)
    hidden = layer.self_norm(hidden + attended)
    read = torch.cat((memory, base.rest.expand(2, -1, -1)), 1)
    hidden = layer.cross_norm(hidden + layer.cross_attention(hidden, *layer.cross_attention.keys_values(read)))
    hidden = layer.feed_norm(hidden + layer.contract(torch.nn.functional.gelu(layer.expand(hidden))))
    torch.testing.assert_close(base(tokens, memory), base.head(hidden))
    assert (with_tokens(tokens, memory) - base(tokens, memory)).abs().max() > 1e-4


@torch.no_grad()
def test_padding_changes_no_loss(tokenizer: ReportTokenizer) -> None:
    model = model_of(FULL, tokenizer).eval()
    one = batch(FULL, tokenizer)
    padded = torch.cat((one.tokens, torch.full((4, 3), tokenizer.padding)), 1)
    for name, loss in model(one._replace(tokens=padded)).items():
        torch.testing.assert_close(loss, model(one)[name])
    # z_t is of the words alone: neither the start, nor the end, nor what is behind it.
    seen: list[Tensor] = []
    model.alignment.text = lambda retrieved, mask: seen.append(mask) or torch.randn(4, 8)  # type: ignore[method-assign,assignment,func-returns-value]
    model(one)
    counts = (one.tokens != tokenizer.padding).sum(1) - 1
    expected = (torch.arange(7) >= 1) & (torch.arange(7) <= counts[:, None])
    assert torch.equal(seen[0], expected)


@pytest.mark.parametrize("setting", ALL)
@torch.no_grad()
def test_no_word_sees_one_behind_it_and_cached_steps_equal_the_full_pass(
    setting: str, tokenizer: ReportTokenizer
) -> None:
    config = ALL[setting]
    model = model_of(config, tokenizer).eval()
    torch.nn.init.normal_(model.decoder.words.weight)  # far from uniform
    one = batch(config, tokenizer)
    evidence = model.see(one.films)
    memory = model.memory(evidence)

    def logits(words: Tensor) -> Tensor:
        embedded = model.decoder.embed(words)
        return model.decoder.head(model.decoder.hidden(model.read_words(embedded, evidence.semantic), memory))

    words = torch.randint(12, len(tokenizer), (4, 9), generator=torch.Generator().manual_seed(5))
    expected = logits(words)
    for at in (1, 4, 8):
        other = words.clone()
        other[:, at] = (other[:, at] - 11) % (len(tokenizer) - 12) + 12
        found = logits(other)
        torch.testing.assert_close(found[:, :at], expected[:, :at])
        assert (found[:, at:] - expected[:, at:]).abs().max() > 1e-4
    beams = 2
    cache = model.decoder.start(memory, beams, 9, lambda embedded, _: model.read_words(embedded, evidence.semantic))
    repeated = words.repeat_interleave(beams, 0)
    steps = [model.decoder.step(repeated[:, :1], cache)]
    steps += [model.decoder.step(repeated[:, at : at + 1], cache) for at in range(1, 9)]
    torch.testing.assert_close(torch.stack(steps, 1)[::beams], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.stack(steps, 1)[1::beams], expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_memory_matters_and_the_order_of_its_slots_does_not(tokenizer: ReportTokenizer) -> None:
    model = model_of(FULL, tokenizer).eval()
    torch.nn.init.normal_(model.decoder.words.weight)  # far from uniform
    one = batch(FULL, tokenizer)
    before = model(one)["task"]
    model.bank.slots.copy_(model.bank.slots.flip(0))
    torch.testing.assert_close(model(one)["task"], before)
    model.bank.slots.copy_(model.bank.slots.mean(0, keepdim=True).expand_as(model.bank.slots))
    assert abs(float(model(one)["task"] - before)) > 1e-4


@torch.no_grad()
def test_a_film_given_twice_is_the_study_of_one_view(tokenizer: ReportTokenizer) -> None:
    """Without a semantic token, whose weight beside twice as many patches would be another one."""
    config = replace(FULL, alignment=None, views=2, decoder=replace(FULL.decoder, rest=False))
    model = model_of(config, tokenizer).eval()
    frontal = batch(FULL, tokenizer).films
    twice = model.see(torch.stack((frontal, frontal), 1))
    single = model_of(replace(config, views=1), tokenizer).eval()
    single.load_state_dict(model.state_dict())
    once = single.see(frontal)
    with pytest.raises(ValueError, match="a model of 2"):
        model.see(frontal)
    patches = once.patches.shape[1]
    assert twice.patches.shape[1] == 2 * patches
    torch.testing.assert_close(model.memory(twice)[:, :patches], model.memory(once), rtol=1e-4, atol=1e-5)
    words = torch.full((4, 3), 15)
    logits = [model.decoder(words, model.memory(evidence)) for evidence in (once, twice)]
    torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-4)
    other = model.see(torch.stack((frontal, frontal.flip(-1)), 1))
    assert not torch.allclose(model.memory(other)[:, :patches], model.memory(once), atol=1e-4)


def test_each_part_of_a_sight_exchanged_alone_reaches_the_decoder(tokenizer: ReportTokenizer) -> None:
    model = model_of(FULL, tokenizer).eval()
    evidence = model.see(batch(FULL, tokenizer).films)
    assert evidence.parts == ("patches", "retrieved", "semantic")
    other = evidence.rows(torch.tensor([1, 2, 3, 0]))
    other = replace(other, patches=-other.patches, retrieved=-other.retrieved, semantic=-other.semantic)
    for part in evidence.parts:
        exchanged = evidence.with_part_of(part, other)
        assert torch.equal(getattr(exchanged, part), getattr(other, part))
        assert not torch.allclose(model.memory(exchanged), model.memory(evidence), atol=1e-4), part
    joined = McsamEvidence.joined([evidence.rows(torch.tensor([0])), evidence.rows(torch.tensor([1, 2, 3]))])
    assert torch.equal(joined.patches, evidence.patches) and torch.equal(joined.slot_weights, evidence.slot_weights)
    base = model_of(BASE, tokenizer).see(batch(BASE, tokenizer).films)
    assert base.parts == ("patches",) and McsamEvidence.joined([base, base]).retrieved is None


@torch.no_grad()
def test_each_word_is_read_with_the_semantic_embedding_of_its_own_study(tokenizer: ReportTokenizer) -> None:
    model = model_of(ALL["semantic words"], tokenizer).eval()
    torch.nn.init.normal_(model.decoder.words.weight)  # far from uniform: reports differ in words and length
    model.decoder.bias[tokenizer.end] = 3.0
    evidence = model.see(batch(ALL["semantic words"], tokenizer, 12).films)
    evidence = replace(evidence, semantic=3 * torch.randn(12, 1, model.config.width))
    config = SearchConfig(beams=2, max_new_tokens=10)
    together = model.write(evidence, config)
    assert together == [model.write(evidence.rows(torch.tensor([film])), config)[0] for film in range(12)]
    assert len({len(words) for words in together}) > 1  # short ones leave the batch before long ones


@torch.no_grad()
def test_a_report_explained_has_the_probabilities_of_its_words_and_the_slots_they_used(
    tokenizer: ReportTokenizer,
) -> None:
    for config in ALL.values():
        model = model_of(config, tokenizer).eval()
        evidence = model.see(batch(config, tokenizer).films).rows(torch.tensor([2]))
        words = [13, 15, 14, tokenizer.end]
        told = model.explain(words, evidence)
        inputs = torch.tensor([[tokenizer.start, *words[:-1]]])
        embedded = model.read_words(model.decoder.embed(inputs), evidence.semantic)
        logits = model.decoder.head(model.decoder.hidden(embedded, model.memory(evidence)))[0]
        expected = logits.softmax(-1).gather(1, torch.tensor(words)[:, None])[:, 0]
        torch.testing.assert_close(told.probabilities, expected)
        assert told.attention.shape == (4, evidence.patches.shape[1] // config.views)
        if config.memory is None:
            assert told.slots is None
        else:
            assert told.slots is not None
            torch.testing.assert_close(told.slots.sum(-1), torch.ones(4))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"decoder": {"width": 32, "heads": 2}}, "must be the model's width"),
        ({"memory": {"heads": 3, "nearest": 2, "start": {"count": 4}}}, "not divisible"),
        ({"method": "revtaf"}, "'revtaf' is not one of"),
        ({"image_consolidation": False, "text_consolidation": False, "alignment": None}, "nothing reads the memory"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        from_mapping(McsamConfig, {**TINY_MCSAM["model"], **change})
