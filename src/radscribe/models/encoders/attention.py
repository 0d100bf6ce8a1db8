"""Choose the attention kernel of torch's own modules in training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


def trainable_attention(device: torch.device) -> AbstractContextManager[None]:
    """Plain matrix products on a CPU with gradients on: the fused kernel's backward pass is several times slower."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" and torch.is_grad_enabled() else nullcontext()
