"""A third report system: a configuration, a model, a training and a row in each table; every verb then has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from makers import TINY
from radscribe.core.config import RecipeError, from_mapping
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.reporter import load_reporter
from radscribe.drafting.system import System
from radscribe.evaluation.evaluate import evaluate
from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.search import SearchConfig, search
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.entity import EntityModel
from radscribe.models.encoders.image import ImageEncoder, ImageEncoderConfig
from radscribe.models.evidence import Explanation, FilmEvidence, seeds_of
from radscribe.models.knowledge.database import ReportDatabase
from radscribe.models.report_model import KnowledgeFiles, ReportModel
from radscribe.models.systems import SYSTEMS, SystemKind
from radscribe.training.cache import Step
from radscribe.training.database import reference_database
from radscribe.training.generator import GeneratorStep, ReportObjective, Split
from radscribe.training.recipe import Recipe
from radscribe.training.steps import Options, SystemTraining
from radscribe.training.text_encoder import TrainedText, text_encoder
from radscribe.training.train import TRAININGS, train


@dataclass(frozen=True)
class PlainConfig:
    method: Literal["plain"] = "plain"
    image_encoder: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    views: ClassVar[int] = 1
    prompt_tokens: ClassVar[int] = 1
    reads_entities: ClassVar[bool] = False
    text_width: ClassVar[None] = None


@dataclass(frozen=True)
class PlainEvidence(FilmEvidence):
    PARTS: ClassVar[Mapping[str, tuple[str, ...]]] = {"patches": ("patches",)}


@dataclass(frozen=True)
class PlainKnowledge:
    database: ReportDatabase


class Plain(ReportModel):
    paper = "plain encoder and decoder (of this test"

    def __init__(self, config: PlainConfig, tokenizer: ReportTokenizer) -> None:
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.image_encoder = ImageEncoder(config.image_encoder)
        self.decoder = ReportDecoder(config.decoder, len(tokenizer), self.image_encoder.width)

    @classmethod
    def build(cls, config: PlainConfig, text_width: int, tokenizer: ReportTokenizer) -> Self:
        return cls(config, tokenizer)

    def forward(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        films, words = batch
        written = words != self.tokenizer.padding
        given = self.decoder.embed(torch.cat((self.prompt(len(words)), words), 1)[:, :-1])
        hidden = self.decoder.hidden(given, self.image_encoder(films), written.sum(1))
        return {"loss": functional.cross_entropy(self.decoder.head(hidden[written]).float(), words[written])}

    def prompt(self, count: int) -> Tensor:
        return torch.full((count, 1), self.tokenizer.start, device=self.decoder.words.weight.device)

    @torch.no_grad()
    def see(self, films: Tensor, knowledge: Any, entity_model: EntityModel | None) -> PlainEvidence:
        return PlainEvidence(self.image_encoder(films), seeds=seeds_of(films))

    @torch.no_grad()
    def write(self, evidence: PlainEvidence, config: SearchConfig) -> list[list[int]]:
        prompt, tokenizer = self.prompt(len(evidence)), self.tokenizer
        return search(
            self.decoder, evidence.patches, prompt, config, tokenizer.end, tokenizer.banned, seeds=evidence.seeds
        )

    @torch.no_grad()
    def explain(self, tokens: Sequence[int], evidence: PlainEvidence) -> Explanation:
        words = torch.tensor([list(tokens)], device=evidence.patches.device)
        embedded = self.decoder.embed(torch.cat((self.prompt(1), words), 1)[:, :-1])
        logits, weights = self.decoder.explain(embedded, evidence.patches)
        return Explanation(logits[0].float().softmax(-1).gather(1, words[0][:, None])[:, 0], weights[0].float())

    def load_knowledge(self, database: ReportDatabase, files: KnowledgeFiles, fingerprint: str) -> PlainKnowledge:
        return PlainKnowledge(database)


class PlainObjective(ReportObjective):
    def __init__(self, model: Plain, training: Split, validation: Split, recipe: Recipe) -> None:
        super().__init__(model, model, training, validation, recipe.generator, recipe.search, recipe.seed)
        self.model, self.training, self.validation = model, training, validation

    def begin_epoch(self, epoch: int) -> None:
        pass

    def load(self, indices: list[int], epoch: int) -> tuple[Tensor, Tensor]:
        return self.training.films.augmented(indices, epoch), self.words(indices)

    def see(self, indices: list[int]) -> PlainEvidence:
        return self.model.see(self.validation.films.plain(indices).to(self.device), None, None)


@dataclass(frozen=True)
class PlainStep(GeneratorStep):
    text: TrainedText
    before: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def new_model(self) -> Plain:
        return Plain(self.training.recipe.model, self.training.report_tokenizer(self.text.encoder))  # type: ignore[arg-type]

    def begin(self, model: Plain) -> None:
        pass

    def objective(self, model: Plain, device: torch.device) -> PlainObjective:
        splits = [
            Split(
                self.training.films(name),
                torch.tensor([study.labels for study in self.training.studies(name)]),
                self.training.reports(name),
            )
            for name in ("train", "validate")
        ]
        return PlainObjective(model, *splits, self.training.recipe)


class PlainTraining(SystemTraining):
    def train(self) -> tuple[list[Step], System]:
        text = text_encoder(self.training)
        step, model = PlainStep(self.training, text).trained()
        features = torch.ones(len(self.training.studies("train")), 1)
        knowledge = PlainKnowledge(reference_database(self.training, text, features))
        return [text.step, step], System(self.training.recipe.system(), text.encoder, model, None, knowledge)


RECIPE = {
    **TINY,
    "name": "tiny-plain",
    "model": {
        "method": "plain",
        "image_encoder": TINY["model"]["image_encoder"],  # type: ignore[index]
        "decoder": {"layers": 1, "width": 16, "heads": 2, "feed_forward": 16},
    },
}


def test_a_third_system_trains_drafts_and_is_scored(
    phantoms: PreparedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., tuple[int, str, str]],
) -> None:
    with pytest.raises(RecipeError, match=r"'plain' is not one of 'revtaf', 'mcsam'"):
        from_mapping(Recipe, RECIPE)
    monkeypatch.setitem(SYSTEMS, "plain", SystemKind(PlainConfig, Plain))  # type: ignore[arg-type]
    monkeypatch.setitem(TRAININGS, "plain", PlainTraining)  # type: ignore[arg-type]
    options = Options(tmp_path / "cache", max_steps=2, accelerator="cpu", say=lambda line: None)
    folder = train(from_mapping(Recipe, RECIPE), phantoms, tmp_path / "checkpoint", options)
    assert "plain encoder and decoder" in (folder / "MODEL_CARD.md").read_text()
    reporter = load_reporter(folder)
    assert isinstance(reporter.system.model, nn.Module) and reporter.system.entity_model is None
    view = reporter.view(phantoms.film(phantoms.split("test")[0]))
    draft = reporter.draft(view)
    assert draft.sentences and draft.reference is None
    assert all(sentence.slots == () and sentence.reference is not None for sentence in draft.sentences)
    card = evaluate(reporter, phantoms, "test", limit=4, part_limit=2).scorecard
    assert {"other_patches", "shuffled_images"} <= card.controls.keys()
    reporter.save_pretrained(tmp_path / "copy")
    assert load_reporter(tmp_path / "copy").draft(view).report == draft.report
    code, _, error = run(
        "index", "build", "--checkpoint", str(folder), "--data", str(phantoms.folder), "--out", str(tmp_path / "new")
    )
    assert code == 1 and "train it anew" in error
