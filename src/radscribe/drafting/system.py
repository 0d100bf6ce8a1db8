"""A trained system: its networks, what they look things up in, and the configuration that rebuilds both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from radscribe.core.errors import RadscribeError
from radscribe.imaging.crop import FilmConfig
from radscribe.models.decoding.search import SearchConfig
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.encoders.entity import EntityModel, EntityModelConfig
from radscribe.models.encoders.text import TextEncoder, TextEncoderConfig
from radscribe.models.evidence import Sight
from radscribe.models.knowledge.prompts import TRIPLET_TEMPLATE
from radscribe.models.mcsam import Mcsam, McsamConfig, SlotKnowledge
from radscribe.models.revtaf import FilmEntities, Knowledge, Revtaf, RevtafConfig


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """Everything that rebuilds a trained system, apart from its weights. ``name`` is told in every draft.

    An MCSAM system has no entity model of its own: there ``entity_model`` is what its image encoder may start from.
    """

    name: str
    section: Literal["findings", "impression", "both"] = "findings"
    film: FilmConfig = field(default_factory=FilmConfig)
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    entity_model: EntityModelConfig = field(default_factory=EntityModelConfig)
    model: RevtafConfig | McsamConfig = field(default_factory=RevtafConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    triplet_template: str = TRIPLET_TEMPLATE

    @property
    def views(self) -> int:
        """How many films of a study the system reads."""
        return self.model.views if isinstance(self.model, McsamConfig) else 1


class System(nn.Module):
    """The networks of a trained system, and the knowledge they look things up in."""

    def __init__(
        self,
        config: SystemConfig,
        text_encoder: TextEncoder,
        model: Revtaf | Mcsam,
        entity_model: EntityModel | None = None,
        knowledge: Knowledge | SlotKnowledge | None = None,
    ) -> None:
        super().__init__()
        self.config, self._knowledge = config, knowledge
        self.text_encoder, self.entity_model, self.model = text_encoder, entity_model, model

    @property
    def knowledge(self) -> Knowledge | SlotKnowledge:
        if self._knowledge is None:
            raise RadscribeError(
                f"{self.config.name}: no reference database yet; load a whole checkpoint, or build one with "
                "`radscribe index build`"
            )
        return self._knowledge

    @knowledge.setter
    def knowledge(self, knowledge: Knowledge | SlotKnowledge) -> None:
        self._knowledge = knowledge

    def see(self, films: Tensor) -> Sight:
        """All that the model takes from B films before it writes: B x 1 x H x W, or B x views x 1 x H x W."""
        if isinstance(self.model, Mcsam):
            return self.model.see(films)
        knowledge = self.knowledge
        assert self.entity_model is not None and isinstance(knowledge, Knowledge)
        with torch.no_grad():
            entities = FilmEntities.of(self.entity_model(films))
        return self.model.see(films, entities, knowledge)


def build_system(config: SystemConfig, text_tokenizer: Any, tokenizer: ReportTokenizer) -> System:
    """The untrained networks of ``config``; both tokenizers may be one."""
    text_encoder = TextEncoder(config.text_encoder, text_tokenizer)
    if isinstance(config.model, McsamConfig):
        return System(config, text_encoder, Mcsam(config.model, tokenizer))
    entity_model = EntityModel(config.entity_model, text_encoder.width)
    return System(config, text_encoder, Revtaf(config.model, text_encoder.width, tokenizer), entity_model)
