"""Training augmentation of the evidence: what the decoder reads is sometimes another study's, so it must check it.

None of this is in the papers; every share is 0 by default, and then nothing changes.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from radscribe.labels.conditions import CONDITIONS, POSITIVE
from radscribe.models.encoders.entity import FilmEntities


class PatchSwap:
    """Patches of a batch of B studies (P patches each) that are swapped for those of a study without finding.

    For each study a share between 0 and ``share`` is drawn, and as many of its patches come from a ``healthy`` (B,
    boolean) study of the batch, each at its own place; none where no study of the batch is healthy.
    """

    def __init__(self, shape: tuple[int, int], healthy: Tensor, share: float) -> None:
        rows = healthy.nonzero()[:, 0]
        self.lenders: Tensor | None = None
        if share and len(rows):
            count, device = shape[0], healthy.device
            self.lenders = rows[torch.randint(len(rows), (count,), device=device)]
            drawn = share * torch.rand(count, 1, device=device)
            self.drawn = torch.rand(shape, device=device) < drawn

    def applied(self, values: Tensor) -> Tensor:
        """``values`` (B x P x width) with the swapped patches in place."""
        if self.lenders is None:
            return values
        return torch.where(self.drawn.unsqueeze(-1), values[self.lenders], values)


class Shares(Protocol):
    """How much of a batch is augmented, each a number between 0 and 1; ``RevtafConfig`` says what each is for."""

    @property
    def predicted_states(self) -> float:
        """Share of states taken from the branch."""

    @property
    def borrowed_states(self) -> float:
        """Share of states taken from another study."""

    @property
    def healthy_patches(self) -> float:
        """Largest share of a study's patches taken from a study without finding."""

    @property
    def borrowed_local(self) -> float:
        """Share of studies with another study's entities."""


class Augmented(NamedTuple):
    """The evidence of B studies as training reads it."""

    entities: FilmEntities
    patches: Tensor  # B x P x d_v
    states: Tensor  # B x 18


def augmented(
    shares: Shares, entities: FilmEntities, patches: Tensor, labels: Tensor, state_logits: Tensor
) -> Augmented:
    """The evidence of B studies (true ``labels`` B x 18, ``state_logits`` B x 18 x 4), augmented by ``shares``."""
    return Augmented(
        borrowed_entities(entities, shares.borrowed_local),
        swapped_patches(patches, labels, shares.healthy_patches),
        doubtful_states(labels, state_logits, shares.predicted_states, shares.borrowed_states),
    )


def borrowed_entities(entities: FilmEntities, share: float) -> FilmEntities:
    """Entity predictions of B films; for ``share`` of the studies those of another study of the batch."""
    if not share:
        return entities
    drawn = torch.rand(len(entities.presence), 1, device=entities.presence.device) < share
    # Not the study that lends its states: the two augmentations must not agree.
    return FilmEntities(*(torch.where(drawn, part.roll(2, 0), part) for part in entities))


def swapped_patches(patches: Tensor, labels: Tensor, share: float) -> Tensor:
    """Patches (B x P x d_v), up to ``share`` of them from studies whose ``labels`` (B x 18) state no finding."""
    healthy = labels[:, CONDITIONS.index("no finding")] == POSITIVE
    return PatchSwap((patches.shape[0], patches.shape[1]), healthy, share).applied(patches)


def doubtful_states(labels: Tensor, state_logits: Tensor, predicted: float, borrowed: float) -> Tensor:
    """True states (B x 18) with a share ``predicted`` of the branch's own and ``borrowed`` of another study's."""
    draw = torch.rand(labels.shape, device=labels.device)
    states = torch.where(draw < borrowed, labels.roll(1, 0), labels)
    return torch.where(draw >= 1 - predicted, state_logits.argmax(-1), states)
