"""Import published weights: the table of kinds, and the import of one file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.weights import bert, chexbert, decoder, medclip, medklip, promptmrg, r2gen, resnet
from radscribe.weights.carry import Extras, Plan, Source, carry, read_source
from radscribe.weights.folder import check_target, write_import

WRAPPERS = ("state_dict", "model", "model_state_dict")
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Kind:
    """A kind of published file."""

    plan: Callable[[Source], Plan]
    file: str  # what to give
    use: str  # how a recipe or a command names the imported folder, DIR
    takes: tuple[str, ...] = ()  # fields of ``Extras`` that it reads

    @property
    def fix(self) -> str:
        """The end of every refusal: what to give instead."""
        return f"give {self.file}"


IMAGE_ENCODER = "image_encoder: {weights: DIR} (entity_model or model)"
BERT = Kind(
    bert.plan,
    "a BERT's model.safetensors or pytorch_model.bin, config.json and vocab.txt beside it",
    "text_encoder: {source: DIR}",
    ("vocabulary",),
)
KINDS: dict[str, Kind] = {
    "resnet": Kind(resnet.plan, "the plain state dict of a torchvision ResNet", IMAGE_ENCODER),
    "medklip": Kind(medklip.plan, "MedKLIP's checkpoint (.pth)", "entity_weights: DIR", ("book", "text_encoder")),
    "clinicalbert": BERT,
    "bert": BERT,
    "medclip": Kind(
        medclip.plan,
        "pytorch_model.bin of MedCLIP with a ResNet-50",
        f"{IMAGE_ENCODER} with normalization: medclip; text_encoder: {{source: DIR}}",
        ("vocabulary",),
    ),
    "bert-decoder": Kind(decoder.plan, BERT.file, "decoder_weights: DIR", ("vocabulary",)),
    "chexbert": Kind(chexbert.plan, "CheXbert's own chexbert.pth", "radscribe score --chexbert DIR", ("vocabulary",)),
    "r2gen": Kind(r2gen.plan_r2gen, "R2Gen's model_best.pth", IMAGE_ENCODER),
    "r2gencmn": Kind(r2gen.plan_r2gencmn, "R2GenCMN's model_best.pth", f"{IMAGE_ENCODER}; generator_weights: DIR"),
    "promptmrg": Kind(
        promptmrg.plan_promptmrg, "PromptMRG's model_best.pth", "generator_weights: DIR", ("vocabulary",)
    ),
    "revtaf": Kind(
        promptmrg.plan_revtaf, "model_best.pth of REVTAF's published code", "generator_weights: DIR", ("vocabulary",)
    ),
}


def kind_named(name: str) -> Kind:
    """The kind of that name. Raises ``WrongUse`` where there is none."""
    if name not in KINDS:
        raise WrongUse(f"import: {name!r} is not one of {', '.join(KINDS)}")
    return KINDS[name]


def import_weights(name: str, file: Path, out: Path, extras: Extras) -> dict[str, Any]:
    """Import the published ``file`` of a kind to the folder ``out``; returns the content of its ``import.json``.

    Raises ``WrongUse`` for an unknown kind, an option that it does not take and a folder with other files, and
    ``RadscribeError``, one line, for a file that is not of the kind. Nothing is written then.
    """
    kind = kind_named(name)
    for option in ("vocabulary", "book", "text_encoder"):
        if getattr(extras, option) is not None and option not in kind.takes:
            raise WrongUse(f"import {name}: --{option.replace('_', '-')} is not used by this kind; leave it out")
    check_target(out)
    if file.is_dir():
        found = [file / known for known in WEIGHTS if (file / known).is_file()]
        if not found:
            raise RadscribeError(f"{file}: neither {' nor '.join(WEIGHTS)} is in it; {kind.fix}")
        file = found[0]
    source = read_source(file, WRAPPERS, extras, kind.fix)
    plan = kind.plan(source)
    return write_import(out, name, source, plan, carry(source, plan))
