"""Label 14 conditions of a report with CheXbert, a BERT with one head per condition.

Source: Smit et al., "CheXbert: Combining Automatic Labelers and Expert Annotations for Accurate Radiology Report
Labeling Using BERT", EMNLP 2020. The user gives the checkpoint (``chexbert.pth``) and the vocabulary (any
directory of bert-base-uncased); nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from radscribe.core.errors import RadscribeError
from radscribe.core.files import read_json
from radscribe.core.progress import progress
from radscribe.core.tensors import read_pickled_tensors, read_tensors
from radscribe.labels.conditions import BLANK, CHEXBERT_COUNT, NEGATIVE, NO_FINDING, POSITIVE, UNCERTAIN

# The classes of a head; the last head, of "no finding", has only the first two.
CLASSES = (BLANK, POSITIVE, NEGATIVE, UNCERTAIN)
HEAD_CLASSES = (4,) * (CHEXBERT_COUNT - 1) + (2,)
# The stronger state wins where parts of a long report disagree.
STRENGTH = {BLANK: 0, NEGATIVE: 1, UNCERTAIN: 2, POSITIVE: 3}
HEAD_WIDTH = 64  # width of an attention head, as in every BERT
# In the published file but not used: a buffer of old versions and a layer that no head reads.
UNUSED = re.compile(r"bert\.embeddings\.position_ids|bert\.pooler\..*")
BATCH = 32
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class CheXbert(nn.Module):
    """BERT and the 14 heads on its [CLS] vector, under the names of the published checkpoint."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = BertModel(config, add_pooling_layer=False)
        self.linear_heads = nn.ModuleList(nn.Linear(config.hidden_size, classes) for classes in HEAD_CLASSES)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The class of each condition: ``B x L (token ids), B x L (mask) -> B x 14``."""
        first = self.bert(input_ids=tokens, attention_mask=mask).last_hidden_state[:, 0]
        return torch.stack([head(first).argmax(dim=-1) for head in self.linear_heads], dim=1)


class CheXbertLabeler:
    """A loaded CheXbert, whose labels are 14 states per report, in the order of ``CHEXBERT_CONDITIONS``."""

    name = "CheXbert"

    def __init__(self, model: CheXbert, tokenizer: Tokenizer, version: str) -> None:
        self.version = version
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._longest = model.bert.config.max_position_embeddings - 2  # without [CLS] and [SEP]

    def label(self, reports: Sequence[str]) -> list[list[int]]:
        """States of N reports, ``N x 14``; those of an empty report are all blank.

        A report of more tokens than BERT reads is cut between sentences (a longer sentence between tokens) and the
        states of its parts merged: positive before uncertain before negative; "no finding" only where all parts have
        it.
        """
        owned = [(row, part) for row, report in enumerate(reports) for part in self._parts(report)]
        owned.sort(key=lambda pair: len(pair[1]))  # similar lengths together, to pad little
        found: list[list[list[int]]] = [[] for _ in reports]
        for start in progress(range(0, len(owned), BATCH), "CheXbert"):
            batch = owned[start : start + BATCH]
            for (row, _), states in zip(batch, self._read([part for _, part in batch]), strict=True):
                found[row].append(states)
        return [_joined(states) for states in found]

    def _parts(self, report: str) -> list[list[int]]:
        """Token ids of a report in as few parts of whole sentences as BERT can read; none for an empty report."""
        parts: list[list[int]] = []
        for sentence in SENTENCE_END.split(" ".join(report.split())):
            tokens = self._tokenizer.encode(sentence, add_special_tokens=False).ids
            for start in range(0, len(tokens), self._longest):
                piece = tokens[start : start + self._longest]
                if parts and len(parts[-1]) + len(piece) <= self._longest:
                    parts[-1] += piece
                else:
                    parts.append(piece)
        return parts

    @torch.inference_mode()
    def _read(self, parts: Sequence[Sequence[int]]) -> list[list[int]]:
        begin, end, pad = (self._tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]", "[PAD]"))
        width = max(map(len, parts)) + 2
        tokens = torch.tensor([[begin, *part, end, *[pad] * (width - len(part) - 2)] for part in parts])
        mask = torch.tensor([[1] * (len(part) + 2) + [0] * (width - len(part) - 2) for part in parts])
        device = next(self._model.parameters()).device
        classes = self._model(tokens.to(device), mask.to(device)).tolist()
        return [[CLASSES[number] for number in row] for row in classes]


def read_chexbert(checkpoint: Path, vocabulary: Path, device: str = "cpu") -> CheXbertLabeler:
    """Load CheXbert from ``chexbert.pth``, or from the folder that `radscribe import chexbert` made of it.

    ``vocabulary`` is a BERT directory with ``tokenizer.json`` or ``vocab.txt``. File and folder have the same version.

    Raises:
        RadscribeError: one line, for a file that is missing, damaged or holds anything but tensors, for a tensor that
            is missing, unexpected or of another shape, and for a vocabulary of another size.
    """
    tensors, digest = _read_folder(checkpoint) if checkpoint.is_dir() else _read_checkpoint(checkpoint)
    model = CheXbert(bert_config(checkpoint, tensors))
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for problem, names in (
        ("lacks", expected.keys() - tensors.keys()),
        ("should not hold", tensors.keys() - expected.keys()),
        (
            "has a wrong shape for",
            {name for name in expected.keys() & tensors.keys() if tensors[name].shape != expected[name]},
        ),
    ):
        if names:
            first, more = min(names), f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise RadscribeError(f"{checkpoint}: it {problem} {first}{more}; give CheXbert's own chexbert.pth")
    model.load_state_dict(tensors)
    tokenizer, words = _read_tokenizer(vocabulary)
    size = model.bert.config.vocab_size
    if tokenizer.get_vocab_size() != size:
        raise RadscribeError(
            f"{vocabulary}: {tokenizer.get_vocab_size()} words where the checkpoint has {size}; give bert-base-uncased"
        )
    version = hashlib.sha256(digest.encode() + words).hexdigest()[:12]
    return CheXbertLabeler(model.to(device), tokenizer, version)


def _read_checkpoint(checkpoint: Path) -> tuple[dict[str, Tensor], str]:
    """The checkpoint's tensors, without unused ones and data-parallel training's prefix, and the file's SHA-256."""
    found = read_pickled_tensors(checkpoint, "model_state_dict", "give CheXbert's own chexbert.pth")
    tensors = {name.removeprefix("module."): tensor.float() for name, tensor in found.items()}
    with checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {name: tensor for name, tensor in tensors.items() if not UNUSED.fullmatch(name)}, digest


