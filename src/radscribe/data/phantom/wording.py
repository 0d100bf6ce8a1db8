"""Lists every phrase of the phantom reports with the label states it gives under CheXpert's conventions.

A phrase's states are exactly what a rule labeller must read in it. Conventions that are easy to miss:

* "opacity" makes lung opacity positive (a suspected "possible opacity": uncertain); pneumonia and consolidation are
  always stated with an opacity, atelectasis, edema and nodules never.
* "concerning for", "possible", "suspicious for", "may represent" and "cannot be excluded" are uncertain; "compatible
  with" and "consistent with" are positive.
* "the lungs are clear" makes lung opacity negative; "no focal consolidation" makes consolidation negative.
* "no acute osseous abnormality" makes bone/spine negative and leaves fracture blank.
* "has resolved" makes its condition negative.
* degenerative change, an elevated hemidiaphragm and hyperinflation leave "no finding" blank.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from radscribe.labels.conditions import NEGATIVE, POSITIVE, UNCERTAIN


@dataclass(frozen=True)
class Phrase:
    """A sentence template and the state of each condition it mentions; {size} and {place} are filled in."""

    text: str
    states: dict[str, int] = field(hash=False)


def _all(condition: str, state: int, *texts: str) -> tuple[Phrase, ...]:
    return tuple(Phrase(text, {condition: state}) for text in texts)


def _with_opacity(condition: str, state: int, *texts: str) -> tuple[Phrase, ...]:
    return tuple(Phrase(text, {"lung opacity": POSITIVE, condition: state}) for text in texts)


# Words for severity 1, 2 and 3, where a condition has words of its own.
SIZES: dict[str, tuple[str, str, str]] = {
    "pleural effusion": ("small", "moderate", "large"),
    "pneumothorax": ("small", "moderate", "large"),
    "edema": ("mild", "moderate", "severe"),
    "cardiomegaly": ("mild", "moderate", "severe"),
    "lung lesion": ("6 mm", "12 mm", "25 mm"),
    "atelectasis": ("minimal", "mild", "moderate"),
}
GENERAL_SIZES = ("mild", "moderate", "marked")

POSITIVE_PHRASES: dict[str, tuple[Phrase, ...]] = {
    "enlarged cardiomediastinum": _all(
        "enlarged cardiomediastinum",
        POSITIVE,
        "The mediastinum is widened.",
        "There is {size} widening of the mediastinum.",
        "The mediastinal contour is widened.",
        "The upper mediastinum is enlarged.",
    ),
    "cardiomegaly": _all(
        "cardiomegaly",
        POSITIVE,
        "There is {size} cardiomegaly.",
        "The heart is enlarged.",
        "The heart is {size_adverb} enlarged.",
        "Heart size is {size_adverb} enlarged.",
        "{size_capital} cardiomegaly is present.",
    ),
    "lung opacity": _all(
        "lung opacity",
        POSITIVE,
        "There is a hazy opacity in the {place}.",
        "Vague opacity is seen in the {place}.",
        "An ill-defined opacity projects over the {place}.",
        "There is a nonspecific opacity in the {place}.",
    ),
    "lung lesion": _all(
        "lung lesion",
        POSITIVE,
        "There is a {size} nodule in the {place}.",
        "A {size} pulmonary nodule is seen in the {place}.",
        "A rounded {size} nodule projects over the {place}.",
        "There is a {size} mass in the {place}.",
    ),
    "edema": _all(
        "edema",
        POSITIVE,
        "There is {size} pulmonary edema.",
        "{size_capital} pulmonary edema is present.",
        "Findings are consistent with {size} pulmonary edema.",
        "There is {size} interstitial pulmonary edema.",
    ),
    "consolidation": _with_opacity(
        "consolidation",
        POSITIVE,
        "There is a dense opacity in the {place} consistent with consolidation.",
        "Dense opacity with air bronchograms in the {place} is compatible with consolidation.",
        "There is consolidation in the {place} with surrounding opacity.",
        "Opacity in the {place} with air bronchograms represents consolidation.",
    ),
    "pneumonia": _with_opacity(
        "pneumonia",
        POSITIVE,
        "There is a patchy opacity in the {place} consistent with pneumonia.",
        "Patchy opacity in the {place} is compatible with pneumonia.",
        "Patchy opacities are seen in the {place}, consistent with pneumonia.",
        "There are patchy opacities in the {place} compatible with pneumonia.",
    ),
    "atelectasis": _all(
        "atelectasis",
        POSITIVE,
        "There is {size} {side_word} basilar atelectasis.",
        "{size_capital} linear atelectasis is seen at the {base}.",
        "There is {size} plate-like atelectasis at the {base}.",
        "Bandlike atelectasis is present at the {base}.",
    ),
    "pneumothorax": _all(
        "pneumothorax",
        POSITIVE,
        "There is a {size} {side_word} pneumothorax.",
        "A {size} {side_word} pneumothorax is present.",
        "A {size} {side_word} apical pneumothorax is seen.",
    ),
    "pleural effusion": _all(
        "pleural effusion",
        POSITIVE,
        "There is a {size} {side_word} pleural effusion.",
        "A {size} {side_word} pleural effusion is present.",
        "A {size} {side_word} pleural effusion is seen.",
        "There is a {side_word} pleural effusion, {size} in size.",
    ),
    "bilateral pleural effusion": _all(
        "pleural effusion",
        POSITIVE,
        "There are {size} bilateral pleural effusions.",
        "{size_capital} bilateral pleural effusions are present.",
        "Bilateral pleural effusions are seen, {size} in size.",
    ),
    "pleural other": _all(
        "pleural other",
        POSITIVE,
        "There is {side_word} pleural thickening.",
        "There is {side_word} calcified pleural plaque.",
        "There is {side_word} pleural thickening with calcification.",
    ),
    "fracture": _all(
        "fracture",
        POSITIVE,
        "There are displaced {side_word} rib fractures.",
        "Displaced fractures of the {side_word} ribs are seen.",
        "There is an acute {side_word} rib fracture.",
    ),
    "aorta": _all(
        "aorta",
        POSITIVE,
        "The aorta is tortuous.",
        "The thoracic aorta is tortuous.",
        "There is a tortuous aorta.",
    ),
    "bone/spine": _all(
        "bone/spine",
        POSITIVE,
        "There are degenerative changes of the thoracic spine.",
        "Degenerative changes are seen in the thoracic spine.",
        "Degenerative changes of the spine are noted.",
    ),
    "hemidiaphragm": _all(
        "hemidiaphragm",
        POSITIVE,
        "There is elevation of the {side_word} hemidiaphragm.",
        "The {side_word} hemidiaphragm is elevated.",
    ),
    "low": _all(
        "lung volume abnormal",
        POSITIVE,
        "Lung volumes are low.",
        "There are low lung volumes.",
    ),
    "hyperinflated": _all(
        "lung volume abnormal",
        POSITIVE,
        "The lungs are hyperinflated.",
        "The lungs are hyperexpanded.",
    ),
}

# By CheXpert's convention these too break "no finding".
OTHER_ABNORMAL = frozenset({"bone/spine", "hemidiaphragm", "hyperinflated"})

HEDGED_PHRASES: dict[str, tuple[Phrase, ...]] = {
    "pneumonia": _with_opacity(
        "pneumonia",
        UNCERTAIN,
        "There is a patchy opacity in the {place} concerning for pneumonia.",
        "Patchy opacity in the {place} is suspicious for pneumonia.",
        "Patchy opacity in the {place} may represent pneumonia.",
    ),
    "consolidation": _with_opacity(
        "consolidation",
        UNCERTAIN,
        "There is an opacity in the {place} concerning for consolidation.",
        "Opacity in the {place} may represent consolidation.",
    ),
    "atelectasis": _all(
        "atelectasis",
        UNCERTAIN,
        "There is possible atelectasis at the {base}.",
        "{side_capital} basilar atelectasis cannot be excluded.",
    ),
    "edema": _all(
        "edema",
        UNCERTAIN,
        "There is possible mild pulmonary edema.",
        "Mild pulmonary edema cannot be excluded.",
    ),
    "pleural effusion": _all(
        "pleural effusion",
        UNCERTAIN,
        "There is a possible small {side_word} pleural effusion.",
        "A small {side_word} pleural effusion cannot be excluded.",
    ),
    "bilateral pleural effusion": _all(
        "pleural effusion",
        UNCERTAIN,
        "There are possible small bilateral pleural effusions.",
        "Small bilateral pleural effusions cannot be excluded.",
    ),
    "pneumothorax": _all(
        "pneumothorax",
        UNCERTAIN,
        "There is a possible small {side_word} pneumothorax.",
        "A small {side_word} pneumothorax cannot be excluded.",
    ),
    "fracture": _all(
        "fracture",
        UNCERTAIN,
        "There is a possible {side_word} rib fracture.",
        "A {side_word} rib fracture cannot be excluded.",
    ),
    "lung lesion": _all(
        "lung lesion",
        UNCERTAIN,
        "There is a possible nodule in the {place}.",
        "A nodule in the {place} cannot be excluded.",
    ),
}

# {kinds} is a list such as "a pacemaker and sternal wires"; {verb} agrees with it.
DEVICE_PHRASES = _all(
    "support devices",
    POSITIVE,
    "{kinds_capital} {verb} present.",
    "{kinds_capital} {verb} in place.",
    "{kinds_capital} {verb} seen in unchanged position.",
)
NEW_DEVICE_PHRASES = DEVICE_PHRASES[:2]
DEVICE_WORDS: dict[str, tuple[str, ...]] = {
    "pacemaker": ("a {side} chest wall pacemaker", "a {side} pacemaker"),
    "central line": ("a {side} central venous catheter", "a {side} central line"),
    "endotracheal tube": ("an endotracheal tube", "an ET tube"),
    "feeding tube": ("an enteric tube", "a nasogastric tube"),
    "chest tube": ("a {side} chest tube",),
    "sternal wires": ("median sternotomy wires", "sternal wires"),
}

NORMAL_PHRASES: dict[str, tuple[Phrase, ...]] = {
    "heart and mediastinum": tuple(
        Phrase(text, {"cardiomegaly": NEGATIVE, "enlarged cardiomediastinum": NEGATIVE})
        for text in (
            "Heart size and mediastinal contours are normal.",
            "The heart size and mediastinal contours are within normal limits.",
            "The heart is normal in size and the mediastinal contours are unremarkable.",
            "The heart is not enlarged and the mediastinum is unremarkable.",
        )
    ),
    "heart": _all(
        "cardiomegaly",
        NEGATIVE,
        "Heart size is normal.",
        "The heart is normal in size.",
        "The heart is not enlarged.",
        "There is no cardiomegaly.",
    ),
    "mediastinum": _all(
        "enlarged cardiomediastinum",
        NEGATIVE,
        "The mediastinal contours are normal.",
        "Mediastinal contours are unremarkable.",
        "The mediastinum is not widened.",
    ),
    "clear lungs": _all(
        "lung opacity",
        NEGATIVE,
        "The lungs are clear.",
        "Both lungs are clear.",
        "Lungs are clear bilaterally.",
    ),
    "otherwise clear lungs": _all(
        "lung opacity",
        NEGATIVE,
        "The lungs are otherwise clear.",
        "Otherwise, the lungs are clear.",
    ),
    "no consolidation": _all(
        "consolidation",
        NEGATIVE,
        "There is no focal consolidation.",
        "No focal consolidation is seen.",
        "There is no evidence of focal consolidation.",
    ),
    "no edema": _all(
        "edema",
        NEGATIVE,
        "There is no pulmonary edema.",
        "No evidence of pulmonary edema.",
    ),
    "no pneumonia": _all(
        "pneumonia",
        NEGATIVE,
        "There is no evidence of pneumonia.",
        "No pneumonia is seen.",
    ),
    "no effusion or pneumothorax": tuple(
        Phrase(text, {"pleural effusion": NEGATIVE, "pneumothorax": NEGATIVE})
        for text in (
            "There is no pleural effusion or pneumothorax.",
            "No pleural effusion or pneumothorax is seen.",
            "There is no evidence of pneumothorax or pleural effusion.",
            "No effusion or pneumothorax.",
            "Negative for pleural effusion or pneumothorax.",
        )
    ),
    "no effusion": _all(
        "pleural effusion",
        NEGATIVE,
        "There is no pleural effusion.",
        "No pleural effusion is seen.",
    ),
    "no pneumothorax": _all(
        "pneumothorax",
        NEGATIVE,
        "There is no pneumothorax.",
        "No pneumothorax is seen.",
        "There is no evidence of pneumothorax.",
    ),
    "bones": _all(
        "bone/spine",
        NEGATIVE,
        "There is no acute osseous abnormality.",
        "No acute osseous abnormality.",
        "The osseous structures are unremarkable.",
        "No acute bony abnormality is identified.",
    ),
    "no fracture": _all(
        "fracture",
        NEGATIVE,
        "There is no acute fracture.",
        "No acute rib fracture is seen.",
    ),
}

# Follow-up: appended to the sentence of a condition that was on the prior film too, or a sentence of its own.
CHANGES: dict[str, tuple[str, ...]] = {
    "worse": (", increased compared to the prior study.", ", which has worsened since the prior study."),
    "better": (", decreased compared to the prior study.", ", which has improved since the prior study."),
    "same": (", unchanged compared to the prior study.", ", stable since the prior study."),
    "new": (", new since the prior study.",),
}
RESOLVED: dict[str, tuple[Phrase, ...]] = {
    name: _all(
        name,
        NEGATIVE,
        f"The previously seen {noun} has resolved.",
        f"The {noun} has resolved since the prior study.",
    )
    for name, noun in {
        "pleural effusion": "{side_word} pleural effusion",
        "pneumothorax": "{side_word} pneumothorax",
        "edema": "pulmonary edema",
        "atelectasis": "{side_word} basilar atelectasis",
        "consolidation": "{place} consolidation",
        "pneumonia": "{place} pneumonia",
    }.items()
}

# The impression repeats the findings in brief.
IMPRESSION: dict[str, str] = {
    "enlarged cardiomediastinum": "Widened mediastinum.",
    "cardiomegaly": "{size_capital} cardiomegaly.",
    "lung opacity": "Nonspecific opacity in the {place}.",
    "lung lesion": "Nodule in the {place}.",
    "edema": "{size_capital} pulmonary edema.",
    "consolidation": "Consolidation in the {place}.",
    "pneumonia": "Findings consistent with pneumonia in the {place}.",
    "atelectasis": "{side_capital} basilar atelectasis.",
    "pneumothorax": "{size_capital} {side_word} pneumothorax.",
    "pleural effusion": "{size_capital} {side_word} pleural effusion.",
    "pleural other": "{side_capital} pleural thickening.",
    "fracture": "{side_capital} rib fracture.",
}
NORMAL_IMPRESSIONS = ("No acute cardiopulmonary abnormality.", "No acute cardiopulmonary process.", "Normal chest.")
