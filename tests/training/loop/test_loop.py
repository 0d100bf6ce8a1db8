"""The loop: order, schedule, parameter groups, and a resumed run that is bit-identical."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from radscribe.core.compute import threads
from radscribe.core.config import RecipeError, from_mapping
from radscribe.core.errors import RadscribeError
from radscribe.training.loop.fit import Run, epoch_order, fit
from radscribe.training.loop.schedule import TrainingConfig, learning_rate, parameter_groups

CONFIG = TrainingConfig(
    epochs=3, batch_size=4, learning_rate=1e-2, warmup_steps=2, weight_decay=0.1, save_every=2, precision="32-true"
)


class Noisy(nn.Module):
    """A regression with dropout: its course depends on the random state."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        loss = (self.layers(batch[0])[:, 0] - batch[1]).square().mean()
        return {"loss": loss}


class Killed(Exception):
    pass


@dataclass
class Regression:
    """18 points, an epoch of five batches; dies at batch ``die_at`` where given."""

    die_at: int | None = None
    name = "regression"
    count = 18
    smallest_batch = 1
    saves_within_epoch = True
    strata = None
    often = None

    def __post_init__(self) -> None:
        torch.manual_seed(7)
        self.module = Noisy()
        self.points = torch.randn(18, 3, generator=torch.Generator().manual_seed(1))
        self.loaded = 0

    def begin_epoch(self, epoch: int) -> None: ...

    def load(self, indices: list[int], epoch: int) -> tuple[Tensor, Tensor]:
        if self.die_at is not None and self.loaded == self.die_at:
            raise Killed
        self.loaded += 1
        points = self.points[indices]
        return points, points.sum(1)

    def validate(self) -> dict[str, float]:
        return {"score": -float(self.module((self.points, self.points.sum(1)))["loss"])}


def run_in(folder: Path, **options: Any) -> Run:
    return Run(folder, Fabric(accelerator="cpu", devices=1, precision="32-true"), say=lambda line: None, **options)


def weights(objective: Regression) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in objective.module.state_dict().items()}


class SecondDevice(Fabric):
    @property
    def global_rank(self) -> int:
        return 1


def test_of_several_devices_the_first_alone_writes_and_speaks(tmp_path: Path) -> None:
    said: list[str] = []
    fit(Regression(), CONFIG, replace(run_in(tmp_path), say=said.append))
    assert len(said) == CONFIG.epochs
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    fabric = SecondDevice(accelerator="cpu", devices=1, precision="32-true")
    fit(Regression(), CONFIG, replace(run_in(tmp_path), fabric=fabric, say=said.append))
    assert len(said) == CONFIG.epochs
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_training_computes_with_its_own_threads_and_gives_them_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    seen: list[int] = []

    @dataclass
    class Watching(Regression):
        def begin_epoch(self, epoch: int) -> None:
            seen.append(torch.get_num_threads())
            if epoch == 1:
                raise Killed

    with pytest.raises(Killed):
        fit(Watching(), replace(CONFIG, threads=before + 1), run_in(tmp_path))
    assert seen == [before + 1] * 2 and torch.get_num_threads() == before
    with pytest.raises(ValueError, match="threads must be at least 1, not 0"):
        replace(CONFIG, threads=0)


def test_small_networks_compute_with_one_thread() -> None:
    config = from_mapping(TrainingConfig, {"threads": "auto"})
    with threads(3):
        with threads(config.threads):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    with pytest.raises(RecipeError, match="threads: expected int, found 'many'"):
        from_mapping(TrainingConfig, {"threads": "many"})


@pytest.mark.parametrize("die_at", [1, 3, 6, 9, 13])
def test_a_resumed_run_gives_the_same_bits(tmp_path: Path, die_at: int) -> None:
    whole = Regression()
    fit(whole, CONFIG, run_in(tmp_path / "whole"))
    interrupted = Regression(die_at)
    with pytest.raises(Killed):
        fit(interrupted, CONFIG, run_in(tmp_path / "cut"))
    resumed = Regression()
    fit(resumed, CONFIG, run_in(tmp_path / "cut", resume=True))
    expected = weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed).items())

    def log(name: str) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in (tmp_path / name / "training.jsonl").read_text().splitlines()]
        return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]

    assert log("cut") == log("whole")


