"""The text encoder: turns sentences into [CLS] vectors with a published BERT or a small one trained on the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from radscribe.core.config import LATER
from radscribe.models.decoding.padding import by_length


@dataclass(frozen=True)
class TextEncoderConfig:
    """Sizes of the text encoder, BERT-base by default. Raises ``ValueError`` for a setting out of its range."""

    # BERT to load: an imported or BERT folder, or a hub id; None trains one of these sizes on the dataset.
    source: str | None = None
    # Transformer layers.
    layers: int = 12
    # Width of a token's and a sentence's vector.
    width: int = 768
    # Attention heads; ``width`` is a multiple of them.
    heads: int = 12
    # Hidden width of each layer's feed-forward network.
    feed_forward: int = 3072
    # Largest vocabulary, in word pieces, of a BERT trained here.
    vocabulary_size: int = 30522
    # Longest sentence that is read, in tokens, [CLS] and [SEP] included.
    max_tokens: int = 64
    # Dropout of embeddings, sublayers and attention weights, in training.
    dropout: float = field(default=0.1, metadata=LATER)

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout}")


class TextEncoder(nn.Module):
    """A BERT whose [CLS] output is the vector of a sentence, with the tokenizer of its vocabulary.

    A small BERT gives all sentences nearly the same vector; ``standardise`` removes what they have in common, so that
    cosine similarity separates them. A published BERT is left as it is.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, config: TextEncoderConfig, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.bert = BertModel(
            BertConfig(
                vocab_size=tokenizer.get_vocab_size(),
                hidden_size=config.width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.feed_forward,
                max_position_embeddings=512,
                hidden_dropout_prob=config.dropout,
                attention_probs_dropout_prob=config.dropout,
                pad_token_id=tokenizer.token_to_id("[PAD]"),
            ),
            add_pooling_layer=False,
        )
        self.register_buffer("centre", torch.zeros(config.width))
        self.register_buffer("spread", torch.ones(config.width))

    def standardise(self, sentences: Sequence[str]) -> None:
        """Fix the scale of vectors: mean 0 and standard deviation 1 over ``sentences`` in every dimension."""
        self.centre.zero_()
        self.spread.fill_(1.0)
        vectors = self.encode(sentences)
        self.centre.copy_(vectors.mean(0))
        self.spread.copy_(vectors.std(0).clamp(min=1e-3))

    @property
    def width(self) -> int:
        """Width of a sentence's vector."""
        return self.config.width

    def tokenize(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids and mask, both B x L: [CLS] tokens [SEP], cut to ``max_tokens``, padded to the longest."""
        beginning, end, padding = (self.tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[PAD]"))
        limit = self.config.max_tokens - 2
        encodings = self.tokenizer.encode_batch([str(sentence) for sentence in sentences], add_special_tokens=False)
        rows = [[beginning, *encoding.ids[:limit], end] for encoding in encodings]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [padding] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return ids, mask

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Hidden states: ``B x L (ids), B x L (mask) -> B x L x width``; undefined behind the end of a sentence."""

        def compute(rows: Tensor, length: int) -> Tensor:
            output: Tensor = self.bert(
                input_ids=ids[rows, :length], attention_mask=mask[rows, :length]
            ).last_hidden_state
            return output

        return by_length(compute, mask.sum(1), ids.shape[1])

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """[CLS] vectors: ``B x L (ids), B x L (mask) -> B x width``."""
        return (self.states(ids, mask)[:, 0] - self.centre) / self.spread

    @torch.no_grad()
    def encode(self, sentences: Sequence[str], batch_size: int = 128) -> Tensor:
        """[CLS] vectors of N ``sentences`` in evaluation mode: N x width, float32, on the CPU."""
        if not sentences:
            return torch.zeros(0, self.width)
        device = next(self.parameters()).device
        was_training = self.training
        self.eval()
        # Batches of similar length need little padding; vectors keep the order of ``sentences``.
        order = sorted(range(len(sentences)), key=lambda position: len(sentences[position]))
        vectors = torch.empty(len(sentences), self.width)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            ids, mask = self.tokenize([sentences[position] for position in chosen])
            vectors[chosen] = self(ids.to(device), mask.to(device)).float().cpu()
        self.train(was_training)
        return vectors
