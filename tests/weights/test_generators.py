"""Whole report generators of the lineage, against forward passes written out here, and CheXbert."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from published import Tensors, attend, linear, norm, resnet_forward, torch_attention, torchvision_tensors
from published_files import (
    BRANCH,
    RESNET,
    WORDS,
    bert_file,
    bert_folder,
    chexbert_file,
    promptmrg_file,
    r2gencmn_file,
    revtaf_file,
    saved,
)
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from radscribe.core.config import to_mapping
from radscribe.core.errors import RadscribeError
from radscribe.labels.chexbert import read_chexbert
from radscribe.models.classification import ClassificationConfig
from radscribe.models.decoding.decoder import DecoderConfig
from radscribe.models.decoding.tokenizer import ReportTokenizer
from radscribe.models.fusion.transport_attention import FusionConfig
from radscribe.models.knowledge.memory import MemoryBank, MemoryConfig
from radscribe.models.knowledge.retrieval import RetrievalConfig
from radscribe.models.knowledge.slots import SlotsConfig
from radscribe.models.mcsam import EncoderConfig, Mcsam, McsamConfig
from radscribe.models.revtaf import Revtaf, RevtafConfig
from radscribe.weights.carry import Extras
from radscribe.weights.folder import open_import
from radscribe.weights.from_import import start_generator
from radscribe.weights.kinds import import_weights

VISUAL = RESNET.hidden_sizes[3]
FILMS = torch.rand(2, 1, 224, 224, generator=torch.Generator().manual_seed(0))
CLASSIFICATION = ClassificationConfig(width=BRANCH, layers=2, heads=8, feed_forward=24, reader="promptmrg")
DECODER = DecoderConfig(layers=2, width=128, heads=2, feed_forward=24)
STATE_WORDS = ("[BLA]", "[POS]", "[NEG]", "[UNC]")


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    return bert_folder(tmp_path / "bert", bert_file()).parent


def promptmrg(**change: object) -> RevtafConfig:
    settings = {"retrieval": None, "fusion": None, "width": VISUAL, "image_encoder": RESNET} | change
    return RevtafConfig(classification=CLASSIFICATION, decoder=DECODER, **settings)  # type: ignore[arg-type]


def reader(t: Tensors, reports: Tensor, query: Tensor) -> Tensor:
    """DETR's transformer as PromptMRG calls it: the query is a position, what it holds begins as zero."""
    memory = reports
    for number in range(2):
        name = f"memory.encoder.layers.{number}"
        memory = norm(t, f"{name}.norm1", memory + torch_attention(t, f"{name}.self_attn", memory, memory, memory, 8))
        inner = linear(t, f"{name}.linear2", functional.relu(linear(t, f"{name}.linear1", memory)))
        memory = norm(t, f"{name}.norm2", memory + inner)
    x = torch.zeros_like(query)
    for number in range(2):
        name = f"memory.decoder.layers.{number}"
        x = norm(t, f"{name}.norm1", x + torch_attention(t, f"{name}.self_attn", x + query, x + query, x, 8))
        read = torch_attention(t, f"{name}.multihead_attn", x + query, memory, memory, 8)
        x = norm(t, f"{name}.norm2", x + read)
        inner = linear(t, f"{name}.linear2", functional.relu(linear(t, f"{name}.linear1", x)))
        x = norm(t, f"{name}.norm3", x + inner)
    return norm(t, "memory.decoder.norm", x)


def states(t: Tensors, patches: Tensor, reports: Tensor) -> Tensor:
    """Logits of the published branch, B x 4 x 18."""
    pooled = patches.mean(1)
    read = reader(t, reports, linear(t, "vision_proj", pooled)[:, None])[:, 0]
    return linear(t, "cls_head", torch.cat((pooled, read), 1)).view(-1, 4, 18)


