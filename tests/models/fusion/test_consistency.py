"""The consistency loss against its equations written out pair by pair."""

import pytest
import torch
from torch import Tensor

from radscribe.models.fusion.consistency import consistency_loss
from radscribe.models.fusion.transport_attention import FusionConfig, TransportAttention


def inputs(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((3, 4, 49), (3, 5, 49), (3, 4, 8), (3, 5, 8))
    tensors = [torch.randn(*shape, generator=generator) for shape in shapes]
    mask = torch.arange(4) < torch.tensor([[4], [2], [0]])
    return tensors[0], tensors[1], tensors[2], tensors[3], mask


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_loss_equals_the_equations_pair_by_pair(mode: str) -> None:
    global_maps, local_maps, global_text, local_text, mask = inputs()

    def unit(x: Tensor) -> Tensor:
        x = (x - x.min()) / (x.max() - x.min())
        return (x > 0.5).float() if mode == "hard" else x

    terms, overlaps = [], []
    for study, sentence in mask.nonzero().tolist():
        for entity in range(5):
            a, b = unit(global_maps[study, sentence]), unit(local_maps[study, entity])
            overlap = torch.minimum(a, b).sum() / torch.maximum(a, b).sum()
            cosine = torch.cosine_similarity(global_text[study, sentence], local_text[study, entity], dim=0)
            terms.append(1 - torch.sigmoid(cosine) * overlap)
            overlaps.append(overlap)
    loss, mean_overlap = consistency_loss(global_maps, local_maps, global_text, local_text, mask, mode)  # type: ignore[arg-type]
    torch.testing.assert_close(loss, torch.stack(terms).mean())
    torch.testing.assert_close(mean_overlap, torch.stack(overlaps).mean())


def test_identical_maps_reach_the_minimum_and_show_in_the_mean_overlap() -> None:
    global_maps, local_maps, global_text, local_text, mask = inputs()
    one = global_maps[:, :1]
    best, collapsed = consistency_loss(one.expand(-1, 4, -1), one.expand(-1, 5, -1), global_text, local_text, mask)
    loss, overlap = consistency_loss(global_maps, local_maps, global_text, local_text, mask)
    assert float(collapsed) == pytest.approx(1, abs=1e-5) and float(best) < float(loss)
    assert 0 < float(overlap) < 1


def test_padding_influences_nothing() -> None:
    global_maps, local_maps, global_text, local_text, mask = inputs()
    expected = consistency_loss(global_maps, local_maps, global_text, local_text, mask)
    padding = ~mask.unsqueeze(-1)
    dirty = [tensor.masked_fill(padding, float("nan")).requires_grad_() for tensor in (global_maps, global_text)]
    found = consistency_loss(dirty[0], local_maps, dirty[1], local_text, mask)
    torch.testing.assert_close(found, expected)
    found[0].backward()
    for tensor in dirty:
        assert tensor.grad is not None and bool(tensor.grad.isfinite().all()) and not tensor.grad[~mask].any()


def test_a_batch_without_sentences_costs_nothing_and_can_be_trained_on() -> None:
    global_maps, local_maps, global_text, local_text, mask = inputs()
    loss, overlap = consistency_loss(
        global_maps.requires_grad_(), local_maps, global_text, local_text, torch.zeros_like(mask)
    )
    loss.backward()
    assert float(loss.detach()) == 0 == float(overlap)
    assert global_maps.grad is not None and not global_maps.grad.any()


def test_gradient_of_the_soft_loss() -> None:
    tensors = [tensor[:2, :2].double().requires_grad_() for tensor in inputs()[:4]]
    mask = torch.tensor([[True, True], [True, False]])
    assert torch.autograd.gradcheck(lambda *four: consistency_loss(*four, mask)[0], tensors)


def test_only_the_soft_loss_reaches_the_attention() -> None:
    torch.manual_seed(0)
    module = TransportAttention(FusionConfig(heads=2), visual_width=16, text_width=8, output_width=8)
    _, _, global_text, local_text, mask = inputs()
    patches = torch.randn(3, 49, 16)
    for mode, reaches in (("soft", True), ("hard", False)):
        module.zero_grad()
        maps = module(patches, global_text, mask).maps, module(patches, local_text, torch.ones(3, 5).bool()).maps
        loss, _ = consistency_loss(*maps, global_text.requires_grad_(), local_text, mask, mode)  # type: ignore[arg-type]
        loss.backward()
        for layer in (module.query, module.key):
            assert (layer.weight.grad is not None and bool(layer.weight.grad.any())) == reaches
