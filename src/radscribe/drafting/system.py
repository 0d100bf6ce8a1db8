"""A trained system: its networks, what they look things up in, and the configuration that rebuilds both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from radscribe.core.config import one_of
from radscribe.core.errors import RadscribeError
from radscribe.imaging.crop import FilmConfig
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.entity import EntityModel, EntityModelConfig
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.models.evidence import FilmEvidence
from radscribe.models.knowledge.prompts import TRIPLET_TEMPLATE
from radscribe.models.report_model import Knowledge, ModelConfig, ReportModel
from radscribe.models.revtaf import RevtafConfig
from radscribe.models.systems import SYSTEMS


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """Everything that rebuilds a trained system, apart from its weights."""

    # Stated in every draft.
    name: str
    # The part of a report that is drafted.
    section: Literal["findings", "impression", "both"] = "findings"
    film: FilmConfig = field(default_factory=FilmConfig)
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    # A system without an entity model of its own may start its image encoder from one (``entity_start``).
    entity_model: EntityModelConfig = field(default_factory=EntityModelConfig)
    # The system itself; its ``method`` names the row of ``SYSTEMS``.
    model: ModelConfig = field(
        default_factory=RevtafConfig, metadata=one_of(lambda: [kind.config for kind in SYSTEMS.values()])
    )
    search: SearchConfig = field(default_factory=SearchConfig)
    # How an entity triplet reads as text.
    triplet_template: str = TRIPLET_TEMPLATE

    @property
    def views(self) -> int:
        """How many films of a study the system reads."""
        return self.model.views


class System(nn.Module):
    """The networks of a trained system, and the knowledge they look things up in."""

    def __init__(
        self,
        config: SystemConfig,
        text_encoder: TextEncoder,
        model: ReportModel,
        entity_model: EntityModel | None = None,
        knowledge: Knowledge | None = None,
    ) -> None:
        super().__init__()
        self.config, self._knowledge = config, knowledge
        self.text_encoder, self.entity_model, self.model = text_encoder, entity_model, model

    @property
    def knowledge(self) -> Knowledge:
        """Raises ``RadscribeError`` where none is loaded."""
        if self._knowledge is None:
            raise RadscribeError(
                f"{self.config.name}: no reference database yet; load a whole checkpoint, or build one with "
                "`radscribe index build`"
            )
        return self._knowledge

    @knowledge.setter
    def knowledge(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def see(self, films: Tensor) -> FilmEvidence:
        """All evidence in B films: B x 1 x H x W, or B x views x 1 x H x W, grey levels in [0, 1]."""
        return self.model.see(films, self.knowledge, self.entity_model)


def build_system(config: SystemConfig, text_tokenizer: Any, tokenizer: ReportTokenizer) -> System:
    """The untrained networks of ``config``; both tokenizers may be one."""
    text_encoder = TextEncoder(config.text_encoder, text_tokenizer)
    entity_model = EntityModel(config.entity_model, text_encoder.width) if config.model.reads_entities else None
    model = SYSTEMS[config.model.method].model.build(config.model, text_encoder.width, tokenizer)
    return System(config, text_encoder, model, entity_model)
