"""Train a very small model on a table of your own, and draft a report with it.

Shows:  the way from a table to a draft: a CSV with the columns image, report and patient_id becomes a prepared dataset,
        the dataset and a recipe become a checkpoint, and the checkpoint drafts.
Run:    python examples/train_on_your_table.py --table studies.csv --images films
        python examples/train_on_your_table.py        (makes a table of synthetic films)
Time:   about a minute and a half on two processor cores.

The model is far too small, and trained far too short, to be of use: it shows the way. For a model that learns
something, take recipes/revtaf-mini.yaml and some thousand films.

The same on the command line:
        radscribe prepare table --table studies.csv --images films --size 128 --out work/data
        radscribe train examples/very-small.yaml --data work/data --out work/model
        radscribe generate films/film.png --checkpoint work/model

Research use only. Not for diagnosis.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from PIL import Image

import radscribe
from radscribe.data.dataset import PreparedDataset
from radscribe.data.phantom import generate
from radscribe.data.prepare import prepare
from radscribe.data.sources.table import table_source
from radscribe.training.recipe import read_recipe
from radscribe.training.train import Options, train

RECIPE = Path(__file__).parent / "very-small.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare a table, train a very small model, draft a report.")
    parser.add_argument("--table", type=Path, help="CSV with image, report, patient_id (default: a synthetic table)")
    parser.add_argument("--images", type=Path, help="folder that the paths of the column image start from")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="recipe, YAML")
    parser.add_argument("--studies", type=int, default=300, help="how many studies the synthetic table has")
    parser.add_argument("--steps", type=int, help="bound the steps of each stage of the training, to try it out")
    parser.add_argument("--out", type=Path, default=Path("work/train_on_your_table"), help="folder for all of it")
    arguments = parser.parse_args()
    if (arguments.table is None) != (arguments.images is None):
        parser.error("--table and --images go together")

    try:
        if arguments.table is None:
            table, images = make_table(arguments.out, arguments.studies)
        else:
            table, images = arguments.table, arguments.images
        run(table, images, arguments.recipe, arguments.steps, arguments.out)
    except radscribe.RadscribeError as error:  # one line that names the thing, the reason and what to do
        sys.exit(f"radscribe: {error}")


def run(table: Path, images: Path, recipe: Path, steps: int | None, out: Path) -> None:
    # 1. Films become squares of 128 pixels, reports become labels, and each patient goes to training, validation or
    #    test. On a folder that is done already this does nothing, and an interrupted one goes on. One worker is enough
    #    for a few films; leave it out for many, and each processor core reads some.
    manifest = prepare(table_source(table, images), out / "data", size=128, workers=1)
    for split, counts in manifest["counts"].items():
        print(f"{split}: {counts['studies']} studies")

    # 2. Every step of a training is kept in the cache by its content: a second run takes what is there.
    dataset = PreparedDataset.open(out / "data")
    options = Options(cache=out / "cache", resume=True, max_steps=steps)
    checkpoint = train(read_recipe(recipe), dataset, out / "model", options)

    # 3. A draft for a film of the test split, which the training has not seen. Any film file will do:
    #    reporter.draft("film.dcm").
    reporter = radscribe.load(checkpoint)
    study = dataset.split("test")[0]
    draft = reporter.draft(dataset.film(study), study_id=study.study_id)
    print(f"\nFilm:     {study.study_id}")
    print(f"Written:  {study.findings}")
    print(f"Drafted:  {draft.report}")
    print(f"\nCheckpoint: {checkpoint} (its MODEL_CARD.md says how it was trained; radscribe evaluate scores it)")
    print(draft.notice)


def make_table(folder: Path, studies: int) -> tuple[Path, Path]:
    """A table of synthetic films and their reports, and the folder of the films."""
    images = folder / "films"
    images.mkdir(parents=True, exist_ok=True)
    rows = []
    for study in generate(studies, seed=0, lateral_share=0.0):
        _, pixels = study.films[0]
        name = f"{study.study_id}.png"
        Image.fromarray(pixels).save(images / name)
        rows.append({"image": name, "report": study.findings, "patient_id": study.patient_id})
    table = folder / "studies.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"No table was given; {len(rows)} synthetic studies were made: {table}")
    return table, images


if __name__ == "__main__":
    main()