def words(t: Tensors, tokens: Tensor, patches: Tensor) -> Tensor:
    """Logits of BLIP's causal BERT with cross-attention on the patches."""
    bert, eps = "text_decoder.bert", 1e-12
    x = t[f"{bert}.embeddings.word_embeddings.weight"][tokens]
    x = x + t[f"{bert}.embeddings.position_embeddings.weight"][: tokens.shape[1]]
    x = norm(t, f"{bert}.embeddings.LayerNorm", x, eps)
    causal = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril()
    for number in range(2):
        name = f"{bert}.encoder.layer.{number}"
        for kind, memory, mask in (("attention", None, causal), ("crossattention", patches, None)):
            read = x if memory is None else memory
            q, k, v = (
                linear(t, f"{name}.{kind}.self.{part}", y) for part, y in (("query", x), ("key", read), ("value", read))
            )
            attended = linear(t, f"{name}.{kind}.output.dense", attend(q, k, v, 2, mask))
            x = norm(t, f"{name}.{kind}.output.LayerNorm", x + attended, eps)
        inner = functional.gelu(linear(t, f"{name}.intermediate.dense", x))
        x = norm(t, f"{name}.output.LayerNorm", x + linear(t, f"{name}.output.dense", inner), eps)
    head = "text_decoder.cls.predictions"
    x = norm(t, f"{head}.transform.LayerNorm", functional.gelu(linear(t, f"{head}.transform.dense", x)), eps)
    return linear(t, f"{head}.decoder", x)


def test_promptmrg_is_the_published_model(tmp_path: Path, vocabulary: Path) -> None:
    tensors = promptmrg_file()
    file = saved(tmp_path / "model_best.pth", tensors)
    about = import_weights("promptmrg", file, tmp_path / "out", Extras(vocabulary=vocabulary))
    imported = open_import(tmp_path / "out")
    tokenizer = ReportTokenizer(imported.tokenizer())  # type: ignore[arg-type]
    assert [tokenizer.start, *tokenizer.states] == list(range(len(WORDS), len(WORDS) + 5))
    assert tuple(tokenizer.backend.id_to_token(number) for number in tokenizer.states) == STATE_WORDS
    said: list[str] = []
    model = Revtaf(promptmrg(), BRANCH, tokenizer).eval()
    projection = model.classification.project_reports
    start_generator(imported, model, None, said.append)
    assert not said and projection.weight.abs().sum() > 0
    torch.nn.init.eye_(projection.weight)  # the published reports come as vectors of this width
    torch.nn.init.zeros_(projection.bias)

    patches = resnet_forward(torchvision_tensors(RESNET), FILMS)
    seen = model.look(FILMS)[0]
    torch.testing.assert_close(seen, patches, rtol=1e-4, atol=1e-4)
    reports = torch.randn(2, 21, BRANCH)
    expected = states(tensors, patches, reports)
    found = model.classification(seen.mean(1), reports)
    torch.testing.assert_close(found, expected.transpose(1, 2), rtol=1e-3, atol=1e-3)
    assert expected.std() > 0.3
    tokens = torch.randint(0, len(WORDS) + 5, (2, 7))
    memory, _ = model.fuse(seen, *torch.zeros(4, 1))  # the text is not looked at
    logits = words(tensors, tokens, patches)
    torch.testing.assert_close(model.decoder(tokens, memory), logits, rtol=1e-3, atol=1e-3)
    assert about["config"]["model"] == {"width": VISUAL, "retrieval": None, "fusion": None}
    assert [name for name, _ in about["made_up"]] == ["project.weight", "project.bias"]


def test_the_reader_is_an_option_that_the_published_weights_ask_for(tmp_path: Path) -> None:
    assert "reader" not in to_mapping(ClassificationConfig())
    import_weights("promptmrg", saved(tmp_path / "p.pth", promptmrg_file()), tmp_path / "out", Extras())
    words_of = ReportTokenizer(open_import_words(tmp_path))
    other = RevtafConfig(
        retrieval=None,
        fusion=None,
        width=VISUAL,
        image_encoder=RESNET,
        decoder=DECODER,
        classification=ClassificationConfig(width=BRANCH, layers=2, heads=8, feed_forward=24),
    )
    with pytest.raises(RadscribeError, match=r"model\.classification\.reader is promptmrg there and another in the"):
        start_generator(open_import(tmp_path / "out"), Revtaf(other, 6, words_of), None, print)


def open_import_words(folder: Path) -> Tokenizer:
    import_weights("bert", bert_folder(folder / "words", bert_file()), folder / "words-out", Extras())
    tokenizer = open_import(folder / "words-out").tokenizer()
    assert tokenizer is not None
    return tokenizer


