"""The reference database: training studies, their places in the ball, and the sentence vectors of their reports.

DB of REVTAF, arXiv 2507.07568, Section 3.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from radscribe.core.errors import RadscribeError
from radscribe.core.records import Study
from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.models.encoders.text import TextEncoder
from radscribe.models.knowledge.nearest import nearest
from radscribe.models.knowledge.prompts import report_sentences, sentence_table, triplet_texts


def stated_presence(studies: Sequence[Study]) -> Tensor:
    """1 where a study's report states an entity as present, else 0: ``N studies -> N x 75``, float32."""
    presence = torch.zeros(len(studies), len(ENTITIES))
    for row, study in enumerate(studies):
        presence[row, [entity for entity, _, present in study.triplets if present]] = 1.0
    return presence


@dataclass(frozen=True)
class ReportDatabase:
    """N training studies with R distinct reports made of S distinct sentences; tensors only, text where attached.

    Every row is of the training split: validation, test and the film at hand never enter.
    """

    study_ids: tuple[str, ...]  # N
    report_ids: tuple[str, ...]  # N: whose report it is (another study's where pairs are weak)
    patients: Tensor  # N: patients as integers
    labels: Tensor  # N x 18 states, uint8
    report_of_study: Tensor  # N -> R
    sentences_of_report: Tensor  # R x longest report, indices into S, -1 behind the end
    sentence_vectors: Tensor  # S x d_t, [CLS] of each sentence
    features: Tensor  # N x w, unit rows: the entity model's pooled films
    ball: Tensor  # N x d_h, empty until the retrieval layers are trained
    hashes: tuple[str, ...]  # S, of the sentences' texts: what is attached later must be the same
    sentences: tuple[str, ...] | None = None  # S texts, None until attached

    def __len__(self) -> int:
        return len(self.study_ids)

    @property
    def related_ids(self) -> Tensor:
        """Related ids, N x 2: patients and reports as integers. Studies that share either are related.

        Related studies are no references of each other: what is to be learned must not be looked up. With weak pairs
        one report belongs to several patients.
        """
        known = {name: number for number, name in enumerate(dict.fromkeys(self.report_ids))}
        reports = torch.tensor([known[name] for name in self.report_ids], device=self.patients.device)
        return torch.stack((self.patients, reports.to(self.patients.dtype)), 1)

    @property
    def report_vectors(self) -> Tensor:
        """The mean of each report's sentence vectors, R x d_t; zero for a report without a sentence."""
        gathered, mask = self._sentences(torch.arange(len(self.sentences_of_report)))
        return gathered.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)

    def neighbour_vectors(self, studies: Tensor, report_vectors: Tensor) -> Tensor:
        """What the classification branch reads: ``B x k (study indices), R x d_t -> B x k x d_t``.

        ``report_vectors`` is the property of that name, kept by the caller. -1 ("no more neighbours") gives zeros, as a
        report without a sentence does.
        """
        vectors = report_vectors[self.report_of_study[studies.clamp(min=0)]]
        return vectors.masked_fill((studies < 0).unsqueeze(-1), 0.0)

    def global_prompts(self, studies: Tensor) -> tuple[Tensor, Tensor]:
        """F_g of Section 3.2, the sentences of each reference report, and their mask: B x N x d_t, B x N (bool).

        ``studies``: B database indices, or B x k for several references, whose sentences then stand in one row; -1
        means "nothing near enough" and gives an empty prompt. N is the longest report of the database, times k.
        """
        studies = studies if studies.dim() == 2 else studies[:, None]
        vectors, mask = self._sentences(self.report_of_study[studies.clamp(min=0)].flatten())
        mask &= (studies.flatten() >= 0)[:, None]
        rows = len(studies)
        return vectors.reshape(rows, -1, vectors.shape[-1]), mask.reshape(rows, -1)

    def _sentences(self, reports: Tensor) -> tuple[Tensor, Tensor]:
        indices = self.sentences_of_report[reports]
        mask = indices >= 0
        return self.sentence_vectors[indices.clamp(min=0)] * mask[..., None], mask

    def nearest_films(self, features: Tensor, related_ids: Tensor | None, count: int) -> Tensor:
        """The studies whose films are most alike by cosine: ``B x w, B x 2, count -> B x count (indices)``.

        ``related_ids`` are the films' patients and reports, as in the property of that name: related studies are passed
        over. -1 where fewer than ``count`` are left. Runs on the database's device; the answer is on the films'.
        """
        related = None if related_ids is None else (related_ids, self.related_ids)
        return nearest(features, self.features, count, related)[1]

    def nearest_sentence(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest known sentence by cosine: ``B x d_t -> B (index into S), B (cosine)``."""
        similarity, indices = nearest(vectors, functional.normalize(self.sentence_vectors, dim=-1), 1)
        return indices[:, 0], similarity[:, 0]

    def study_of_sentence(self, sentence: int) -> int:
        """The database row of the first study whose report holds sentence ``sentence`` (an index into S).

        Raises ``IndexError`` where no report holds it.
        """
        report = int((self.sentences_of_report == sentence).any(1).nonzero()[0])
        return int((self.report_of_study == report).nonzero()[0])

    def report_text(self, study: int) -> str | None:
        """The report of database row ``study``, None where no texts are attached."""
        if self.sentences is None:
            return None
        indices = self.sentences_of_report[self.report_of_study[study]].tolist()
        return " ".join(self.sentences[index] for index in indices if index >= 0)

    def with_ball(self, ball: Tensor) -> ReportDatabase:
        """The same database with the studies at the points ``ball`` (N x d_h)."""
        return replace(self, ball=ball)

    def with_reports(self, reports: Mapping[str, str]) -> ReportDatabase:
        """The same database with the texts of its reports attached; no vector changes, so no draft does.

        ``reports``: text by report id. Raises ``RadscribeError`` where one is missing or holds not the sentences that
        the database was built from.
        """
        texts: dict[str, str] = {}
        for report in dict.fromkeys(self.report_ids):
            if report not in reports:
                raise RadscribeError(
                    f"{report}: its report is not among those given; name the source it was trained on"
                )
            texts |= {_hash(sentence): sentence for sentence in report_sentences(reports[report])}
        unknown = [code for code in self.hashes if code not in texts]
        if unknown:
            raise RadscribeError(
                f"{len(unknown)} of {len(self.hashes)} sentences of the index are not in the reports given; "
                "name the same files that it was trained on"
            )
        return replace(self, sentences=tuple(texts[code] for code in self.hashes))

    def to(self, device: torch.device) -> ReportDatabase:
        """The same database with its tensors on ``device``."""
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)


def build_database(
    studies: Sequence[Study],
    section: str,
    features: Tensor,
    text_encoder: TextEncoder,
    report_ids: Sequence[str] | None = None,
    sentence_vectors: Tensor | None = None,
) -> ReportDatabase:
    """The database of N ``studies`` (training split), with film ``features`` (N x w) in their order.

    ``section`` is "findings", "impression" or "both"; ``report_ids`` (N) name whose report each study has, by default
    its own; ``sentence_vectors`` (S x d_t) are those of an earlier build of the same studies, without which the text
    encoder makes them. Raises ``KeyError`` for another section.
    """
    texts = [study.report(section) for study in studies]
    distinct = list(dict.fromkeys(texts))
    position = {text: index for index, text in enumerate(distinct)}
    sentences, rows = sentence_table(distinct)
    longest = max((len(row) for row in rows), default=1)
    padded = torch.tensor([row + [-1] * (longest - len(row)) for row in rows])
    if sentence_vectors is None:
        sentence_vectors = text_encoder.encode(sentences).half().float()  # as the checkpoint stores them
    patients = {patient: index for index, patient in enumerate(dict.fromkeys(study.patient_id for study in studies))}
    return ReportDatabase(
        study_ids=tuple(study.study_id for study in studies),
        report_ids=tuple(report_ids or (study.study_id for study in studies)),
        patients=torch.tensor([patients[study.patient_id] for study in studies]),
        labels=torch.tensor([study.labels for study in studies], dtype=torch.uint8),
        report_of_study=torch.tensor([position[text] for text in texts]),
        sentences_of_report=padded,
        sentence_vectors=sentence_vectors,
        features=functional.normalize(features.float(), dim=-1).half().float(),
        ball=torch.zeros(0),
        hashes=tuple(_hash(sentence) for sentence in sentences),
        sentences=tuple(sentences),
    )


def triplet_table(text_encoder: TextEncoder, template: str) -> Tensor:
    """Every triplet string through the text encoder, once: 75 x 51 x 2 x d_t."""
    vectors = text_encoder.encode(triplet_texts(template), batch_size=512)  # Eq. 9
    return vectors.view(len(ENTITIES), len(PLACES), 2, -1)


def _hash(sentence: str) -> str:
    return hashlib.sha256(sentence.encode()).hexdigest()[:16]
