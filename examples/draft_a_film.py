"""Draft a report for one film, and show everything that the draft holds.

Shows:  radscribe.load, Reporter.draft, and each part of a draft: the report, its sentences with their confidence, the
        conditions they state and the reference sentence nearest to them, the findings of the film, and a picture with a
        heat map for each sentence.
Run:    python examples/draft_a_film.py film.dcm --out work/draft
        python examples/draft_a_film.py               (makes a synthetic film of its own)
Time:   about twenty seconds on two processor cores.

The same on the command line:
        radscribe generate film.dcm --out drafts.jsonl --picture pictures

Research use only. Not for diagnosis.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image

import radscribe
from radscribe.data.phantom import generate
from radscribe.drafting.picture import draw_draft


def main() -> None:
    parser = argparse.ArgumentParser(description="Draft a report for one film, with its evidence.")
    parser.add_argument("film", nargs="?", type=Path, help="a DICOM, PNG or JPEG file (default: a synthetic film)")
    parser.add_argument("--checkpoint", help="checkpoint folder or hub id (default: the one of the package)")
    parser.add_argument("--device", default="cpu", help='where the networks run: "cpu", "cuda" or "mps"')
    parser.add_argument("--out", type=Path, default=Path("work/draft_a_film"), help="folder for the picture")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    film = arguments.film or make_film(arguments.out)

    try:
        # One reporter drafts as many films as you like; loading it is the slow part.
        reporter = radscribe.load(arguments.checkpoint, arguments.device)
        draft = reporter.draft(film)
        # What the model saw: the film, fitted to a square and cut to its middle. The heat maps lie over this view.
        view = reporter.view(reporter.read(film).pixels)
    except radscribe.RadscribeError as error:  # a file that is no chest film is refused, with its reason
        sys.exit(f"radscribe: {error}")

    print_draft(draft)
    picture = arguments.out / f"{draft.study_id}-draft.png"
    draw_draft(draft, view, picture)
    print(f"\nPicture: {picture}")


def make_film(folder: Path) -> Path:
    """A synthetic film, drawn from numbers alone: it belongs to no patient."""
    study = next(iter(generate(1, seed=13, lateral_share=0.0)))
    _, pixels = study.films[0]
    path = folder / "synthetic-film.png"
    Image.fromarray(pixels).save(path)
    print(f"No film was given; this one was made: {path}")
    print(f"The report that belongs to it: {study.findings}")
    print("The checkpoint of the package has seen real films alone: its draft of this one shows the form, no more.\n")
    return path


def print_draft(draft: radscribe.Draft) -> None:
    print(f"Report of {draft.study_id} by {draft.model['name']} ({draft.notice})\n{draft.report}\n")
    for reason in draft.reasons:  # why there is none
        print(f"No draft: {reason}")
    for each in draft.withheld:
        print(f"Withheld: {each.text} {each.reason}")
    for number, sentence in enumerate(draft.sentences, 1):
        print(f"{number}. {sentence.text}")
        print(f"   confidence:         {sentence.confidence:.2f}")
        likely = sentence.probabilities  # that the statement is true; none in a checkpoint that is not calibrated
        stated = ", ".join(f"{name} {state} {likely.get(name, '')}" for name, state in sentence.conditions.items())
        print(f"   conditions:         {stated or 'none'}")
        if sentence.reference:  # its text is there once `radscribe index attach` has added the reports
            near = sentence.reference
            print(f"   nearest reference:  {near.study_id}, similarity {near.similarity:.2f}")
            if near.sentence:
                print(f"                       {near.sentence}")
        # sentence.evidence.values is the map of the picture; a sentence that states no finding has none.
        place = "no finding is stated"
        if sentence.evidence and sentence.evidence.box:
            left, top, right, bottom = (f"{edge:.0%}" for edge in sentence.evidence.box)
            place = f"{left} to {right} from the left, {top} to {bottom} from the top"
        print(f"   on the film:        {place}")

    print("\nFindings of the whole film, the likeliest state of each condition:")
    for finding in draft.findings:
        if finding.state == "positive":
            likely = "" if finding.probability is None else f" ({finding.probability:.2f})"
            print(f"   {finding.condition}: {finding.state}{likely}")
    others = [finding.condition for finding in draft.findings if finding.state != "positive"]
    print(f"   not positive: {', '.join(others) or 'none'}")
    if draft.reference:
        print(f"\nReference report that the draft was written beside: {draft.reference.study_id}")


if __name__ == "__main__":
    main()
