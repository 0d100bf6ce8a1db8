"""The rule labeler against sentences of our own, each with every state it should give."""

from __future__ import annotations

import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, NO_FINDING, POSITIVE, STATES, UNCERTAIN
from radscribe.labels.rules import label_report, label_sentence

SHORT = {
    "ecm": "enlarged cardiomediastinum", "heart": "cardiomegaly", "opacity": "lung opacity", "lesion": "lung lesion",
    "edema": "edema", "consolidation": "consolidation", "pneumonia": "pneumonia", "atelectasis": "atelectasis",
    "ptx": "pneumothorax", "effusion": "pleural effusion", "pleural": "pleural other", "fracture": "fracture",
    "devices": "support devices", "none": "no finding", "aorta": "aorta", "bone": "bone/spine",
    "diaphragm": "hemidiaphragm", "volume": "lung volume abnormal",
}  # fmt: skip
SIGNS = {"+": POSITIVE, "-": NEGATIVE, "?": UNCERTAIN}

SENTENCES = """
No effusion or pneumothorax. | -effusion -ptx
No focal consolidation, pleural effusion, or pneumothorax. | -consolidation -effusion -ptx
There is no pneumothorax or large pleural effusion. | -ptx -effusion
Without evidence of pneumothorax. | -ptx
Lungs are expanded without evidence of consolidation or effusion. | -consolidation -effusion -volume
Neither effusion nor pneumothorax is present. | -effusion -ptx
Negative for pneumothorax, pleural effusion or consolidation. | -ptx -effusion -consolidation
The lungs are free of consolidation. | -consolidation
The lungs are clear of airspace disease, effusion or pneumothorax. | -opacity -effusion -ptx
There are no nodules or masses. | -lesion
No pneumonia, effusions, edema, pneumothorax, nodules or masses. | -pneumonia -effusion -edema -ptx -lesion
No infiltrate/effusion. | -opacity -effusion
No XXXX of pleural effusion. | -effusion
No XXXX pneumothorax. | -ptx
Absence of pneumothorax. | -ptx
No displaced rib fracture. | -fracture
No focal airspace opacity to suggest pneumonia. | -opacity -pneumonia
No findings consistent with pneumonia. | -pneumonia
The film does not show an effusion. | -effusion
There is a small left effusion but no pneumothorax. | +effusion -ptx
No pneumothorax but a small left effusion. | -ptx +effusion
No pneumothorax, however there is a trace effusion. | -ptx +effusion
No pneumothorax, stable cardiomegaly. | -ptx +heart
No pneumothorax, low lung volumes with atelectasis. | -ptx +volume +atelectasis
No edema and a small right effusion. | -edema +effusion
No pneumothorax and the heart is enlarged. | -ptx +heart
No pneumothorax, there is left basilar opacity. | -ptx +opacity
Cardiomegaly without edema. | +heart -edema
Cardiomegaly with no effusion. | +heart -effusion
No effusion with mild cardiomegaly. | -effusion +heart
No pneumothorax following line placement. | -ptx +devices
Pneumothorax is not seen. | -ptx
Effusions are absent. | -effusion
Pneumothorax is excluded. | -ptx
The effusion has resolved. | -effusion
Previously seen opacity has cleared. | -opacity
Left effusion no longer seen. | -effusion
The consolidation is no longer present. | -consolidation
Interval resolution of the left effusion. | -effusion
Resolved right effusion. | -effusion
Small effusion and pneumothorax is not seen. | +effusion -ptx
Effusion and pneumothorax are not identified. | -effusion -ptx
There is a small effusion and pneumothorax is not seen. | +effusion -ptx
Near-complete resolution of the effusion. | +effusion
The effusion has not resolved. | +effusion
There is a nodule, not seen on prior studies. | +lesion
No change in the right effusion. | +effusion
No significant interval change in the left pneumothorax. | +ptx
No interval increase in the effusion. | +effusion
Without change in cardiomegaly. | +heart
The effusion has not changed. | +effusion
Unchanged effusion. | +effusion
Not only effusion but also pneumothorax is present. | +effusion +ptx
Atelectasis rather than pneumonia. | +atelectasis -pneumonia
Interval removal of the chest tube. | -devices
The endotracheal tube has been removed. | -devices
Cannot exclude pneumonia. | ?pneumonia
Pneumonia cannot be excluded. | ?pneumonia
Pneumonia cannot be entirely excluded. | ?pneumonia
Pneumonia is not excluded. | ?pneumonia
It is difficult to exclude a superimposed pneumonia. | ?pneumonia
No new consolidation. | ?consolidation
Possible small left effusion. | ?effusion
Questionable nodule in the right apex. | ?lesion
Opacity may represent pneumonia. | +opacity ?pneumonia
Opacity could be atelectasis. | +opacity ?atelectasis
Opacity is suspicious for pneumonia. | +opacity ?pneumonia
Findings concerning for pneumonia. | ?pneumonia
Worrisome for fracture. | ?fracture
Suspected pneumothorax. | ?ptx
Pneumonia is unlikely. | ?pneumonia
Pneumonia is possible. | ?pneumonia
Pneumonia is less likely. | ?pneumonia
Atelectasis versus pneumonia. | ?atelectasis ?pneumonia
Atelectasis or scarring. | ?atelectasis ?opacity
Left basilar atelectasis/scarring. | ?atelectasis ?opacity
Question a small effusion. | ?effusion
Differential includes pneumonia and edema. | ?pneumonia ?edema
Evaluate for pneumonia. | ?pneumonia
Rule out pneumothorax. | ?ptx
Opacities secondary to edema. | +opacity ?edema
The opacity likely represents atelectasis. | +opacity +atelectasis
Probable small effusion. | ?effusion
Opacity compatible with pneumonia. | +opacity +pneumonia
Vascular congestion. | ?edema
No vascular congestion. | -edema
Congestive heart failure. | +edema ?heart
No heart failure. | -edema
Pulmonary edema. | +edema
Heart size is normal. | -heart
The heart is normal in size. | -heart
The heart is not enlarged. | -heart
The heart is not significantly enlarged. | -heart
Heart size within normal limits. | -heart
Heart size is at the upper limits of normal. | -heart
Borderline heart size. | ?heart
Borderline cardiomegaly. | +heart
Heart size is stable. | ?heart
The heart is mildly enlarged. | +heart
Heart size remains slightly large. | +heart
Enlargement of the cardiac silhouette. | +heart
Stable cardiomegaly. | +heart
Cardiac silhouette is enlarged but unchanged. | +heart
No cardiomegaly. | -heart
Possible cardiomegaly. | ?heart
The heart and lungs have XXXX XXXX in the interval. |
Heart size and mediastinal contours are normal. | -heart -ecm
Normal heart size and mediastinal contours. | -heart -ecm
Heart and mediastinum normal. | -heart -ecm
Heart size normal, mediastinum, bones and lungs XXXX are unremarkable. | -heart -ecm -bone
Heart size mildly enlarged, stable mediastinal contours. | +heart ?ecm
Cardiomediastinal silhouette is normal. | -ecm
Stable cardiomediastinal silhouette. | ?ecm
Cardiomediastinal silhouette is stable and within normal limits. | -ecm
Mediastinal contours are prominent. | +ecm
The mediastinum is widened. | +ecm
No mediastinal widening. | -ecm
The mediastinum is not widened. | -ecm
Surgical clips overlying the mediastinum. |
Calcified mediastinal lymph nodes. |
Pacemaker in stable position over the heart. | +devices
The lungs are clear. | -opacity
Clear lungs. | -opacity
Both lungs are clear and expanded. | -opacity -volume
Patchy airspace disease. | +opacity
Increased interstitial markings. | +opacity
Ground glass opacity. | +opacity
Bibasilar infiltrates. | +opacity
Apical scarring. | +opacity
Pleural scarring. | +pleural
Left apical pleural thickening. | +pleural
Pulmonary fibrosis. | +pleural
History of cystic fibrosis. |
Calcified granuloma. |
A calcified nodule. |
A 5 mm nodule. | +lesion
Nodular opacity. | +lesion +opacity
Massive left effusion. | +effusion
Body mass limits the study. |
Plate-like atelectasis. | +atelectasis
Complete collapse of the left lung. | +atelectasis
Vertebral body collapse. |
Pericardial effusion. |
Trace pleural fluid. | +effusion
Left hydropneumothorax. | +ptx +effusion
Old healed rib fractures. | +fracture
A fracture line is seen. | +fracture
Kerley B lines. |
Left PICC line. | +devices
Dual lead pacemaker. | +devices
Sternotomy wires. | +devices
Prior granulomatous infection. |
The trachea is midline. |
Blunting of the costophrenic angle. |
Tortuous aorta. | +aorta
The aorta is calcified and tortuous. | +aorta
The aorta is normal. | -aorta
Aortic valve calcification. |
Degenerative changes of the spine. | +bone
No acute bony abnormality. | -bone
Osseous structures are intact. | -bone
Mild scoliosis. | +bone
Elevated right hemidiaphragm. | +diaphragm
The left hemidiaphragm is elevated. | +diaphragm
The hemidiaphragms are normal. | -diaphragm
Low lung volumes. | +volume
The lungs are hyperexpanded. | +volume
Lung volumes are normal. | -volume
Flattened diaphragms. | +volume
No acute cardiopulmonary abnormality. | +none
Normal chest. | +none
"""
CASES = [tuple(part.strip() for part in line.split("|")) for line in SENTENCES.strip().splitlines()]


