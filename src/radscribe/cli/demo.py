"""`make demo`: phantoms, the mini recipe, a scorecard against the true labels, three drafts with pictures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

STUDIES = 2600
# The controls that exchange one part alone draft each of these once more.
PART_STUDIES = 400
RECIPE = Path("recipes/revtaf-mini.yaml")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, checkpoint, scorecard and drafts.")] = Path("demo"),
    studies: Annotated[int, typer.Option(min=200, help="Phantom studies.")] = STUDIES,
    recipe: Annotated[Path, typer.Option(help="Recipe.")] = RECIPE,
    limit: Annotated[int | None, typer.Option(min=10, help="Score only the first test studies.")] = None,
) -> None:
    """The whole way from raw data to drafts with evidence, on data that is nobody's."""
    from radscribe.core.compute import keep_freed_memory, threads
    from radscribe.data.dataset import PreparedDataset
    from radscribe.data.prepare import prepare
    from radscribe.data.sources.phantom import phantom_source
    from radscribe.drafting.batch import draft_line
    from radscribe.drafting.picture import draw_draft
    from radscribe.drafting.reporter import load_reporter
    from radscribe.evaluation.controls.proof import proof_of
    from radscribe.evaluation.evaluate import evaluate
    from radscribe.evaluation.scorecard.tables import markdown
    from radscribe.imaging.crop import centre_crop
    from radscribe.training.recipe import read_recipe
    from radscribe.training.train import Options, train

    say = _clock()
    keep_freed_memory()
    say(f"preparing {studies} phantom studies")
    # The recipe reads frontal films alone.
    prepare(phantom_source(studies, seed=0, lateral_share=0.0), out / "phantoms")
    dataset = PreparedDataset.open(out / "phantoms")
    say("training")
    train(read_recipe(recipe), dataset, out / "checkpoint", Options(out / "cache", resume=True, say=say))
    say("scoring the test split, with controls")
    reporter = load_reporter(out / "checkpoint")
    with threads(reporter.threads):
        found = evaluate(reporter, dataset, "test", limit, part_limit=PART_STUDIES)
        proof = proof_of(reporter, dataset, found)
    path = found.scorecard.save(out)
    path.write_text(json.dumps({**found.scorecard.to_dict(), **proof.to_dict()}, indent=2) + "\n", encoding="utf-8")
    table = markdown(found.scorecard) + proof.markdown()
    (out / "scorecard.md").write_text(table, encoding="utf-8")
    print(table)
    say("drafting")
    # The first three test films that show something: a normal film has little to point at.
    shown = [study for study in found.studies if study.labels[13] != 1][:3]
    lines = []
    for number, study in enumerate(shown, 1):
        view = centre_crop(dataset.film(study), reporter.system.config.film)
        draft = reporter.drafts([view], [study.study_id])[0]
        draw_draft(draft, view, out / f"draft-{number}.png")
        lines.append(json.dumps(draft_line(draft)))
        print(f"\n{out}/draft-{number}.png   {study.study_id}\n  drafted: {draft.report}\n  written: {study.findings}")
        print(f"  {draft.notice}")
    (out / "drafts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    say(f"done: {out}/scorecard.md, {out}/drafts.jsonl, {out}/draft-1.png to {out}/draft-{len(shown)}.png")


def _clock() -> Callable[[str], None]:
    began = time.monotonic()

    def say(line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        print(f"[{minutes:2d}:{seconds:02d}] {line}", flush=True)

    return say


if __name__ == "__main__":
    typer.run(demo)
