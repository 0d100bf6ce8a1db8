"""The reference database of a training: its sentence vectors are a cached step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from radscribe.core.tensors import read_tensors, write_tensors
from radscribe.models.knowledge.database import ReportDatabase, build_database
from radscribe.training.steps import Training
from radscribe.training.text_encoder import TrainedText


@dataclass(frozen=True)
class SentencesStep:
    """The distinct sentences of the training reports as text vectors; ``built`` keeps the database they came with."""

    name: ClassVar[str] = "sentences"
    training: Training
    text: TrainedText
    features: Tensor
    built: list[ReportDatabase] = field(default_factory=list)

    @property
    def inputs(self) -> dict[str, Any]:
        return {"text": self.text.step.key}

    def build(self, folder: Path) -> dict[str, Any]:
        database = self.database()
        self.built.append(database)
        write_tensors(folder / "vectors.safetensors", {"sentences": database.sentence_vectors})
        return {"sentences": len(database.sentence_vectors)}

    def database(self, vectors: Tensor | None = None) -> ReportDatabase:
        """The database, with the sentence ``vectors`` of an earlier build where there are some."""
        dataset, studies = self.training.dataset, self.training.studies("train")
        named = dataset.column("report_id") if "report_id" in dataset.table.column_names else None
        ids = [named[study.study_id] for study in studies] if named else None
        return build_database(studies, self.training.recipe.section, self.features, self.text.encoder, ids, vectors)


def reference_database(training: Training, text: TrainedText, features: Tensor) -> ReportDatabase:
    """The reference database of the training split; ``features`` (N x w) describe its films."""
    asked = SentencesStep(training, text, features)
    step = training.cache.step(asked)
    if asked.built:
        return asked.built[0]
    return asked.database(read_tensors(step.folder / "vectors.safetensors")["sentences"])
