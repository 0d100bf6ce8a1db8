"""Draw docs/diagram/systems.svg: both systems from film to report, each box with the file that computes it.

    python docs/diagram/draw.py

The same code writes the same bytes. A box whose file is missing below src/radscribe/models/, or whose text is wider
than the box, is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

OUT = Path(__file__).with_name("systems.svg")
MODELS = Path(__file__).parents[2] / "src" / "radscribe" / "models"

WIDTH, PANEL, MARGIN, PADDING = 1000, 487, 8, 18  # of the drawing; of a panel, around it and inside it
COLUMN, GAP = 139, 17  # width of a column; of the space between two
TOP, PITCH = 68, 94  # top of the first row; distance between the rows of boxes
BOX, PILL = 68, 28  # height of a box; of an input or output, which no file of the models computes

INK, PAPER, LINE = "#1f2328", "#ffffff", "#57606a"
FILLS = {"image": "#dbe8f6", "knowledge": "#dcefdc", "fusion": "#fbe5cd", "text": "#e9e0f3", "outside": "#f3f4f6"}
# Each kind of text: size, family, other attributes, and the width of an average letter as a share of the size.
FONTS = {
    "system": (16, "sans-serif", ' font-weight="bold"', 0.62),
    "paper": (11.5, "sans-serif", "", 0.54),
    "title": (11.5, "sans-serif", ' font-weight="bold"', 0.6),
    "note": (10.5, "sans-serif", "", 0.54),
    "file": (9.5, "monospace", "", 0.61),
    "letter": (12, "serif", ' font-style="italic"', 0.5),
}


@dataclass(frozen=True)
class Box:
    """A part of a system in columns ``first`` to ``last`` (0 to 2) of a row; without a file, an input or output."""

    row: int
    first: int
    last: int
    kind: str
    title: str
    notes: tuple[str, ...] = ()
    file: str = ""
    dashed: bool = False

    @property
    def left(self) -> float:
        return PADDING + self.first * (COLUMN + GAP)

    @property
    def right(self) -> float:
        return PADDING + self.last * (COLUMN + GAP) + COLUMN

    @property
    def top(self) -> float:
        return TOP if self.row == 0 else TOP + PILL + 26 + (self.row - 1) * PITCH

    @property
    def bottom(self) -> float:
        return self.top + (BOX if self.file else PILL)

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass(frozen=True)
class Arrow:
    """A line through ``points`` that ends in a head, with the paper's letter to the right of its end."""

    points: tuple[tuple[float, float], ...]
    letter: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class System:
    """One panel."""

    name: str
    paper: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def centre(column: int) -> float:
    """The middle of a column."""
    return PADDING + column * (COLUMN + GAP) + COLUMN / 2


def behind(column: int) -> float:
    """The middle of the space to the right of a column."""
    return centre(column) + (COLUMN + GAP) / 2


def down(upper: Box, lower: Box, x: float, letter: str = "", dashed: bool = False) -> Arrow:
    """A straight arrow from one box to another below it."""
    return Arrow(((x, upper.bottom), (x, lower.top)), letter, dashed)


