"""Trains an image encoder on what films show: the labels of the reports' own films, and of films without reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.tensors import write_tensors
from radscribe.data.dataset import PreparedDataset
from radscribe.data.film_labels import film_states
from radscribe.drafting.films import FilmSource
from radscribe.labels.conditions import CHEXBERT_COUNT, POSITIVE, UNCERTAIN
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.training.area import mean_area
from radscribe.training.frozen import UNLABELLED, LabelledStart
from radscribe.training.loop.fit import fit
from radscribe.training.steps import Training, load

# The frontal film of a study and the one beside it, which is most often a lateral one.
VIEWS = (0, 1)


class LabelledFilms(NamedTuple):
    """N films and which of the first 14 conditions each of them shows."""

    films: FilmSource
    positive: Tensor  # N x 14, 0 or 1
    known: Tensor  # N x 14, which of them are known


class LabelBatch(NamedTuple):
    """B films with their labels."""

    films: Tensor  # B x 1 x H x W, or B x C x h x w behind frozen blocks
    positive: Tensor  # B x 14
    known: Tensor  # B x 14


class FilmLabelModel(nn.Module):
    """An image encoder with a linear head over its mean patch."""

    def __init__(self, image_encoder: ImageEncoder, dropout: float = 0.0) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(image_encoder.width, CHEXBERT_COUNT)

    def logits(self, films: Tensor) -> Tensor:
        """``B films -> B x 14``."""
        logits: Tensor = self.head(self.dropout(self.image_encoder(films).mean(1)))
        return logits.float()

    def forward(self, batch: LabelBatch) -> dict[str, Tensor]:
        """The binary cross-entropy of the known labels under "loss"."""
        losses = functional.binary_cross_entropy_with_logits(self.logits(batch.films), batch.positive, reduction="none")
        return {"loss": (losses * batch.known).sum() / batch.known.sum().clamp(min=1.0)}


class FilmLabelObjective:
    """Draws each source of films equally often; scored by the mean area under the ROC curve in the validation split."""

    name = "film labels"
    saves_within_epoch = True
    smallest_batch = 1
    often: NDArray[np.float64] | None = None

    def __init__(
        self,
        module: FilmLabelModel,
        parts: Sequence[LabelledFilms],
        strata: Sequence[NDArray[np.int64]],
        validation: LabelledFilms,
    ) -> None:
        self.module, self.parts, self.validation = module, parts, validation
        self.firsts = np.cumsum([0, *(len(part.positive) for part in parts)]).tolist()
        # Strata are numbered within each part.
        shifts = np.cumsum([0, *(int(inside.max()) + 1 for inside in strata)])
        numbered = [inside + shift for inside, shift in zip(strata, shifts, strict=False)]
        self.strata: NDArray[np.int64] | None = np.concatenate(numbered)
        # An epoch sees about half of its films from the first part, the films that the reports are of.
        self.count = len(parts[0].positive) * min(2, len(parts))

    def begin_epoch(self, epoch: int) -> None:
        """Nothing is kept between epochs."""

    def load(self, indices: list[int], epoch: int) -> LabelBatch:
        found = []
        for part, first, end in zip(self.parts, self.firsts, self.firsts[1:], strict=False):
            rows = [index - first for index in indices if first <= index < end]
            if rows:
                found.append(LabelBatch(part.films.augmented(rows, epoch), part.positive[rows], part.known[rows]))
        return LabelBatch(*(torch.cat(tensors) for tensors in zip(*found, strict=True)))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The mean area over conditions that the split has and lacks at least 5 times."""
        device = self.module.head.weight.device
        count = len(self.validation.positive)
        rows = [list(range(first, min(first + 64, count))) for first in range(0, count, 64)]
        films = self.validation.films
        scores = torch.cat([self.module.logits(films.plain(some).to(device)).cpu() for some in rows])
        area = mean_area(scores, self.validation.positive)
        return {"area": area, "score": area}


@dataclass(frozen=True)
class FilmLabelsStep:
    """An image encoder that knows conditions by sight, from which the later ones start."""

    name: ClassVar[str] = "film-labels"
    training: Training

    @property
    def inputs(self) -> dict[str, Any]:
        training, recipe = self.training, self.training.recipe
        assert recipe.label_training is not None
        return {
            "keeps": "head",
            "dataset": training.dataset.fingerprint,
            "labelled": [dataset.fingerprint for dataset in training.options.labelled],
            **training.inputs(recipe.label_training, _encoder(training)),
        }

    def build(self, folder: Path) -> dict[str, Any]:
        training, recipe = self.training, self.training.recipe
        assert recipe.label_training is not None
        torch.manual_seed(recipe.seed)
        encoder = training.starts.begin(ImageEncoder(_encoder(training)), None)
        own, others = training.dataset, training.options.labelled
        parts = [labelled_films(training, own, "train", view) for view in VIEWS]
        strata = [np.zeros(len(part.positive), np.int64) for part in parts]
        parts += [labelled_films(training, dataset, "train") for dataset in others]
        strata += [_sources(dataset) for dataset in others]
        validation = labelled_films(training, own, "validate")
        model = FilmLabelModel(encoder, recipe.label_training.dropout)
        objective = FilmLabelObjective(model, parts, strata, validation)
        summary = fit(objective, recipe.label_training, training.run(folder, recipe.label_training))
        write_tensors(folder / "image_encoder.safetensors", dict(encoder.state_dict()))
        write_tensors(folder / "head.safetensors", dict(model.head.state_dict()))
        return summary


def labelled_films(training: Training, dataset: PreparedDataset, split: str, view: int = 0) -> LabelledFilms:
    """The films of one ``view`` of a dataset's ``split``, by the labels of the films or else of their reports.

    A study without that view has its last one there, of which nothing is known again.
    """
    studies = dataset.split(split)
    states, known = film_states(dataset, studies)
    known[[len(study.views) <= view for study in studies]] = False
    states, known = states[:, :CHEXBERT_COUNT], known[:, :CHEXBERT_COUNT] & (states[:, :CHEXBERT_COUNT] != UNCERTAIN)
    films = training.view_of(dataset, split, view, _encoder(training))
    return LabelledFilms(films, torch.tensor(states == POSITIVE).float(), torch.tensor(known).float())


def _encoder(training: Training) -> ImageEncoderConfig:
    """The generator's image encoder with the frozen blocks of this step."""
    assert training.recipe.label_training is not None
    return replace(training.recipe.model.image_encoder, frozen_blocks=training.recipe.label_training.frozen_blocks)


def _sources(dataset: PreparedDataset) -> NDArray[np.int64]:
    """The image source of each training film of a labelled dataset, as a number."""
    of_study = dataset.column("image_source")
    return np.unique([of_study[study.study_id] for study in dataset.split("train")], return_inverse=True)[1]


def labelled_start(training: Training) -> LabelledStart:
    """The image encoder that is trained on films' labels, and its head, where the recipe asks for them."""
    if training.recipe.label_training is None:
        return UNLABELLED
    step = training.cache.step(FilmLabelsStep(training))
    encoder = ImageEncoder(training.recipe.model.image_encoder)
    load(encoder, step.folder / "image_encoder.safetensors")
    head = nn.Linear(encoder.width, CHEXBERT_COUNT)
    load(head, step.folder / "head.safetensors")
    return LabelledStart(step, encoder, head)
