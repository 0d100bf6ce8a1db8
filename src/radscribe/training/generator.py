"""What training any report generator shares: the words of a batch, and validation by the reports it writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from radscribe.core.config import to_mapping
from radscribe.core.errors import RadscribeError
from radscribe.core.tensors import write_tensors
from radscribe.drafting.films import FilmSource
from radscribe.labels.conditions import CHEXBERT_COUNT, CONDITIONS, POSITIVE
from radscribe.labels.rules import label_report
from radscribe.metrics.clinical import THIRTEEN, micro, outcomes
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.evidence import FilmEvidence, seeds_of
from radscribe.models.report_model import ReportModel
from radscribe.training.cache import Step
from radscribe.training.loop.fit import fit
from radscribe.training.recipe import GeneratorConfig
from radscribe.training.steps import Training, load
from radscribe.training.targets import knowable, writable

VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Split:
    """Studies of one split for a generator: films, labels (N x 18) and reports."""

    films: FilmSource
    labels: Tensor
    reports: Sequence[str]


class ReportObjective(ABC):
    """Chooses the epoch by the micro-F1 of the reports written for the validation split."""

    name = "generator"
    smallest_batch = 1
    saves_within_epoch = True

    def __init__(
        self,
        module: nn.Module,
        model: ReportModel,
        training: Split,
        validation: Split,
        config: GeneratorConfig,
        search: SearchConfig,
        seed: int,
        strata: NDArray[np.int64] | None = None,
    ) -> None:
        self.module: Any = module
        self.writer, self.config, self.seed, self.strata = model, config, seed, strata
        self.often = draws(training.labels.numpy(), training.reports, config)
        self.validation_split, self.count = validation, len(training.reports)
        self.reports = training.reports
        self.search = validation_search(search, config)

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        parameter: Tensor = next(self.module.parameters())
        return parameter.device

    def words(self, indices: Sequence[int]) -> Tensor:
        """B x L: report words and [SEP], padded."""
        tokenizer = self.writer.tokenizer
        words = [tokenizer.encode(self.reports[index], self.config.max_words) for index in indices]
        longest = max(map(len, words))
        return torch.tensor([row + [tokenizer.padding] * (longest - len(row)) for row in words])

    @abstractmethod
    def load(self, indices: list[int], epoch: int) -> Any:
        """The batch of these training studies."""

    @abstractmethod
    def begin_epoch(self, epoch: int) -> None:
        """What is brought up to date before each epoch."""

    @abstractmethod
    def see(self, indices: list[int]) -> FilmEvidence:
        """The evidence in the films of these validation studies."""

    def validate(self) -> dict[str, Any]:
        """Figures of the reports written for the validation split; "score" chooses the epoch."""
        return self.written()[0]

    @torch.no_grad()
    def written(self) -> tuple[dict[str, float], list[FilmEvidence]]:
        """Figures of the reports written for the validation studies, and what they were written from."""
        truth = self.validation_split.labels[: self.config.validation_studies]
        reports, seen = [], []
        for first in range(0, len(truth), VALIDATION_BATCH):
            rows = list(range(first, min(first + VALIDATION_BATCH, len(truth))))
            seeds = seeds_of(self.validation_split.films.grey(rows))  # drawn reports are those that a draft would be
            seen.append(replace(self.see(rows), seeds=seeds))
            written = self.writer.write(seen[-1], self.search)
            reports += [self.writer.tokenizer.decode(tokens) for tokens in written]
        stated = np.array([label_report(report) for report in reports])
        counts = outcomes(stated, truth.numpy()).sum(0)
        f1 = {"micro_f1": float(micro(counts)[2]), "micro_f1_13": float(micro(counts[THIRTEEN])[2])}
        score = f1[self.config.chosen_by]
        count = max(len(truth), 1)
        commonest = max(Counter(reports).values(), default=0) / count
        figures = {
            "score": score if commonest <= self.config.commonest else score - 1,
            **f1,
            "distinct": len(set(reports)) / count,
            "commonest": commonest,
        }
        return figures, seen


def validation_search(search: SearchConfig, config: GeneratorConfig) -> SearchConfig:
    """How reports are written for validation after each epoch; in place of a choice among draws, by greedy search."""
    if search.choice:
        search = replace(search, choice=None, temperature=0.0)
    return replace(search, beams=config.validation_beams)


def targets(reports: Iterable[str], config: GeneratorConfig) -> list[str]:
    """What the generator learns to write of ``reports``."""
    return [knowable(report) if config.knowable else writable(report) for report in reports]


def draws(states: NDArray[np.integer], reports: Sequence[str], config: GeneratorConfig) -> NDArray[np.float64] | None:
    """How often each of N training studies (``states`` N x 18) is drawn, ``N``; None where ``config`` draws all alike.

    Raises ``RadscribeError`` where it leaves none.
    """
    if not (config.rare_rate or config.alike or config.withheld or config.pairs < 1):
        return None
    often = repeat_factors(states, config.rare_rate) * wording_factors(reports, config.alike)
    if config.withheld:
        often[states[:, CONDITIONS.index(config.withheld)] == POSITIVE] = 0
    left = np.nonzero(often)[0]
    kept = max(1, round(config.pairs * len(left)))
    often[np.random.default_rng(0).permutation(left)[kept:]] = 0
    if not often.any():
        raise RadscribeError(f"generator.withheld: every training study states {config.withheld}; prepare more studies")
    return often


def repeat_factors(states: NDArray[np.integer], rate: float) -> NDArray[np.float64]:
    """How often each study is drawn: max(1, sqrt(rate / share of studies with its rarest positive condition)).

    ``N x 18 -> N``. The rule is that of Gupta et al. for rare classes of a detector (LVIS, arXiv 1908.03195).
    """
    positive = states[:, :CHEXBERT_COUNT] == POSITIVE
    rarest = np.where(positive, positive.mean(0), 1.0).min(1)
    return np.asarray(np.maximum(1.0, np.sqrt(rate / rarest)))


def wording_factors(reports: Sequence[str], alike: float) -> NDArray[np.float64]:
    """How often each of N studies is drawn, by the number of studies that share its report: number ** -alike, ``N``."""
    counts = Counter(reports)
    return np.array([counts[report] ** -alike for report in reports])


@dataclass(frozen=True)
class GeneratorStep(ABC):
    """The last step of a training: the generator of one kind of system."""

    name: ClassVar[str] = "generator"
    training: Training

    @property
    @abstractmethod
    def before(self) -> dict[str, Any]:
        """The keys of the steps that the generator rests on."""

    @abstractmethod
    def new_model(self) -> ReportModel:
        """The untrained network; its weights are those of another one before it is used."""

    @abstractmethod
    def begin(self, model: Any) -> None:
        """Gives a new network what it starts from."""

    @abstractmethod
    def objective(self, model: Any, device: torch.device) -> ReportObjective:
        """What trains the network."""

    @property
    def inputs(self) -> dict[str, Any]:
        recipe = self.training.recipe
        inputs = {
            **self.before,
            "model": to_mapping(recipe.model),
            "generator": to_mapping(recipe.generator),
            "search": to_mapping(validation_search(recipe.search, recipe.generator)),
            **self.training.inputs(recipe.training, recipe.model.image_encoder),
        }
        if imported := self.training.generator_start:
            inputs |= {"imported": imported.content, "decoder_alone": bool(recipe.decoder_weights)}
        return inputs

    def build(self, folder: Path) -> dict[str, Any]:
        training, config = self.training, self.training.recipe.training
        torch.manual_seed(training.generator_seed)
        model = self.new_model()
        self.begin(model)
        run = training.run(folder, config, training.generator_seed)
        summary = fit(self.objective(model, run.fabric.device), config, run)
        write_tensors(folder / "generator.safetensors", dict(model.state_dict()))
        return summary

    def trained(self) -> tuple[Step, Any]:
        """The step and the trained network, frozen; cached where the options keep generators."""
        training = self.training
        folder = training.options.generator_cache or training.cache.folder
        step = replace(training.cache, folder=folder).step(self)
        model = self.new_model()
        load(model, step.folder / "generator.safetensors")
        return step, model.eval().requires_grad_(False)
