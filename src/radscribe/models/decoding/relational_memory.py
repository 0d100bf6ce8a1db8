"""The relational memory of R2Gen (Chen et al., arXiv 2010.16056): a state of the words so far that steers the norms."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class RelationalMemory(nn.Module):
    """A state of ``slots`` vectors of ``width``, rewritten by every word.

    A state is rows x (slots * width). Raises no errors of its own.
    """

    def __init__(self, slots: int, width: int, heads: int) -> None:
        super().__init__()
        self.slots, self.width = slots, width
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.network = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.gates_of_word = nn.Linear(width, 2 * width)
        self.gates_of_state = nn.Linear(width, 2 * width)

    def start(self, words: Tensor) -> Tensor:
        """The state before any of ``words``: ``rows x L x width -> rows x (slots * width)``, unit vectors."""
        return torch.eye(self.slots, self.width, device=words.device).flatten().expand(len(words), -1)

    def step(self, word: Tensor, state: Tensor) -> Tensor:
        """The state after ``word``: ``rows x width, rows x (slots * width) -> rows x (slots * width)``."""
        memory = state.view(-1, self.slots, self.width)
        seen = torch.cat((memory, word.unsqueeze(1)), 1)
        read = memory + self.attention(memory, seen, seen, need_weights=False)[0]
        read = read + self.network(read)
        entering, keeping = (self.gates_of_word(word).unsqueeze(1) + self.gates_of_state(memory.tanh())).chunk(2, -1)
        after: Tensor = (entering.sigmoid() * read.tanh() + keeping.sigmoid() * memory).flatten(1)
        return after

    def forward(self, words: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The states after each of ``words`` (rows x L x width), and the last one.

        ``rows x L x (slots * width)`` and ``rows x (slots * width)``.
        """
        states = []
        for position in range(words.shape[1]):
            state = self.step(words[:, position], state)
            states.append(state)
        return torch.stack(states, 1), state


class ConditionalNorm(nn.LayerNorm):
    """R2Gen's memory-driven LayerNorm: the state of a relational memory is added to its scale and shift."""

    def __init__(self, width: int, state_width: int, eps: float) -> None:
        super().__init__(width, eps=eps)
        self.scale, self.shift = (
            nn.Sequential(nn.Linear(state_width, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(2)
        )

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        """``rows x L x width, rows x L x state_width -> rows x L x width``; the state is needed."""
        assert state is not None
        normal = functional.layer_norm(x, self.normalized_shape, eps=self.eps)
        steered: Tensor = (self.weight + self.scale(state)) * normal + self.bias + self.shift(state)
        return steered
