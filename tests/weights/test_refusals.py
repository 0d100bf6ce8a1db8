"""What is not exactly of its kind is refused in one line that names the tensor, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from published import Tensors, prefixed, torchvision_tensors
from published_files import (
    RESNET,
    Harmful,
    bert_file,
    bert_folder,
    chexbert_file,
    medclip_file,
    medklip_file,
    promptmrg_file,
    r2gen_file,
    r2gencmn_file,
    revtaf_file,
    saved,
)

from radscribe.weights.kinds import KINDS

Run = Callable[..., tuple[int, str, str]]
# Kind -> its file, the entry that holds its tensors, and a tensor of it that is wanted.
FILES: dict[str, tuple[Callable[[], Tensors], str | None, str]] = {
    "resnet": (lambda: torchvision_tensors(RESNET), None, "layer3.0.conv2.weight"),
    "medklip": (medklip_file, "model", "module.decoder.layers.2.multihead_attn.in_proj_bias"),
    "clinicalbert": (bert_file, None, "bert.encoder.layer.1.output.dense.bias"),
    "bert": (bert_file, None, "bert.embeddings.token_type_embeddings.weight"),
    "medclip": (medclip_file, None, "text_model.model.encoder.layer.0.attention.self.key.weight"),
    "bert-decoder": (bert_file, None, "cls.predictions.transform.dense.weight"),
    "chexbert": (chexbert_file, "model_state_dict", "module.linear_heads.13.weight"),
    "r2gen": (r2gen_file, "state_dict", "visual_extractor.model.7.0.bn3.running_var"),
    "r2gencmn": (r2gencmn_file, "state_dict", "visual_extractor.model.6.0.bn2.weight"),
    "promptmrg": (promptmrg_file, None, "memory.decoder.layers.1.multihead_attn.out_proj.bias"),
    "revtaf": (revtaf_file, None, "gwd.layers.1.linear.bias"),
}


def same(tensors: Tensors) -> Tensors:
    return tensors


def without(name: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


def with_one(name: str, value: Any) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name: value}


def written(folder: Path, kind: str, change: Callable[[Tensors], Any] = same) -> Path:
    """The file of a kind after ``change``, in a BERT folder, as those of BERTs are."""
    make, entry, _ = FILES[kind]
    content = change(make())
    bert_folder(folder / "file", {})
    return saved(folder / "file" / "pytorch_model.bin", {entry: content, "epoch": 3} if entry else content)


def refused(run: Run, kind: str, file: Path, code: int = 1) -> str:
    """The one line that refuses ``file``."""
    out = file.parent.parent / "out"
    found, told, line = run("import", kind, str(file), "--out", str(out))
    assert (found, told, line.count("\n")) == (code, "", 1), line
    assert line.startswith("radscribe: ") and "Traceback" not in line
    assert not out.exists()
    return line


def test_every_kind_is_tried_here_and_listed_by_the_help(run: Run) -> None:
    assert set(FILES) == set(KINDS)
    _, told, _ = run("import", "--help")
    assert [kind for kind in KINDS if kind not in " ".join(told.split())] == [] and "Examples:" in told


@pytest.mark.parametrize("kind", FILES)
def test_a_whole_file_is_taken(tmp_path: Path, run: Run, kind: str) -> None:
    file = written(tmp_path, kind)
    code, told, line = run("import", kind, str(file), "--out", str(tmp_path / "out"))
    assert (code, line) == (0, "") and told.startswith(f"{kind}: ")
    kept = {path.name for path in (tmp_path / "out").iterdir()}
    assert kept - {"tokenizer.json"} == {"model.safetensors", "import.json"}


@pytest.mark.parametrize("kind", FILES)
def test_a_missing_tensor_is_named(tmp_path: Path, run: Run, kind: str) -> None:
    name = FILES[kind][2]
    line = refused(run, kind, written(tmp_path, kind, without(name)))
    assert f"it lacks {name}; {KINDS[kind].fix}" in line


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("extra", ["surprise.weight", "module.another.bias"])
def test_a_tensor_too_many_is_named(tmp_path: Path, run: Run, kind: str, extra: str) -> None:
    line = refused(run, kind, written(tmp_path, kind, with_one(extra, torch.ones(1))))
    assert f"radscribe has no place for its {extra}; {KINDS[kind].fix}" in line


@pytest.mark.parametrize("kind", FILES)
def test_a_wrong_shape_is_told_with_both(tmp_path: Path, run: Run, kind: str) -> None:
    name = FILES[kind][2]
    shape = tuple(FILES[kind][0]()[name].shape)
    wrong = (shape[0] + 3, *shape[1:])
    line = refused(run, kind, written(tmp_path, kind, with_one(name, torch.ones(wrong))))
    assert f"{name} has shape {wrong}" in line and f" needs {shape}" in line


@pytest.mark.parametrize("kind", FILES)
def test_numbers_that_are_none_are_told(tmp_path: Path, run: Run, kind: str) -> None:
    name = FILES[kind][2]
    value = FILES[kind][0]()[name].clone()
    value.view(-1)[0] = float("nan")
    line = refused(run, kind, written(tmp_path, kind, with_one(name, value)))
    assert f"not every number is finite in its {name}" in line


def test_whole_numbers_are_no_weights(tmp_path: Path, run: Run) -> None:
    name = FILES["medklip"][2]
    whole = medklip_file()[name].mul(100).to(torch.int8)
    line = refused(run, "medklip", written(tmp_path, "medklip", with_one(name, whole)))
    assert f"integers are not weights: its {name}; give MedKLIP's checkpoint" in line


def test_a_layer_missing_in_between_is_named(tmp_path: Path, run: Run) -> None:
    def change(tensors: Tensors) -> Tensors:
        return {name: value for name, value in tensors.items() if "decoder.layers.1." not in name}

    line = refused(run, "medklip", written(tmp_path, "medklip", change))
    assert "it lacks module.decoder.layers.1.linear1.weight; give" in line


@pytest.mark.parametrize("kind", FILES)
def test_code_in_a_pickle_is_refused_not_run(tmp_path: Path, run: Run, kind: str) -> None:
    file = written(tmp_path, kind, with_one(FILES[kind][2], Harmful(tmp_path / "ran")))
    line = refused(run, kind, file)
    assert "it cannot be read as a file of tensors" in line and "mkdir" in line and KINDS[kind].fix in line
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"<!DOCTYPE html>\n", lambda whole: b""]
)
def test_a_damaged_file_is_told(tmp_path: Path, run: Run, kind: str, damage: Callable[[bytes], bytes]) -> None:
    file = written(tmp_path, kind)
    file.write_bytes(damage(file.read_bytes()))
    assert "it cannot be read as a file of tensors" in refused(run, kind, file)


@pytest.mark.parametrize("kind", FILES)
def test_another_kinds_file_is_told_what_to_give(tmp_path: Path, run: Run, kind: str) -> None:
    file = written(tmp_path, kind, lambda unused: {"something.weight": torch.ones(2, 2)})
    assert KINDS[kind].fix in refused(run, kind, file)
    file = written(tmp_path, kind, lambda unused: {"list": [1, 2]})
    assert "it has no state dict of tensors, plain or under state_dict or model" in refused(run, kind, file)


def test_a_file_of_safetensors_that_is_damaged_or_absent_is_told(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").mkdir()
    file = tmp_path / "file" / "model.safetensors"
    assert "no such file; give the plain state dict" in refused(run, "resnet", file)
    file.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    assert "not a readable safetensors file" in refused(run, "resnet", file)
    file.unlink()
    assert "neither model.safetensors nor pytorch_model.bin is in it; give a BERT's" in refused(
        run, "bert", file.parent
    )


def test_wrong_use_is_told_with_code_2(tmp_path: Path, run: Run) -> None:
    file = written(tmp_path, "resnet")
    assert "'vgg' is not one of resnet, medklip" in refused(run, "vgg", file, code=2)
    out = tmp_path / "checkpoint"
    out.mkdir()
    (out / "model.safetensors").write_bytes(b"precious")
    code, _, line = run("import", "resnet", str(file), "--out", str(out))
    assert code == 2 and "it holds other files; name a new folder with --out" in line
    assert [path.name for path in out.iterdir()] == ["model.safetensors"]
    code, _, line = run("import", "resnet", str(file), "--out", str(file))
    assert code == 2 and "this is a file; name a folder with --out" in line
    code, _, line = run("import", "resnet", str(file), "--out", str(tmp_path / "o"), "--book", str(file))
    assert code == 2 and "--book is not used by this kind" in line and not (tmp_path / "o").exists()


def test_an_import_is_replaced_whole_and_a_failed_one_leaves_it(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    assert run("import", "bert", str(written(tmp_path, "bert")), "--out", str(out))[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert "tokenizer.json" in before
    bad = written(tmp_path, "resnet", without("conv1.weight"))
    assert run("import", "resnet", str(bad), "--out", str(out))[0] == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert run("import", "resnet", str(written(tmp_path, "resnet")), "--out", str(out))[0] == 0
    assert {path.name for path in out.iterdir()} == {"model.safetensors", "import.json"}


def test_two_networks_in_one_file_are_told(tmp_path: Path, run: Run) -> None:
    tensors = torchvision_tensors(RESNET)
    both = prefixed("a.", tensors) | prefixed("b.", tensors)
    line = refused(run, "resnet", written(tmp_path, "resnet", lambda unused: both))
    assert "it holds 2 ResNets of torchvision's names, not one" in line


def test_medclip_with_a_transformer_is_told(tmp_path: Path, run: Run) -> None:
    def change(tensors: Tensors) -> Tensors:
        kept = {name: value for name, value in tensors.items() if not name.startswith("vision_model.")}
        return kept | {"vision_model.model.embeddings.patch_embeddings.projection.weight": torch.ones(2, 3, 4, 4)}

    assert "its vision_model is a transformer, not a ResNet" in refused(
        run, "medclip", written(tmp_path, "medclip", change)
    )
