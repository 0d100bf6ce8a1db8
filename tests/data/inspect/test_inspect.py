"""The page about a prepared dataset: what it tells, that it loads nothing, and that the data cannot write into it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makers import NORMAL, OPACITY, write_film
from radscribe.data.dataset import PreparedDataset
from radscribe.data.inspect.facts import facts_of
from radscribe.data.inspect.page import page_of
from radscribe.data.prepare import prepare
from radscribe.data.raw import FilmFile, RawFilm, RawStudy
from radscribe.data.source import Source
from radscribe.labels.conditions import CONDITIONS

Run = Callable[..., tuple[int, str, str]]
HOSTILE = '<script>alert("x")</script><img src=https://example.org/a.png>'


class Page(HTMLParser):
    """Tags with their attributes, and the cells of the tables row by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text, self.in_cell = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.in_cell:
            self.rows[-1][-1] += data

    def row(self, name: str) -> list[str]:
        return next(row[1:] for row in self.rows if row[0] == name)


@pytest.fixture
def dataset(tmp_path: Path) -> PreparedDataset:
    """Two training studies, one in test; two set aside; ids and texts that try to be markup."""
    paths = [tmp_path / "films" / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        write_film(path, number)
    paths[4].write_bytes(b"broken")

    def study(number: int, split: str, findings: str, *films: int, **more: str) -> RawStudy:
        views = ("frontal", "lateral")
        raw = [RawFilm(FilmFile(paths[film], f"{film}.png"), f"{film}.png", views[n]) for n, film in enumerate(films)]
        return RawStudy(f"{number}{HOSTILE}", f"p{number}", tuple(raw), split=split, findings=findings, **more)

    studies = [
        study(0, "train", f"{OPACITY} {HOSTILE}", 0, 1, indication=HOSTILE),
        study(1, "train", f"{NORMAL} & <b>more</b>", 2),
        study(2, "test", NORMAL, 3),
        study(3, "test", NORMAL, 4),
        study(4, "test", NORMAL, 0, refused=HOSTILE),
    ]
    source = Source("test", lambda scratch: studies, settings={"note": HOSTILE}, weakly_paired=True)
    prepare(source, tmp_path / "data", size=64, workers=1)
    return PreparedDataset.open(tmp_path / "data")


def test_the_tables_tell_what_the_dataset_holds(dataset: PreparedDataset) -> None:
    page = Page(page_of(facts_of(dataset)))
    assert page.row("train")[:6] == ["2", "2", "3", "2", "1", "0"]
    assert page.row("validate") == ["0"] * 8
    assert page.row("test")[:6] == ["1", "1", "1", "1", "0", "0"]
    triplets = dataset.studies[2].triplets
    assert page.row("test")[6:] == [str(len(triplets)), str(sum(present for _, _, present in triplets))]
    index = CONDITIONS.index("lung opacity")
    states = [study.labels[index] for study in dataset.split("train")]
    expected = [str(states.count(state)) for state in (1, 2, 3)]
    assert page.row("lung opacity")[:3] == expected != ["0"] * 3
    assert page.row("no film of it could be read") == ["1"] and page.row(HOSTILE) == ["1"]
    assert page.row("identical images in more than one split (always 0)") == ["0"]
    assert page.row("fingerprint") == [dataset.fingerprint]
    assert page.row("hash of pixels") == [dataset.manifest["hashes"]["pixels"]]
    assert page.row("pillow") == [dataset.manifest["versions"]["pillow"]]
    assert "weakly paired: no report here was written for its film" in page.text
    words = [len(study.findings.split()) for study in dataset.split("train")]
    assert f"train: median {sum(words) / 2:g} words, longest {max(words)}" in page.text


def test_films_lie_within_the_page_beside_their_reports(dataset: PreparedDataset) -> None:
    page = Page(page_of(facts_of(dataset, samples=1, seed=1)))
    pictures = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    chosen = [sample.study for found in facts_of(dataset, 1, 1).samples.values() for sample in found]
    assert [study.split for study in chosen] == ["train", "test"]
    assert len(pictures) == sum(len(study.views) for study in chosen)
    for study in chosen:
        assert study.findings in page.text
    with Image.open(BytesIO(base64.b64decode(pictures[-1].partition(",")[2]))) as film:
        small = np.asarray(film.resize((64, 64), Image.Resampling.BOX)).astype(float)
    assert np.corrcoef(small.ravel(), dataset.film(chosen[-1]).ravel())[0, 1] > 0.95


def test_samples_follow_from_the_seed(phantoms: PreparedDataset) -> None:
    def drawn(seed: int) -> list[str]:
        found = facts_of(phantoms, 4, seed).samples
        return [sample.study.study_id for split in found for sample in found[split]]

    assert drawn(0) == drawn(0) != drawn(1)
    assert len(set(drawn(0))) == 12
    assert len(facts_of(phantoms, 10_000).samples["test"]) == len(phantoms.split("test"))


def test_nothing_is_loaded_and_nothing_from_the_data_becomes_markup(dataset: PreparedDataset) -> None:
    text = page_of(facts_of(dataset))
    page = Page(text)
    assert HOSTILE in page.text and HOSTILE not in text
    known = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "b", "small", "div"}
    known |= {"table", "tr", "th", "td", "figure", "figcaption", "img", "svg", "rect", "text"}
    assert {tag for tag, _ in page.tags} <= known
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name == "href" for name in attributes)
        if tag == "img":
            assert (attributes["src"] or "").startswith("data:image/png;base64,")
    assert "@import" not in text and "url(" not in text


def test_the_command_writes_the_page_and_sums_up(run: Run, dataset: PreparedDataset, tmp_path: Path) -> None:
    code, out, error = run("inspect", str(dataset.folder))
    assert code == 0, error
    assert "train      2 studies, 2 patients, 3 images" in out
    assert "1 no film of it could be read" in out and "weakly paired" in out
    assert (dataset.folder / "inspect.html").read_text("utf-8").startswith("<!doctype html>")
    code, _, _ = run("inspect", str(dataset.folder), "--out", str(tmp_path / "new" / "page.html"), "--samples", "0")
    assert code == 0 and "<img" not in (tmp_path / "new" / "page.html").read_text("utf-8")
    assert PreparedDataset.open(dataset.folder).fingerprint == dataset.fingerprint
    code, _, error = run("inspect", str(tmp_path / "none"))
    assert code == 1 and "no prepared dataset" in error
    assert "radscribe inspect work/iu" in run("inspect", "--help")[1]


def test_a_dataset_without_anything_set_aside_says_so(phantoms: PreparedDataset) -> None:
    page = Page(page_of(facts_of(phantoms)))
    assert "Nothing was set aside." in page.text and "weakly paired" not in page.text
