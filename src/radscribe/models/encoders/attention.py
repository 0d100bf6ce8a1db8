"""Which attention kernel torch's own modules take while they train."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


def trainable_attention(device: torch.device) -> AbstractContextManager[None]:
    """On a CPU the plain products: the fused kernel's backward pass takes several times as long there."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" and torch.is_grad_enabled() else nullcontext()
