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


class Objective(Protocol):
    """What the loop trains: a module that turns a batch into losses, with its data and its validation."""

    name: str
    count: int  # training studies
    smallest_batch: int  # studies that a batch needs; a shorter last one joins the batch before it
    strata: NDArray[np.int64] | None  # a source for each study, to be drawn equally often; None takes each study once

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

    def validate(self) -> dict[str, float]:
        """Figures of the validation split; "score" chooses the best epoch, higher is better."""


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
    run.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(run.seed)
    fabric = run.fabric
    optimizer = torch.optim.AdamW(
        parameter_groups(objective.module, config),
        lr=config.learning_rate,
        betas=(config.betas[0], config.betas[1]),
        fused=True,
    )
    wrapped, optimizer = fabric.setup(objective.module, optimizer)
    point = ResumePoint(run.folder)
    counters: dict[str, Any] = {"epoch": 0, "step": 0, "in_epoch": 0, "best": None, "log": 0, "seconds": 0.0}
    counters |= (point.load(objective.module, optimizer) or {}) if run.resume else {}
    if not run.resume:
        point.clear()
    log = _Log(run.folder, objective.name, counters["log"], counters["step"])
    per_epoch = len(epoch_order(objective, config.batch_size, run.seed, 0, fabric.world_size))
    total = config.epochs * per_epoch
    stop = total if run.max_steps is None else min(total, run.max_steps)
    began = time.monotonic() - counters["seconds"]
    sums: dict[str, float] = counters.get("sums", {})

    def save() -> None:
        if fabric.global_rank == 0:
            kept = {**counters, "log": log.size(), "seconds": time.monotonic() - began, "sums": sums}
            point.save(objective.module, optimizer, kept)
        fabric.barrier()

    with tqdm(total=stop, initial=counters["step"], desc=objective.name, disable=None, leave=False) as bar:
        while counters["step"] < stop:
            epoch = counters["epoch"]
            objective.begin_epoch(epoch)
            objective.module.train()
            order = epoch_order(objective, config.batch_size, run.seed, epoch, fabric.world_size)
            mine = [batch[fabric.global_rank :: fabric.world_size] for batch in order[counters["in_epoch"] :]]
            for batch in _loaded(mine, objective, epoch):
                set_learning_rate(optimizer, learning_rate(config, counters["step"], total))
                losses = wrapped(to_device(batch, fabric.device))
                if not torch.isfinite(losses["loss"]):
                    raise RadscribeError(
                        f"{objective.name}: the loss is {float(losses['loss'])} at step {counters['step']}; "
                        "lower the learning rate or train in float32 (precision: 32-true)"
                    )
                fabric.backward(losses["loss"])
                if config.clip:
                    fabric.clip_gradients(wrapped, optimizer, max_norm=config.clip, error_if_nonfinite=False)
                optimizer.step()
                optimizer.zero_grad()
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + float(value.detach())
                counters["step"] += 1
                counters["in_epoch"] += 1
                bar.update()
                bar.set_postfix(loss=f"{float(losses['loss'].detach()):.3f}", refresh=False)
                if counters["step"] >= stop:
                    break
                due = counters["step"] % config.save_every == 0 and objective.saves_within_epoch
                if due and counters["in_epoch"] < per_epoch:
                    save()
            row = {name: value / counters["in_epoch"] for name, value in sums.items()}
            objective.module.eval()
            row |= {f"validation_{name}": value for name, value in objective.validate().items()}
            counters |= {"epoch": epoch + 1, "in_epoch": 0}
            sums.clear()
            score = row["validation_score"]
            if counters["best"] is None or score > counters["best"]["score"]:
                counters["best"] = {"score": score, "epoch": epoch + 1}
                if fabric.global_rank == 0:
                    write_tensors(run.folder / "best.safetensors", dict(objective.module.state_dict()))
            rate = learning_rate(config, counters["step"] - 1, total)
            seconds = time.monotonic() - began
            log.write({"epoch": epoch + 1, "step": counters["step"], "learning_rate": rate, "seconds": seconds} | row)
            figures = " ".join(f"{name} {value:.3f}" for name, value in row.items())
            run.say(f"{objective.name}: epoch {epoch + 1}/{config.epochs}, {seconds:.0f} s, {figures}")
            save()
    log.close()
    if counters["best"] is not None:
        objective.module.load_state_dict(read_tensors(run.folder / "best.safetensors"))
    objective.module.eval()
    point.clear()
    return {"steps": counters["step"], "best": counters["best"], "seconds": time.monotonic() - began}


def _loaded(batches: list[list[int]], objective: Objective, epoch: int) -> Iterable[Any]:
    return ahead(batches, lambda indices: objective.load(indices, epoch))


def epoch_order(objective: Objective, size: int, seed: int, epoch: int, devices: int = 1) -> list[list[int]]:
    """The epoch's batches of all devices; the last, short one is kept, by itself or with the one before it.

    With strata every source gives the same share of the epoch: a small one comes round several times, a large one gives
    other studies in each epoch.
    """
    random = np.random.default_rng((seed, epoch))
    if objective.strata is None:
        order = random.permutation(objective.count)
    else:
        names = np.unique(objective.strata)
        parts = []
        for position, name in enumerate(names):
            members = np.nonzero(objective.strata == name)[0]
            share = (objective.count * (position + 1)) // len(names) - (objective.count * position) // len(names)
            rounds = -(-share // len(members))
            parts.append(np.concatenate([random.permutation(members) for _ in range(rounds)])[:share])
        order = random.permutation(np.concatenate(parts))
    indices: list[int] = order.tolist()
    size *= devices
    batches = [indices[first : first + size] for first in range(0, len(indices), size)]
    if len(batches) > 1 and len(batches[-1]) < objective.smallest_batch * devices:
        last = batches.pop()
        batches[-1] += last
    return batches


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
            self.board.add_scalar(f"{self.name}/{name}", value, row["step"])

    def size(self) -> int:
        return self.path.stat().st_size

    def close(self) -> None:
        self.board.close()
