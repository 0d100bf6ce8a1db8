"""The generator's objective: who is ranked with whom, and which reference a training film is given."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.films import Films
from radscribe.drafting.reporter import load_reporter
from radscribe.drafting.system import System
from radscribe.labels.entities import ENTITIES
from radscribe.models.classification import refreshed_rates
from radscribe.models.encoders.entity import FilmEntities
from radscribe.models.revtaf import Revtaf
from radscribe.training.recipe import GeneratorConfig
from radscribe.training.revtaf import RevtafObjective, RevtafSplit, indexed_presence


def objective(  # type: ignore[no-untyped-def]
    checkpoint, phantoms: PreparedDataset, pool: int, references: str = "labels", indexed: str = "films"
) -> RevtafObjective:
    system: System = load_reporter(checkpoint).system
    assert system.config.model.retrieval is not None
    retrieval = replace(system.config.model.retrieval, pool=pool, indexed=indexed)
    torch.manual_seed(0)
    model = Revtaf(replace(system.config.model, retrieval=retrieval), system.text_encoder.width, system.model.tokenizer)
    studies = phantoms.split("train")
    random = torch.Generator().manual_seed(0)
    entities = FilmEntities(
        torch.rand(len(studies), 75, generator=random),
        torch.randint(0, 51, (len(studies), 75), generator=random),
        torch.randn(len(studies), 8, generator=random),
    )
    films = Films(phantoms.pixels, [study.frontal.image_index for study in studies], system.config.film)
    labels = torch.tensor([study.labels for study in studies])
    indexed = indexed_presence(retrieval, entities, studies)
    known = torch.ones_like(labels, dtype=torch.bool)
    split = RevtafSplit(films, labels, [study.findings for study in studies], entities, indexed, labels, known)
    config = GeneratorConfig(references=references)  # type: ignore[arg-type]
    return RevtafObjective(model, system.knowledge, split, split, config, system.config.search, seed=0)


def test_a_batch_is_ranked_with_itself_and_a_pool_of_others(checkpoint, phantoms: PreparedDataset) -> None:  # type: ignore[no-untyped-def]
    for pool, wanted in ((0, 4), (6, 10), (10_000, len(phantoms.split("train")))):
        found = objective(checkpoint, phantoms, pool)
        found.begin_epoch(0)
        batch = found.load([3, 1, 8, 5], epoch=0)
        presence, indexed, labels, related_ids = batch.ranking
        assert len(presence) == len(labels) == len(related_ids) == wanted
        assert torch.equal(presence[:4], batch.entities.presence) and torch.equal(labels[:4], batch.labels)
        assert torch.equal(presence, indexed)  # films are placed by what is seen on them
        assert len(presence.unique(dim=0)) == wanted  # no study twice
        again = found.load([3, 1, 8, 5], epoch=0).ranking
        assert all(torch.equal(a, b) for a, b in zip(batch.ranking, again, strict=True))
        if pool == 6:
            assert not torch.equal(presence, found.load([3, 1, 8, 5], epoch=1).ranking.presence)


def test_an_epochs_weights_keep_the_rates_that_they_were_trained_with(checkpoint, phantoms: PreparedDataset) -> None:  # type: ignore[no-untyped-def]
    """Those found in validation, of the whole split, count from the next epoch on, however often it is begun."""
    found = objective(checkpoint, phantoms, 0)
    found.config = replace(found.config, validation_studies=3)
    rates = found.model.classification.positive_rates
    before = rates.clone()
    found.begin_epoch(0)
    found.model.eval()
    found.validate()
    assert torch.equal(rates, before)
    count = len(found.validation.labels)
    with torch.no_grad():
        logits = torch.cat([found.see([row]).state_logits for row in range(count)])
    wanted = refreshed_rates(logits.softmax(-1)[..., 1], found.validation.labels, before)
    assert float((wanted - before).abs().max()) > 0.01
    for _ in range(2):  # a resumed run begins its epoch again
        found.begin_epoch(1)
        torch.testing.assert_close(rates, wanted)


def test_references_may_have_to_be_of_the_studys_own_source(checkpoint, phantoms: PreparedDataset) -> None:  # type: ignore[no-untyped-def]
    found = objective(checkpoint, phantoms, 0)
    found.begin_epoch(0)
    rows = list(range(len(phantoms.split("train"))))
    sources = torch.tensor(rows) % 2

    def chosen() -> torch.Tensor:
        return found.references_of(rows, torch.Generator().manual_seed(0))[:, 0]

    assert not torch.equal(sources[chosen()], sources)
    found.training = replace(found.training, sources=sources)
    own = chosen()
    assert torch.equal(sources[own][own >= 0], sources[own >= 0]) and int((own >= 0).sum()) > len(rows) // 2


def test_only_what_is_known_of_a_film_trains_the_branch(checkpoint, phantoms: PreparedDataset) -> None:  # type: ignore[no-untyped-def]
    found = objective(checkpoint, phantoms, 0)
    found.begin_epoch(0)
    found.module.eval()
    batch = found.load([3, 1, 8, 5], epoch=0)

    def loss(**changes: torch.Tensor) -> float:
        return float(found.module(batch._replace(**changes))["classification"])

    some, other = batch.known.clone(), batch.film_states.clone()
    some[:, 4:] = False
    other[:, 4:] = (other[:, 4:] + 1) % 4
    assert loss() != loss(known=some) == loss(known=some, film_states=other) != loss(film_states=other)
    assert loss(labels=(batch.labels + 1) % 4) == loss()  # what the report alone states


def test_no_training_film_is_given_a_report_of_its_own_patient(checkpoint, phantoms: PreparedDataset) -> None:  # type: ignore[no-untyped-def]
    patients = load_reporter(checkpoint).system.knowledge.database.patients
    for references in ("labels", "ball", "both"):
        found = objective(checkpoint, phantoms, pool=0, references=references)
        found.begin_epoch(0)
        batch = found.load(list(range(found.count)), epoch=0)
        assert not bool((patients[batch.references] == patients[:, None]).any()), references
        assert not bool((patients[batch.neighbours] == patients[:, None]).any()), references


def test_reports_can_place_studies_in_the_ball(checkpoint, phantoms: PreparedDataset) -> None:  # type: ignore[no-untyped-def]
    found = objective(checkpoint, phantoms, pool=0, references="ball", indexed="reports")
    found.begin_epoch(0)
    studies = phantoms.split("train")
    stated = torch.zeros(len(studies), len(ENTITIES))
    for row, study in enumerate(studies):
        for entity, _, present in study.triplets:
            stated[row, entity] = max(float(present), float(stated[row, entity]))
    assert torch.equal(found.load([3, 1, 8, 5], epoch=0).ranking.indexed, stated[[3, 1, 8, 5]])
    with torch.no_grad():
        ball = found.model.retrieval(stated).half().float()
    torch.testing.assert_close(found.module.knowledge.database.ball, ball)


def test_a_collapsed_epoch_scores_below_any_other(  # type: ignore[no-untyped-def]
    checkpoint, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = objective(checkpoint, phantoms, pool=0)
    found.config = GeneratorConfig(validation_studies=4, commonest=0.5)
    encode = found.model.tokenizer.encode
    for drafts, collapsed in (
        (["Clear."] * 3 + ["No mass."], True),
        (["Clear.", "Clear.", "No mass.", "Mass."], False),
    ):
        written = [encode(draft, 20)[:-1] for draft in drafts]
        monkeypatch.setattr(found.model, "write", lambda evidence, search, written=written: written)
        figures = found.validate()
        assert figures["commonest"] == (0.75 if collapsed else 0.5)
        assert figures["score"] == figures["micro_f1"] - collapsed


def test_references_of_both_kinds_are_drawn_film_by_film(checkpoint, phantoms: PreparedDataset) -> None:  # type: ignore[no-untyped-def]
    drawn = {}
    for references in ("labels", "ball", "both"):
        found = objective(checkpoint, phantoms, pool=0, references=references)
        found.begin_epoch(0)
        drawn[references] = found.load(list(range(found.count)), epoch=0).references[:, 0]
    apart = drawn["labels"] != drawn["ball"]
    of_labels, of_ball = drawn["both"] == drawn["labels"], drawn["both"] == drawn["ball"]
    assert bool((of_labels | of_ball).all())
    assert bool((of_labels & apart).any()) and bool((of_ball & apart).any())
