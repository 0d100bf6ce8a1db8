"""The report decoder: BERT's layout with causal self-attention and cross-attention on the fused patches."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class DecoderConfig:
    """BERT-base by default. ``memory_width`` is the width of what cross-attention reads (2d after fusion).

    ``rest`` lets cross-attention rest on one learned vector beside the patches. Attention must sum to one: without it,
    words that need nothing of the film park it on some patch, and every map shows that patch. Not in the paper.
    """

    layers: int = 12
    width: int = 768
    heads: int = 12
    feed_forward: int = 3072
    max_positions: int = 512
    dropout: float = 0.1
    attention_dropout: float = 0.1
    rest: bool = False

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")


class Attention(nn.Module):
    """Multi-head attention whose keys and values can be computed apart from its queries, so that they can be kept."""

    def __init__(self, width: int, key_width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(key_width, width)
        self.value = nn.Linear(key_width, width)
        self.output = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        """B x L x width -> B x heads x L x width / heads."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.split(self.key(x)), self.split(self.value(x))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, causal: bool = False) -> Tensor:
        attended = self._attend(self.split(self.query(x)), keys, values, causal)
        output: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return output

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, causal: bool) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if not (self.training and queries.device.type == "cpu"):
            return functional.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout, is_causal=causal)
        # On a CPU the fused kernel's backward pass takes over three times as long as these products.
        scores = queries / queries.shape[-1] ** 0.5 @ keys.transpose(-1, -2)
        if causal:
            future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(future, float("-inf"))
        weights = functional.dropout(scores.softmax(-1), dropout).to(values.dtype)
        return weights @ values

    def weights(self, x: Tensor, keys: Tensor) -> Tensor:
        """The attention weights alone: B x heads x L x keys."""
        queries = self.split(self.query(x))
        scores: Tensor = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
        return scores.softmax(-1)


class DecoderLayer(nn.Module):
    def __init__(self, config: DecoderConfig, memory_width: int) -> None:
        super().__init__()
        width = config.width
        self.self_attention = Attention(width, width, config.heads, config.attention_dropout)
        self.self_norm = nn.LayerNorm(width, eps=1e-12)
        self.cross_attention = Attention(width, memory_width, config.heads, config.attention_dropout)
        self.cross_norm = nn.LayerNorm(width, eps=1e-12)
        self.expand = nn.Linear(width, config.feed_forward)
        self.contract = nn.Linear(config.feed_forward, width)
        self.feed_norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(config.dropout)

    def feed(self, x: Tensor) -> Tensor:
        transformed = self.contract(functional.gelu(self.expand(x)))
        output: Tensor = self.feed_norm(x + self.dropout(transformed))
        return output


@dataclass
class Cache:
    """Keys and values of one decoding run: cross-attention's once a study, self-attention's once a beam.

    ``self_keys`` and ``self_values``: layers x (B * beams) x heads x length x width / heads, filled up to ``length``;
    ``memory``: for each layer, keys and values B x heads x patches x width / heads.
    """

    self_keys: Tensor
    self_values: Tensor
    memory: list[tuple[Tensor, Tensor]]
    beams: int
    length: int = field(default=0)

    def reorder(self, rows: Tensor) -> None:
        """Continues row ``i`` from what was row ``rows[i]``; only the filled part of rows that change moves."""
        changed = (rows != torch.arange(len(rows), device=rows.device)).nonzero()[:, 0]
        if len(changed):
            for cached in (self.self_keys, self.self_values):
                cached[:, changed, :, : self.length] = cached[:, rows[changed], :, : self.length]


