"""The contrast of SAM: its symmetry, its value where nothing is known, and who is nobody's negative."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from radscribe.core.errors import RadscribeError
from radscribe.models.fusion.alignment import (
    LARGEST_SCALE,
    AlignmentConfig,
    SemanticAlignment,
    contrastive_loss,
)

SCALE = torch.tensor(1 / 0.07)


def pairs(count: int = 6) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    image = functional.normalize(torch.randn(count, 8, generator=random), dim=-1)
    text = functional.normalize(image + 0.3 * torch.randn(count, 8, generator=random), dim=-1)
    return image, text


def test_the_sides_may_swap_and_pairs_that_match_cost_less() -> None:
    image, text = pairs()
    loss = contrastive_loss(image, text, SCALE)
    torch.testing.assert_close(contrastive_loss(text, image, SCALE), loss)
    assert contrastive_loss(image, text.roll(1, 0), SCALE) > loss + 1


@pytest.mark.parametrize("count", [2, 5, 16])
def test_constant_embeddings_cost_the_logarithm_of_the_batch(count: int) -> None:
    same = functional.normalize(torch.ones(count, 8), dim=-1)
    assert float(contrastive_loss(same, same, SCALE)) == pytest.approx(math.log(count), abs=1e-5)


def test_studies_of_one_report_do_not_repel_each_other() -> None:
    image, text = pairs(4)
    text[1] = text[0]
    reports = torch.tensor([7, 7, 1, 2])
    same = reports[:, None] == reports
    with_each_other, without = contrastive_loss(image, text, SCALE), contrastive_loss(image, text, SCALE, same)
    assert without < with_each_other
    # Row 0 then has two rivals, 2 and 3.
    logits = (SCALE * image @ text.T)[0]
    rows = -logits[0] + torch.logsumexp(logits[[0, 2, 3]], 0)
    columns = (SCALE * image @ text.T).masked_fill(same & ~torch.eye(4, dtype=torch.bool), -torch.inf)
    torch.testing.assert_close(functional.cross_entropy(columns, torch.arange(4), reduction="none")[0], rows)
    own = SemanticAlignment(AlignmentConfig(width=8), 8, 8)
    repelled = SemanticAlignment(AlignmentConfig(width=8, same_report_negatives=True), 8, 8)
    labels = torch.arange(4)[:, None].expand(-1, 18)
    torch.testing.assert_close(own.loss(image, text, reports, labels), without)
    torch.testing.assert_close(repelled.loss(image, text, reports, labels), with_each_other)


def test_studies_of_one_set_of_labels_need_not_repel_each_other() -> None:
    image, text = pairs(4)
    reports, labels = torch.arange(4), torch.zeros(4, 18, dtype=torch.long)
    labels[2:, 3] = torch.tensor([1, 2])
    same = torch.zeros(4, 4, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    for allowed, expected in (
        (True, contrastive_loss(image, text, SCALE)),
        (False, contrastive_loss(image, text, SCALE, same)),
    ):
        module = SemanticAlignment(AlignmentConfig(width=8, same_labels_negatives=allowed), 8, 8)
        torch.testing.assert_close(module.loss(image, text, reports, labels), expected)


@torch.no_grad()
def test_one_transformer_serves_both_sides_and_sees_a_set_without_its_padding() -> None:
    torch.manual_seed(1)
    module = SemanticAlignment(AlignmentConfig(width=8, encoder="siamese", heads=2), 6, 10).eval()
    assert not any(name.startswith(("image_head", "text_head")) for name in module.state_dict())
    retrieved, mask = torch.randn(3, 5, 6), torch.ones(3, 5, dtype=torch.bool)
    torch.testing.assert_close(module.image(retrieved), module.text(retrieved, mask))
    torch.testing.assert_close(module.image(retrieved.flip(1)), module.image(retrieved), rtol=1e-4, atol=1e-5)
    mask[1, 2:] = False
    torch.testing.assert_close(
        module.text(retrieved, mask)[1], module.image(retrieved[1:2, :2])[0], rtol=1e-4, atol=1e-5
    )
    mask[1] = False  # nothing but the beginning is read
    assert torch.isfinite(module.text(retrieved, mask)).all()
    assert not torch.allclose(module.image(retrieved)[0], module.image(retrieved)[1], atol=1e-3)


def test_a_batch_of_one_is_refused() -> None:
    image, text = pairs(1)
    with pytest.raises(RadscribeError, match="at least 2 studies"):
        contrastive_loss(image, text, SCALE)


def test_padding_tells_nothing_and_the_scale_is_bounded() -> None:
    torch.manual_seed(1)
    own = SemanticAlignment(AlignmentConfig(width=8), 6, 10)
    retrieved, mask = torch.randn(3, 5, 6), torch.ones(3, 5, dtype=torch.bool)
    mask[1, 2:] = False
    changed = retrieved.masked_fill(~mask.unsqueeze(-1), 9.0)
    torch.testing.assert_close(own.text(changed, mask), own.text(retrieved, mask))
    torch.testing.assert_close(own.text(retrieved, mask).norm(dim=-1), torch.ones(3))
    assert own.embed(own.image(retrieved)).shape == (3, 1, 10)
    image, text = pairs()
    with torch.no_grad():
        own.log_scale.fill_(20.0)
    found = own.loss(image, text, torch.arange(6), torch.arange(6)[:, None])
    torch.testing.assert_close(found, contrastive_loss(image, text, torch.tensor(LARGEST_SCALE)))
