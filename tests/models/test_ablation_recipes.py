"""The ablation recipes: they read, tell whose row they are, and what they switch off is absent and never called."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_revtaf import batch, knowledge_of

from radscribe.ablation.run import read_rows
from radscribe.core.config import from_mapping, read_yaml, to_mapping
from radscribe.drafting.reporter import load_reporter
from radscribe.drafting.system import System
from radscribe.models.revtaf import Revtaf, RevtafConfig
from radscribe.training.recipe import Recipe, read_recipe

ABLATIONS = Path(__file__).parents[2] / "recipes" / "ablations"
RECIPES = ABLATIONS.parent
FILES = sorted((ABLATIONS / "revtaf").glob("*.yaml"))
RUNS = RECIPES.parent / "docs" / "results" / "ablations" / "runs.tar.xz"
# What each recipe's model lacks, and what else of the model's parameters differs from the full one's.
OFF = {
    "without-retrieval": {"retrieval"},
    "without-fusion": {"global_branch", "local_branch"},
    "baseline": {"retrieval", "global_branch", "local_branch"},
    "without-rest": {"decoder.rest"},
}


@pytest.fixture(scope="module")
def system(checkpoint) -> System:  # type: ignore[no-untyped-def]
    return load_reporter(checkpoint).system


def small(config: RevtafConfig, system: System) -> RevtafConfig:
    """The recipe's settings at the tiny system's sizes."""
    tiny = system.config.model
    return replace(
        config,
        width=tiny.width,
        image_encoder=tiny.image_encoder,
        retrieval=config.retrieval and replace(config.retrieval, width=8, pool=4),
        classification=tiny.classification,
        decoder=replace(tiny.decoder, rest=config.decoder.rest),
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recipe_reads_and_its_head_tells_whose_row_it_is(path: Path) -> None:
    recipe = read_recipe(path)
    assert from_mapping(Recipe, to_mapping(recipe)) == recipe
    assert recipe.name == f"revtaf-{path.stem}"
    assert recipe.search.beams == 1 and recipe.generator.seed is None
    head = "\n".join(line for line in path.read_text().splitlines() if line.startswith("#"))
    assert "# What:" in head
    for word in ("Paper:", "Command:", "Time:", "Score:") if path.stem == "full" else ("# Row:  ",):
        assert word in head
    if path.stem in ("without-retrieval", "without-fusion", "baseline"):
        assert "# Row:  the paper's (Table 3" in head
    elif path.stem != "full":
        assert "# Row:  ours" in head


@pytest.mark.parametrize("system_name", ["revtaf", "mcsam"])
def test_the_full_row_is_the_small_recipe_but_for_its_search_its_epochs_and_its_thread(system_name: str) -> None:
    full, whole = (
        read_recipe(path) for path in (ABLATIONS / system_name / "full.yaml", RECIPES / f"{system_name}-small.yaml")
    )
    stages = {name: getattr(whole, name) for name in ("text_training", "entity_training", "training")}
    for name, stage in stages.items():
        # One thread: several runs of a table train side by side.
        assert getattr(full, name) == replace(stage, epochs=getattr(full, name).epochs, threads=1)
    assert replace(full, name=whole.name, search=whole.search, **stages) == whole
    assert replace(whole.search, beams=1) == full.search


@pytest.mark.parametrize("folder", [path for path in ABLATIONS.iterdir() if path.is_dir()], ids=lambda path: path.name)
def test_every_folder_is_one_ablation_that_shares_all_steps_before_the_generator(folder: Path) -> None:
    rows = read_rows(folder)
    for recipe in rows.values():
        own = replace(recipe, name="", model=rows["full"].model, generator=rows["full"].generator)
        assert own == replace(rows["full"], name="")
    assert all(len(read_yaml(folder / f"{row}.yaml")) for row in rows)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_recipe_switches_off_has_no_parameters_and_is_never_called(path: Path, system: System) -> None:
    torch.manual_seed(0)
    configs = [small(read_recipe(file).model, system) for file in (path, path.with_name("full.yaml"))]
    models = [Revtaf(config, system.text_encoder.width, system.model.tokenizer) for config in configs]
    own, full = ({name for name, _ in model.named_parameters()} for model in models)
    absent = full - own
    off = OFF.get(path.stem, set())
    assert {part for part in off if not any(name.startswith(part) for name in absent)} == set()
    assert {name for name in absent if not name.startswith(tuple(off))} == set()
    assert {name for name in own - full if not name.startswith("project.")} == set()
    model = models[0]
    called: set[str] = set()
    for name, child in model.named_children():
        child.register_forward_hook(lambda *_, name=name: called.add(name))
    knowledge = knowledge_of(model, system)
    called.clear()  # an index is built by calling the ball
    one = batch(system)
    wanted = configs[0].fusion.references if configs[0].fusion else 1
    losses = model.train()(one._replace(references=one.references.repeat(1, wanted)), knowledge)
    assert torch.isfinite(losses["loss"])
    assert called | {"decoder"} == {name.split(".")[0] for name in model.state_dict()}  # which is called by its parts
    assert not called & off
    called.clear()
    evidence = model.eval().evidence_of(one.films, one.entities, knowledge)
    model.write(evidence, system.config.search)
    assert not called & off


def test_the_recipes_without_a_part_of_their_own_change_what_they_say() -> None:
    recipes = {path.stem: read_recipe(path) for path in FILES}
    fusion = {name: recipe.model.fusion for name, recipe in recipes.items() if recipe.model.fusion}
    assert fusion["full"].local_marginal == "presence" and fusion["uniform-marginal"].local_marginal == "uniform"
    assert fusion["degenerate-attention"].mode == "degenerate" and fusion["unbalanced-transport"].unbalanced == 0.1
    assert fusion["three-references"].references == 3 and fusion["nothing-near-enough"].farthest_reference == 3.8
    assert recipes["references-by-labels"].generator.references == "labels" != recipes["full"].generator.references
    assert recipes["without-consistency"].model.losses.consistency == 0 < recipes["full"].model.losses.consistency
    trusting = recipes["without-doubtful-evidence"].model
    shares = (trusting.predicted_states, trusting.borrowed_states, trusting.healthy_patches, trusting.borrowed_local)
    assert shares == (0, 0, 0, 0)


@pytest.mark.parametrize("system_name", ["revtaf", "mcsam"])
def test_the_runs_behind_the_tables_are_of_the_recipes_beside_them(system_name: str) -> None:
    """Every recipe has been run, in one table or in two."""
    with tarfile.open(RUNS) as runs:
        names = [name for name in runs.getnames() if name.startswith(f"ablations-{system_name}")]
        records = {name: json.load(runs.extractfile(name)) for name in names if name.endswith("/run.json")}  # type: ignore[arg-type]
    recipes = {path.stem for path in (ABLATIONS / system_name).glob("*.yaml")}
    assert {tuple(name.split("/")[1:3]) for name in records} == {(row, seed) for row in recipes for seed in "012"}
    for name, record in records.items():
        _, row, seed, _ = name.split("/")
        recipe = read_recipe(ABLATIONS / system_name / f"{row}.yaml")
        assert record["recipe"] == to_mapping(replace(recipe, generator=replace(recipe.generator, seed=int(seed))))


def test_the_systems_on_real_pairs_differ_in_what_their_heads_say() -> None:
    rows = read_rows(RECIPES / "iu", "revtaf")
    assert list(rows) == ["revtaf", "base-transformer", "mcsam", "promptmrg", "r2gen", "r2gencmn"]
    for row, small in (("revtaf", "revtaf-iu-small"), ("mcsam", "mcsam-iu-small")):
        alone = read_recipe(RECIPES / f"{small}.yaml")  # may keep to phrases: the documented runs do not
        assert rows[row] == replace(alone, search=replace(alone.search, phrases=0))
    own = {row: replace(recipe, name="", model=rows["mcsam"].model) for row, recipe in rows.items()}
    assert own["mcsam"] == own["base-transformer"] == own["r2gen"] == own["r2gencmn"]
    assert replace(rows["promptmrg"], name="", model=rows["revtaf"].model) == replace(rows["revtaf"], name="")
    # On the same footing: films, labels, words, sampling and what chooses the epoch.
    for name in ("film", "label_training", "text_encoder", "text_training", "search"):
        assert getattr(rows["mcsam"], name) == getattr(rows["revtaf"], name)
    for recipe in rows.values():
        chosen = recipe.generator
        assert (chosen.chosen_by, chosen.rare_rate, chosen.commonest) == ("micro_f1_13", 0.25, 0.4)
        assert recipe.model.image_encoder == rows["revtaf"].model.image_encoder