def test_without_words_a_promptmrg_folder_says_so_and_takes_those_of_the_same_number(tmp_path: Path) -> None:
    about = import_weights("promptmrg", saved(tmp_path / "p.pth", promptmrg_file()), tmp_path / "out", Extras())
    assert "give bert-base-uncased's with --vocabulary" in about["notes"][0]
    imported = open_import(tmp_path / "out")
    assert imported.tokenizer() is None
    start_generator(imported, Revtaf(promptmrg(), 6, ReportTokenizer(open_import_words(tmp_path))), None, print)


def test_a_revtaf_with_fusion_takes_all_but_what_reads_the_patches(tmp_path: Path, vocabulary: Path) -> None:
    tensors, said = promptmrg_file(), list[str]()
    file = saved(tmp_path / "p.pth", tensors)
    import_weights("promptmrg", file, tmp_path / "out", Extras(vocabulary=vocabulary))
    imported = open_import(tmp_path / "out")
    torch.manual_seed(5)
    config = promptmrg(fusion=FusionConfig(heads=2), width=12)
    model = Revtaf(config, 6, ReportTokenizer(imported.tokenizer()))  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    start_generator(imported, model, None, said.append)
    after = model.state_dict()
    assert len(said) == 1 and "its projection and cross-attention start at random" in said[0]
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if ".cross_" in name or "_branch." in name} <= kept
    query = "text_decoder.bert.encoder.layer.1.attention.self.query.weight"
    assert torch.equal(after["decoder.layers.1.self_attention.query.weight"], tensors[query])


def hyperbolic(t: Tensors, presence: Tensor, c: float = 0.01) -> Tensor:
    """The published hyperbolic layers, by their own formulas in double precision."""

    def length(x: Tensor) -> Tensor:
        return x.norm(dim=-1, keepdim=True)

    def lifted(x: Tensor) -> Tensor:
        return torch.tanh(c**0.5 * length(x)) * x / (c**0.5 * length(x))

    x = lifted(presence.double())
    for number in range(2):
        weight, bias = (t[f"gwd.layers.{number}.linear.{leaf}"].double() for leaf in ("weight", "bias"))
        mapped = x @ weight.T
        x = (
            torch.tanh(length(mapped) / length(x) * torch.atanh(c**0.5 * length(x)))
            * mapped
            / (length(mapped) * c**0.5)
        )
        y = lifted(bias[None])
        inner, xx, yy = (x * y).sum(-1, keepdim=True), length(x) ** 2, length(y) ** 2
        x = ((1 + 2 * c * inner + c * yy) * x + (1 - c * xx) * y) / (1 + 2 * c * inner + c**2 * xx * yy)
        tangent = functional.relu(torch.atanh(c**0.5 * length(x)) * x / (c**0.5 * length(x)))
        x = lifted(tangent)
    return x


def test_revtaf_gives_its_ball_branch_and_decoder(tmp_path: Path, vocabulary: Path) -> None:
    tensors = revtaf_file(width=6)
    file = saved(tmp_path / "model_best.pth", tensors)
    about = import_weights("revtaf", file, tmp_path / "out", Extras(vocabulary=vocabulary))
    imported = open_import(tmp_path / "out")
    config = promptmrg(retrieval=RetrievalConfig(width=10), fusion=FusionConfig(heads=2), width=6)
    model = Revtaf(config, BRANCH, ReportTokenizer(imported.tokenizer())).eval()  # type: ignore[arg-type]
    said: list[str] = []
    start_generator(imported, model, None, said.append)
    assert not said and about["config"]["model"] == {"width": 6}
    presence = torch.rand(4, 75)
    torch.testing.assert_close(model.retrieval(presence).double(), hyperbolic(tensors, presence), rtol=1e-4, atol=1e-5)
    tokens, fused = torch.randint(0, len(WORDS), (2, 7)), torch.randn(2, 49, 12)
    torch.testing.assert_close(model.decoder(tokens, fused), words(tensors, tokens, fused), rtol=1e-3, atol=1e-3)
    reasons = dict(about["left_out"])
    assert "no heads" in reasons["ot_vision_proj.weight"] and "never called" in reasons["multihead_attn.q.weight"]


