"""Which studies are related: those of one patient, or with one and the same report.

Related studies are never each other's reference or neighbour while training, nor candidates in the ranking loss: the
reference report would be the answer. The papers are silent on it; the rule is ours.
"""

from __future__ import annotations

from torch import Tensor


def are_related(a: Tensor, b: Tensor) -> Tensor:
    """Whether rows share an id in any column: ``B or B x G, N or N x G (whole numbers) -> B x N (bool)``.

    A column is one kind of id: the patient, the report. Raises ``ValueError`` where the two have not as many columns.
    """
    a, b = (ids if ids.dim() == 2 else ids.unsqueeze(-1) for ids in (a, b))
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"{a.shape[-1]} columns of related ids against {b.shape[-1]}: give the same columns to both")
    return (a.unsqueeze(1) == b.unsqueeze(0)).any(-1)