def _states(labels: list[int]) -> dict[str, str]:
    return {CONDITIONS[index]: STATES[state] for index, state in enumerate(labels) if state != BLANK}


@pytest.mark.parametrize(("sentence", "expected"), CASES, ids=[case[0] for case in CASES])
def test_sentence(sentence: str, expected: str) -> None:
    wanted = {SHORT[word[1:]]: STATES[SIGNS[word[0]]] for word in expected.split()}
    assert _states(label_sentence(sentence)) == wanted


@pytest.mark.parametrize("sentence", [case[0] for case in CASES])
def test_capitals_change_nothing(sentence: str) -> None:
    assert label_sentence(sentence.upper()) == label_sentence(sentence)


@given(st.lists(st.sampled_from([case[0] for case in CASES]), min_size=1, max_size=8), st.integers(60, 120))
def test_the_width_of_a_page_changes_nothing(sentences: list[str], width: int) -> None:
    report = " ".join(sentences)
    assert label_report(textwrap.fill(report, width)) == label_report(report)
    assert label_report(
        textwrap.fill(report.upper(), width, initial_indent=" ", subsequent_indent=" ")
    ) == label_report(report)


@given(
    st.permutations([case[0] for case in CASES[::7]]),
    st.sampled_from(["", "- ", "* ", "\u2022 ", "{}. ", "{}) ", "({}) "]),
)
def test_a_list_of_lines_reads_as_its_sentences(sentences: list[str], mark: str) -> None:
    lines = [mark.format(number) + sentence.removesuffix(".") for number, sentence in enumerate(sentences, 1)]
    assert label_report("\n".join(lines)) == label_report(" ".join(sentences))


