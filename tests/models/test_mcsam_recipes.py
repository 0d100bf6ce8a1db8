"""MCSAM's ablation recipes and the peers: they read, and what they switch off is absent and never called."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_mcsam import batch, model_of

from radscribe.core.config import from_mapping, to_mapping
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.decoding.tokenizer import ReportTokenizer, train_word_pieces
from radscribe.models.mcsam import McsamConfig
from radscribe.models.revtaf import RevtafConfig
from radscribe.training.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
ABLATIONS = sorted((RECIPES / "ablations" / "mcsam").glob("*.yaml"))
PEERS = sorted((RECIPES / "peers").glob("*.yaml"))
BASE = ("bank", "consolidate_image", "consolidate_text", "alignment", "decoder.memory_tokens")
# The parameters that each recipe's model lacks of the full one's.
OFF = {
    "without-memory": BASE[:3],
    "without-visual-consolidation": BASE[1:2],
    "without-text-consolidation": BASE[2:3],
    "without-alignment": BASE[3:4],
    "without-semantic-embedding": ("alignment.semantic",),
    "without-memory-tokens": BASE[4:],
    "base-transformer": BASE,
    "r2gen": BASE,
    "r2gencmn": BASE[3:],
}


@pytest.fixture(scope="module")
def tokenizer() -> ReportTokenizer:
    return ReportTokenizer(train_word_pieces(["the heart is normal . no effusion ."] * 2, 100))


@pytest.mark.parametrize("path", [*ABLATIONS, *PEERS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_a_recipe_switches_off_has_no_parameters_and_is_never_called(
    path: Path, tokenizer: ReportTokenizer
) -> None:
    config = read_recipe(path).model
    if isinstance(config, RevtafConfig):
        assert path.stem == "promptmrg" and config.retrieval is None and config.fusion is None
        return
    full_config = read_recipe(RECIPES / "mcsam-small.yaml").model
    assert isinstance(full_config, McsamConfig)
    model, full = model_of(config, tokenizer), model_of(full_config, tokenizer)
    off = OFF.get(path.stem, ())
    own, whole = model.state_dict().keys(), full.state_dict().keys()
    norms = [name for name in whole if ".own_norm" in name or ".retrieved_norm" in name]
    heads = [name for name in whole if name.startswith("alignment.encoder")]
    off = (*off, *(norms if path.stem == "r2gencmn" else ()))
    off = (*off, *(heads if path.stem == "pooled-alignment" else ()))
    assert whole - own == {name for name in whole if name.startswith(off) and off}
    new = {"r2gen": ("relational", "norm.s"), "pooled-alignment": ("_head",)}.get(path.stem, ())
    assert all(any(part in name for part in new) for name in own - whole)
    assert bool(own - whole) == bool(new)
    called: set[str] = set()
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: called.add(name))
    one = batch(config, tokenizer)
    assert torch.isfinite(model(one)["loss"])
    evidence = model.eval().see(one.films)
    words = model.write(evidence, SearchConfig(beams=1, max_new_tokens=3))
    model.explain([*words[0], tokenizer.end], evidence.rows(torch.tensor([0])))
    assert not off or not any(name.startswith(off) for name in called)
    parts = {name.split(".")[0] for name in own} - {"decoder", "alignment"}  # which are called by their parts
    assert parts <= called


def test_rows_without_a_part_of_their_own_change_what_they_say() -> None:
    models = {path.stem: read_recipe(path).model for path in ABLATIONS}
    full, plain = models["full"], models["plain-alignment"]
    assert isinstance(full, McsamConfig) and isinstance(plain, McsamConfig) and full.memory and full.alignment
    assert full.memory.start.mode == "ot_topic" and full.normalized_join and full.alignment.encoder == "siamese"
    assert plain.losses.alignment == 1 and plain.losses.alignment_until is None and plain.alignment
    assert plain.alignment.reach == "all" and plain.alignment.same_labels_negatives
    assert full.losses.alignment_until is not None and full.losses.alignment < 1


def test_rows_of_one_seed_begin_with_the_same_base_transformer(tokenizer: ReportTokenizer) -> None:
    """So that their differences are less those of the draw."""
    base = model_of(
        read_recipe(RECIPES / "ablations" / "mcsam" / "base-transformer.yaml").model, tokenizer
    ).state_dict()
    for path in ABLATIONS:
        weights = model_of(read_recipe(path).model, tokenizer).state_dict()
        assert all(torch.equal(weights[name], value) for name, value in base.items()), path.stem


@pytest.mark.parametrize("path", [*ABLATIONS, *PEERS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recipe_reads_and_its_head_tells_what_it_is(path: Path) -> None:
    recipe = read_recipe(path)
    assert from_mapping(Recipe, to_mapping(recipe)) == recipe
    head = "".join(line for line in path.read_text().splitlines() if line.startswith("#"))
    if path in PEERS:
        assert recipe.name == path.stem and all(word in head for word in ("Command:", "Time:", "Score:"))
    else:
        assert recipe.name == f"mcsam-{path.stem}" and "What:" in head and recipe.search.beams == 1
