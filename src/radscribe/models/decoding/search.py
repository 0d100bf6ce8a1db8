"""Beam search over the decoder's cache for the likeliest report; one beam is greedy search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from radscribe.core.config import LATER
from radscribe.models.decoding.decoder import ReportDecoder, WordReader
from radscribe.models.decoding.phrases import Phrases


@dataclass(frozen=True)
class ChoiceConfig:
    """Ours: one of several drawn reports is chosen. Raises ``ValueError`` for a setting out of its range."""

    # Reports drawn of each film.
    draws: int = 8
    # A draw gains by each condition that it states the condition's probability less this.
    threshold: float = 0.25

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise ValueError(f"draws must be at least 2, not {self.draws}")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must be at least 0 and below 1, not {self.threshold}")


@dataclass(frozen=True)
class SearchConfig:
    """How a report is searched for. Raises ``ValueError`` for a setting out of its range."""

    # Continuations kept for each study; 1 is greedy search.
    beams: int = 3
    # Most new tokens, [SEP] included.
    max_new_tokens: int = 150
    # Fewest new tokens before [SEP].
    min_new_tokens: int = 0
    # A finished beam scores log-probability / length ** length_penalty.
    length_penalty: float = 1.0
    # Ours: above 0 reports are drawn instead of searched for, with Gumbel noise of this size on the log-probabilities.
    # Where many reports suit a film (pairs by findings alone), a search writes the one likeliest for all such films.
    temperature: float = 0.0
    # Random seed of the draws, which depend on the film itself too: a film always gets the same report.
    seed: int = 0
    # Ours: how one of several draws is chosen (``drafting.choice``); None takes what is found or drawn first.
    choice: ChoiceConfig | None = field(default=None, metadata=LATER)
    # Ours: so many words in a row always stand so in some training report (``decoding.phrases``); 0 is free.
    # Training chooses its epoch without.
    phrases: int = field(default=0, metadata=LATER)

    def __post_init__(self) -> None:
        if self.choice and not self.temperature:
            raise ValueError("choice needs a temperature above 0: without one all draws are alike")
        if self.beams < 1:
            raise ValueError(f"beams must be at least 1, not {self.beams}")
        if not 0 <= self.min_new_tokens < self.max_new_tokens:
            raise ValueError("min_new_tokens must lie between 0 and max_new_tokens")
        if self.phrases and not 2 <= self.phrases <= 5:
            raise ValueError(f"phrases must be 0 or 2 to 5 words long, not {self.phrases}")
        if self.temperature < 0 or self.seed < 0:
            raise ValueError("temperature and seed must not be negative")


@torch.no_grad()
def search(
    decoder: ReportDecoder,
    memory: Tensor,
    prompt: Tensor,
    config: SearchConfig,
    end: int,
    banned: Sequence[int] = (),
    read_words: WordReader | None = None,
    seeds: Tensor | None = None,
    phrases: Phrases | None = None,
) -> list[list[int]]:
    """The continuation of highest probability (Eq. 1) found for each of B studies: new token ids, without [SEP].

    ``memory``: B x P x memory width; ``prompt``: B x L token ids; ``end``: the id of [SEP]; ``banned`` ids are never
    drafted; ``read_words`` is what full passes do to embedded words; ``seeds`` (B, whole numbers) are what the draws of
    each study begin from; ``phrases`` are what drafts keep to. Raises ``ValueError`` at a temperature without
    ``seeds``.
    """
    beams, device = config.beams, prompt.device
    limit = min(config.max_new_tokens, decoder.config.max_positions - prompt.shape[1])
    cache = decoder.start(memory, beams, prompt.shape[1] + limit, read_words)
    logits = decoder.step(prompt.repeat_interleave(beams, 0), cache)
    drafts = [_Draft(draws=draws) for draws in _generators(config, seeds, len(prompt))]
    # All beams of a study start alike: only the first may speak at the first step.
    scores = torch.full((len(prompt), beams), float("-inf"), device=device)
    scores[:, 0] = 0.0
    written = torch.zeros(len(prompt), beams, 0, dtype=torch.long, device=device)
    first_row = torch.arange(len(prompt), device=device)[:, None] * beams
    running = drafts  # those whose rows these are
    for length in range(1, limit + 1):
        log_probabilities = logits.float().log_softmax(-1).view(len(running), beams, -1)
        vocabulary = log_probabilities.shape[-1]
        if config.temperature:
            log_probabilities = log_probabilities - _noise(running, vocabulary, config.temperature).to(device)
        log_probabilities[..., list(banned)] = float("-inf")
        if length < config.min_new_tokens:
            log_probabilities[..., end] = float("-inf")
        if phrases:
            phrases.keep_to(written.flatten(0, 1), log_probabilities.flatten(0, 1))
        totals = (scores[..., None] + log_probabilities).flatten(1)  # Eq. 1: the product, as a sum of logarithms
        # Twice the beams: at most ``beams`` of them are endings, so enough remain to go on with.
        top_scores, top = totals.topk(min(2 * beams, totals.shape[1]), dim=1)
        beam, token = top // vocabulary, top % vocabulary
        endings = token == end
        for study, rank in endings[:, :beams].nonzero().tolist():
            running[study].end(float(top_scores[study, rank]), length, written[study, beam[study, rank]], config)
        scores, rank = top_scores.masked_fill(endings, float("-inf")).topk(beams, dim=1)
        rows, token = first_row[: len(running)] + beam.gather(1, rank), token.gather(1, rank)
        written = torch.cat((written.flatten(0, 1)[rows], token[..., None]), 2)
        going_on = []
        for study, (draft, score) in enumerate(zip(running, scores[:, 0].tolist(), strict=True)):
            if length < limit and not draft.settled(score, length, limit, config):
                going_on.append(study)
            elif not draft.endings:  # nothing ended within the limit: the likeliest unfinished beam
                draft.words = written[study, 0].tolist()
        if not going_on:
            break
        # Settled studies leave the batch: what others still wait for costs them nothing and cannot change them.
        if len(going_on) < len(running):
            running = [running[study] for study in going_on]
            scores, rows, token, written = (kept[going_on] for kept in (scores, rows, token, written))
        cache.reorder(rows.flatten())
        logits = decoder.step(token.view(-1, 1), cache)
    return [draft.words for draft in drafts]


@dataclass
class _Draft:
    """What the search has found for one study."""

    draws: torch.Generator | None
    words: list[int] = field(default_factory=list)
    score: float = float("-inf")
    endings: int = 0

    def end(self, log_probability: float, length: int, words: Tensor, config: SearchConfig) -> None:
        """Counts a beam that ends after ``length`` new tokens, [SEP] too, and keeps ``words`` if none was better."""
        if log_probability == float("-inf") or self.endings >= config.beams:
            return
        self.endings += 1
        score = log_probability / length**config.length_penalty
        if score > self.score:
            self.score, self.words = score, words.tolist()

    def settled(self, running: float, length: int, limit: int, config: SearchConfig) -> bool:
        """Whether no beam that runs on, the likeliest at log-probability ``running``, can still win."""
        if self.endings >= config.beams or running == float("-inf"):
            return True
        # Log-probabilities only fall, and are divided by at most limit ** penalty: this is the best still to come. At a
        # temperature the noise may lift them; the rule stays the same, so that a film's draw ends alike in any batch.
        longest = limit if config.length_penalty > 0 else length
        return self.endings > 0 and running / longest**config.length_penalty <= self.score


def _noise(running: Sequence[_Draft], vocabulary: int, temperature: float) -> Tensor:
    """What to take from log-probabilities so that the largest is a draw at ``temperature``: studies x 1 x vocabulary.

    -log of an exponential draw is a Gumbel draw.
    """
    exponential = torch.stack([torch.empty(vocabulary).exponential_(generator=draft.draws) for draft in running])
    return temperature * exponential.log()[:, None]


def _generators(config: SearchConfig, seeds: Tensor | None, studies: int) -> list[torch.Generator | None]:
    """One for each study at a temperature: what it draws does not depend on the studies beside it."""
    if not config.temperature:
        return [None] * studies
    if seeds is None:
        raise ValueError("reports can be drawn at a temperature only with the seeds of their films")
    keys = [np.random.SeedSequence((config.seed, seed)).generate_state(1, np.uint64)[0] for seed in seeds.tolist()]
    return [torch.Generator().manual_seed(int(key >> 1)) for key in keys]
