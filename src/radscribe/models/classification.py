"""PromptMRG's classification branch: predicts the states of 18 conditions from a film and similar reports.

Jin et al., AAAI 2024, arXiv 2308.12604.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.core.config import LATER
from radscribe.labels.conditions import CHEXBERT_COUNT, CONDITIONS, POSITIVE, STATES
from radscribe.models.encoders.attention import trainable_attention


@dataclass(frozen=True)
class ClassificationConfig:
    """Sizes of the branch, PromptMRG's by default. Raises ``ValueError`` for a setting out of its range."""

    # Width at which film and reports are compared.
    width: int = 512
    # Layers of the reader's encoder, and of its decoder.
    layers: int = 2
    # Attention heads; ``width`` is a multiple of them.
    heads: int = 8
    # Hidden width of each layer's feed-forward network.
    feed_forward: int = 2048
    # Dropout of the reader, in training.
    dropout: float = 0.1
    # Similar reports read per film.
    neighbours: int = 21
    # Ours: a condition that validation has fewer positives of is called by its likelihood alone; its rate would be that
    # of one or two films.
    least_positives: int = field(default=1, metadata=LATER)
    # Ours: where a rate changes, the bias of the positive logit changes against it, so that what the branch holds
    # likely stays as it is.
    steady_rates: bool = field(default=False, metadata=LATER)
    # The query is the film's vector, or zeros with the film as position: the published code, which its weights need.
    reader: Literal["transformer", "promptmrg"] = field(default="transformer", metadata=LATER)

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        if self.neighbours < 1 or self.least_positives < 1:
            raise ValueError("neighbours and least_positives must be at least 1")


class PromptReader(nn.Module):
    """PromptMRG's reader (DETR's transformer): the film is the query's position, its content starts as zeros."""

    def __init__(self, config: ClassificationConfig) -> None:
        super().__init__()
        sizes = (config.width, config.heads, config.feed_forward, config.dropout)
        encoder_layer = nn.TransformerEncoderLayer(*sizes, batch_first=True)
        self.encoder = nn.TransformerEncoder(encoder_layer, config.layers, enable_nested_tensor=False)
        decoder_layer = nn.TransformerDecoderLayer(*sizes, batch_first=True)
        self.decoder = nn.TransformerDecoder(decoder_layer, config.layers, norm=nn.LayerNorm(config.width))
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, reports: Tensor, place: Tensor) -> Tensor:
        """``B x k x width (reports), B x 1 x width (film) -> B x 1 x width``."""
        reports = self.encoder(reports)
        held = torch.zeros_like(place)
        for layer in self.decoder.layers:
            assert isinstance(layer, nn.TransformerDecoderLayer)
            asking = held + place
            own = layer.self_attn(asking, asking, held, need_weights=False)[0]
            held = layer.norm1(held + layer.dropout1(own))
            read = layer.multihead_attn(held + place, reports, reports, need_weights=False)[0]
            held = layer.norm2(held + layer.dropout2(read))
            inner = layer.linear2(layer.dropout(functional.relu(layer.linear1(held))))
            held = layer.norm3(held + layer.dropout3(inner))
        assert self.decoder.norm is not None
        found: Tensor = self.decoder.norm(held)
        return found


