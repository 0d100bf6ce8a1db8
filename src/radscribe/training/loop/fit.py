"""One loop trains everything here: the text encoder, the entity model, the generator."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from radscribe.core.compute import multiplies_bfloat16, threads
from radscribe.core.errors import RadscribeError
from radscribe.core.tensors import read_tensors, write_tensors
from radscribe.drafting.films import ahead
from radscribe.training.loop.schedule import TrainingConfig, learning_rate, parameter_groups, set_learning_rate
from radscribe.training.loop.state import ResumePoint

# Of a list, the numbers that a line of the log shows; the file has all.
_LIST_SHOWN = 10


class Objective(Protocol):
    """What the loop trains: a module that turns a batch into losses, with its data and its validation."""

    name: str
    count: int  # training studies
    smallest_batch: int  # studies that a batch needs; a shorter last one joins the batch before it
    strata: NDArray[np.int64] | None  # a source for each study, to be drawn equally often; None takes each study once
    often: NDArray[np.float64] | None  # how often each study is drawn beside others; None draws all alike

    @property
    def module(self) -> nn.Module:
        """What is trained: a module that turns a batch into losses, their sum under "loss"."""

    @property
    def saves_within_epoch(self) -> bool:
        """False where an epoch begins with something that its later steps cannot rebuild."""

    def load(self, indices: list[int], epoch: int) -> Any:
        """The batch of these training studies; called in a thread, deterministic."""

    def begin_epoch(self, epoch: int) -> None:
        """What is brought up to date before an epoch."""

    def validate(self) -> dict[str, Any]:
        """Figures of the validation split; "score" chooses the best epoch, higher is better.

        A list of whole numbers, such as slots that are not used, is logged and drawn in no curve.
        """


@dataclass(frozen=True)
class Run:
    """Where a training runs and how far: ``max_steps`` bounds the steps, ``resume`` continues an interrupted run."""

    folder: Path
    fabric: Fabric
    seed: int = 0
    max_steps: int | None = None
    resume: bool = False
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)


def best_precision(wanted: str) -> str:
    """ "auto": bfloat16 where the processor or accelerator multiplies it faster, else float32."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if multiplies_bfloat16() else "32-true"