def test_r2gencmn_gives_its_memory(tmp_path: Path) -> None:
    tensors = r2gencmn_file(width=8, slots=40)
    import_weights("r2gencmn", saved(tmp_path / "m.pth", {"state_dict": tensors}), tmp_path / "out", Extras())
    imported = open_import(tmp_path / "out")
    assert imported.config["memory"] == {"slot_width": 8, "heads": 8, "nearest": 32, "start": {"count": 40}}
    bank = MemoryBank(MemoryConfig(SlotsConfig(count=40), 8, 8, 32), 8)
    bank.load_state_dict(imported.part("bank"))
    x, slots, name = torch.randn(2, 5, 8), tensors["encoder_decoder.memory_matrix"], "encoder_decoder.cmn.linears"
    q, k, v = (linear(tensors, f"{name}.{number}", y) for number, y in enumerate((x, slots, slots)))
    q, k, v = (y.unflatten(-1, (8, -1)).transpose(-2, -3) for y in (q, k, v))
    scores, chosen = (q @ k.transpose(-1, -2) / (8 // 8) ** 0.5).topk(32)
    values = v[None, :, None].expand(2, -1, 5, -1, -1).gather(3, chosen[..., None].expand(-1, -1, -1, -1, 1))
    found = (scores.softmax(-1).unsqueeze(3) @ values).squeeze(3).transpose(1, 2).flatten(2)
    expected = linear(tensors, f"{name}.3", found)
    torch.testing.assert_close(bank(x).values, expected, rtol=1e-4, atol=1e-4)


def test_an_mcsam_starts_from_r2gencmns_image_encoder_and_memory(tmp_path: Path) -> None:
    tensors, said = r2gencmn_file(width=8, slots=40), list[str]()
    import_weights("r2gencmn", saved(tmp_path / "m.pth", {"state_dict": tensors}), tmp_path / "out", Extras())
    config = McsamConfig(
        width=8,
        image_encoder=RESNET,
        memory=MemoryConfig(SlotsConfig(count=40), 8, 8, 32),
        alignment=None,
        encoder=EncoderConfig(heads=2),
        decoder=DecoderConfig(layers=1, width=8, heads=2, feed_forward=8),
    )
    model = Mcsam(config, ReportTokenizer(open_import_words(tmp_path)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    start_generator(open_import(tmp_path / "out"), model, None, said.append)
    assert {
        name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    } == {
        "image_encoder",
        "bank",
    }
    torch.testing.assert_close(model.bank.slots * 8**0.5, tensors["encoder_decoder.memory_matrix"])
    fewer = replace(config, memory=MemoryConfig(SlotsConfig(count=36), 8, 8, 32))
    with pytest.raises(RadscribeError, match=r"model\.memory\.start\.count is 40 there and 36 in the recipe"):
        start_generator(open_import(tmp_path / "out"), Mcsam(fewer, model.tokenizer), None, print)


def test_two_copies_of_the_memory_that_differ_are_refused(tmp_path: Path) -> None:
    tensors = r2gencmn_file()
    tensors["encoder_decoder.model.cmn.linears.2.bias"] = tensors["encoder_decoder.model.cmn.linears.2.bias"] + 1
    with pytest.raises(RadscribeError, match=r"cmn\.linears\.2\.bias \+ .* differ but should be the same"):
        import_weights("r2gencmn", saved(tmp_path / "m.pth", {"state_dict": tensors}), tmp_path / "out", Extras())


def test_chexbert_labels_as_its_checkpoint_does_and_is_the_same_labeler(tmp_path: Path, vocabulary: Path) -> None:
    file = saved(tmp_path / "chexbert.pth", {"model_state_dict": chexbert_file(), "epoch": 3})
    import_weights("chexbert", file, tmp_path / "out", Extras(vocabulary=vocabulary))
    texts = ["The heart is normal.", "small left opacity", "no effusions", "clear lungs", ""]
    published = read_chexbert(file, vocabulary)
    for words_of in (vocabulary, tmp_path / "out"):
        imported = read_chexbert(tmp_path / "out", words_of)
        assert imported.label(texts) == published.label(texts)
    assert read_chexbert(tmp_path / "out", vocabulary).version == published.version
    assert len({tuple(row) for row in published.label(texts)}) > 2
    import_weights("bert", bert_folder(tmp_path / "other", bert_file()), tmp_path / "bert-out", Extras())
    with pytest.raises(RadscribeError, match="an import of bert; name a folder made by `radscribe import chexbert`"):
        read_chexbert(tmp_path / "bert-out", vocabulary)
