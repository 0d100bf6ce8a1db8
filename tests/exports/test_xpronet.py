"""XProNet's labels: by the ids that its loader makes, in the orders that its files have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.exports.layout import Layout
from radscribe.exports.xpronet import ORDERS, binary_labels, ids_of, key_of, read_labels
from radscribe.labels.conditions import CHEXBERT_CONDITIONS, CONDITIONS

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("layout", ["iu", "mimic"])
def test_the_loader_finds_the_labels_of_every_entry(
    run: Run, phantoms: PreparedDataset, tmp_path: Path, layout: str
) -> None:
    out = tmp_path / "out"
    code, _, error = run("export", "xpronet", "--data", str(phantoms.folder), "--out", str(out), "--layout", layout)
    assert code == 0, error
    labels = read_labels(out / "labels.json")
    content = json.loads((out / "annotation.json").read_text("utf-8"))
    order = ORDERS[Layout(layout)]
    splits = {"train": "train", "val": "validate", "test": "test"}
    for name, split in splits.items():
        for entry, study in zip(content[name], phantoms.split(split), strict=True):
            parts = entry["id"].split("-")
            found = labels[f"{parts[0]}-{parts[1]}" if layout == "iu" else entry["id"]]
            positive = {CONDITIONS[index] for index, state in enumerate(study.labels[:14]) if state in (1, 3)}
            expected = positive or {"no finding"}
            assert {order[index] for index, said in enumerate(found) if said} == expected
            assert (out / "images" / entry["image_path"][0]).is_file()
    assert len(labels) == len(phantoms.studies)


def test_both_orders_hold_the_conditions_with_no_finding_last() -> None:
    assert ORDERS[Layout.IU] == CHEXBERT_CONDITIONS
    assert ORDERS[Layout.MIMIC][:5] == (
        "atelectasis",
        "cardiomegaly",
        "consolidation",
        "edema",
        "enlarged cardiomediastinum",
    )
    for order in ORDERS.values():
        assert set(order) == set(CHEXBERT_CONDITIONS) and len(order) == 14
        assert order[-2:] == ("support devices", "no finding")


def test_uncertain_counts_and_nothing_is_no_finding() -> None:
    states = [0] * 18
    assert binary_labels(states, CHEXBERT_CONDITIONS) == [0] * 13 + [1]
    states[1], states[4], states[5] = 3, 1, 2
    assert binary_labels(states, CHEXBERT_CONDITIONS) == [0, 1, 0, 0, 1] + [0] * 9


def test_ids_stay_where_their_first_two_parts_tell_them_apart() -> None:
    published = ["CXR1_IM-0001-4001", "CXR2_IM-0652"]
    assert ids_of(published) == published
    assert ids_of(["CXR1", "CXR2"]) == ["CXR1-000000", "CXR2-000001"]
    made = ids_of(["a-1-x", "a-1-y", "a_1-x"])
    assert len({key_of(name, Layout.IU) for name in made}) == 3


@pytest.mark.parametrize("content", ['{"a": [1, 0]}', f'{{"a": {[2] * 14}}}', '{"a": 1}'])
def test_other_labels_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(RadscribeError, match="14 zeros and ones"):
        read_labels(tmp_path / "labels.json")