def to_device(batch: Any, device: torch.device) -> Any:
    """A batch (tensors in tuples, named or not) on ``device``."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple):
        moved = [to_device(part, device) for part in batch]
        return type(batch)(*moved) if hasattr(batch, "_fields") else tuple(moved)
    return batch


def fit(objective: Objective, config: TrainingConfig, run: Run) -> dict[str, Any]:
    """Trains ``objective.module``, leaves the epoch with the best validation score in it, and returns a summary.

    ``run.folder`` gets ``training.jsonl`` (one line an epoch), TensorBoard events and the resumable state. The same
    seed gives the same bits on a CPU, resumed or not.
    """
    with threads(config.threads), _repeatable(run.fabric.device):
        return _fit(objective, config, run)


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """On a CPU sums are taken in one order, however many threads there are; on other devices nothing changes.

    Left to itself the gradient of rows that were taken several times is summed by whichever thread comes first.
    """
    checks: Any = torch.utils.deterministic
    before = torch.get_deterministic_debug_mode(), checks.fill_uninitialized_memory
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        checks.fill_uninitialized_memory = False  # a check for faults, which costs time
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        checks.fill_uninitialized_memory = before[1]


def _fit(objective: Objective, config: TrainingConfig, run: Run) -> dict[str, Any]:
    training = _Fit(objective, config, run)
    with tqdm(total=training.stop, initial=training.step, desc=objective.name, disable=None, leave=False) as bar:
        while training.step < training.stop:
            training.train_epoch(bar)
            training.end_epoch()
    return training.finish()


class _Fit:
    """One run of the loop: the optimiser, and counters that a resumed run takes over."""

    def __init__(self, objective: Objective, config: TrainingConfig, run: Run) -> None:
        run.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(run.seed)
        self.objective, self.config, self.run = objective, config, run
        optimizer = torch.optim.AdamW(
            parameter_groups(objective.module, config),
            lr=config.learning_rate,
            betas=(config.betas[0], config.betas[1]),
            fused=True,
        )
        self.wrapped, self.optimizer = run.fabric.setup(objective.module, optimizer)
        self.point = ResumePoint(run.folder)
        self.counters: dict[str, Any] = {
            "epoch": 0,
            "step": 0,
            "in_epoch": 0,
            "best": None,
            "log": 0,
            "seconds": 0.0,
        }
        self.counters |= (self.point.load(objective.module, self.optimizer) or {}) if run.resume else {}
        if not run.resume and self.first:
            self.point.clear()
        # Of several devices the first alone writes: each is a process that would write the same.
        self.log = _Log(run.folder, objective.name, self.counters["log"], self.step) if self.first else None
        self.per_epoch = len(self.order(0))
        self.total = config.epochs * self.per_epoch
        self.stop = self.total if run.max_steps is None else min(self.total, run.max_steps)
        self.began = time.monotonic() - self.counters["seconds"]
        self.sums: dict[str, float] = self.counters.get("sums", {})

    @property
    def first(self) -> bool:
        """Whether this is the first device, which writes for all."""
        return self.run.fabric.global_rank == 0

    @property
    def step(self) -> int:
        """Optimiser steps done, of all epochs."""
        count: int = self.counters["step"]
        return count

    @property
    def seconds(self) -> float:
        """Time of the run, that of the runs it resumes included."""
        seconds: float = time.monotonic() - self.began
        return seconds

    def order(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch, of all devices."""
        return epoch_order(self.objective, self.config.batch_size, self.run.seed, epoch, self.run.fabric.world_size)

    def train_epoch(self, bar: Any) -> None:
        """The steps that the current epoch has left, up to the last one of the run."""
        objective, counters, fabric = self.objective, self.counters, self.run.fabric
        epoch: int = counters["epoch"]
        objective.begin_epoch(epoch)
        objective.module.train()
        left = self.order(epoch)[counters["in_epoch"] :]
        mine = [batch[fabric.global_rank :: fabric.world_size] for batch in left]
        for batch in _loaded(mine, objective, epoch):
            losses = self.train_step(to_device(batch, fabric.device))
            bar.update()
            bar.set_postfix(loss=f"{float(losses['loss'].detach()):.3f}", refresh=False)
            if self.step >= self.stop:
                break
            due = self.step % self.config.save_every == 0 and objective.saves_within_epoch
            if due and counters["in_epoch"] < self.per_epoch:
                self.save()

    def train_step(self, batch: Any) -> dict[str, Tensor]:
        """One step on one batch: its losses. Raises ``RadscribeError`` where the loss is not finite."""
        config, fabric = self.config, self.run.fabric
        set_learning_rate(self.optimizer, learning_rate(config, self.step, self.total))
        losses: dict[str, Tensor] = self.wrapped(batch)
        if not torch.isfinite(losses["loss"]):
            raise RadscribeError(
                f"{self.objective.name}: the loss is {float(losses['loss'])} at step {self.step}; "
                "lower the learning rate or train in float32 (precision: 32-true)"
            )
        fabric.backward(losses["loss"])
        if config.clip:
            fabric.clip_gradients(self.wrapped, self.optimizer, max_norm=config.clip, error_if_nonfinite=False)
        self.optimizer.step()
        self.optimizer.zero_grad()
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.counters["step"] += 1
        self.counters["in_epoch"] += 1
        return losses

    def end_epoch(self) -> None:
        """Validates, keeps the weights where they are the best so far, logs, and saves a resumable state."""
        objective, counters, run = self.objective, self.counters, self.run
        row: dict[str, Any] = {name: value / counters["in_epoch"] for name, value in self.sums.items()}
        objective.module.eval()
        row |= {f"validation_{name}": value for name, value in objective.validate().items()}
        counters |= {"epoch": counters["epoch"] + 1, "in_epoch": 0}
        self.sums.clear()
        epoch, score = counters["epoch"], row["validation_score"]
        if self.is_best(epoch, score):
            counters["best"] = {"score": score, "epoch": epoch}
            if self.first:
                write_tensors(run.folder / "best.safetensors", dict(objective.module.state_dict()))
        rate, seconds = learning_rate(self.config, self.step - 1, self.total), self.seconds
        if self.log:
            self.log.write({"epoch": epoch, "step": self.step, "learning_rate": rate, "seconds": seconds} | row)
            figures = " ".join(f"{name} {_shown(value)}" for name, value in row.items())
            run.say(f"{objective.name}: epoch {epoch}/{self.config.epochs}, {seconds:.0f} s, {figures}")
        self.save()

    def is_best(self, epoch: int, score: float) -> bool:
        """Whether ``epoch`` (from 1) is the best so far; one after ``choose_after`` is better than any before it."""
        best, first = self.counters["best"], self.config.choose_after * self.config.epochs
        return best is None or (epoch > first, score) > (best["epoch"] > first, best["score"])

    def save(self) -> None:
        """Writes a resumable state, on the first device."""
        if self.log:
            kept = {**self.counters, "log": self.log.size(), "seconds": self.seconds, "sums": self.sums}
            self.point.save(self.objective.module, self.optimizer, kept)
        self.run.fabric.barrier()

    def finish(self) -> dict[str, Any]:
        """Puts the best weights back, clears the resumable states, and returns the summary."""
        if self.log:
            self.log.close()
        module = self.objective.module
        if self.counters["best"] is not None:
            module.load_state_dict(read_tensors(self.run.folder / "best.safetensors"))
        module.eval()
        self.run.fabric.barrier()  # all have read what the first one clears
        if self.first:
            self.point.clear()
        return {"steps": self.step, "best": self.counters["best"], "seconds": self.seconds}


