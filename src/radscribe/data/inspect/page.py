"""Renders the facts as one HTML page: no scripts or links, films and charts inline, all text escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from io import BytesIO
from statistics import median

import numpy as np
from PIL import Image

from radscribe.core.records import NOTICE, SPLITS
from radscribe.data.inspect.facts import VIEWS, Facts, Sample
from radscribe.imaging.levels import Pixels
from radscribe.labels.conditions import BLANK, CONDITIONS, STATES

SHOWN_SIDE = 192
BINS = 20
REASONS_SHOWN = 20
LEAKS = {
    "patients": "patients in more than one split (always 0)",
    "identical_images": "identical images in more than one split (always 0)",
    "near_identical_images": "images that differ from one of another split in at most 8 of the 256 bits of their hash",
    "identical_reports": "distinct reports found in more than one split",
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; } th, td { padding: .15rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; } th { border-bottom: 2px solid #888; font-weight: 600; }
.notice { background: #fff3cd; border: 1px solid #e0c060; padding: .5rem 1rem; }
.study { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1rem 0 2rem; }
figure { margin: 0; } figcaption { font-size: .8rem; color: #666; } .study div { flex: 1; min-width: 20rem; }
.charts { display: flex; gap: 2rem; flex-wrap: wrap; } .hash { font-family: monospace; word-break: break-all; }
svg rect { fill: #4a78a8; } svg text { font: 11px system-ui, sans-serif; fill: #444; }
"""
# Content security policy: only inline pictures and styles load.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page_of(facts: Facts) -> str:
    """The HTML of the whole page; it holds films and reports, so it must be treated as the data are."""
    title = f"Prepared dataset {facts.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(NOTICE)} This page holds films and report texts: treat it as you treat the data.</p>",
    ]
    if facts.manifest.get("weakly_paired"):
        parts.append(f'<p class="notice">{escape(str(facts.manifest.get("notice", "weakly paired")))}</p>')
    parts += [
        "<h2>Splits</h2>",
        _split_table(facts),
        "<h2>Conditions</h2>",
        f"<p>Studies whose {escape(facts.section)} state each condition; the rest leave it blank.</p>",
        _condition_table(facts),
        "<h2>Report lengths</h2>",
        f'<div class="charts">{"".join(_histogram(split, facts.words) for split in SPLITS)}</div>',
        "<h2>Leaks</h2>",
        _leak_table(facts),
        "<h2>Set aside</h2>",
        _rejected_table(facts.rejected),
        "<h2>Samples</h2>",
        *(f"<h3>{split}</h3>{''.join(map(_sample, facts.samples[split]))}" for split in SPLITS if facts.samples[split]),
        "<h2>Versions and hashes</h2>",
        _origin_table(facts),
    ]
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{STYLE}</style>'
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def line(cells: Sequence[object], tag: str) -> str:
        shown = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in shown) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def _split_table(facts: Facts) -> str:
    triplets = ("triplets", "present")
    rows = [
        (
            split,
            *(facts.counts[split][what] for what in ("studies", "patients", "images")),
            *(facts.views[split][view] for view in VIEWS),
            *(facts.triplets[split][what] for what in triplets),
        )
        for split in SPLITS
    ]
    views = [f"{view} films" for view in VIEWS]
    return _table(("split", "studies", "patients", "images", *views, "triplets", "of them present"), rows)


def _condition_table(facts: Facts) -> str:
    states = [state for index, state in enumerate(STATES) if index != BLANK]
    head = ("condition", *(f"{split} {state}" for split in SPLITS for state in states))
    rows = [(name, *(facts.labels[split][name][state] for split in SPLITS for state in states)) for name in CONDITIONS]
    return _table(head, rows)


def _histogram(split: str, words: Mapping[str, Sequence[int]]) -> str:
    """SVG histogram of the words of a split's reports, on an axis shared by all splits; "" without reports."""
    own, longest = words[split], max((max(found, default=0) for found in words.values()), default=0)
    if not own:
        return ""
    edges = np.linspace(0, max(longest, 1), BINS + 1)
    counts = np.histogram(own, edges)[0].tolist()
    wide, high = 260 / BINS, 110
    bars = "".join(
        f'<rect x="{number * wide:.1f}" y="{high - height:.1f}" width="{wide - 1:.1f}" height="{height:.1f}">'
        f"<title>{edges[number]:.0f} to {edges[number + 1]:.0f} words: {count:,}</title></rect>"
        for number, count in enumerate(counts)
        for height in [count / max(counts) * 100]
    )
    return (
        f'<figure><svg width="260" height="130" role="img" aria-label="words of the reports, {split}">{bars}'
        f'<text x="0" y="125">0</text><text x="260" y="125" text-anchor="end">{longest:,} words</text></svg>'
        f"<figcaption>{split}: median {median(own):g} words, longest {max(own):,}</figcaption></figure>"
    )


def _leak_table(facts: Facts) -> str:
    found = facts.manifest.get("leaks", {})
    rows = [(LEAKS.get(name, name), count) for name, count in found.items()]
    dropped = facts.manifest.get("dropped", {})
    rows += [(f"studies dropped for {name.replace('_', ' ')}", count) for name, count in dropped.items()]
    return _table(("what", "count"), rows)


def _rejected_table(rejected: Mapping[str, int]) -> str:
    if not rejected:
        return "<p>Nothing was set aside.</p>"
    rows: list[tuple[str, int]] = list(rejected.items())
    rest = sum(count for _, count in rows[REASONS_SHOWN:])
    return _table(("reason", "films or studies"), [*rows[:REASONS_SHOWN], *([("other reasons", rest)] if rest else [])])


def _sample(sample: Sample) -> str:
    study = sample.study
    films = "".join(
        f'<figure><img alt="{escape(view.view)} film" width="{SHOWN_SIDE}" src="{_picture(film)}">'
        f"<figcaption>{escape(view.view)}</figcaption></figure>"
        for view, film in zip(study.views, sample.films, strict=True)
    )
    stated = "; ".join(
        f"{name}: {STATES[state]}" for name, state in zip(CONDITIONS, study.labels, strict=True) if state != BLANK
    )
    sections = [(name, getattr(study, name)) for name in ("indication", "findings", "impression")]
    texts = "".join(f"<p><b>{name}</b> {escape(text)}</p>" for name, text in sections if text)
    details = f"<p><b>{escape(study.study_id)}</b></p>{texts}<p><small>{escape(stated)}</small></p>"
    return f'<div class="study">{films}<div>{details}</div></div>'


def _picture(film: Pixels) -> str:
    """A film as a small PNG in a data URI."""
    encoded = BytesIO()
    small = Image.fromarray(np.ascontiguousarray(film)).resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.BILINEAR)
    small.save(encoded, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(encoded.getvalue()).decode()


def _origin_table(facts: Facts) -> str:
    manifest = facts.manifest
    settings = {name: value for name, value in manifest["settings"].items() if name != "inputs"}
    rows: list[tuple[str, object]] = [("fingerprint", facts.fingerprint), ("format", manifest["format"])]
    rows.append(("radscribe", manifest.get("radscribe_version", "")))
    rows += manifest.get("versions", {}).items()
    rows += [(f"hash of {name}", value) for name, value in manifest["hashes"].items()]
    rows += [(f"source {source['name']}", source.get("sha256", "")) for source in manifest.get("sources", ())]
    rows += [(f"setting {name}", str(value)) for name, value in settings.items()]
    return f'<div class="hash">{_table(("what", "value"), rows)}</div>'
