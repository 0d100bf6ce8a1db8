"""What a film's own labels say goes before what the report says that it was paired with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radscribe.data.dataset import PreparedDataset
from radscribe.data.film_labels import film_states
from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, NO_FINDING, POSITIVE, SUPPORT_DEVICES


def test_labels_of_films_decide_where_reports_were_only_paired_with_them(phantoms: PreparedDataset) -> None:
    everyone = phantoms.table["study_id"].to_pylist()
    named = {everyone[0]: ["Edema", "Pneumonia"], everyone[1]: ["No Finding"], everyone[2]: ["Emphysema"]}
    columns = {
        "image_labels": [named.get(name, ["Effusion"] if name == everyone[3] else ["normal"]) for name in everyone],
        "image_source": ["nih" if name in named else "kermany" for name in everyone],
    }
    table = phantoms.table
    for name, column in columns.items():
        table = table.append_column(name, [column])
    invented = tuple(POSITIVE if CONDITIONS[place] in ("cardiomegaly", "edema") else NEGATIVE for place in range(18))
    studies = [replace(study, labels=invented) for study in phantoms.studies]
    studies = sorted(studies, key=lambda study: everyone.index(study.study_id))[:5]
    states, known = film_states(replace(phantoms, table=table), studies)
    edema, pneumonia, opacity, effusion, heart = (
        CONDITIONS.index(name) for name in ("edema", "pneumonia", "lung opacity", "pleural effusion", "cardiomegaly")
    )
    assert np.flatnonzero(known[0]).tolist() == sorted({edema, pneumonia, opacity, NO_FINDING})
    assert np.array_equal(known[0], known[2]) and not known[0, heart] and not known[0, SUPPORT_DEVICES]
    assert np.flatnonzero(known[3]).tolist() == sorted({effusion, NO_FINDING})
    assert states[0, [edema, pneumonia, opacity, NO_FINDING]].tolist() == [POSITIVE, POSITIVE, POSITIVE, NEGATIVE]
    assert states[1, [edema, pneumonia, NO_FINDING]].tolist() == [BLANK, NEGATIVE, POSITIVE]
    assert states[2, [edema, NO_FINDING]].tolist() == [BLANK, NEGATIVE]  # not healthy, and none of the conditions
    assert states[3, [effusion, NO_FINDING]].tolist() == [POSITIVE, NEGATIVE]
    assert states[4, [effusion, NO_FINDING]].tolist() == [NEGATIVE, POSITIVE]


def test_a_report_of_its_own_film_is_known_whole(phantoms: PreparedDataset) -> None:
    studies = phantoms.split("train")
    states, known = film_states(phantoms, studies)
    assert known.all() and states.tolist() == [list(study.labels) for study in studies]