NAMES = {
    "consolidation": "consolidation", "pleural effusion": "pleural effusion", "pneumothorax": "pneumothorax",
    "pulmonary edema": "edema", "pneumonia": "pneumonia", "atelectasis": "atelectasis", "nodule": "lung lesion",
    "infiltrate": "lung opacity", "rib fracture": "fracture", "pleural thickening": "pleural other",
}  # fmt: skip
FINDING_LISTS = st.lists(st.sampled_from(sorted(NAMES)), min_size=1, max_size=6, unique=True)


def _listed(names: list[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


@given(FINDING_LISTS, st.sampled_from(["No ", "There is no ", "Without ", "No evidence of ", "Negative for "]))
def test_a_negated_list_negates_all_its_members(names: list[str], opening: str) -> None:
    wanted = {NAMES[name]: "negative" for name in names}
    assert _states(label_sentence(f"{opening}{_listed(names, 'or')}.")) == wanted


@given(FINDING_LISTS)
def test_an_affirmed_list_affirms_all_its_members(names: list[str]) -> None:
    assert _states(label_sentence(f"There is {_listed(names, 'and')}.")) == {NAMES[name]: "positive" for name in names}


@given(FINDING_LISTS)
def test_a_doubted_list_doubts_all_its_members(names: list[str]) -> None:
    wanted = {NAMES[name]: "uncertain" for name in names}
    assert _states(label_sentence(f"This may represent {_listed(names, 'or')}.")) == wanted


@given(st.permutations([case[0] for case in CASES[::7]]))
def test_the_order_of_sentences_changes_nothing(sentences: list[str]) -> None:
    assert label_report(" ".join(sentences)) == label_report(" ".join(sorted(sentences)))


def test_positive_beats_uncertain_beats_negative() -> None:
    effusion = CONDITIONS.index("pleural effusion")
    assert label_report("No effusion. Possible effusion.")[effusion] == UNCERTAIN
    assert label_report("No effusion. Possible effusion. Small effusion.")[effusion] == POSITIVE


def test_no_finding_needs_all_others_not_positive_and_not_uncertain() -> None:
    assert label_report("Heart size is normal. The lungs are clear.")[NO_FINDING] == POSITIVE
    assert label_report("A pacemaker is present.")[NO_FINDING] == POSITIVE
    assert label_report("The aorta is tortuous.")[NO_FINDING] == POSITIVE
    assert label_report("Possible pneumonia.")[NO_FINDING] == BLANK
    assert label_report("No acute abnormality. Stable cardiomegaly.")[NO_FINDING] == BLANK


@pytest.mark.parametrize("text", ["", "   ", "\n", "...", "1. 2. 3."])
def test_a_report_without_words_states_nothing(text: str) -> None:
    assert label_report(text) == [BLANK] * len(CONDITIONS)


@given(st.text(max_size=300))
def test_any_text_gives_18_states(text: str) -> None:
    labels = label_report(text)
    assert len(labels) == 18
    assert set(labels) <= {0, 1, 2, 3}


# Words that many expressions start with, run together without a full stop.
REPEATED = ["no ", "a", "no effusion, ", "no-", "effusion and ", "enlarged ", "may not be ", " \n", "lungs ", "heart, "]


@pytest.mark.parametrize("unit", REPEATED)
def test_long_text_takes_time_in_proportion(unit: str) -> None:
    start = time.perf_counter()
    label_report(unit * (100_000 // len(unit)))
    assert time.perf_counter() - start < 10


def test_a_megabyte_without_a_full_stop_does_not_hang() -> None:
    start = time.perf_counter()
    label_report("no effusion " * 80_000)
    assert time.perf_counter() - start < 60