class ClassificationBranch(nn.Module):
    """Predicts the 4 states of 18 conditions from a pooled film and the vectors of k similar reports.

    ``positive_rates`` (18) are relative class frequencies, whose logarithm shifts the positive logit in training, so
    that rare classes need a larger logit; they are 1 for the four auxiliary conditions.
    """

    positive_rates: Tensor

    def __init__(self, config: ClassificationConfig, visual_width: int, text_width: int) -> None:
        super().__init__()
        self.project_film = nn.Linear(visual_width, config.width)
        self.project_reports = nn.Linear(text_width, config.width)
        self.reader = (
            PromptReader(config)
            if config.reader == "promptmrg"
            else nn.Transformer(
                config.width,
                config.heads,
                config.layers,
                config.layers,
                config.feed_forward,
                config.dropout,
                batch_first=True,
            )
        )
        self.head = nn.Linear(config.width + visual_width, len(CONDITIONS) * len(STATES))
        self.register_buffer("positive_rates", torch.ones(len(CONDITIONS)))
        self.steady = config.steady_rates

    def forward(self, pooled: Tensor, reports: Tensor) -> Tensor:
        """Logits of the states: ``B x d_v (film), B x k x d_t (reports) -> B x 18 x 4``."""
        query = self.project_film(pooled)[:, None]  # B x 1 x width: the only query
        with trainable_attention(pooled.device):
            read = self.reader(self.project_reports(reports), query)[:, 0]
        logits: Tensor = self.head(torch.cat((read, pooled), -1))
        return logits.float().reshape(-1, len(CONDITIONS), len(STATES))

    @torch.no_grad()
    def take_rates(self, rates: Tensor) -> None:
        """Makes ``rates`` (18) the positive rates."""
        if self.steady:
            bias = self.head.bias.view(len(CONDITIONS), len(STATES))
            bias[:, POSITIVE] += (self.positive_rates / rates).log()
        self.positive_rates.copy_(rates)

    def _shifted(self, logits: Tensor) -> Tensor:
        shift = torch.zeros_like(logits)
        shift[..., POSITIVE] = self.positive_rates.log()
        return logits + shift

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of each state as training fits it, shift included: ``... x 18 x 4 -> ... x 18 x 4``.

        The logits alone, from which the decoder's states are chosen, favour rare conditions; they are not likelihoods.
        """
        return self._shifted(logits.float()).softmax(-1)

    def loss(self, logits: Tensor, states: Tensor, known: Tensor | None = None) -> Tensor:
        """Cross-entropy over the states (B x 18) with the long-tail shift; ``known`` (B x 18) masks missing labels."""
        losses = functional.cross_entropy(self._shifted(logits).flatten(0, 1), states.flatten(), reduction="none")
        if known is None:
            return losses.mean()
        known = known.flatten().float()
        return (losses * known).sum() / known.sum().clamp(min=1.0)


@torch.no_grad()
def start_states(states: nn.Linear, head: nn.Linear, rates: Tensor | None = None) -> None:
    """Lets a layer of states (to 18 x 4; the film's vector comes last in what it reads) begin as a ``head`` (to 14) has
    learned the first 14 conditions from the same vector: positive with the head's probability, whatever else it reads.

    ``rates`` (18) are those whose logarithm shifts the positive logit in training.
    """
    weight = states.weight.view(len(CONDITIONS), len(STATES), -1)[:CHEXBERT_COUNT]
    bias = states.bias.view(len(CONDITIONS), len(STATES))[:CHEXBERT_COUNT]
    weight.zero_()
    bias.fill_(-math.log(len(STATES) - 1))  # the other states together have the weight of exp(0)
    weight[:, POSITIVE, weight.shape[-1] - head.in_features :] = head.weight
    bias[:, POSITIVE] = head.bias if rates is None else head.bias - rates[:CHEXBERT_COUNT].log()


def class_rates(states: Tensor) -> Tensor:
    """Frequency of each condition's positive state over the largest one: ``N x 18 (states) -> 18``.

    It is 1 for the auxiliary four. A class that is never positive gets the smallest rate seen, so that its logarithm is
    finite.
    """
    return relative_rates((states == POSITIVE).float().mean(0), torch.ones(len(CONDITIONS)))


def relative_rates(rates: Tensor, last: Tensor) -> Tensor:
    """``rates`` (18, NaN or 0 without positives) over the largest of the first 14; the others keep ``last`` (18)."""
    relative = last.clone()
    first = rates[:CHEXBERT_COUNT]
    seen = first > 0  # NaN compares false
    if bool(seen.any()):
        relative[:CHEXBERT_COUNT][seen] = (first / first[seen].max())[seen]
        if bool((last == 1).all()):  # the first time there is no last value to keep
            relative[:CHEXBERT_COUNT][~seen] = relative[:CHEXBERT_COUNT][seen].min()
    return relative


def refreshed_rates(probabilities: Tensor, states: Tensor, last: Tensor, least: int = 1) -> Tensor:
    """Rates after a validation: mean positive probability of true positives, relative; ``N x 18, N x 18, 18 -> 18``.

    A moving average with the ``last``, ours: one validation split knows a rare condition from a few studies. One with
    fewer than ``least`` positives has rate 1.
    """
    positive = states == POSITIVE
    count = positive.sum(0)
    unknown = (count < least) & (least > 1)
    # NaN without positives, which keeps the last value.
    mean = ((probabilities * positive).sum(0) / count).masked_fill(unknown, torch.nan)
    return ((last + relative_rates(mean, last)) / 2).masked_fill(unknown, 1.0)
