"""The report decoder: BERT's layout with causal self-attention and cross-attention on the fused patches.

f_d of REVTAF (arXiv 2507.07568, Section 3.2), and with memory tokens the decoder of MCSAM (arXiv 2404.00588).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from radscribe.models.decoding.padding import by_length
from radscribe.models.decoding.relational_memory import ConditionalNorm, RelationalMemory

# What is done to embedded words before the layers read them: rows x L x width -> the same, each word by itself, given
# which studies the rows are of (their places in what the search began with).
WordReader = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the decoder, BERT-base by default. Raises ``ValueError`` for a setting out of its range."""

    # Transformer layers.
    layers: int = 12
    # Width of a word's vector.
    width: int = 768
    # Attention heads; ``width`` is a multiple of them.
    heads: int = 12
    # Hidden width of each layer's feed-forward network.
    feed_forward: int = 3072
    # Longest sequence of prompt and words, in tokens.
    max_positions: int = 512
    # Dropout of embeddings and sublayers, in training.
    dropout: float = 0.1
    # Dropout of attention weights, in training.
    attention_dropout: float = 0.1
    # Ours: one learned vector beside the patches that cross-attention may rest on. Attention must sum to one: without
    # it, words that need nothing of the film park it on some patch, and every map shows that patch.
    rest: bool = False
    # MCSAM's N_p: learned vectors before the words, which every word may read; 0 in REVTAF.
    memory_tokens: int = 0
    # Slots of R2Gen's relational memory (there 3), whose state of the words so far steers every norm; 0 is none.
    relational_slots: int = 0
    # How linear maps start: "normal" as BERT's; "xavier" as R2Gen's, larger in a narrow network.
    initialization: Literal["normal", "xavier"] = "normal"

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        if self.memory_tokens < 0 or self.relational_slots < 0:
            raise ValueError("memory_tokens and relational_slots must not be negative")
        if self.memory_tokens and self.relational_slots:
            raise ValueError("a relational memory reads words alone: leave out memory_tokens or relational_slots")


