"""An MCSAM training from raw phantoms to a draft that shows its slots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from makers import TINY_MCSAM
from radscribe.core.config import RecipeError, from_mapping, to_mapping
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.records import SPLITS, Study, View
from radscribe.core.tensors import read_tensors
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.checkpoint import load_checkpoint
from radscribe.drafting.picture import draw_draft
from radscribe.drafting.reporter import load_reporter
from radscribe.evaluation.evaluate import evaluate
from radscribe.models.decoding.tokenizer import train_word_pieces
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.geometry.sinkhorn import ConvergenceError
from radscribe.models.knowledge.slots import SlotsConfig
from radscribe.models.knowledge.topics import TopicsConfig
from radscribe.models.mcsam import Mcsam, McsamConfig, SlotKnowledge
from radscribe.training.alignment import AlignmentStep, BankStep
from radscribe.training.entity_model import entity_model
from radscribe.training.generator import Split
from radscribe.training.mcsam import McsamObjective
from radscribe.training.recipe import Recipe
from radscribe.training.steps import Training
from radscribe.training.text_encoder import text_encoder
from radscribe.training.topics import TopicsStep, word_vectors
from radscribe.training.train import Options, train


def changed(recipe: Recipe, **changes: object) -> Recipe:
    assert isinstance(recipe.model, McsamConfig)
    return replace(recipe, model=replace(recipe.model, **changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return from_mapping(Recipe, TINY_MCSAM)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    folder = tmp_path_factory.mktemp("mcsam")
    return Options(folder / "cache", max_steps=2, accelerator="cpu", say=lambda line: None)


@pytest.fixture(scope="module")
def folder(recipe: Recipe, phantoms: PreparedDataset, options: Options) -> Path:
    return train(recipe, phantoms, options.cache.parent / "checkpoint", options)


def test_the_checkpoint_tells_how_its_memory_began(folder: Path, phantoms: PreparedDataset) -> None:
    start = json.loads((folder / "memory.json").read_text())
    assert start["mode"] == "ot_joint" and len(start["usage"]) == 6
    assert start["row_error"] < 1e-3 and start["column_error"] < 1e-3
    assert sum(start["usage"]) == pytest.approx(1, abs=1e-4) and min(start["usage"]) > 0
    assert start["studies"] == len(phantoms.split("train")) and start["sampled"] is False
    assert len(start["training_ids"]) == 64 and start["encoders"]
    card = (folder / "MODEL_CARD.md").read_text()
    assert "MCSAM" in card and "entity-model" in card
    assert len(start["kept"]) == 6 and f"cosine of {sum(start['kept']) / 6:.2f}" in card and "topic" not in card


def test_the_log_names_the_slots_that_nothing_uses(folder: Path, recipe: Recipe, phantoms: PreparedDataset) -> None:
    rows = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    last = [row for row in rows if row["stage"] == "generator"][-1]
    assert 1 / 6 <= last["validation_slots_used"] <= 1 and isinstance(last["validation_dead_slots"], list)
    model = load_reporter(folder).system.model
    assert isinstance(model, Mcsam) and isinstance(recipe.model, McsamConfig)
    with torch.no_grad():  # three of six slots are chosen: those that no query looks towards are never
        model.bank.query.weight.zero_()
        model.bank.query.bias.fill_(1.0)
        model.bank.key.weight.zero_()
        model.bank.key.weight[:, 0] = 1.0
        model.bank.key.bias.zero_()
        model.bank.slots.zero_()
        model.bank.slots[[0, 2, 5], 0] = 4.0
    steps = Training(recipe, phantoms, Options(Path("unused")))
    split = Split(steps.films("train"), torch.zeros(4, 18), ["The lungs are clear.", "Effusion.", "Edema.", "Clear."])
    objective = McsamObjective(model, split, split, recipe.generator, recipe.search, 0, 4)
    use = objective.slot_use([objective.see([0, 1, 2, 3])])
    assert use["dead_slots"] == [1, 3, 4] and use["slots_used"] == pytest.approx(3 / 6)


def test_a_draft_shows_the_slots_that_each_sentence_used(folder: Path, phantoms: PreparedDataset) -> None:
    reporter = load_reporter(folder)
    view = reporter.view(phantoms.film(phantoms.split("test")[0]))
    draft = reporter.draft(view)
    known = {study.study_id for study in phantoms.split("train")}
    assert draft.reference is None and draft.sentences
    for sentence in draft.sentences:
        assert len(sentence.slots) == 3
        weights = [slot["weight"] for slot in sentence.slots]
        assert weights == sorted(weights, reverse=True) and 0 < sum(weights) <= 1.001
        assert all(len(slot["studies"]) == 3 and known.issuperset(slot["studies"]) for slot in sentence.slots)
    with pytest.raises(WrongUse, match="no more"):
        reporter.draft(view, lateral=view)


def test_a_slot_is_shown_by_the_studies_nearest_to_it(folder: Path) -> None:
    system, _ = load_checkpoint(folder)
    assert isinstance(system.knowledge, SlotKnowledge) and isinstance(system.model, Mcsam)
    database, slots = system.knowledge.database, system.model.bank.slots
    cosine = torch.nn.functional.normalize(slots, dim=-1) @ database.features.T
    expected = [[database.study_ids[row] for row in rows] for rows in cosine.topk(2).indices.tolist()]
    assert system.knowledge.studies_near(slots, 2) == expected
    # Films that share a report are different studies.
    shared = SlotKnowledge(replace(database, report_ids=("one",) * len(database)))
    assert shared.studies_near(slots, 2) == expected


def test_a_saved_and_loaded_system_writes_the_same(folder: Path, phantoms: PreparedDataset, tmp_path: Path) -> None:
    reporter = load_reporter(folder)
    reporter.save_pretrained(tmp_path / "copy")
    views = [reporter.view(phantoms.film(study)) for study in phantoms.split("test")[:3]]
    again = load_reporter(tmp_path / "copy")
    assert again.fingerprint == reporter.fingerprint
    assert again.write(again.see(views)) == reporter.write(reporter.see(views))
    assert (tmp_path / "copy" / "memory.json").read_text() == (folder / "memory.json").read_text()
    assert again.draft(views[0]).sentences[0].slots == reporter.draft(views[0]).sentences[0].slots


def test_evaluation_exchanges_each_part_of_an_mcsam_alone(folder: Path, phantoms: PreparedDataset) -> None:
    card = evaluate(load_reporter(folder), phantoms, "test", limit=6, part_limit=4).scorecard
    assert {"other_patches", "other_retrieved", "other_semantic", "shuffled_images"} <= card.controls.keys()


def test_the_memory_is_the_same_whatever_the_other_splits_hold(
    recipe: Recipe, phantoms: PreparedDataset, options: Options, folder: Path, tmp_path: Path
) -> None:
    """Given the frozen encoders: other films and reports in validation and test reach neither v and t nor M."""
    pixels = np.array(phantoms.pixels)
    for split in SPLITS[1:]:
        for study in phantoms.split(split):
            pixels[[view.image_index for view in study.views]] = 0
    train_rows = np.array([study.split == "train" for study in phantoms.studies])
    findings = [
        text if own else "Edema." for text, own in zip(phantoms.table["findings"].to_pylist(), train_rows, strict=True)
    ]
    column = phantoms.table.column_names.index("findings")
    table = phantoms.table.set_column(column, "findings", pa.array(findings))
    emptied = PreparedDataset(phantoms.folder, phantoms.manifest, table, pixels)
    whole = Training(recipe, phantoms, options)
    text = text_encoder(whole)
    entity_step, entities = entity_model(whole, text)
    memory_config = recipe.model.memory

    def memory(dataset: PreparedDataset, cache: Path) -> tuple[torch.Tensor, ...]:
        long = replace(options, cache=cache, max_steps=8)
        training = Training(recipe, dataset, long)
        step = training.cache.step(AlignmentStep(training, text, entity_step, entities, memory_config.slot_width))
        places = read_tensors(step.folder / "places.safetensors")
        images, texts = places["images"], places["texts"]
        bank = training.cache.step(BankStep(training, step, images, texts, memory_config.start))
        return images, texts, read_tensors(bank.folder / "slots.safetensors")["slots"]

    for one, other in zip(memory(phantoms, tmp_path / "a"), memory(emptied, tmp_path / "b"), strict=True):
        assert torch.equal(one, other)


@pytest.fixture(scope="module")
def by_topics(recipe: Recipe) -> Recipe:
    assert isinstance(recipe.model, McsamConfig) and recipe.model.memory is not None
    topics = TopicsConfig(least_reports=2, hidden=8)
    start = SlotsConfig(count=6, mode="ot_topic", topics=topics)
    return changed(recipe, memory=replace(recipe.model.memory, start=start, slot_width=16))


def test_a_memory_of_topics_reads_the_training_reports_alone(
    by_topics: Recipe, phantoms: PreparedDataset, options: Options, tmp_path: Path
) -> None:
    """Other films everywhere, and other reports in validation and test, leave every bit of it as it is."""
    train_rows = np.array([study.split == "train" for study in phantoms.studies])
    findings = [
        text if own else "Edema." for text, own in zip(phantoms.table["findings"].to_pylist(), train_rows, strict=True)
    ]
    column = phantoms.table.column_names.index("findings")
    table = phantoms.table.set_column(column, "findings", pa.array(findings))
    emptied = PreparedDataset(phantoms.folder, phantoms.manifest, table, np.zeros_like(np.array(phantoms.pixels)))
    text = text_encoder(Training(by_topics, phantoms, options))
    memory = by_topics.model.memory
    made = []
    for dataset, name in ((phantoms, "a"), (emptied, "b")):
        training = Training(by_topics, dataset, replace(options, cache=tmp_path / name, max_steps=None))
        folder = training.cache.step(TopicsStep(training, text, memory)).folder
        made.append((read_tensors(folder / "slots.safetensors"), json.loads((folder / "memory.json").read_text())))
    (one, told), (other, told_again) = made
    assert torch.equal(one["slots"], other["slots"]) and torch.equal(one["places"], other["places"])
    assert told == told_again
    torch.testing.assert_close(one["slots"].norm(dim=1), torch.ones(6))
    cosine = (one["slots"] @ one["slots"].T).fill_diagonal_(-1)
    assert float(cosine.max()) <= 0.95
    reports = {study.study_id: study.report("findings").lower() for study in phantoms.split("train")}
    for topic in told["topics"]:
        assert len(topic["words"]) == 10 and len(topic["studies"]) == 5 and reports.keys() >= set(topic["studies"])
        assert any(topic["words"][0] in text for text in reports.values())


def test_a_draft_shows_the_topics_of_its_slots(
    by_topics: Recipe, phantoms: PreparedDataset, options: Options, tmp_path: Path
) -> None:
    folder = train(by_topics, phantoms, tmp_path / "out", options)
    told = json.loads((folder / "memory.json").read_text())
    reporter = load_reporter(folder)
    view = reporter.view(phantoms.film(phantoms.split("test")[0]))
    draft = reporter.draft(view)
    assert draft.sentences and all(sentence.slots for sentence in draft.sentences)
    for sentence in draft.sentences:
        for slot in sentence.slots:
            assert slot["words"] == told["topics"][slot["slot"]]["words"] and len(slot["studies"]) == 3
    draw_draft(draft, view, tmp_path / "draft.png")
    card = (folder / "MODEL_CARD.md").read_text()
    assert "started by `ot_topic`" in card and "Dead slots" in card
    assert all(" ".join(topic["words"]) in card for topic in told["topics"])


def test_topics_need_slots_as_wide_as_a_word(by_topics: Recipe) -> None:
    assert isinstance(by_topics.model, McsamConfig) and by_topics.model.memory is not None
    with pytest.raises(ValueError, match=r"slot_width 12: .* write its width, 16"):
        changed(by_topics, memory=replace(by_topics.model.memory, slot_width=12))


def test_topics_need_four_reports_a_slot(
    by_topics: Recipe, phantoms: PreparedDataset, options: Options, tmp_path: Path
) -> None:
    assert isinstance(by_topics.model, McsamConfig) and by_topics.model.memory is not None
    memory = by_topics.model.memory
    many = changed(by_topics, memory=replace(memory, start=replace(memory.start, count=1000)))
    with pytest.raises(RadscribeError, match="1000 slots need 4000 training studies, found"):
        train(many, phantoms, tmp_path / "out", options)


def test_what_a_recipe_leaves_unsaid_of_topics_and_alignment_keeps_their_own_defaults() -> None:
    recipe = from_mapping(Recipe, {**TINY_MCSAM, "topic_training": {"epochs": 3}, "alignment_training": {"epochs": 3}})
    topics, alignment = recipe.topic_training, recipe.alignment_training
    assert (topics.epochs, topics.batch_size, topics.schedule, topics.weight_decay) == (3, 200, "steps", 0.0)
    assert (alignment.epochs, alignment.batch_size, alignment.learning_rate) == (3, 256, 1e-3)
    assert from_mapping(Recipe, to_mapping(recipe)) == recipe
    with pytest.raises(RecipeError, match="topic_training: batch_size must be at least 2"):
        from_mapping(Recipe, {**TINY_MCSAM, "topic_training": {"batch_size": 1}})


def test_a_plan_that_does_not_converge_stops_the_run_with_its_numbers(
    recipe: Recipe, phantoms: PreparedDataset, options: Options, tmp_path: Path
) -> None:
    assert isinstance(recipe.model, McsamConfig) and recipe.model.memory is not None
    start = replace(recipe.model.memory.start, iterations=1, tolerance=1e-12)
    hasty = changed(recipe, memory=replace(recipe.model.memory, start=start))
    with pytest.raises(ConvergenceError, match=r"error .* after 1 iterations"):
        train(hasty, phantoms, tmp_path / "out", options)
    assert not (tmp_path / "out" / "config.json").exists()


def test_settings_without_memory_or_alignment_train_and_draft(
    recipe: Recipe, phantoms: PreparedDataset, options: Options, tmp_path: Path
) -> None:
    base = changed(recipe, memory=None, alignment=None)
    reporter = load_reporter(train(base, phantoms, tmp_path / "base", options))
    draft = reporter.draft(reporter.view(phantoms.film(phantoms.split("test")[0])))
    assert all(sentence.slots == () for sentence in draft.sentences)
    assert not (tmp_path / "base" / "memory.json").exists()
    measured = json.loads((tmp_path / "base" / "config.json").read_text())["measured"]
    assert "alignment" not in measured and reporter.system.knowledge.database.features.shape[1] == 0


def test_two_views_are_read_where_a_study_has_them(
    recipe: Recipe, phantoms: PreparedDataset, options: Options, tmp_path: Path
) -> None:
    both = changed(recipe, views=2)
    steps = Training(both, phantoms, options)
    films = steps.films("train").plain(range(len(steps.studies("train"))))
    assert films.shape[1:] == (2, 1, 64, 64)
    for study, pair in zip(steps.studies("train"), films, strict=True):
        assert torch.equal(pair[0], pair[1]) == (len(study.views) == 1)
    augmented = steps.films("train").augmented([0, 1], epoch=0)
    assert augmented.shape == (2, 2, 1, 64, 64)
    reporter = load_reporter(train(both, phantoms, tmp_path / "both", options))
    film = reporter.view(phantoms.film(phantoms.split("test")[0]))
    alone, twice = reporter.see([film]), reporter.see([np.stack((film, film))])
    assert torch.equal(alone.patches, twice.patches)
    assert not torch.equal(reporter.see([np.stack((film, film[:, ::-1]))]).patches, twice.patches)
    assert len(reporter.draft(film, lateral=film).sentences[0].attention) == 4
    assert len(evaluate(reporter, phantoms, "test", limit=4, part_limit=2).reports) == 4


def test_the_frontal_view_comes_first_and_a_lone_one_twice() -> None:
    lateral, frontal = View(0, "lateral", "a"), View(1, "frontal", "b")
    study = Study("s", "p", "train", (lateral, frontal))
    assert study.read(2) == (frontal, lateral) and study.read(1) == (frontal,)
    assert Study("s", "p", "train", (lateral,)).read(2) == (lateral, lateral)


def test_studies_of_one_report_are_marked_as_the_same(recipe: Recipe, phantoms: PreparedDataset, folder: Path) -> None:
    model = load_reporter(folder).system.model
    assert isinstance(model, Mcsam)
    reports = ["The lungs are clear.", "Effusion.", "The lungs are clear.", "Edema."]
    steps = Training(recipe, phantoms, Options(Path("unused")))
    split = Split(steps.films("train"), torch.zeros(4, 18), reports)
    objective = McsamObjective(model, split, split, recipe.generator, recipe.search, 0, 4)
    same = objective.load([0, 1, 2, 3], 0).reports
    assert (same[:, None] == same).int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
    assert objective.smallest_batch == 2
    assert float(objective.load([0, 1], 3).progress) == 0.75


def test_the_index_of_a_memory_cannot_be_rebuilt_alone(
    folder: Path, phantoms: PreparedDataset, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    arguments = ("index", "build", "--checkpoint", str(folder), "--data", str(phantoms.folder), "--out", str(tmp_path))
    code, _, error = run(*arguments)
    assert code == 1 and "train it anew" in error and error.count("\n") == 1


@torch.no_grad()
def test_a_word_lies_at_the_mean_of_its_places_in_the_reports(recipe: Recipe, phantoms: PreparedDataset) -> None:
    steps = Training(recipe, phantoms, Options(Path("unused")))
    tokenizer = train_word_pieces(["the heart is normal . no pleural effusion ."] * 2, 100)
    torch.manual_seed(0)
    encoder = TextEncoder(replace(steps.recipe.text_encoder, max_tokens=8), tokenizer).eval()
    words, reports = ("heart", "effusion", "normal"), ["Heart normal. No effusion.", "The heart is NORMAL."]
    sums = {word: list[torch.Tensor]() for word in words}
    for sentence in ("Heart normal.", "No effusion.", "The heart is NORMAL.", *words):
        ids, mask = encoder.tokenize([sentence])
        states = encoder.states(ids, mask)[0]
        pieces = tokenizer.encode(sentence, add_special_tokens=False)
        for position, (first, last) in enumerate(pieces.offsets, 1):
            for word in words:
                at = sentence.lower().find(word)
                if at >= 0 and at <= first and last <= at + len(word):
                    sums[word].append(states[position])
    expected = torch.stack([torch.stack(sums[word]).mean(0) for word in words])
    expected = (expected - expected.mean(0)) / expected.std(0).clamp(min=1e-4)
    torch.testing.assert_close(word_vectors(encoder, words, reports), expected, rtol=1e-4, atol=1e-4)
