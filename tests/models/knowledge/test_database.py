"""The reference database and the prompts made from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from radscribe.core.records import Study, View
from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.models.decoding.tokenizer import train_word_pieces
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.models.knowledge import nearest as nearest_module
from radscribe.models.knowledge.database import ReportDatabase, build_database
from radscribe.models.knowledge.prompts import local_prompts, report_sentences, triplet_texts

REPORTS = ["The lungs are clear. No effusion.", "A mass is seen.", "The lungs are clear. No effusion."]


def encoder() -> TextEncoder:
    torch.manual_seed(0)
    config = TextEncoderConfig(layers=1, width=16, heads=2, feed_forward=16, vocabulary_size=100)
    return TextEncoder(config, train_word_pieces(REPORTS * 3, 100)).eval()


def database(reports: list[str] = REPORTS, patients: str = "abc") -> ReportDatabase:
    studies = [
        Study(f"s{row}", patient, "train", (View(row, "frontal", "f"),), findings=report, labels=(0,) * 18)
        for row, (report, patient) in enumerate(zip(reports, patients, strict=True))
    ]
    features = torch.eye(len(reports), 4) + 0.1
    return build_database(studies, "findings", features, encoder())


def test_each_sentence_is_encoded_once() -> None:
    found = database()
    assert len(found.sentence_vectors) == 3 and len(found.sentences_of_report) == 2
    assert found.report_of_study.tolist() == [0, 1, 0]


def test_a_prompt_is_the_reports_sentences_and_nothing_behind_them() -> None:
    found, vectors = database(), encoder().encode(report_sentences(REPORTS[0]))
    prompts, mask = found.global_prompts(torch.tensor([0, 1, -1]))
    assert mask.tolist() == [[True, True], [True, False], [False, False]]
    torch.testing.assert_close(prompts[0], vectors, rtol=1e-2, atol=1e-2)  # stored in half precision
    assert (prompts[1, 1] == 0).all()


def test_several_references_stand_in_one_row() -> None:
    found = database()
    prompts, mask = found.global_prompts(torch.tensor([[1, 0]]))
    one, _ = found.global_prompts(torch.tensor([0]))
    assert mask.tolist() == [[True, False, True, True]]
    assert torch.equal(prompts[0, 2:], one[0])


def test_a_reports_vector_is_the_mean_of_its_sentences() -> None:
    found = database()
    torch.testing.assert_close(found.report_vectors[0], found.sentence_vectors[:2].mean(0))


def test_similar_films_are_never_the_patients_own() -> None:
    found = database(patients="aab")
    near = found.nearest_films(found.features, found.related_ids, 1)
    assert near.tolist()[:2] == [[2], [2]]
    assert found.nearest_films(found.features, None, 1).flatten().tolist() == [0, 1, 2]


def test_nor_are_they_of_films_that_share_the_report() -> None:
    """With weak pairs one report belongs to several patients: looking it up would give the answer away."""
    found = replace(database(patients="abc"), report_ids=("r1", "r2", "r1"))
    assert found.related_ids.tolist() == [[0, 0], [1, 1], [2, 0]]
    assert found.nearest_films(found.features, found.related_ids, 2)[[0, 2]].tolist() == [[1, -1], [1, -1]]


def test_related_ids_of_other_columns_are_refused() -> None:
    found = database()
    with pytest.raises(ValueError, match="1 columns of related ids against 2"):
        found.nearest_films(found.features, found.patients, 1)


def test_where_no_other_patient_is_left_there_is_no_neighbour_and_its_report_reads_as_nothing() -> None:
    found = database(patients="aab")
    near = found.nearest_films(found.features, found.related_ids, 21)
    assert near.shape == (3, 21)
    assert near[0].tolist() == [2] + [-1] * 20 and near[2].sort(descending=True).values[:2].tolist() == [1, 0]
    vectors = found.neighbour_vectors(near, found.report_vectors)
    assert torch.equal(vectors[0, 0], found.report_vectors[0]) and not vectors[0, 1:].any()


def test_neighbours_found_block_by_block_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = database(patients="aab")
    whole = found.nearest_films(found.features, found.related_ids, 2)
    monkeypatch.setattr(nearest_module, "_BLOCK", 1)
    assert torch.equal(found.nearest_films(found.features, found.related_ids, 2), whole)


def test_the_nearest_sentence_knows_a_study_that_holds_it() -> None:
    found = database()
    index, similarity = found.nearest_sentence(encoder().encode(["A mass is seen."]))
    assert found.study_ids[found.study_of_sentence(int(index))] == "s1"
    assert float(similarity) > 0.999


def test_sentences_end_at_stops_but_not_inside_numbers() -> None:
    assert report_sentences("A 5.2 cm mass. 1. No effusion?  Clear.\nEnd") == [
        "A 5.2 cm mass.",
        "No effusion?",
        "Clear.",
        "End",
    ]
    assert report_sentences(" . ") == []


def test_sentences_end_with_the_lines_of_a_list_but_not_with_those_of_a_page() -> None:
    assert report_sentences("- No effusion\n- Large heart. Old clips") == ["No effusion", "Large heart.", "Old clips"]
    assert report_sentences("There is no effusion\nor pneumothorax.") == ["There is no effusion or pneumothorax."]


def test_the_triplet_of_each_entity_is_looked_up() -> None:
    texts = triplet_texts()
    assert len(texts) == 75 * 51 * 2
    table = torch.arange(len(texts), dtype=torch.float32).view(75, 51, 2, 1)
    presence = torch.zeros(1, 75)
    presence[0, ENTITIES.index("effusion")] = 0.5
    places = torch.full((1, 75), PLACES.index("left_pleural"))
    rows = local_prompts(table, presence, places)[0, :, 0].long().tolist()
    assert texts[rows[ENTITIES.index("effusion")]] == "effusion left pleural present"
    assert texts[rows[ENTITIES.index("edema")]] == "edema left pleural absent"
