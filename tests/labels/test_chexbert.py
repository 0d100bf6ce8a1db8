"""CheXbert from a file in its published layout, beside a forward pass written out here."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from radscribe.cli.main import app
from radscribe.core.errors import RadscribeError
from radscribe.evaluation.scorecard.card import score
from radscribe.labels.chexbert import CheXbertLabeler, read_chexbert
from radscribe.labels.conditions import (
    BLANK,
    CHEXBERT_CONDITIONS,
    CHEXBERT_COUNT,
    NEGATIVE,
    NO_FINDING,
    POSITIVE,
    UNCERTAIN,
)
from radscribe.labels.labeler import RuleLabeler

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PLAIN = ["the", "heart", "is", "normal", "clear", "lungs", "no", "effusion", "opacity", "left", "right", "small"]
WORDS = [*SPECIAL, *PLAIN, "a", "there", ".", ",", "##s", "##y"]
WIDTH, INNER, LAYERS, POSITIONS = 128, 48, 2, 24  # two attention heads of 64
REPORTS = [
    "The heart is normal.",
    "There is a small left opacity, no effusions.",
    "Clear  lungs.\nNo opacity.",
    "unknownword heart",
    "the",
]


def tensors() -> dict[str, Tensor]:
    """Random weights under the names of the published checkpoint."""
    draw = torch.Generator().manual_seed(0)

    def matrix(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw) * 0.3

    found = {
        "embeddings.position_ids": torch.arange(POSITIONS)[None],
        "embeddings.word_embeddings.weight": matrix(len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": matrix(POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": matrix(2, WIDTH),
        "embeddings.LayerNorm.weight": 1 + matrix(WIDTH),
        "embeddings.LayerNorm.bias": matrix(WIDTH),
        "pooler.dense.weight": matrix(WIDTH, WIDTH),
        "pooler.dense.bias": matrix(WIDTH),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            found |= {f"{name}.{part}.weight": matrix(WIDTH, WIDTH), f"{name}.{part}.bias": matrix(WIDTH)}
        found |= {f"{name}.intermediate.dense.weight": matrix(INNER, WIDTH)}
        found |= {f"{name}.intermediate.dense.bias": matrix(INNER)}
        found |= {f"{name}.output.dense.weight": matrix(WIDTH, INNER), f"{name}.output.dense.bias": matrix(WIDTH)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            found |= {f"{name}.{part}.weight": 1 + matrix(WIDTH), f"{name}.{part}.bias": matrix(WIDTH)}
    found = {f"module.bert.{name}": tensor for name, tensor in found.items()}
    for head in range(CHEXBERT_COUNT):
        classes = 2 if head == CHEXBERT_COUNT - 1 else 4
        found |= {f"module.linear_heads.{head}.weight": matrix(classes, WIDTH)}
        found |= {f"module.linear_heads.{head}.bias": matrix(classes)}
    return found


def forward(weights: dict[str, Tensor], tokens: list[int]) -> list[Tensor]:
    """Logits of each head for one text, by plain operations."""

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + 1e-12).sqrt()
        return centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    e = "module.bert.embeddings"
    x = weights[f"{e}.word_embeddings.weight"][tokens] + weights[f"{e}.position_embeddings.weight"][: len(tokens)]
    x = norm(x + weights[f"{e}.token_type_embeddings.weight"][0], f"{e}.LayerNorm")
    for layer in range(LAYERS):
        name = f"module.bert.encoder.layer.{layer}"
        q, k, v = (
            linear(x, f"{name}.attention.self.{part}").view(len(tokens), -1, 64).transpose(0, 1)
            for part in ("query", "key", "value")
        )
        mixed = (q @ k.transpose(1, 2) / 8).softmax(-1) @ v
        mixed = linear(mixed.transpose(0, 1).reshape(len(tokens), WIDTH), f"{name}.attention.output.dense")
        x = norm(x + mixed, f"{name}.attention.output.LayerNorm")
        inner = linear(x, f"{name}.intermediate.dense")
        inner = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
        x = norm(x + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    return [linear(x[0], f"module.linear_heads.{head}") for head in range(CHEXBERT_COUNT)]


def numbers(text: str) -> list[int]:
    """Token numbers of a text whose words are of the vocabulary, with plural endings apart."""
    pieces: list[str] = []
    for word in text.lower().replace(".", " .").replace(",", " ,").split():
        if word in WORDS:
            pieces.append(word)
        elif word.endswith("s") and word[:-1] in WORDS:
            pieces += [word[:-1], "##s"]
        else:
            pieces.append("[UNK]")
    return [WORDS.index(piece) for piece in ["[CLS]", *pieces, "[SEP]"]]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return folder


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return saved(tmp_path / "chexbert.pth", {"model_state_dict": tensors(), "epoch": 3})


@pytest.fixture
def labeler(checkpoint: Path, vocabulary: Path) -> CheXbertLabeler:
    return read_chexbert(checkpoint, vocabulary)


def test_states_are_those_of_a_forward_pass_written_out(labeler: CheXbertLabeler) -> None:
    states = (BLANK, POSITIVE, NEGATIVE, UNCERTAIN)
    expected = [[states[int(logits.argmax())] for logits in forward(tensors(), numbers(text))] for text in REPORTS]
    assert labeler.label(REPORTS) == expected
    assert len({tuple(row) for row in expected}) == len(REPORTS)  # the random heads tell these reports apart


def test_a_batch_reads_as_each_report_alone(labeler: CheXbertLabeler) -> None:
    assert labeler.label(REPORTS * 20) == [labeler.label([text])[0] for text in REPORTS] * 20


def test_an_empty_report_states_nothing(labeler: CheXbertLabeler) -> None:
    assert labeler.label(["", " \n"]) == [[BLANK] * CHEXBERT_COUNT] * 2
    assert labeler.label([]) == []


@pytest.mark.parametrize("state", range(4))
def test_classes_and_conditions_are_in_the_published_order(tmp_path: Path, vocabulary: Path, state: int) -> None:
    """A head that always says one class: 0 blank, 1 positive, 2 negative, 3 uncertain."""
    content = tensors()
    for head in range(CHEXBERT_COUNT):
        content[f"module.linear_heads.{head}.weight"].zero_()
        content[f"module.linear_heads.{head}.bias"].copy_(torch.eye(4)[0][: 2 if head == 13 else 4])
    effusion = CHEXBERT_CONDITIONS.index("pleural effusion")
    content[f"module.linear_heads.{effusion}.bias"].copy_(torch.eye(4)[state])
    found = read_chexbert(saved(tmp_path / "c.pth", {"model_state_dict": content}), vocabulary).label(["the heart"])[0]
    assert CHEXBERT_CONDITIONS[effusion] == "pleural effusion" and effusion == 9
    assert found == [(BLANK, POSITIVE, NEGATIVE, UNCERTAIN)[state] if at == effusion else BLANK for at in range(14)]


def test_a_long_report_is_read_by_whole_sentences_and_joined(labeler: CheXbertLabeler) -> None:
    sentence, other = "There is a small left opacity in the right lungs.", "The heart is normal, clear lungs."
    strength = {BLANK: 0, NEGATIVE: 1, UNCERTAIN: 2, POSITIVE: 3}
    # 22 tokens fit: 11 of the first sentence and 9 of the second do, a third sentence begins the next part.
    parts = labeler.label([f"{sentence} {other}", sentence])
    joined = [max(column, key=strength.__getitem__) for column in zip(*parts, strict=True)]
    if any(part[NO_FINDING] != POSITIVE for part in parts):
        joined[NO_FINDING] = BLANK
    assert labeler.label([f"{sentence} {other} {sentence}"]) == [joined]
    assert parts[0] != parts[1]


def test_a_sentence_longer_than_can_be_read_is_cut_between_tokens(labeler: CheXbertLabeler) -> None:
    parts = labeler.label(["heart " * 22, "heart " * 8])
    whole = labeler.label(["heart " * 30])[0]
    assert all(state in {part[at] for part in parts} or at == NO_FINDING for at, state in enumerate(whole))


def test_tokenizer_json_reads_the_same(labeler: CheXbertLabeler, checkpoint: Path, vocabulary: Path) -> None:
    from tokenizers.implementations import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(vocabulary / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(vocabulary / "tokenizer.json"))
    (vocabulary / "vocab.txt").unlink()
    assert read_chexbert(checkpoint, vocabulary).label(REPORTS) == labeler.label(REPORTS)


def without(content: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in content.items() if key != name}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"model_state_dict": without(tensors(), "module.linear_heads.3.bias")}, r"it lacks linear_heads\.3\.bias;"),
        ({"model_state_dict": tensors() | {"module.extra": torch.ones(1)}}, "should not hold extra;"),
        (
            {"model_state_dict": tensors() | {"module.linear_heads.13.bias": torch.ones(4)}},
            r"wrong shape for linear_heads\.13\.bias;",
        ),
        ({"model_state_dict": {"a": torch.ones(1)}}, "it holds no BERT"),
        ({"weights": {}}, "no model_state_dict"),
        ([1, 2], "no model_state_dict"),
        ({"model_state_dict": tensors(), "code": Path("x")}, "cannot be read as a file of tensors"),
    ],
)
def test_another_file_is_told_in_one_line(tmp_path: Path, vocabulary: Path, content: Any, reason: str) -> None:
    with pytest.raises(RadscribeError, match=reason) as told:
        read_chexbert(saved(tmp_path / "x.pth", content), vocabulary)
    assert "\n" not in str(told.value) and "x.pth" in str(told.value)


def test_damaged_and_absent_files_are_told(tmp_path: Path, checkpoint: Path, vocabulary: Path) -> None:
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(RadscribeError, match="cannot be read as a file of tensors"):
        read_chexbert(damaged, vocabulary)
    with pytest.raises(RadscribeError, match="no such file"):
        read_chexbert(tmp_path / "gone.pth", vocabulary)
    with pytest.raises(RadscribeError, match=r"neither tokenizer\.json nor vocab\.txt"):
        read_chexbert(checkpoint, tmp_path)
    (vocabulary / "vocab.txt").write_text("\n".join(WORDS[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(RadscribeError, match=rf"{len(WORDS) - 1} words where the checkpoint has {len(WORDS)}"):
        read_chexbert(checkpoint, vocabulary)
    (vocabulary / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(RadscribeError, match="its vocabulary cannot be read"):
        read_chexbert(checkpoint, vocabulary)


def test_a_scorecard_names_its_labeler(labeler: CheXbertLabeler) -> None:
    reports = {str(row): text for row, text in enumerate(REPORTS)}
    card = score(reports, reports, labeler=labeler, metrics=("bleu",), resamples=10)
    assert (card.signature["labeler"], card.signature["labeler_version"]) == ("CheXbert", labeler.version)
    assert card.per_study.hypothesis_states.tolist() == labeler.label(REPORTS)
    rules = score(reports, reports, metrics=("bleu",), resamples=10)
    assert (rules.signature["labeler"], rules.signature["labeler_version"]) == (
        "radscribe.labels.rules",
        RuleLabeler().version,
    )


def test_score_and_compare_take_it_from_the_command_line(tmp_path: Path, checkpoint: Path, vocabulary: Path) -> None:
    for name in ("h", "r"):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["study_id", "report"], *enumerate(REPORTS if name == "h" else REPORTS[::-1])])
    given = ["--chexbert", str(checkpoint), "--chexbert-vocabulary", str(vocabulary)]

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        return done.output

    files = ["--hypotheses", str(tmp_path / "h.csv"), "--references", str(tmp_path / "r.csv"), "--metrics", "bleu"]
    run("score", *files, "--resamples", "10", "--out", str(tmp_path / "rules.json"))
    run("score", *files, "--resamples", "10", "--out", str(tmp_path / "bert.json"), *given)
    card = json.loads((tmp_path / "bert.json").read_text())
    assert card["signature"]["labeler"] == "CheXbert"
    cards = [str(tmp_path / "bert.json"), str(tmp_path / "rules.json")]
    assert "(see --chexbert)" in run("compare", *cards, "--resamples", "9")
    # With CheXbert at hand the rules' card is read by it, and the difference is measured.
    assert "(see --chexbert)" not in run("compare", *cards, "--resamples", "9", *given)
    alone = CliRunner().invoke(app, ["score", *files, "--out", str(tmp_path / "x.json"), *given[:2]])
    assert "go together" in str(alone.exception or alone.output)
