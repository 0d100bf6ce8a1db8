"""Own and retrieved features become one in each of the three ways."""

from __future__ import annotations

import torch
from torch.nn.functional import layer_norm

from radscribe.models.fusion.consolidation import Consolidation


def test_each_way_computes_what_it_says_position_by_position() -> None:
    torch.manual_seed(0)
    own, retrieved = torch.randn(2, 3, 6), torch.randn(2, 3, 6)
    both = torch.cat((own, retrieved), -1)
    for join in ("add", "concatenate", "gate"):
        module = Consolidation(6, join)  # type: ignore[arg-type]
        assert hasattr(module, "project") == (join != "add")
        if join == "add":
            expected = own + retrieved
        else:
            projected = both @ module.project.weight.T + module.project.bias
            expected = projected if join == "concatenate" else own + torch.sigmoid(projected) * retrieved
        torch.testing.assert_close(module(own, retrieved), layer_norm(expected, (6,)))
        alone = module(own[:, 1:2], retrieved[:, 1:2])
        torch.testing.assert_close(alone, module(own, retrieved)[:, 1:2])


def test_normalised_features_weigh_the_same_however_large_they_are() -> None:
    torch.manual_seed(0)
    own, retrieved, other = (torch.randn(2, 3, 32) for _ in range(3))
    for join in ("add", "concatenate", "gate"):
        plain = Consolidation(32, join)  # type: ignore[arg-type]
        even = Consolidation(32, join, even=True)  # type: ignore[arg-type]
        torch.testing.assert_close(even(20 * own, retrieved), even(own, 3 * retrieved), rtol=1e-3, atol=1e-3)
        with torch.no_grad():  # as it may be learned
            even.retrieved_norm.weight.fill_(1.0)
        effect = {
            module: (module(20 * own, retrieved) - module(20 * own, other)).abs().mean() for module in (plain, even)
        }
        assert effect[even] > 4 * effect[plain]


def test_what_is_retrieved_begins_small_beside_normalised_features() -> None:
    torch.manual_seed(0)
    own, retrieved = torch.randn(2, 3, 32), torch.randn(2, 3, 32)
    expected = layer_norm(layer_norm(own, (32,)) + 0.1 * layer_norm(retrieved, (32,)), (32,))
    torch.testing.assert_close(Consolidation(32, "add", even=True)(own, retrieved), expected)
