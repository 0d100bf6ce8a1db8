"""Score the reports of a saved scorecard again, by its own settings or by those of another scorecard."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from radscribe.evaluation.scorecard.card import Scorecard, score
from radscribe.evaluation.scorecard.per_study import content_hash
from radscribe.evaluation.scorecard.saved import SavedScorecard
from radscribe.labels.labeler import Labeler, RuleLabeler
from radscribe.metrics.clinical import AVERAGES, Uncertain
from radscribe.metrics.nlg import BLEU, METRICS
from radscribe.metrics.protocols import PROTOCOLS
from radscribe.metrics.significance import Resampling

PROTOCOL_FIELDS = ("protocol", "cleaning", "truncation", "tokenization", "casing")
NO_TEXTS = "its rows hold no reports, as those of earlier versions: score them anew"
NO_FIRST_TEXTS = "the first's references are not known: its rows hold no reports, as those of earlier versions"
NO_VOCABULARY = (
    "of the vocabulary only the hash is known: give its file (--unknown-words) or annotation (--vocabulary-from)"
)
VALUES_ONLY = Resampling(resamples=0)


@dataclass(frozen=True)
class Settings:
    """How reports were scored, as far as that can be repeated; each field is a setting that may differ."""

    protocol: Mapping[str, Any]  # the fields of the signature that describe it
    uncertain: Uncertain
    vocabulary: str | None  # its hash
    labeler: Mapping[str, Any]  # the fields of the signature that describe it
    references: Mapping[str, str] | None  # by study id; None where they are unknown
    reference_labels: Mapping[str, Sequence[int]] | None  # true labels; None where the labeler reads the references


@dataclass(frozen=True)
class Rescored:
    """The result of scoring again; figures that could not be computed have a reason."""

    card: Scorecard | None  # None where neither half could be computed
    language_reason: str = ""  # why there are no language figures
    clinical_reason: str = ""  # why there are no clinical figures

    def values(self) -> dict[str, float]:
        """The figures that could be computed, by name."""
        found: dict[str, float] = {}
        if self.card is None:
            return found
        if not self.language_reason:
            found |= {name: figure.value for name, figure in self.card.nlg.items() if figure is not None}
        if not self.clinical_reason:
            found |= {f"{average}_f1": getattr(self.card.clinical, average).f1.value for average in AVERAGES}
        return found

    def reason(self) -> str:
        """Why some or all figures could not be computed; empty where all could."""
        if self.language_reason == self.clinical_reason:
            return self.language_reason
        halves = (("language figures", self.language_reason), ("clinical figures", self.clinical_reason))
        return "; ".join(f"{half}: {reason}" for half, reason in halves if reason)


def settings_of(card: SavedScorecard, study_ids: Collection[str]) -> Settings:
    """The settings of a scorecard on some of its studies."""
    signature, references = card.signature, card.references()
    states = dict(zip(card.rows.study_ids, card.rows.reference_states.tolist(), strict=True))
    return Settings(
        {name: signature.get(name) for name in PROTOCOL_FIELDS},
        signature["uncertain"],
        signature.get("vocabulary"),
        labeler_of(signature),
        {study_id: references[study_id] for study_id in study_ids} if card.has_texts else None,
        {study_id: states[study_id] for study_id in study_ids}
        if signature.get("reference_labels", "labeler") != "labeler"
        else None,
    )


def labeler_of(signature: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a signature that describe the labeler: its name and, where it has one, its version."""
    return {name: value for name, value in signature.items() if name.startswith("labeler")}


@dataclass(frozen=True)
class Rescorer:
    """Scores the reports of saved scorecards again."""

    figures: Collection[str]  # the names of those wanted
    vocabularies: Sequence[Collection[str]] = ()
    # Where none of these is the one that a setting names, the first reads reports and clinical figures do not count.
    labelers: Sequence[Labeler] = (RuleLabeler(),)

    def __call__(
        self,
        card: SavedScorecard,
        study_ids: Sequence[str],
        settings: Settings,
        resampling: Resampling = VALUES_ONLY,
    ) -> Rescored:
        """The hypotheses of ``card`` for ``study_ids``, scored by ``settings``."""
        reason = self._prevented(card, settings)
        if reason:
            return Rescored(None, reason, reason)
        assert settings.references is not None
        known = {content_hash({"words": sorted(words)}): words for words in self.vocabularies}
        unknown = settings.vocabulary is not None and settings.vocabulary not in known
        cut = PROTOCOLS[settings.protocol["protocol"]].labels_cut_references and settings.reference_labels is None
        if unknown and cut:  # the labeler reads references without the words outside the vocabulary
            return Rescored(None, NO_VOCABULARY, NO_VOCABULARY)
        hypotheses, clusters = card.hypotheses(), resampling.clusters
        found = score(
            {study_id: hypotheses[study_id] for study_id in study_ids},
            settings.references,
            settings.protocol["protocol"],
            settings.reference_labels,
            None if clusters is None else dict(zip(study_ids, clusters, strict=True)),
            metrics=() if unknown else self._metrics(),
            labeler=self._labeler(settings),
            uncertain=settings.uncertain,
            vocabulary=None if settings.vocabulary is None or unknown else known[settings.vocabulary],
            resamples=resampling.resamples,
            seed=resampling.seed,
        )
        # New scores count only where their signature has the requested settings.
        if {name: found.signature[name] for name in PROTOCOL_FIELDS} != settings.protocol:
            reason = f"this version's protocol {settings.protocol['protocol']} is another"
            return Rescored(None, reason, reason)
        labeler = labeler_of(found.signature)
        names = ", ".join(map(shown, labeler.values()))
        other = "" if labeler == settings.labeler else f"scoring again reads reports by {names} only (see --chexbert)"
        return Rescored(found, NO_VOCABULARY if unknown else "", other)

    def _prevented(self, card: SavedScorecard, settings: Settings) -> str:
        if not card.has_texts:
            return NO_TEXTS
        if settings.references is None:
            return NO_FIRST_TEXTS
        protocol = settings.protocol["protocol"]
        return "" if protocol in PROTOCOLS else f"this version does not know the protocol {protocol}"

    def _labeler(self, settings: Settings) -> Labeler:
        wanted = (settings.labeler.get("labeler"), settings.labeler.get("labeler_version"))
        named = (labeler for labeler in self.labelers if (labeler.name, labeler.version) == wanted)
        return next(named, self.labelers[0])

    def _metrics(self) -> tuple[str, ...]:
        wanted = {"bleu" if name in BLEU else name for name in self.figures}
        return tuple(name for name in METRICS if name in wanted)


def shown(value: Any) -> str:
    """A value of a signature in a table; a hash is shortened."""
    text = "none" if value is None else str(value)
    return text[:8] if len(text) == 64 else text
