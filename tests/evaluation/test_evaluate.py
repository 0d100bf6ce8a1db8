"""Evaluation with its controls, on a checkpoint that has hardly learned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.stats import mannwhitneyu

from radscribe.core.errors import RadscribeError
from radscribe.core.records import Study, View
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.evidence_maps import stated_map
from radscribe.drafting.reporter import load_reporter
from radscribe.evaluation.compare.compare import compare
from radscribe.evaluation.controls import sources
from radscribe.evaluation.controls.baselines import commonest_sentences, nearest_features, pooled, reference_reports
from radscribe.evaluation.controls.drafted_maps import DraftedMaps, drafted_maps
from radscribe.evaluation.controls.films import other_films, stratified_rows, without_top
from radscribe.evaluation.controls.lesions import Lesions
from radscribe.evaluation.controls.peaks import drafted_peaks, peaks
from radscribe.evaluation.controls.pixels_baseline import at_the_edge
from radscribe.evaluation.controls.proof import _hits, _sides_named, proof_of
from radscribe.evaluation.controls.sources import transfer_between_sources
from radscribe.evaluation.evaluate import Evaluation, _with_agreement, evaluate, with_areas
from radscribe.evaluation.scorecard.card import score
from radscribe.evaluation.scorecard.saved import read_scorecards
from radscribe.evaluation.scorecard.tables import markdown
from radscribe.evaluation.split import SplitReferences
from radscribe.imaging.crop import only_edge
from radscribe.labels.conditions import CONDITIONS, NO_FINDING, POSITIVE
from radscribe.labels.rules import label_sentence
from radscribe.metrics import areas
from radscribe.models.report_model import References
from radscribe.models.revtaf import Revtaf


@pytest.fixture(scope="module")
def found(checkpoint: Path, phantoms: PreparedDataset) -> Evaluation:
    return evaluate(load_reporter(checkpoint), phantoms)


def studies_of(patients: str) -> list[Study]:
    views = (View(0, "frontal", "f"),)
    return [Study(f"s{row}", patient, "test", views) for row, patient in enumerate(patients)]


def test_the_other_film_is_another_patients_of_the_same_source() -> None:
    studies = studies_of("aabbccdd")
    chosen = other_films(studies, ["x", "x", "x", "y", "y", "y", "x", "y"])
    for row, other in enumerate(chosen):
        assert studies[row].patient_id != studies[other].patient_id
        assert (row in (3, 4, 5, 7)) == (other in (3, 4, 5, 7))
    with pytest.raises(RadscribeError, match="one patient"):
        other_films(studies_of("aaa"), [""] * 3)


def test_parts_are_exchanged_in_studies_drawn_evenly_from_sources_and_findings() -> None:
    """An ordered list, of which the first would all be of one kind."""
    healthy = tuple(int(number == NO_FINDING) for number in range(18))
    ill = (1, *(0,) * 17)
    studies = [replace(study, labels=healthy if row < 60 else ill) for row, study in enumerate(studies_of("ab" * 50))]
    sources = ["x"] * 40 + ["y"] * 60
    rows = stratified_rows(studies, sources, 20)
    assert (
        rows == sorted(set(rows)) == stratified_rows(studies, sources, 20) != stratified_rows(studies, sources, 20, 1)
    )
    assert [sum(first <= row < last for row in rows) for first, last in ((0, 40), (40, 60), (60, 100))] == [8, 4, 8]
    assert stratified_rows(studies, sources, 400) == list(range(100))


def test_areas_are_of_the_probabilities_of_each_study_itself(
    found: Evaluation, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = load_reporter(checkpoint)
    ids = [study.study_id for study in found.studies]
    monkeypatch.setattr(areas, "LEAST_POSITIVES", 1)
    card = with_areas(found.scorecard, reporter, ids, found.evidence)
    states = reporter.system.model.findings(found.evidence)
    assert states is not None and len(card.areas) > 3 and "ROC area" in markdown(card)
    truth = dict(zip(card.per_study.study_ids, card.per_study.reference_states, strict=True))
    for column, name in enumerate(CONDITIONS[:NO_FINDING]):
        hits = np.array([truth[study_id][column] == POSITIVE for study_id in ids])
        if name in card.areas:
            ranked = mannwhitneyu(states[hits, column, POSITIVE], states[~hits, column, POSITIVE]).statistic
            assert card.areas[name].value == pytest.approx(ranked / (hits.sum() * (~hits).sum()))
    monkeypatch.setattr(type(reporter.system.model), "findings", lambda *_: None)
    assert with_areas(found.scorecard, reporter, ids, found.evidence) is found.scorecard


def test_a_part_exchanged_in_some_studies_stands_beside_the_drafts_of_these(
    checkpoint: Path, phantoms: PreparedDataset
) -> None:
    controls = evaluate(load_reporter(checkpoint), phantoms, part_limit=5).scorecard.controls
    assert controls["same_studies"].micro_f1_drop.difference.value == 0
    own = controls["same_studies"].clinical.micro.f1.value
    other = controls["other_patches"]
    assert other.micro_f1_drop.difference.value == pytest.approx(own - other.clinical.micro.f1.value)


def test_films_are_changed_where_the_controls_say() -> None:
    film = np.random.default_rng(0).integers(0, 256, (64, 96)).astype(np.uint8)
    edge, rest = only_edge(film), without_top(film)
    assert np.array_equal(edge[:4], film[:4]) and np.array_equal(edge[:, -6:], film[:, -6:])
    assert len(np.unique(edge[4:-4, 6:-6])) == 1
    assert len(np.unique(rest[:10])) == 1 and np.array_equal(rest[10:], film[10:])
    pooled = np.arange(2 * 1024.0).reshape(2, 1024)
    rim = at_the_edge(pooled)
    assert rim.shape == (2, 240) and {0, 31, 32 * 31, 33, 32 + 30} <= set(rim[0]) and 2 * 32 + 2 not in rim[0]


def test_a_regression_that_knows_the_source_alone_is_no_better_than_chance_on_another(
    found: Evaluation, checkpoint: Path, phantoms: PreparedDataset
) -> None:
    """Patches that hold the disease carry over; patches that hold where a film is from do not."""
    studies, everyone = phantoms.studies, phantoms.table["study_id"].to_pylist()
    sick = {study_id: int(hashlib.sha256(study_id.encode()).hexdigest(), 16) % 2 == 1 for study_id in everyone}
    source = {study_id: "ab"[int(hashlib.sha256(study_id[::-1].encode()).hexdigest(), 16) % 2] for study_id in everyone}
    table = phantoms.table.append_column("image_labels", [[["Pneumonia"] if sick[x] else ["normal"] for x in everyone]])
    table = table.append_column("image_source", [[source[x] for x in everyone]])
    dataset = replace(phantoms, table=table)

    def patches_of(sign: dict[str, float], some: Sequence[Study]) -> torch.Tensor:
        told = [(1.0 if sick[study.study_id] else -1.0) * sign[source[study.study_id]] for study in some]
        return torch.tensor(told)[:, None, None].expand(-1, 4, 3)

    for sign, others in (({"a": 1.0, "b": 1.0}, 1.0), ({"a": 1.0, "b": -1.0}, 0.0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sources, "pooled_patches", lambda _, __, some: pooled(patches_of(sign, some)))  # noqa: B023
            areas = transfer_between_sources(load_reporter(checkpoint), dataset, studies, patches_of(sign, studies))
        assert areas == {name: {"own": 1.0, "others": others} for name in "ab"}
    one = dataset.table.set_column(
        dataset.table.column_names.index("image_source"), "image_source", [["a"] * len(sick)]
    )
    reporter = load_reporter(checkpoint)
    own = patches_of({"a": 1.0, "b": 1.0}, studies)
    assert transfer_between_sources(reporter, replace(dataset, table=one), studies, own) == {}
    card = replace(found.scorecard, source_transfer=areas)
    assert "on those of others" in markdown(card) and json.loads(card.to_json())["source_transfer"] == areas


def test_every_control_is_there_and_true_labels_are_used(found: Evaluation) -> None:
    card = json.loads(found.scorecard.to_json())
    assert set(card["controls"]) == {
        "shuffled_images", "other_patches", "other_states", "other_global", "other_local", "negation_flip",
        "noise_image", "majority_report", "nearest_neighbour", "pixels_32x32_logistic_regression",
        "film_edge_logistic_regression", "edge_alone", "without_top", "commonest_sentences", "nearest_features",
        "reference_report",
    }  # fmt: skip
    assert card["signature"]["reference_labels"] == "true labels"
    assert card["severity"] and card["frequency"]
    assert card["nlg"]["meteor"]["value"] > 0 and card["controls"]["noise_image"]["nlg"]["meteor"] is None
    assert card["studies"] == len(found.reports)


def test_the_baselines_that_need_no_model_are_scorecards_to_compare(found: Evaluation, tmp_path: Path) -> None:
    assert set(found.baselines) == {
        "majority_report", "commonest_sentences", "nearest_neighbour", "nearest_features", "reference_report"
    }  # fmt: skip
    paths = [found.scorecard.save(tmp_path / "system")]
    paths += [card.save(tmp_path / name) for name, card in found.baselines.items()]
    system, *saved = read_scorecards(paths)
    for card in saved:
        name = card.signature["model"]
        control = found.scorecard.controls[name]
        assert card.figures["micro_f1"].value == control.clinical.micro.f1.value
        assert card.figures["bleu_4"] == control.nlg["bleu_4"]
        assert card.signature["dataset"] == system.signature["dataset"]
    comparison = compare([system, *saved], resamples=20)
    assert comparison.systems == ("system", *found.baselines)


def test_the_report_that_is_looked_up_is_the_references_own(
    found: Evaluation, checkpoint: Path, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = load_reporter(checkpoint)
    references = SplitReferences.of(phantoms, "test", "findings")
    training = phantoms.split("train")
    ids = reporter.system.knowledge.database.study_ids
    wanted = ids.index(training[3].study_id)
    rows = torch.full((len(found.studies),), wanted)
    rows[0] = -1
    monkeypatch.setattr(type(reporter.system.model), "references", lambda *_: References(rows, None))
    reports = reference_reports(reporter, references, found.evidence)
    assert reports == ["", *[training[3].findings] * (len(rows) - 1)]
    stranger = replace(references, dataset=replace(phantoms, table=phantoms.table.filter(pa.array(
        [study_id != training[3].study_id for study_id in phantoms.table["study_id"].to_pylist()]
    ))))  # fmt: skip
    assert reference_reports(reporter, stranger, found.evidence) is None
    monkeypatch.setattr(type(reporter.system.model), "references", lambda *_: None)
    assert reference_reports(reporter, references, found.evidence) is None


def test_an_opacity_that_is_only_a_scar_counts_in_one_of_the_two_agreements(
    found: Evaluation, phantoms: PreparedDataset
) -> None:
    ids = list(found.reports)
    written = {name: ("Left apical scarring.", "Clear lungs.", "An opacity.")[row % 3] for row, name in enumerate(ids)}
    everyone = phantoms.table["study_id"].to_pylist()
    columns = {
        "image_labels": [[] if written.get(name) == "Clear lungs." else ["Pneumonia"] for name in everyone],
        "image_source": ["one"] * len(everyone),
        "image_view_position": ["AP"] * len(everyone),
    }
    table = phantoms.table
    for name, column in columns.items():
        table = table.append_column(name, [column])
    card = score(written, written, resamples=10)
    card = _with_agreement(card, card, replace(phantoms, table=table), written)
    assert card.agreement["one"] == card.agreement["one, AP"]
    assert card.agreement["one"] is not None and card.agreement["one"].value == 1
    today = card.agreement_without_old_changes["all films"]
    scars = sum(text.startswith("Left") for text in written.values())
    opacities = sum(text.startswith("An") for text in written.values())
    assert today is not None and today.value == pytest.approx(0.5 + 0.5 * opacities / (opacities + scars))


def test_the_shuffled_report_is_the_one_drafted_for_the_other_film(
    found: Evaluation, checkpoint: Path, phantoms: PreparedDataset
) -> None:
    reporter = load_reporter(checkpoint)
    other = found.studies[int(found.shuffled[0])]
    view = reporter.view(phantoms.film(other))
    assert reporter.drafts([view], ["x"])[0].report == found.reports[other.study_id]


def test_the_proof_holds_sides_and_ways_of_retrieval(
    found: Evaluation, checkpoint: Path, phantoms: PreparedDataset
) -> None:
    proof = proof_of(load_reporter(checkpoint), phantoms, found)
    assert set(proof.retrieval) == {"learned ball", "untrained layers", "nearest pixels", "chance"}
    assert all(0 <= way.micro_f1.value <= 1 and 0 <= way.hamming <= 36 for way in proof.retrieval.values())
    learned = proof.retrieval.pop("learned ball")
    assert learned.behind is None
    for way in proof.retrieval.values():
        assert way.behind is not None
        difference = learned.micro_f1.value - way.micro_f1.value
        assert way.behind.difference.value == pytest.approx(difference) and 0 < way.behind.p_value <= 1
    assert proof.pointing["own film"].n == proof.pointing["another film"].n
    json.dumps(proof.to_dict(), allow_nan=False)


def test_sides_named_count_only_what_is_rightly_stated_with_one_side(
    found: Evaluation, checkpoint: Path, phantoms: PreparedDataset
) -> None:
    effusion = CONDITIONS.index("pleural effusion")
    sides, lesions = phantoms.column("sides"), Lesions(load_reporter(checkpoint), phantoms)
    study = next(s for s in phantoms.studies if json.loads(sides[s.study_id]).get("pleural effusion") == "left")
    assert study.labels[effusion] == 1
    for text, expected in (
        ("There is a left pleural effusion.", [True]),
        ("There is a right pleural effusion.", [False]),
        ("There is a pleural effusion. No left pneumothorax.", []),
        ("Left and right pleural effusions are present.", []),
    ):
        named = _sides_named(lesions, replace(found, studies=[study], reports={study.study_id: text}))
        assert named == expected, text


def test_a_map_hits_where_it_peaks_in_the_lesion_that_its_sentence_rightly_states(
    found: Evaluation, checkpoint: Path, phantoms: PreparedDataset
) -> None:
    reporter, effusion = load_reporter(checkpoint), CONDITIONS.index("pleural effusion")
    lesions = Lesions(reporter, phantoms)
    study = next(s for s in phantoms.studies if lesions.sides(s).get("pleural effusion") == "left")
    mask = lesions.mask(study, ["pleural effusion"])
    assert mask is not None and mask.shape == (reporter.system.config.film.crop,) * 2
    row, column = np.argwhere(mask)[len(np.argwhere(mask)) // 2]
    on, off = np.zeros((2, 18, *mask.shape), np.float16)
    study = replace(study, labels=(POSITIVE,) * 18)
    on[effusion, row, column] = 1
    off[effusion, row, -1 - column] = 1  # on the patient's other side
    for text, film, expected in (
        ("There is a left pleural effusion.", 0, [True]),
        ("There is a left pleural effusion.", 1, [False]),
        ("There is a right pleural effusion.", 0, []),
        ("There is no pleural effusion.", 0, []),
        ("There is a pleural effusion. There is cardiomegaly.", 0, []),  # neither names a side
    ):
        drafted = replace(found, studies=[study], reports={study.study_id: text})
        hits = _hits(DraftedMaps(reporter, drafted, {0: on, 1: off}), lesions, [film])
        assert hits.side == hits.lesion == expected, text


def test_a_lesion_that_runs_down_the_midline_lies_on_no_side(checkpoint: Path, phantoms: PreparedDataset) -> None:
    lesions = Lesions(load_reporter(checkpoint), phantoms)
    devices, others = [], []
    for study in phantoms.studies:
        for name in lesions.sides(study):
            mask = lesions.mask(study, [name])
            assert mask is not None
            side = (
                mask[:, : mask.shape[1] * 3 // 7]
                if lesions.sides(study)[name] == "right"
                else mask[:, -(mask.shape[1] * 3 // 7) :]
            )
            lies = name in lesions.one_sided(study)
            assert lies == (side.sum() / mask.sum() >= 0.75) or abs(side.sum() / mask.sum() - 0.75) < 0.1
            (devices if name == "support devices" else others).append(lies)
    assert np.mean(devices) < 0.7 < 0.9 < np.mean(others)


def test_a_split_of_one_study_is_too_small(checkpoint: Path, phantoms: PreparedDataset) -> None:
    with pytest.raises(RadscribeError, match="at least 2"):
        evaluate(load_reporter(checkpoint), phantoms, limit=1)


def test_shuffling_is_the_same_each_time() -> None:
    studies = studies_of("abcdefgh")
    assert np.array_equal(other_films(studies, [""] * 8), other_films(studies, [""] * 8))


def test_an_evaluation_is_saved_whole_or_not_at_all(
    found: Evaluation, checkpoint: Path, phantoms: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = proof_of(load_reporter(checkpoint), phantoms, found)
    out = tmp_path / "out"
    table = found.save(out, proof)
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    baselines = {f"{name}/{file}" for name in found.baselines for file in ("scorecard.json", "scores.parquet")}
    assert set(files) == {"scorecard.json", "scorecard.md", "scores.parquet", "reports.jsonl", *baselines}
    assert files["scorecard.md"].decode() == table and "learned ball" in table
    card = json.loads(files["scorecard.json"])
    assert card == json.loads(json.dumps({**found.scorecard.to_dict(), **proof.to_dict()}))
    assert files["scorecard.json"].decode() == json.dumps(card, indent=2) + "\n"
    lines = [json.loads(line) for line in files["reports.jsonl"].decode().splitlines()]
    assert {line["study_id"]: line["report"] for line in lines} == found.reports

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("radscribe.evaluation.evaluate.write_json_lines", full)
    with pytest.raises(RadscribeError, match="no space"):
        replace(found, baselines={}, reports={}).save(out, proof)
    assert files == {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_peaks_at_the_edge_are_counted() -> None:
    maps = np.zeros((4, 3, 4))
    maps[0, 1, 1] = maps[1, 1, 2] = maps[2, 2, 0] = maps[3, 2, 0] = 1
    counted = peaks(maps)
    assert counted is not None
    assert (counted.sentences, counted.at_edge, counted.edge, counted.commonest_place) == (4, 0.5, 10 / 12, 0.5)
    assert peaks(maps[:0]) is None


@pytest.mark.parametrize("with_states", [True, False])
def test_the_maps_are_those_that_drafts_show(
    with_states: bool, found: Evaluation, checkpoint: Path, phantoms: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = load_reporter(checkpoint)
    if not with_states:
        monkeypatch.setattr(Revtaf, "state_head", None)
    said = "There is a left pleural effusion. The lungs are clear."
    first = found.studies[0].study_id
    maps = drafted_maps(reporter, phantoms, replace(found, reports={**found.reports, first: said}), [0, 1])
    own, other = ([shown for _, shown in maps.of(0, film)] for film in (0, 1))
    assert [shown is not None for shown in own] == [True, not with_states]  # no finding is stated by the second
    assert own[0] is not None and other[0] is not None and own[0].max() == 1 and not np.allclose(own[0], other[0])
    if with_states:
        activations = reporter.activations(reporter.films([reporter.view(phantoms.film(found.studies[0]))]))
        assert activations is not None
        expected = stated_map(activations[0], label_sentence("There is a left pleural effusion."))
        assert expected is not None
        np.testing.assert_allclose(own[0], np.array(expected.values), atol=0.02)  # kept in half precision
    drafted = drafted_peaks(maps, [0])
    assert drafted is not None and drafted.sentences == (1 if with_states else 2)


def test_the_template_is_of_the_commonest_sentences_in_their_usual_order() -> None:
    reports = [
        "The heart is normal. The lungs are clear. No effusion.",
        "the heart is normal. No effusion. No effusion. Old fracture.",
        "The lungs are clear.",
    ]
    assert commonest_sentences(reports) == "The heart is normal. The lungs are clear. No effusion."
    assert commonest_sentences(reports[2:]) == "The lungs are clear." and commonest_sentences([]) == ""


def test_the_nearest_by_features_is_by_direction_from_the_mean() -> None:
    known = np.array([[0.0, 100.0], [1.0, 0.0], [-1.0, -100.0]])
    assert nearest_features(known, np.array([[0.5, 1.0], [-3.0, -200.0], [0.1, 90.0]])).tolist() == [1, 2, 0]
    assert nearest_features(np.ones((2, 3)), np.ones((1, 3))).tolist() == [0]