class ReportDecoder(nn.Module):
    """Token ids (B x L) and memory (B x P x memory width) -> logits over the vocabulary (B x L x V), head tied."""

    def __init__(self, config: DecoderConfig, vocabulary_size: int, memory_width: int) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(vocabulary_size, config.width)
        self.positions = nn.Embedding(config.max_positions, config.width)
        self.embedding_norm = nn.LayerNorm(config.width, eps=1e-12)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(DecoderLayer(config, memory_width) for _ in range(config.layers))
        self.transform = nn.Linear(config.width, config.width)
        self.transform_norm = nn.LayerNorm(config.width, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        if config.rest:
            self.rest = nn.Parameter(0.02 * torch.randn(1, 1, memory_width))
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def embed(self, tokens: Tensor, first_position: int = 0) -> Tensor:
        positions = torch.arange(first_position, first_position + tokens.shape[1], device=tokens.device)
        embedded: Tensor = self.dropout(self.embedding_norm(self.words(tokens) + self.positions(positions)))
        return embedded

    def head(self, hidden: Tensor) -> Tensor:
        transformed = self.transform_norm(functional.gelu(self.transform(hidden)))
        return functional.linear(transformed, self.words.weight, self.bias)

    def forward(self, tokens: Tensor, memory: Tensor) -> Tensor:
        return self.head(self.hidden(tokens, memory))

    def hidden(self, tokens: Tensor, memory: Tensor) -> Tensor:
        """What the head reads: B x L x width."""
        return self._hidden(tokens, memory, with_weights=False)[0]

    def explain(self, tokens: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and the cross-attention weights B x L x P, mean over layers and heads.

        Each row sums to one, or with ``rest`` to the share that does not rest.
        """
        hidden, weights = self._hidden(tokens, memory, with_weights=True)
        return self.head(hidden), torch.stack(weights).mean(0)[..., : memory.shape[1]]

    def _readable(self, memory: Tensor) -> Tensor:
        """What cross-attention reads: the patches, and behind them the vector to rest on."""
        return torch.cat((memory, self.rest.expand(len(memory), -1, -1)), 1) if self.config.rest else memory

    def _hidden(self, tokens: Tensor, memory: Tensor, with_weights: bool) -> tuple[Tensor, list[Tensor]]:
        hidden, memory = self.embed(tokens), self._readable(memory)
        weights: list[Tensor] = []
        for layer in self.layers:
            assert isinstance(layer, DecoderLayer)
            attended = layer.self_attention(hidden, *layer.self_attention.keys_values(hidden), causal=True)
            hidden = layer.self_norm(hidden + layer.dropout(attended))
            keys, values = layer.cross_attention.keys_values(memory)
            if with_weights:
                weights.append(layer.cross_attention.weights(hidden, keys).mean(1))
            attended = layer.cross_attention(hidden, keys, values)
            hidden = layer.cross_norm(hidden + layer.dropout(attended))
            hidden = layer.feed(hidden)
        return hidden, weights

    def start(self, memory: Tensor, beams: int, length: int) -> Cache:
        """An empty cache for ``beams`` continuations of each study in ``memory``, up to ``length`` tokens."""
        config, memory = self.config, self._readable(memory)
        shape = (config.layers, len(memory) * beams, config.heads, length, config.width // config.heads)
        kept = [layer.cross_attention.keys_values(memory) for layer in self.layers]  # type: ignore[union-attr, operator]
        return Cache(memory.new_zeros(shape), memory.new_zeros(shape), kept, beams)

    def step(self, tokens: Tensor, cache: Cache) -> Tensor:
        """Logits (rows x V) after the last of ``tokens`` (rows x L), which continue what ``cache`` holds.

        ``rows`` is studies x beams, a study's beams side by side. L is 1, or the whole prompt on an empty cache.
        """
        first, last = cache.length, cache.length + tokens.shape[1]
        if first and tokens.shape[1] != 1:
            raise ValueError("only an empty cache takes several tokens at once")
        hidden = self.embed(tokens, first)
        for position, layer in enumerate(self.layers):
            assert isinstance(layer, DecoderLayer)
            keys, values = layer.self_attention.keys_values(hidden)
            cache.self_keys[position, :, :, first:last] = keys
            cache.self_values[position, :, :, first:last] = values
            attended = layer.self_attention(
                hidden,
                cache.self_keys[position, :, :, :last],
                cache.self_values[position, :, :, :last],
                causal=not first,
            )
            hidden = layer.self_norm(hidden + layer.dropout(attended))
            # Beams of one study read the same memory: they become rows of one query, its keys are never copied.
            grouped = hidden.unflatten(0, (-1, cache.beams)).flatten(1, 2)
            attended = layer.cross_attention(grouped, *cache.memory[position]).reshape(hidden.shape)
            hidden = layer.cross_norm(hidden + layer.dropout(attended))
            hidden = layer.feed(hidden)
        cache.length = last
        return self.head(hidden[:, -1])