def _shown(value: float | list[int]) -> str:
    if isinstance(value, list):
        more = f" and {len(value) - _LIST_SHOWN} more" if len(value) > _LIST_SHOWN else ""
        return (",".join(map(str, value[:_LIST_SHOWN])) or "none") + more
    return f"{value:.3f}"


def _loaded(batches: list[list[int]], objective: Objective, epoch: int) -> Iterable[Any]:
    return ahead(batches, lambda indices: objective.load(indices, epoch))


def epoch_order(objective: Objective, size: int, seed: int, epoch: int, devices: int = 1) -> list[list[int]]:
    """The epoch's batches of all devices; the last, short one is kept, by itself or with the one before it.

    With strata every source gives the same share of the epoch: a small one comes round several times, a large one gives
    other studies in each epoch. Studies that are drawn more often take the place of others.
    """
    random = np.random.default_rng((seed, epoch))
    if objective.strata is None:
        order = _drawn(np.arange(objective.count), objective.count, objective.often, random)
    else:
        names = np.unique(objective.strata)
        parts = []
        for position, name in enumerate(names):
            members = np.nonzero(objective.strata == name)[0]
            share = (objective.count * (position + 1)) // len(names) - (objective.count * position) // len(names)
            parts.append(_drawn(members, share, objective.often, random))
        order = random.permutation(np.concatenate(parts))
    indices: list[int] = order.tolist()
    size *= devices
    batches = [indices[first : first + size] for first in range(0, len(indices), size)]
    if len(batches) > 1 and len(batches[-1]) < objective.smallest_batch * devices:
        last = batches.pop()
        batches[-1] += last
    return batches


def _drawn(
    members: NDArray[np.int64], share: int, often: NDArray[np.float64] | None, random: np.random.Generator
) -> NDArray[np.int64]:
    """``share`` of the ``members`` in random order, each in proportion to how ``often`` it is to be drawn."""
    if often is None:
        rounds = -(-share // len(members))
        return np.concatenate([random.permutation(members) for _ in range(rounds)])[:share]
    order = random.permutation(members)
    # Even steps along the sums: a study has the whole part of its expected number of draws, or one more.
    sums = often[order].cumsum()
    places = np.searchsorted(sums, (np.arange(share) + random.random()) * sums[-1] / share, side="right")
    return random.permutation(order[places.clip(max=len(order) - 1)])


class _Log:
    """``training.jsonl`` and TensorBoard; a resumed run cuts off what an interrupted one wrote after its last state."""

    def __init__(self, folder: Path, name: str, size: int, step: int) -> None:
        self.path, self.name = folder / "training.jsonl", name
        with self.path.open("ab") as file:
            file.truncate(size)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)

    def write(self, row: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"stage": self.name, **row}) + "\n")
        for name, value in row.items():
            if not isinstance(value, list):
                self.board.add_scalar(f"{self.name}/{name}", value, row["step"])

    def size(self) -> int:
        return self.path.stat().st_size

    def close(self) -> None:
        self.board.close()
