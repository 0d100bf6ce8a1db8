"""`make demo`: the whole pipeline on synthetic films, from raw data to a scorecard and three drafts with pictures."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radscribe.labels.conditions import NO_FINDING, POSITIVE

if TYPE_CHECKING:
    from radscribe.core.records import Study
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.reporter import Reporter

STUDIES = 2600
PART_STUDIES = 400  # drafted again for each control that exchanges one part alone
RECIPE = Path("recipes/revtaf-mini.yaml")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, checkpoint, scorecard and drafts.")] = Path("demo"),
    studies: Annotated[int, typer.Option(min=200, help="Number of synthetic studies.")] = STUDIES,
    recipe: Annotated[Path, typer.Option(help="Recipe, a YAML file.")] = RECIPE,
    limit: Annotated[int | None, typer.Option(min=10, help="Score only the first test studies.")] = None,
) -> None:
    """Run everything on synthetic films: prepare, train, score, and draft three studies with their evidence."""
    from radscribe.core.compute import keep_freed_memory
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.data.prepare import prepare
    from radscribe.data.sources.phantom import phantom_source
    from radscribe.drafting.session import drafting
    from radscribe.evaluation.card_calibration import calibrate_trained
    from radscribe.evaluation.controls.proof import proof_of
    from radscribe.evaluation.evaluate import evaluate
    from radscribe.training.recipe import read_recipe
    from radscribe.training.train import Options, train

    written = ("scorecard.json", "scorecard.md", "scores.parquet", "reports.jsonl", "drafts.jsonl")
    keep_inputs([out / name for name in written], [recipe])
    say = _clock()
    keep_freed_memory()
    say(f"preparing {studies} phantom studies")
    # The recipe reads frontal films alone.
    prepare(phantom_source(studies, seed=0, lateral_share=0.0), out / "phantoms")
    dataset = PreparedDataset.open(out / "phantoms")
    say("training")
    train(read_recipe(recipe), dataset, out / "checkpoint", Options(out / "cache", resume=True, say=say))
    calibrate_trained(out / "checkpoint", dataset, (), say)
    say("scoring the test split, with controls")
    with drafting(out / "checkpoint") as reporter:
        found = evaluate(reporter, dataset, "test", limit, part_limit=PART_STUDIES)
        proof = proof_of(reporter, dataset, found)
    print(found.save(out, proof))
    say("drafting")
    # The first three test films that show something: a normal film has little to point at.
    shown = [study for study in found.studies if study.labels[NO_FINDING] != POSITIVE][:3]
    draft_films(reporter, dataset, shown, out)
    say(f"done: {out}/scorecard.md, {out}/drafts.jsonl, {out}/draft-1.png to {out}/draft-{len(shown)}.png")
    print(f"\nRead these drafts beside their films, in a browser:\n  {page_command(out, reporter.fingerprint)}")


def page_command(out: Path, fingerprint: str) -> str:
    """The command that opens the reading page on the drafts of a demo in ``out``, and on none of another model."""
    program = Path(sys.executable).with_name("radscribe")
    with suppress(ValueError):  # another environment's program keeps its whole path
        program = program.relative_to(Path.cwd())
    data = out / f"page-{fingerprint[:8]}"
    command = (program, "serve", "--checkpoint", out / "checkpoint", "--data", data, "--open", out / "films")
    return shlex.join(map(str, command))


def draft_films(reporter: Reporter, dataset: PreparedDataset, studies: Sequence[Study], out: Path) -> None:
    """Draft ``studies``: a picture of each, its film in films/, the drafts in drafts.jsonl, their texts printed."""
    from PIL import Image

    from radscribe.core.files import write_json_lines, written_whole
    from radscribe.drafting.batch import draft_line
    from radscribe.drafting.picture import draw_draft
    from radscribe.imaging.crop import centre_crop

    lines = []
    (out / "films").mkdir(exist_ok=True)
    for number, study in enumerate(studies, 1):
        film = dataset.film(study)
        with written_whole(out / "films" / f"film-{number}.png") as file:
            Image.fromarray(film).save(file, "PNG")
        view = centre_crop(film, reporter.system.config.film)
        draft = reporter.drafts([view], [study.study_id])[0]
        draw_draft(draft, view, out / f"draft-{number}.png")
        lines.append(draft_line(draft))
        print(f"\n{out}/draft-{number}.png   {study.study_id}\n  drafted: {draft.report}\n  written: {study.findings}")
        print(f"  {draft.notice}")
    write_json_lines(out / "drafts.jsonl", lines)


def _clock() -> Callable[[str], None]:
    began = time.monotonic()

    def say(line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        print(f"[{minutes:2d}:{seconds:02d}] {line}", flush=True)

    return say


if __name__ == "__main__":
    from radscribe.cli.main import reported

    reported(lambda: typer.run(demo))
