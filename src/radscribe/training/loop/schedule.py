"""The optimiser's settings: AdamW without decay on biases and norms, linear warm-up, cosine descent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from radscribe.core.config import LATER


@dataclass(frozen=True)
class TrainingConfig:
    """How one network is trained; the generator settings of REVTAF's paper by default."""

    epochs: int = 6
    batch_size: int = 18
    # Reached at the end of the warm-up.
    learning_rate: float = 5e-5
    # "cosine" descends to ``final_learning_rate``; "steps" multiplies the rate by ``decay`` every ``decay_every``
    # epochs, as R2Gen (MIMIC-CXR: 1) and R2GenCMN (IU X-Ray: 10) do.
    schedule: Literal["cosine", "steps"] = "cosine"
    decay: float = 0.8
    decay_every: int = 1
    final_learning_rate: float = 5e-6
    # Steps of linear warm-up, a quarter of the run at most.
    warmup_steps: int = 2000
    warmup_learning_rate: float = 5e-7
    # AdamW's.
    betas: tuple[float, ...] = (0.9, 0.999)
    # Not applied to biases and norms.
    weight_decay: float = 0.05
    # Largest norm of a step's gradient; 0 clips nothing.
    clip: float = 1.0
    # Multiplies the rate of image encoders: a network that starts from weights needs less than a new one.
    film_rate: float = 1.0
    # Multiplies the rate of the layers of the ball, which learn from a ranking alone.
    retrieval_rate: float = 1.0
    # Share of the epochs before which none is kept as the best: what is learned there is not worth its score yet.
    choose_after: float = field(default=0.0, metadata=LATER)
    # Steps between resumable states.
    save_every: int = 500
    # "auto" takes bfloat16 where the processor or accelerator multiplies it faster.
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    # Processor threads, all by default; "auto" is for small networks (``core.compute.threads``).
    threads: int | Literal["auto"] | None = None

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch_size < 1 or self.save_every < 1:
            raise ValueError("epochs must be at least 0, batch_size and save_every at least 1")
        if not 0 <= self.choose_after < 1:
            raise ValueError(f"choose_after must be at least 0 and below 1, not {self.choose_after}")
        if not 0 < self.decay <= 1 or self.decay_every < 1:
            raise ValueError("decay must be above 0 and at most 1, decay_every at least 1")
        if len(self.betas) != 2:
            raise ValueError("betas must be two numbers")
        if isinstance(self.threads, int) and self.threads < 1:
            raise ValueError(f"threads must be at least 1, not {self.threads}")


def learning_rate(config: TrainingConfig, step: int, total: int) -> float:
    """The rate of ``step`` (from 0) of ``total``: warm-up, then the schedule's descent."""
    warmup = min(config.warmup_steps, max(total // 4, 1))  # a short run still leaves most of its steps to the cosine
    if step < warmup:
        return config.warmup_learning_rate + (config.learning_rate - config.warmup_learning_rate) * (step + 1) / warmup
    if config.schedule == "steps":
        rate: float = config.learning_rate * config.decay ** (
            step * config.epochs // max(total, 1) // config.decay_every
        )
        return rate
    progress = (step - warmup) / max(total - warmup, 1)
    span = config.learning_rate - config.final_learning_rate
    return config.final_learning_rate + span * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def parameter_groups(module: nn.Module, config: TrainingConfig) -> list[dict[str, object]]:
    """Decayed and undecayed parameters, those with a rate of their own apart; "scale" multiplies the scheduled rate."""
    scales = {
        id(parameter): {"image_encoder": config.film_rate, "retrieval": config.retrieval_rate}[part]
        for name, child in module.named_modules()
        if (part := name.rpartition(".")[2]) in ("image_encoder", "retrieval")
        for parameter in child.parameters()
    }
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter in module.parameters():
        if parameter.requires_grad:
            groups.setdefault((scales.get(id(parameter), 1.0), parameter.dim() > 1), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": config.weight_decay if decayed else 0.0, "scale": scale}
        for (scale, decayed), parameters in groups.items()
    ]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Gives each parameter group ``rate`` times its scale."""
    groups: Iterable[dict[str, float]] = optimizer.param_groups
    for group in groups:
        group["lr"] = rate * group["scale"]