def revtaf() -> System:
    """Figure 1 of arXiv 2507.07568, with the entity model trained here in the place of MedKLIP."""
    film = Box(0, 0, 2, "outside", "Chest X-ray film")
    image = Box(1, 0, 0, "image", "Image encoder", ("film to 7 x 7 patches",), "encoders/image.py")
    sees = ("presence of 75 entities on the film,", "and the place of each")
    entity = Box(1, 1, 2, "image", "Entity model", sees, "encoders/entity.py")
    finds = ("nearest training study", "in the Poincaré ball")
    retrieval = Box(2, 1, 1, "knowledge", "Learnable retrieval", finds, "knowledge/retrieval.py")
    sorts = ("18 conditions, read with", "21 similar reports")
    branch = Box(3, 0, 0, "image", "Classification", sorts, "classification.py")
    sentences = ("sentences of that", "study's report")
    report_prompt = Box(3, 1, 1, "knowledge", "Global prompt", sentences, "knowledge/database.py")
    triplets = ("entity, place, present", "or absent, as text")
    entity_prompt = Box(3, 2, 2, "knowledge", "Local prompt", triplets, "knowledge/prompts.py")
    reads = ("patches read each prompt by an", "optimal-transport plan")
    fusion = Box(4, 1, 2, "fusion", "Transport attention", reads, "fusion/transport_attention.py")
    writes = ("words after 18 condition states, with", "cross-attention to the fused patches")
    decoder = Box(5, 0, 1, "text", "Decoder", writes, "decoding/decoder.py")
    agree = ("of both prompts'", "attention maps")
    maps = Box(5, 2, 2, "fusion", "Consistency loss", agree, "fusion/consistency.py", dashed=True)
    report = Box(6, 0, 1, "outside", "Draft report")
    turn = retrieval.middle
    arrows = (
        down(film, image, centre(0)),
        down(film, entity, behind(1)),
        down(image, branch, centre(0), "F_v"),
        Arrow(((centre(0), turn), (behind(0), turn), (behind(0), fusion.middle), (fusion.left, fusion.middle))),
        down(entity, retrieval, centre(1)),
        down(retrieval, report_prompt, centre(1)),
        down(entity, entity_prompt, centre(2)),
        down(report_prompt, fusion, centre(1), "F_g"),
        down(entity_prompt, fusion, centre(2), "F_l"),
        down(branch, decoder, centre(0), "X"),
        down(fusion, decoder, centre(1), "F_c"),
        down(fusion, maps, centre(2), dashed=True),
        down(decoder, report, behind(0)),
    )
    boxes = (film, image, entity, retrieval, branch, report_prompt, entity_prompt, fusion, decoder, maps, report)
    return System("REVTAF", "learnable retrieval, transport-attention fusion: arXiv 2507.07568", boxes, arrows)


def mcsam() -> System:
    """The parts that the abstract of arXiv 2404.00588 names, in its order; how they join is our choice.

    That the memory starts from topics of reports by optimal transport is what two summaries of the paper say.
    """
    films = Box(0, 0, 0, "outside", "Film, or two views")
    pairs = Box(0, 1, 1, "outside", "Training reports", dashed=True)
    written = Box(0, 2, 2, "outside", "Words so far")
    image = Box(1, 0, 0, "image", "Image encoder", ("films to 7 x 7 patches",), "encoders/image.py")
    starts = ("topics of the reports,", "by optimal transport")
    slots = Box(1, 1, 1, "knowledge", "First memory", starts, "knowledge/topics.py", dashed=True)
    words = Box(1, 2, 2, "text", "Word embeddings", ("in training, those of", "the report"), "decoding/decoder.py")
    finds = ("patches and words each retrieve from the slots", "most like them (top-k attention)")
    bank = Box(2, 0, 2, "knowledge", "Clinical memory bank", finds, "knowledge/memory.py")
    own, theirs = ("patches with what", "they retrieved"), ("words with what", "they retrieved")
    of_patches = Box(3, 0, 0, "fusion", "Consolidation", own, "fusion/consolidation.py")
    aligns = ("contrastive loss, and a", "semantic embedding")
    alignment = Box(3, 1, 1, "fusion", "Semantic alignment", aligns, "fusion/alignment.py")
    of_words = Box(3, 2, 2, "fusion", "Consolidation", theirs, "fusion/consolidation.py")
    encoder = Box(4, 0, 0, "image", "Encoder", ("self-attention among", "the patches"), "mcsam.py")
    tokens = Box(4, 2, 2, "text", "Memory tokens", ("learned, placed before", "the words"), "decoding/decoder.py")
    reads = ("next word, with cross-attention to the encoded patches", "and the semantic embedding")
    decoder = Box(5, 0, 2, "text", "Decoder", reads, "decoding/decoder.py")
    report = Box(6, 0, 2, "outside", "Draft report")
    left, right = image.left - 9, words.right + 9
    arrows = (
        down(films, image, centre(0)),
        down(pairs, slots, centre(1), dashed=True),
        down(written, words, centre(2)),
        down(image, bank, centre(0), "V"),
        down(slots, bank, centre(1), dashed=True),
        down(words, bank, centre(2), "E"),
        Arrow(
            (
                (image.left, image.middle),
                (left, image.middle),
                (left, of_patches.middle),
                (image.left, of_patches.middle),
            )
        ),
        Arrow(
            (
                (words.right, words.middle),
                (right, words.middle),
                (right, of_words.middle),
                (words.right, of_words.middle),
            )
        ),
        down(bank, of_patches, centre(0), "R(V)"),
        down(bank, alignment, centre(1) - 40, "R(V)"),
        down(bank, alignment, centre(1) + 24, "R(E)", dashed=True),
        down(bank, of_words, centre(2), "R(E)"),
        down(of_patches, encoder, centre(0)),
        down(of_words, tokens, centre(2)),
        down(encoder, decoder, centre(0), "H_v"),
        down(alignment, decoder, centre(1), "s_v"),
        down(tokens, decoder, centre(2)),
        down(decoder, report, centre(1)),
    )
    boxes = (films, pairs, written, image, slots, words, bank, of_patches, alignment, of_words, encoder, tokens)
    return System("MCSAM", "memory bank, semantic alignment: arXiv 2404.00588", (*boxes, decoder, report), arrows)


