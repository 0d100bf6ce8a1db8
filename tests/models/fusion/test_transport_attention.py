"""Section 3 of the specification, held to its own words."""

from typing import Any

import pytest
import torch
from torch import Tensor

from radscribe.models.fusion.transport_attention import (
    FusionConfig,
    FusionConfigError,
    TransportAttention,
    TransportOutput,
)

PATCHES, TOKENS = 49, 6


def attention(**settings: Any) -> TransportAttention:
    torch.manual_seed(0)
    return TransportAttention(FusionConfig(**{"heads": 4, **settings}), visual_width=32, text_width=24, output_width=16)


def inputs(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Patches, text, mask: the first study has 6 tokens, the second 4, the third none."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randn(3, PATCHES, 32, generator=generator)
    text = torch.randn(3, TOKENS, 24, generator=generator)
    mask = torch.arange(TOKENS) < torch.tensor([[6], [4], [0]])
    return patches, text, mask


def attended(module: TransportAttention, patches: Tensor, text: Tensor, mask: Tensor) -> Tensor:
    """What goes into the norm beyond the patches themselves."""
    seen: list[Tensor] = []
    handle = module.norm.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    module(patches, text, mask)
    handle.remove()
    return (seen[0] - patches).detach()


def assert_same(ours: TransportOutput, theirs: TransportOutput) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_weights_maps_and_output_follow_the_specification_head_by_head() -> None:
    module = attention()
    patches, text, mask = inputs()
    output = module(patches, text, mask)
    study, count, width = 1, 4, 8
    query, key, value = module.query(patches[study]), module.key(text[study, :count]), module.value(text[study, :count])
    heads, maps = [], []
    for head in range(4):
        part = slice(head * width, (head + 1) * width)
        cosine = torch.cosine_similarity(query[:, None, part], key[None, :, part], dim=-1)
        log_kernel, f = (cosine - 1) / 0.05, torch.zeros(PATCHES)
        for _ in range(20):
            g = -torch.logsumexp(log_kernel + f[:, None], 0) - torch.tensor(float(count)).log()
            f = -torch.logsumexp(log_kernel + g, 1) - torch.tensor(float(PATCHES)).log()
        plan = (log_kernel + f[:, None] + g).exp()
        torch.testing.assert_close(output.plan[study, head, :, :count], plan, rtol=1e-3, atol=1e-6)
        heads.append(PATCHES * plan @ value[:, part])
        maps.append(PATCHES * count * plan * cosine)
    fused = module.project(module.norm(torch.cat(heads, -1) + patches[study]))
    torch.testing.assert_close(output.fused[study], fused, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(output.maps[study, :count], torch.stack(maps).mean(0).T, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("projection", ["linear", "block"])
def test_shapes(projection: str) -> None:
    output = attention(projection=projection)(*inputs())
    assert output.fused.shape == (3, PATCHES, 16)
    assert output.maps.shape == (3, TOKENS, PATCHES)
    assert output.plan.shape == (3, 4, PATCHES, TOKENS)


@pytest.mark.parametrize("settings", [{}, {"unbalanced": 0.5}, {"mode": "degenerate"}, {"epsilon": 0.005}])
def test_padding_influences_nothing_and_a_study_without_text_gets_nothing(settings: dict[str, Any]) -> None:
    module = attention(**settings)
    patches, text, mask = inputs()
    clean = module(patches, text, mask)
    dirty_text = text.masked_fill(~mask.unsqueeze(-1), float("nan")).requires_grad_()
    dirty = module(patches.requires_grad_(), dirty_text, mask, None)
    assert_same(dirty, clean)
    assert not dirty.plan.masked_select(~mask[:, None, None]).any()
    assert not dirty.maps[~mask].any()
    assert not attended(module, patches, dirty_text, mask)[2].any()
    (dirty.fused.square().sum() + dirty.maps.square().sum()).backward()
    gradients = [patches.grad, dirty_text.grad, *(parameter.grad for parameter in module.parameters())]
    assert all(gradient is None or bool(gradient.isfinite().all()) for gradient in gradients)
    assert dirty_text.grad is not None and not dirty_text.grad[~mask].any()
    torch.testing.assert_close(clean.plan[:2].sum(-1), torch.full((2, 4, PATCHES), 1 / PATCHES))


@pytest.mark.parametrize("settings", [{}, {"unbalanced": 0.5}, {"mode": "degenerate"}])
def test_permuting_text_permutes_maps_and_leaves_the_output(settings: dict[str, Any]) -> None:
    module = attention(**settings)
    patches, text, mask = inputs()
    order = torch.tensor([3, 5, 0, 4, 1, 2])
    output, permuted = module(patches, text, mask), module(patches, text[:, order], mask[:, order])
    torch.testing.assert_close(permuted.fused, output.fused, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(permuted.maps, output.maps[:, order], rtol=1e-4, atol=1e-5)


def test_only_the_full_plan_depends_on_the_image() -> None:
    (patches, text, mask), (other, _, _) = inputs(0), inputs(1)
    for mode, depends in (("full", True), ("degenerate", False)):
        module = attention(mode=mode)
        difference = attended(module, patches, text, mask)[:2] - attended(module, other, text, mask)[:2]
        assert (float(difference.abs().max()) > 0.05) == depends
        spread = attended(module, patches, text, mask)[:2].std(dim=1).max()
        assert (float(spread) > 0.05) == depends


def test_column_marginal_is_renormalised_over_valid_tokens() -> None:
    module = attention(iterations=500)
    patches, text, mask = inputs()
    presence = torch.tensor([0.9, 0.1, 0.5, 0.3, 7.0, float("nan")]).expand(3, -1).clone()
    presence[0, 5] = 0.2
    plan = module(patches, text, mask, presence).plan
    expected = presence[1, :4] / presence[1, :4].sum()
    torch.testing.assert_close(plan[1].sum(-2)[:, :4], expected.expand(4, -1), rtol=1e-3, atol=1e-5)
    assert_same(module(patches, text, mask, 3 * presence), module(patches, text, mask, presence))
    assert_same(module(patches, text, mask, torch.zeros(3, TOKENS)), module(patches, text, mask))


def test_gradient_reaches_query_and_key_only_through_the_full_plan() -> None:
    patches, text, mask = inputs()
    for mode, reaches in (("full", True), ("degenerate", False)):
        module = attention(mode=mode)
        module(patches, text, mask).fused.square().sum().backward()
        for layer in (module.query, module.key):
            assert (layer.weight.grad is not None and bool(layer.weight.grad.any())) == reaches


def test_plan_stays_in_full_precision_under_autocast() -> None:
    module = attention()
    patches, text, mask = inputs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = module(patches, text, mask)
    assert output.plan.dtype == torch.float32
    torch.testing.assert_close(output.plan[:2].sum(-1), torch.full((2, 4, PATCHES), 1 / PATCHES))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("heads", 5),
        ("heads", 0),
        ("epsilon", 0.0),
        ("iterations", 0),
        ("mode", "partial"),
        ("projection", "none"),
        ("unbalanced", -1.0),
    ],
)
def test_settings_out_of_range_are_named(setting: str, value: object) -> None:
    with pytest.raises(FusionConfigError, match=setting):
        attention(**{setting: value})