class Attention(nn.Module):
    """Multi-head attention whose keys and values are computed apart from its queries, so that they can be kept.

    ``width`` is that of the queries and the output, ``key_width`` that of what is read.
    """

    def __init__(self, width: int, key_width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(key_width, width)
        self.value = nn.Linear(key_width, width)
        self.output = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        """``B x L x width -> B x heads x L x (width / heads)``."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of what is read: ``B x L x key_width -> B x heads x L x (width / heads)`` each."""
        return self.split(self.key(x)), self.split(self.value(x))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """``B x L x width``, and keys and values of B x heads x keys x (width / heads), ``-> B x L x width``.

        ``mask`` (L x keys, bool) is true where a position may attend; without it every position may everywhere.
        """
        attended = self._attend(self.split(self.query(x)), keys, values, mask)
        output: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return output

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if not (self.training and queries.device.type == "cpu"):
            return functional.scaled_dot_product_attention(queries, keys, values, mask, dropout_p=dropout)
        # On a CPU the fused kernel's backward pass takes over three times as long as these products.
        scores = queries / queries.shape[-1] ** 0.5 @ keys.transpose(-1, -2)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = functional.dropout(scores.softmax(-1), dropout).to(values.dtype)
        return weights @ values

    def shares(self, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """How much of what a position takes over comes from each key: ``B x L x keys``, rows sum to one.

        By the norm of the vectors carried over, all heads together. A weight alone shows less: it may be large where
        the value is next to nothing (Kobayashi et al., "Attention is Not Only a Weight", arXiv 2004.10102). The
        arguments are those of ``forward``.
        """
        queries = self.split(self.query(x))
        weights = (queries / queries.shape[-1] ** 0.5 @ keys.transpose(-1, -2)).softmax(-1)  # alpha
        output = self.output.weight.view(len(self.output.weight), self.heads, -1)
        transformed = torch.einsum("bhpd,ohd->bhpo", values, output)  # f(x)
        norms: Tensor = torch.einsum("bhlp,bhpo->blpo", weights, transformed).norm(dim=-1)  # ||alpha f(x)||
        return norms / norms.sum(-1, keepdim=True).clamp(min=torch.finfo(norms.dtype).tiny)


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention and a feed-forward network, a norm behind each, as in BERT."""

    def __init__(self, config: DecoderConfig, memory_width: int) -> None:
        super().__init__()
        width = config.width
        self.self_attention = Attention(width, width, config.heads, config.attention_dropout)
        self.self_norm = _norm(config)
        self.cross_attention = Attention(width, memory_width, config.heads, config.attention_dropout)
        self.cross_norm = _norm(config)
        self.expand = nn.Linear(width, config.feed_forward)
        self.contract = nn.Linear(config.feed_forward, width)
        self.feed_norm = _norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        own: tuple[Tensor, Tensor],
        mask: Tensor | None,
        memory: tuple[Tensor, Tensor],
        state: tuple[Tensor, ...] = (),
        looked: list[Tensor] | None = None,
    ) -> Tensor:
        """``rows x L x width`` -> the same, given keys and values of the words (``own``) and of the memory.

        The rows of one study are side by side and read one memory, whose keys are never copied. ``mask`` (L x keys) is
        that of self-attention; ``state`` holds the relational memory's where there is one; to ``looked`` the shares of
        the memory in what is read are appended, B x (rows of a study * L) x keys.
        """
        x = self.self_norm(x + self.dropout(self.self_attention(x, *own, mask)), *state)
        grouped = x.reshape(len(memory[0]), -1, x.shape[-1])
        if looked is not None:
            looked.append(self.cross_attention.shares(grouped, *memory))
        attended = self.cross_attention(grouped, *memory).reshape(x.shape)
        x = self.cross_norm(x + self.dropout(attended), *state)
        transformed = self.contract(functional.gelu(self.expand(x)))
        output: Tensor = self.feed_norm(x + self.dropout(transformed), *state)
        return output


def _norm(config: DecoderConfig) -> nn.LayerNorm:
    if config.relational_slots:
        return ConditionalNorm(config.width, config.relational_slots * config.width, eps=1e-12)
    return nn.LayerNorm(config.width, eps=1e-12)


@dataclass
class Cache:
    """Keys and values of one decoding run: cross-attention's once a study, self-attention's once a beam.

    The rows are B studies x beams, a study's beams side by side.
    """

    self_keys: Tensor  # layers x rows x heads x longest x (width / heads), filled up to ``length``, memory tokens first
    self_values: Tensor  # of the same shape
    memory: list[tuple[Tensor, Tensor]]  # of each layer, keys and values B x heads x patches x (width / heads)
    studies: Tensor  # B: which of the studies it began with are left
    read_words: WordReader | None = None
    state: Tensor | None = None  # of the relational memory, rows x its width
    length: int = field(default=0)

    def reorder(self, rows: Tensor) -> None:
        """Continues row ``i`` from what was row ``rows[i]`` (whole numbers), in place.

        A study none of whose rows is named is dropped. Only the filled part of rows that change moves.
        """
        beams = self.self_keys.shape[1] // len(self.studies)
        if len(rows) < len(self.studies) * beams:
            kept = rows[::beams] // beams
            self.studies = self.studies[kept]
            self.memory = [(keys[kept], values[kept]) for keys, values in self.memory]
        changed = (rows != torch.arange(len(rows), device=rows.device)).nonzero()[:, 0]
        for cached in (self.self_keys, self.self_values):
            cached[:, changed, :, : self.length] = cached[:, rows[changed], :, : self.length]
        self.self_keys, self.self_values = self.self_keys[:, : len(rows)], self.self_values[:, : len(rows)]
        self.state = None if self.state is None else self.state[rows]


class ReportDecoder(nn.Module):
    """Predicts each next word from the words before it and the patches; the head is tied to the word embedding.

    p(r_t | r_1 ... r_t-1, I) of REVTAF's Eq. 1. ``memory_width`` is the width of what cross-attention reads: 2d behind
    REVTAF's fusion.
    """

    def __init__(self, config: DecoderConfig, vocabulary_size: int, memory_width: int) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(vocabulary_size, config.width)
        self.positions = nn.Embedding(config.max_positions, config.width)
        self.embedding_norm = nn.LayerNorm(config.width, eps=1e-12)
        self.dropout = nn.Dropout(config.dropout)
        if config.relational_slots:
            self.relational = RelationalMemory(config.relational_slots, config.width, config.heads)
        self.layers = nn.ModuleList(DecoderLayer(config, memory_width) for _ in range(config.layers))
        self.transform = nn.Linear(config.width, config.width)
        self.transform_norm = nn.LayerNorm(config.width, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        if config.rest:
            self.rest = nn.Parameter(0.02 * torch.randn(1, 1, memory_width))
        for module in self.modules():
            if isinstance(module, nn.Linear) and config.initialization == "xavier":
                nn.init.xavier_uniform_(module.weight)
            elif isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        if config.memory_tokens:  # drawn last: a decoder without them then begins with the same weights
            self.memory_tokens = nn.Parameter(torch.randn(1, config.memory_tokens, config.width))

    def embed(self, tokens: Tensor, first_position: int = 0) -> Tensor:
        """E, words with their positions: ``B x L (token ids) -> B x L x width``."""
        positions = torch.arange(first_position, first_position + tokens.shape[1], device=tokens.device)
        embedded: Tensor = self.embedding_norm(self.words(tokens) + self.positions(positions))
        return embedded

    def head(self, hidden: Tensor) -> Tensor:
        """Logits over the vocabulary: ``... x width -> ... x V``."""
        transformed = self.transform_norm(functional.gelu(self.transform(hidden)))
        return functional.linear(transformed, self.words.weight, self.bias)

    def forward(self, tokens: Tensor, memory: Tensor) -> Tensor:
        """Logits of the word behind each position: ``B x L (token ids), B x P x memory_width -> B x L x V``."""
        return self.head(self.hidden(self.embed(tokens), memory))

    def hidden(self, embedded: Tensor, memory: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What the head reads of embedded words: ``B x L x width, B x P x memory_width -> B x L x width``.

        With ``lengths`` (B, in words) rows of similar length are computed together; behind its length a row means
        nothing.
        """

        def compute(rows: Tensor, length: int) -> Tensor:
            return self._hidden(embedded[rows, :length], memory[rows], with_shares=False)[0]

        if lengths is None:
            return self._hidden(embedded, memory, with_shares=False)[0]
        return by_length(compute, lengths, embedded.shape[1])

    def explain(self, embedded: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B x L x V), and the patches' shares in what each word reads, mean over layers (B x L x P).

        Each row of shares sums to one, or with ``rest`` to the part that does not rest. The arguments are those of
        ``hidden``.
        """
        hidden, shares = self._hidden(embedded, memory, with_shares=True)
        return self.head(hidden), torch.stack(shares).mean(0)[..., : memory.shape[1]]

    def log_probabilities(self, embedded: Tensor, memory: Tensor, words: Tensor) -> Tensor:
        """How likely each of ``words`` (B x L) is at the last L positions of ``embedded``, in logarithms: B x L.

        The other arguments are those of ``hidden``.
        """
        logits = self.head(self.hidden(embedded, memory)[:, -words.shape[1] :]).float()
        return logits.log_softmax(-1).gather(2, words[..., None])[..., 0]

    def _with_memory_tokens(self, embedded: Tensor) -> Tensor:
        """The memory tokens and behind them the words: B x (N_p + L) x width."""
        if self.config.memory_tokens:
            tokens = self.embedding_norm(self.memory_tokens).expand(len(embedded), -1, -1)
            embedded = torch.cat((tokens, embedded), 1)  # MCSAM: N_p
        dropped: Tensor = self.dropout(embedded)
        return dropped

    def _mask(self, length: int, device: torch.device) -> Tensor:
        """Who may attend to whom among N_p memory tokens and the words: true at (reader, read).

        Memory tokens read each other and no word: a word that reads them would see the words after it.
        """
        mask = torch.ones(length, length, dtype=torch.bool, device=device).tril()
        mask[: self.config.memory_tokens, : self.config.memory_tokens] = True  # MCSAM: N_p
        return mask

    def _readable(self, memory: Tensor) -> Tensor:
        """What cross-attention reads: the patches, and behind them the vector to rest on."""
        return torch.cat((memory, self.rest.expand(len(memory), -1, -1)), 1) if self.config.rest else memory

    def _states(self, embedded: Tensor, state: Tensor | None = None) -> tuple[Tensor, ...]:
        """The relational memory's states after each word and the last of them; nothing without such a memory."""
        if not self.config.relational_slots:
            return ()
        states: tuple[Tensor, Tensor] = self.relational(
            embedded, self.relational.start(embedded) if state is None else state
        )
        return states

    def _hidden(self, embedded: Tensor, memory: Tensor, with_shares: bool) -> tuple[Tensor, list[Tensor]]:
        state = self._states(embedded)[:1]
        hidden, memory = self._with_memory_tokens(embedded), self._readable(memory)
        mask = self._mask(hidden.shape[1], hidden.device)
        shares: list[Tensor] = []
        for layer in self.layers:
            assert isinstance(layer, DecoderLayer)
            own, read = layer.self_attention.keys_values(hidden), layer.cross_attention.keys_values(memory)
            hidden = layer(hidden, own, mask, read, state, shares if with_shares else None)
        words = slice(self.config.memory_tokens, None)
        return hidden[:, words], [looked[:, words] for looked in shares]

    def start(self, memory: Tensor, beams: int, length: int, read_words: WordReader | None = None) -> Cache:
        """An empty cache for ``beams`` continuations of each study in ``memory`` (B x P x memory_width).

        ``length`` is the most tokens that it holds, prompt included; ``read_words`` is what full passes do to E before
        ``hidden`` reads it.
        """
        config, memory = self.config, self._readable(memory)
        length += config.memory_tokens
        shape = (config.layers, len(memory) * beams, config.heads, length, config.width // config.heads)
        kept = [layer.cross_attention.keys_values(memory) for layer in self.layers]  # type: ignore[union-attr, operator]
        studies = torch.arange(len(memory), device=memory.device)
        return Cache(memory.new_zeros(shape), memory.new_zeros(shape), kept, studies, read_words)

    def step(self, tokens: Tensor, cache: Cache) -> Tensor:
        """Logits after the last of ``tokens``, which continue what ``cache`` holds: ``rows x L -> rows x V``.

        The rows are studies x beams, a study's beams side by side. L is 1, or the whole prompt on an empty cache;
        anything else raises ``ValueError``.
        """
        first = cache.length
        if first and tokens.shape[1] != 1:
            raise ValueError("only an empty cache takes several tokens at once")
        hidden = self.embed(tokens, first - self.config.memory_tokens if first else 0)
        hidden = cache.read_words(hidden, cache.studies) if cache.read_words else hidden
        state = self._states(hidden, cache.state)
        cache.state = state[-1] if state else None
        hidden = self.dropout(hidden) if first else self._with_memory_tokens(hidden)
        mask = None if first else self._mask(hidden.shape[1], hidden.device)
        last = first + hidden.shape[1]
        for position, layer in enumerate(self.layers):
            assert isinstance(layer, DecoderLayer)
            keys, values = layer.self_attention.keys_values(hidden)
            cache.self_keys[position, :, :, first:last] = keys
            cache.self_values[position, :, :, first:last] = values
            own = (cache.self_keys[position, :, :, :last], cache.self_values[position, :, :, :last])
            hidden = layer(hidden, own, mask, cache.memory[position], state[:1])
        cache.length = last
        return self.head(hidden[:, -1])