def _read_folder(folder: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of an imported folder, and the SHA-256 of the file that it was made from."""
    about = read_json(folder / "import.json")
    if about.get("kind") != "chexbert":
        raise RadscribeError(
            f"{folder}: an import of {about.get('kind')}; name a folder made by `radscribe import chexbert`"
        )
    return read_tensors(folder / "model.safetensors"), str(about.get("sha256"))


def bert_config(checkpoint: Path, tensors: Mapping[str, Tensor]) -> BertConfig:
    """BERT's configuration from the shapes of its tensors. Raises ``RadscribeError`` where ``tensors`` hold no BERT."""
    shapes = {
        name: tuple(tensors[f"bert.{name}"].shape)
        for name in (
            "embeddings.word_embeddings.weight",
            "embeddings.position_embeddings.weight",
            "embeddings.token_type_embeddings.weight",
            "encoder.layer.0.intermediate.dense.weight",
        )
        if f"bert.{name}" in tensors
    }
    if len(shapes) < 4 or any(len(shape) != 2 for shape in shapes.values()):
        raise RadscribeError(f"{checkpoint}: it holds no BERT; give CheXbert's own chexbert.pth")
    (words, width), (positions, _), (types, _), (inner, _) = shapes.values()
    layers = {match[1] for name in tensors if (match := re.match(r"bert\.encoder\.layer\.(\d+)\.", name))}
    return BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
    )


def _read_tokenizer(folder: Path) -> tuple[Tokenizer, bytes]:
    """The uncased WordPiece tokenizer of a BERT directory, and the content of its file."""
    whole, words = folder / "tokenizer.json", folder / "vocab.txt"
    try:
        if whole.is_file():
            tokenizer = Tokenizer.from_file(str(whole))
        elif words.is_file():
            tokenizer = BertWordPieceTokenizer(str(words), lowercase=True)._tokenizer
        else:
            raise RadscribeError(f"{folder}: neither tokenizer.json nor vocab.txt is in it; give a BERT directory")
        content = (whole if whole.is_file() else words).read_bytes()
    except RadscribeError:
        raise
    except Exception as error:  # the tokenizers library raises plain Exception for a damaged file
        raise RadscribeError(f"{folder}: its vocabulary cannot be read ({error}); give a BERT directory") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, content


def _joined(parts: Sequence[Sequence[int]]) -> list[int]:
    """The states of a report, merged from those of its parts."""
    if not parts:
        return [BLANK] * CHEXBERT_COUNT
    states = [max(column, key=STRENGTH.__getitem__) for column in zip(*parts, strict=True)]
    if any(part[NO_FINDING] != POSITIVE for part in parts):
        states[NO_FINDING] = BLANK
    return states
