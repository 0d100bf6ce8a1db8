"""Which studies must not be told of each other while training: those of one patient, or of one and the same report."""

from __future__ import annotations

from torch import Tensor


def of_kin(a: Tensor, b: Tensor) -> Tensor:
    """Whether rows share a group of any kind: ``B or B x G, N or N x G (whole numbers) -> B x N``.

    Raises ``ValueError`` where the two have not the same kinds of groups.
    """
    a, b = (groups if groups.dim() == 2 else groups.unsqueeze(-1) for groups in (a, b))
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"{a.shape[-1]} kinds of groups against {b.shape[-1]}: give the same")
    return (a.unsqueeze(1) == b.unsqueeze(0)).any(-1)