def text(kind: str, x: float, y: float, words: str, anchor: str = "middle", limit: float = PANEL) -> str:
    """One line of text; the underscore in a letter sets what follows it as an index."""
    size, family, more, letter = FONTS[kind]
    if len(words) * size * letter > limit:
        raise SystemExit(f"{words!r} is wider than {limit:g}: shorten it")
    base, _, index = words.partition("_") if kind == "letter" else (words, "", "")
    shown = escape(base) + (f'<tspan dy="3" font-size="9">{escape(index)}</tspan>' if index else "")
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-family="{family}" font-size="{size:g}"{more}'
        f' fill="{INK}">{shown}</text>'
    )


def box_lines(box: Box) -> list[str]:
    """The rectangle of a box and its text."""
    x, width, height = (box.left + box.right) / 2, box.right - box.left, box.bottom - box.top
    radius, dash = (6 if box.file else 14), (' stroke-dasharray="5 3"' if box.dashed else "")
    lines = [
        f'<rect x="{box.left:g}" y="{box.top:g}" width="{width:g}" height="{height:g}" rx="{radius}"'
        f' fill="{FILLS[box.kind]}" stroke="{LINE}"{dash}/>'
    ]
    if not box.file:
        return [*lines, text("note", x, box.middle + 4, box.title, limit=width)]
    if not (MODELS / box.file).is_file():
        raise SystemExit(f"{MODELS / box.file}: there is no such file; name the one that computes {box.title!r}")
    lines.append(text("title", x, box.top + 17, box.title, limit=width))
    lines += [text("note", x, box.top + 32 + 13 * row, note, limit=width) for row, note in enumerate(box.notes)]
    return [*lines, text("file", x, box.bottom - 7, box.file, limit=width)]


def arrow_lines(arrow: Arrow) -> list[str]:
    """The line of an arrow and its letter."""
    path = " ".join(f"{x:g},{y:g}" for x, y in arrow.points)
    dash = ' stroke-dasharray="5 3"' if arrow.dashed else ""
    line = f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="1.3"{dash} marker-end="url(#head)"/>'
    x, y = arrow.points[-1]
    return [line, *([text("letter", x + 6, y - 10, arrow.letter, "start")] if arrow.letter else [])]


def drawing() -> str:
    """The whole file."""
    systems = (revtaf(), mcsam())
    bottom = max(box.bottom for system in systems for box in system.boxes) + 14
    height = bottom + MARGIN + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
        ' role="img" aria-label="REVTAF and MCSAM, from film to report, with the file that computes each part">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7"'
        f' orient="auto"><path d="M0,0.5 L8,4 L0,7.5 z" fill="{LINE}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height:g}" rx="8" fill="{PAPER}"/>',
    ]
    for number, system in enumerate(systems):
        x = MARGIN + number * (WIDTH - 2 * MARGIN - PANEL)
        lines += [
            f'<g transform="translate({x:g},0)">',
            f'<rect x="0.5" y="{MARGIN}" width="{PANEL - 1}" height="{bottom - MARGIN:g}" rx="8" fill="none"'
            ' stroke="#d0d7de"/>',
            text("system", PADDING, 34, system.name, "start"),
            text("paper", PADDING, 53, system.paper, "start", PANEL - 2 * PADDING),
            *(line for arrow in system.arrows for line in arrow_lines(arrow)),
            *(line for box in system.boxes for line in box_lines(box)),
            "</g>",
        ]
    foot = "Files are below src/radscribe/models/. Dashed: before or during training, not while a report is drafted."
    lines += [text("paper", WIDTH / 2, bottom + 22, foot, limit=WIDTH), "</svg>"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    OUT.write_text(drawing(), encoding="utf-8", newline="\n")
    print(OUT)