class Borrowing(nn.Module):
    """Rows taken many times over, and enough of them that threads share the sum of their gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(24, 49, 160))

    def forward(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        taken = self.rows[torch.randint(3, (24,))] * torch.randn(24, 49, 160)
        return {"loss": (taken.mean() - batch[1].mean()).square()}


def test_the_same_seed_gives_the_same_bits_with_several_threads(tmp_path: Path) -> None:
    found = []
    for name in ("once", "again"):
        objective = Regression()
        objective.module = Borrowing()
        fit(objective, replace(CONFIG, threads=2), run_in(tmp_path / name))
        found.append(weights(objective)["rows"])
    assert torch.equal(*found)
    assert not torch.are_deterministic_algorithms_enabled()


def test_without_resume_a_run_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit(Regression(7), CONFIG, run_in(tmp_path))
    again = Regression()
    fit(again, CONFIG, run_in(tmp_path))
    assert again.loaded == 15
    assert len((tmp_path / "training.jsonl").read_text().splitlines()) == 3


def test_the_best_epoch_by_validation_is_kept(tmp_path: Path) -> None:
    class Falling(Regression):
        scores = iter([0.5, 0.9, 0.1])
        kept: Any = None

        def validate(self) -> dict[str, float]:
            score = next(self.scores)
            if score == 0.9:
                Falling.kept = weights(self)
            return {"score": score}

    objective = Falling()
    summary = fit(objective, CONFIG, run_in(tmp_path))
    assert summary["best"] == {"score": 0.9, "epoch": 2}
    assert all(torch.equal(value, Falling.kept[name]) for name, value in weights(objective).items())


@pytest.mark.parametrize(
    ("share", "scores", "chosen"),
    [(0.0, [0.9, 0.1, 0.5], 1), (0.5, [0.9, 0.1, 0.5], 3), (0.5, [0.9, 0.6, 0.5], 2), (0.9, [0.9, 0.6, 0.5], 3)],
)
def test_an_early_epoch_is_best_only_until_a_later_one_comes(
    share: float, scores: list[float], chosen: int, tmp_path: Path
) -> None:
    class Scored(Regression):
        def validate(self) -> dict[str, float]:
            return {"score": left.pop(0)}

    left = list(scores)
    summary = fit(Scored(), replace(CONFIG, choose_after=share), run_in(tmp_path / "whole"))
    assert summary["best"] == {"score": scores[chosen - 1], "epoch": chosen}
    left = list(scores)
    stopped = fit(Scored(), replace(CONFIG, choose_after=share), run_in(tmp_path / "short", max_steps=4))
    assert stopped["best"]["epoch"] == 1  # a trial has a best one still
    with pytest.raises(ValueError, match="choose_after must be"):
        replace(CONFIG, choose_after=1.0)


def test_max_steps_bounds_the_run(tmp_path: Path) -> None:
    assert fit(Regression(), CONFIG, run_in(tmp_path, max_steps=2))["steps"] == 2


def test_a_loss_that_is_not_finite_stops_the_run_with_a_fix(tmp_path: Path) -> None:
    objective = Regression()
    objective.points[3] = math.nan
    with pytest.raises(RadscribeError, match="lower the learning rate"):
        fit(objective, CONFIG, run_in(tmp_path))


def test_an_epoch_takes_each_study_once_and_differs_from_the_next() -> None:
    objective = Regression()
    first, second = (epoch_order(objective, 4, 0, epoch) for epoch in (0, 1))
    assert sorted(index for batch in first for index in batch) == list(range(18))
    assert [len(batch) for batch in first] == [4, 4, 4, 4, 2]
    assert first != second and first == epoch_order(objective, 4, 0, 0)


def test_studies_are_drawn_as_often_as_they_shall_be_in_as_many_steps() -> None:
    objective = Regression()
    objective.count = 40
    often = np.ones(40)
    often[:4] = 6.0  # of 60 in all: 16 of 40 draws
    objective.often = often  # type: ignore[assignment]
    seen = np.zeros(40)
    for epoch in range(50):
        batches = epoch_order(objective, 8, 3, epoch)
        assert [len(batch) for batch in batches] == [8] * 5 and batches == epoch_order(objective, 8, 3, epoch)
        drawn = np.bincount(np.concatenate(batches), minlength=40)
        assert drawn[:4].sum() == pytest.approx(16, abs=4) and drawn[4:].max() == 1 and set(drawn[:4]) <= {4}
        seen += drawn
    assert seen[4:].min() > 20 and seen[4:].mean() == pytest.approx(50 * 24 / 36)
    objective.strata = np.array([0] * 20 + [1] * 20)  # type: ignore[assignment]
    drawn = np.bincount(np.concatenate(epoch_order(objective, 8, 3, 0)), minlength=40)
    assert drawn[:20].sum() == drawn[20:].sum() == 20 and drawn[:4].sum() > 10


def test_strata_are_drawn_equally_often() -> None:
    objective = Regression()
    objective.strata = np.array([0] * 15 + [1] * 3)  # type: ignore[assignment]
    drawn = [index for batch in epoch_order(objective, 4, 0, 0) for index in batch]
    assert len(drawn) == 18
    assert sum(index >= 15 for index in drawn) == 9
    assert {index: drawn.count(index) for index in (15, 16, 17)} == {15: 3, 16: 3, 17: 3}
    assert len({index for index in drawn if index < 15}) == 9


def test_the_rate_warms_up_and_falls_to_its_end() -> None:
    config = TrainingConfig(warmup_steps=10, learning_rate=1.0, final_learning_rate=0.1, warmup_learning_rate=0.01)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and rates[9] == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.55) and rates[-1] == pytest.approx(0.1, abs=1e-2)


def test_biases_and_norms_are_not_decayed_and_image_encoders_have_their_own_rate() -> None:
    module = nn.Module()
    module.image_encoder = nn.Linear(2, 2)
    module.norm = nn.LayerNorm(2)
    module.head = nn.Linear(2, 2)
    groups = parameter_groups(module, replace(CONFIG, film_rate=0.1))
    assert sum(len(group["params"]) for group in groups) == 6  # type: ignore[arg-type]
    for group in groups:
        for parameter in group["params"]:  # type: ignore[attr-defined]
            assert group["weight_decay"] == (0.1 if parameter.dim() > 1 else 0.0)
            of_films = any(parameter is own for own in module.image_encoder.parameters())
            assert group["scale"] == (0.1 if of_films else 1.0)
