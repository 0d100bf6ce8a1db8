"""Drafts reports for films with a trained system, with the evidence for each sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from huggingface_hub import ModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from numpy.typing import NDArray
from torch import Tensor

from radscribe.core.errors import WrongUse
from radscribe.core.records import Draft, DraftSentence, Reference, ReferenceSentence, WithheldSentence
from radscribe.drafting.calibration import Calibration, load_calibration, save_calibration, signs_of
from radscribe.drafting.checkpoint import copy_records, load_checkpoint, save_checkpoint
from radscribe.drafting.choice import Written, write_chosen
from radscribe.drafting.evidence_maps import film_activations
from radscribe.drafting.films import to_tensor
from radscribe.drafting.findings import (
    doubted,
    findings_believed,
    findings_of,
    findings_stated,
    unsaid_warnings,
)
from radscribe.drafting.gate import Gate
from radscribe.drafting.gate_files import load_gate, save_gate
from radscribe.drafting.index_files import CheckpointError
from radscribe.drafting.sentence_maps import EvidenceKind, kind_for, sentence_maps, states_finding
from radscribe.drafting.sides import side_warnings
from radscribe.drafting.system import System
from radscribe.imaging.crop import centre_crop
from radscribe.imaging.film import Film, fit, read_film
from radscribe.labels.conditions import BLANK, CONDITIONS, POSITIVE, STATES
from radscribe.labels.rules import label_sentence
from radscribe.models.evidence import FilmEvidence
from radscribe.models.report_model import References

Pixels = NDArray[np.uint8]

NOTHING_LEFT = "The model stands by no sentence of its draft."
UNMAPPED = "No place of the film matters to it more than others do by chance."
SMALL = 20_000_000  # parameters
SLOTS_SHOWN = 3
STUDIES_SHOWN = 3


class Reporter(
    ModelHubMixin,
    library_name="radscribe",
    tags=["radiology", "chest-x-ray", "report-generation"],
    license="apache-2.0",
):
    """A trained system that drafts reports for films.

    ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` are those of huggingface_hub.
    """

    def __init__(
        self,
        system: System,
        about: dict[str, Any],
        folder: Path | None = None,
        calibration: Calibration | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.system, self.about, self.folder = system, about, folder
        self.calibration, self.gate = calibration, gate

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the system's weights and configuration."""
        return str(self.about["fingerprint"])

    @property
    def _named(self) -> dict[str, str]:
        """What a draft says of its model."""
        return {"name": self.system.config.name, "fingerprint": self.fingerprint}

    @property
    def device(self) -> torch.device:
        """Where the networks run."""
        return next(self.system.parameters()).device

    @property
    def threads(self) -> int | Literal["auto"] | None:
        """The processor threads to draft with, as ``core.compute.threads`` takes them.

        Those of the training where its recipe says; else one for a small network, which gains little from several and
        beside another busy process takes ten times as long with them.
        """
        recipe = self.about.get("recipe") or {}
        count: int | Literal["auto"] | None = (recipe.get("training") or {}).get("threads")
        if count is not None:
            return count
        return 1 if sum(parameter.numel() for parameter in self.system.parameters()) < SMALL else None

    def draft(
        self,
        film: str | Path | Film | Pixels,
        study_id: str | None = None,
        lateral: str | Path | Film | Pixels | None = None,
        evidence: str = "best",
    ) -> Draft:
        """Draft the report of one study.

        Args:
            film: a path (DICOM, PNG, JPEG), a ``Film``, or grey levels (height x width, uint8, bright = dense).
            study_id: what the draft is called; by default the file's name without its ending.
            lateral: the study's second film, for a system that reads two views.
            evidence: the kind of map that sentences show; "none" is the quickest.

        Raises:
            RefusedFilm: the file is no chest radiograph, or cannot be read.
            WrongUse: a lateral film for a system that reads one view, or a kind of map that the system does not have.
        """
        if study_id is None:
            study_id = Path(film).stem if isinstance(film, str | Path) else "film"
        films = [film] if lateral is None else [film, lateral]
        read = [self.read(each) if isinstance(each, str | Path) else each for each in films]
        views = [self.view(each.pixels if isinstance(each, Film) else each) for each in read]
        draft = self.drafts([np.stack(views)], [study_id], evidence)[0]
        found = film_warnings(each for each in read if isinstance(each, Film))
        return replace(draft, warnings=(*found, *draft.warnings))

    def read(self, path: str | Path) -> Film:
        """The film of a file, as the training films were read; raises ``RefusedFilm``."""
        return read_film(path, longest=self.system.config.film.resize)

    def view(self, pixels: Pixels) -> Pixels:
        """What the model sees of a film: a square of grey levels (crop x crop)."""
        config = self.system.config.film
        return centre_crop(fit(pixels, config.resize), config)

    def see(self, views: Sequence[Pixels] | Pixels) -> FilmEvidence:
        """All evidence that the model takes from B studies before it writes.

        ``views``: for each study one view (crop x crop, uint8), or several (views x crop x crop), the frontal first.
        Raises ``WrongUse`` for more views than the system reads.
        """
        return self.system.see(self.films(views))

    def films(self, views: Sequence[Pixels] | Pixels) -> Tensor:
        """``views``, as ``see`` takes them, for the networks: B x 1 x H x W, or B x views x 1 x H x W."""
        count = self.system.config.views
        studies = [view if view.ndim == 3 else view[None] for view in views]
        if any(len(study) > count for study in studies):
            raise WrongUse(f"{self.system.config.name} reads {count} film(s) of a study; give it no more")
        # A study with one film gives it twice, as in training.
        stacked = np.stack([np.concatenate((study, *[study[-1:]] * (count - len(study)))) for study in studies])
        films = to_tensor(stacked).to(self.device)
        return films[:, 0] if count == 1 else films

    def write(self, evidence: FilmEvidence) -> list[str]:
        """The reports alone, for scoring."""
        return [self.system.model.tokenizer.decode(row) for row in self.written(evidence).tokens]

    def written(self, evidence: FilmEvidence) -> Written:
        """The reports as token ids, with what else was drawn."""
        return write_chosen(self.system.model, evidence, self.system.config.search)

    def signs(self, evidence: FilmEvidence, written: Written) -> NDArray[np.float64]:
        """What statements on the films of ``evidence`` are judged by: B x 18 x 2, see ``calibration.signs_of``."""
        states = self.system.model.findings(evidence)
        likely = None if states is None else states[:, :, POSITIVE].cpu().numpy()
        return signs_of(likely, written.shares, len(evidence))

    def drafts(self, views: Sequence[Pixels], study_ids: Sequence[str], evidence_kind: str = "best") -> list[Draft]:
        """Drafts for B studies, as ``see`` takes them, with maps of the kind that ``draft`` takes.

        Where the checkpoint has a gate, a draft whose frontal film is none that the model can read abstains.
        """
        frontal = [view if view.ndim == 2 else view[0] for view in views]
        judged = self.gate.judge(np.stack(frontal)) if self.gate and frontal else [None] * len(frontal)
        read = [row for row, judgement in enumerate(judged) if judgement is None or not judgement.reasons]
        drafted = iter(self._drafts([views[row] for row in read], [study_ids[row] for row in read], evidence_kind))
        drafts = []
        for study_id, judgement in zip(study_ids, judged, strict=True):
            if judgement and judgement.reasons:
                drafts.append(Draft(study_id, "", (), (), None, self._named, abstain=True, reasons=judgement.reasons))
            else:
                draft = next(drafted)
                found = judgement.warnings if judgement else ()
                drafts.append(replace(draft, warnings=(*found, *draft.warnings)))
        return drafts

    def _drafts(self, views: Sequence[Pixels], study_ids: Sequence[str], evidence_kind: str) -> list[Draft]:
        if not views:
            return []
        films, model = self.films(views), self.system.model
        kind = kind_for(model, evidence_kind)
        evidence = self.system.see(films)
        written = self.written(evidence)
        states, references, signs = model.findings(evidence), model.references(evidence), self.signs(evidence, written)
        drafts = []
        for row, (study_id, words) in enumerate(zip(study_ids, written.tokens, strict=True)):
            seen = evidence.rows(torch.tensor([row], device=self.device))
            sentences = self._sentences(words, seen, films[row : row + 1], kind)
            withheld: list[WithheldSentence] = []
            unsaid: tuple[str, ...] = ()
            if self.calibration is not None:
                sentences, withheld = doubted(sentences, self.calibration, signs[row])
                findings = findings_believed(self.calibration, sentences, signs[row])
                unsaid = unsaid_warnings(findings)
            elif states is not None:
                findings = findings_of(states[row])
            else:
                findings = findings_stated(sentences)
            drafts.append(
                Draft(
                    study_id=study_id,
                    report=" ".join(sentence.text for sentence in sentences),
                    sentences=tuple(sentences),
                    findings=findings,
                    reference=None if references is None else self._reference(references, row),
                    model=self._named,
                    warnings=(*side_warnings(sentences), *unsaid),
                    withheld=tuple(withheld),
                    abstain=not sentences,
                    reasons=() if sentences else (NOTHING_LEFT,),
                )
            )
        return drafts

    def activations(self, films: Tensor) -> NDArray[np.float32] | None:
        """Where the frontal films of B studies (as ``films`` gives them) show each condition: B x 18 x H x W.

        None for a model that tells no states.
        """
        found = film_activations(self.system.model, films[:, 0] if films.dim() == 5 else films)
        return None if found is None else found.cpu().numpy()

    def _sentences(
        self, words: list[int], evidence: FilmEvidence, films: Tensor, kind: EvidenceKind
    ) -> list[DraftSentence]:
        """The sentences of a report (token ids) with their evidence, for one study."""
        model = self.system.model
        database = self.system.knowledge.database
        spans = model.tokenizer.sentences(words)
        if not spans:
            return []
        probabilities, attention, slots = model.explain(words, evidence)
        side = round(attention.shape[1] ** 0.5)
        vectors = self.system.text_encoder.encode([text for text, _, _ in spans]).to(self.device)
        nearest, similarity = database.nearest_sentence(vectors)
        states = [label_sentence(text) for text, _, _ in spans]
        places = [(first, last) for _, first, last in spans]
        maps = sentence_maps(kind, self.system, films, words, places, states, attention)
        sentences = []
        for position, (text, first, last) in enumerate(spans):
            source = int(nearest[position])
            looked_at = attention[first:last].mean(0).view(side, side)
            looked_at = looked_at / looked_at.sum()  # of what did not rest
            finding = states_finding(states[position])
            sentences.append(
                DraftSentence(
                    text=text,
                    conditions={
                        name: STATES[state]
                        for name, state in zip(CONDITIONS, states[position], strict=True)
                        if state != BLANK and name != "no finding"
                    },
                    confidence=float(probabilities[first:last].clamp(min=1e-9).log().mean().exp()),
                    attention=tuple(tuple(round(value, 5) for value in line) for line in looked_at.tolist()),
                    reference=ReferenceSentence(
                        study_id=database.report_ids[database.study_of_sentence(source)],
                        sentence=database.sentences[source] if database.sentences else None,
                        similarity=float(similarity[position]),
                    ),
                    slots=() if slots is None else self._slots(slots[first:last].mean(0)),
                    evidence=maps[position],
                    unmapped=UNMAPPED if kind != "none" and not maps[position] and finding else None,
                )
            )
        return sentences

    def _slots(self, weights: Tensor) -> tuple[dict[str, Any], ...]:
        """The slots of the largest ``weights`` (N_m), each with its topic's words and its nearest training studies."""
        top = weights.topk(min(SLOTS_SHOWN, len(weights)))
        notes = self.system.model.slot_notes(top.indices, self.system.knowledge, STUDIES_SHOWN)
        return tuple(
            {"slot": slot, "weight": round(weight, 4), **note}
            for slot, weight, note in zip(top.indices.tolist(), top.values.tolist(), notes, strict=True)
        )

    def _reference(self, references: References, row: int) -> Reference | None:
        study, database = int(references.rows[row]), self.system.knowledge.database
        if study < 0:
            return None
        distance = None if references.distances is None else float(references.distances[row])
        return Reference(database.report_ids[study], distance, database.report_text(study))

    def _save_pretrained(self, save_directory: Path) -> None:
        kept: dict[str, Any] = {
            name: self.about[name] for name in ("recipe", "dataset", "measured") if name in self.about
        }
        half = self.about.get("precision") == "float16"
        texts = self.system.knowledge.database.sentences is not None
        save_checkpoint(save_directory, self.system, kept, half, texts)
        if self.calibration is not None:
            save_calibration(self.calibration, save_directory)
        if self.gate is not None:
            save_gate(self.gate, save_directory)
        if self.folder is not None:
            copy_records(self.folder, save_directory)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", **download: Any) -> Reporter:
        folder = Path(model_id)
        if not folder.is_dir():
            allowed = ("revision", "cache_dir", "force_download", "local_files_only", "token")
            kept: dict[str, Any] = {name: value for name, value in download.items() if name in allowed}
            try:
                folder = Path(snapshot_download(model_id, **kept))
            except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
                reason = str(error).strip().splitlines()[0]
                raise CheckpointError(
                    f"{model_id}: neither a checkpoint folder nor available from the hub ({reason})"
                ) from None
        return cls._of_folder(folder, map_location)

    @classmethod
    def _of_folder(cls, folder: Path, device: str) -> Reporter:
        system, about = load_checkpoint(folder, device)
        return cls(system, about, folder, load_calibration(folder, str(about["fingerprint"])), load_gate(folder))


def packaged_checkpoint() -> Path:
    """The checkpoint that comes with the package."""
    return Path(str(files("radscribe"))) / "pretrained" / "revtaf-iu-small"


def load_reporter(checkpoint: str | Path | None = None, device: str = "cpu") -> Reporter:
    """A reporter from a checkpoint folder or hub id, or the packaged one."""
    if checkpoint is None:
        checkpoint = packaged_checkpoint()
        if not checkpoint.is_dir():
            raise CheckpointError("no checkpoint comes with this installation; name one with --checkpoint")
    _require_device(device)
    if Path(checkpoint).is_dir():  # the mixin would read config.json before we can say what is wrong with it
        return Reporter._of_folder(Path(checkpoint), device)
    try:
        reporter: Reporter = Reporter.from_pretrained(str(checkpoint), map_location=device)
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError):
        raise CheckpointError(
            f"{checkpoint}: no such checkpoint folder, nor is it available from the hub; name one made by "
            "`radscribe train`"
        ) from None
    return reporter


def _require_device(device: str) -> None:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise WrongUse(f"--device {device}: torch has no such device here; take cpu") from None


def film_warnings(films: Iterable[Film]) -> tuple[str, ...]:
    """What was found odd in reading ``films``, each once: the ``warnings`` of their draft."""
    return tuple(dict.fromkeys(warning for film in films for warning in film.warnings))


def batches(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """Items in lists of ``size``, the last one shorter."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
