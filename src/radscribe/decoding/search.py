"""Beam search over the decoder's cache; one beam is greedy search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radscribe.decoding.decoder import ReportDecoder, WordReader


@dataclass(frozen=True)
class SearchConfig:
    """Limits count new tokens, [SEP] too. A finished beam scores log-probability / length ** ``length_penalty``.

    ``temperature`` above 0 draws instead of searching: Gumbel noise of that size goes to the log-probabilities. Draws
    begin from ``seed`` and the film itself, so that a film always gets one report. Where many reports suit a film, as
    where films and reports were paired by their findings alone, a search writes the one likeliest report for all
    of them. Not in the papers.
    """

    beams: int = 3
    max_new_tokens: int = 150
    min_new_tokens: int = 0
    length_penalty: float = 1.0
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.beams < 1:
            raise ValueError(f"beams must be at least 1, not {self.beams}")
        if not 0 <= self.min_new_tokens < self.max_new_tokens:
            raise ValueError("min_new_tokens must lie between 0 and max_new_tokens")
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
) -> list[list[int]]:
    """The best continuation found for each study, new tokens only, without [SEP].

    ``memory``: B x P x memory width; ``prompt``: B x L token ids; ``banned`` ids are never drafted; ``seeds`` (B, whole
    numbers) are what the draws of each study begin from, needed at a temperature.
    """
    studies, beams, device = len(prompt), config.beams, prompt.device
    limit = min(config.max_new_tokens, decoder.config.max_positions - prompt.shape[1])
    cache = decoder.start(memory, beams, prompt.shape[1] + limit, read_words)
    logits = decoder.step(prompt.repeat_interleave(beams, 0), cache)
    # All beams of a study start alike: only the first may speak at the first step.
    scores = torch.full((studies, beams), float("-inf"), device=device)
    scores[:, 0] = 0.0
    written = torch.zeros(studies * beams, 0, dtype=torch.long, device=device)
    best_score = [float("-inf")] * studies
    best: list[list[int]] = [[] for _ in range(studies)]
    finished = [0] * studies
    first_row = torch.arange(studies, device=device)[:, None] * beams
    draws = _generators(config, seeds) if config.temperature else []
    for length in range(1, limit + 1):
        log_probabilities = logits.float().log_softmax(-1).view(studies, beams, -1)
        if draws:
            width = log_probabilities.shape[-1]
            exponential = torch.stack([torch.empty(width).exponential_(generator=own) for own in draws])
            # -log of an exponential draw is a Gumbel draw: the largest sum is a draw at this temperature.
            log_probabilities = log_probabilities - config.temperature * exponential.log().to(device)[:, None]
        log_probabilities[..., list(banned)] = float("-inf")
        if length < config.min_new_tokens:
            log_probabilities[..., end] = float("-inf")
        vocabulary = log_probabilities.shape[-1]
        totals = (scores[..., None] + log_probabilities).flatten(1)
        # Twice the beams: at most ``beams`` of them are endings, so enough remain to go on with.
        top_scores, top = totals.topk(min(2 * beams, totals.shape[1]), dim=1)
        beam, token = top // vocabulary, top % vocabulary
        endings = token == end
        for study, rank in endings[:, :beams].nonzero().tolist():
            score = float(top_scores[study, rank]) / length**config.length_penalty
            # A study with its full count of endings is done, whatever else its batch still waits for.
            if score == float("-inf") or finished[study] >= beams:
                continue
            finished[study] += 1
            if score > best_score[study]:
                best_score[study] = score
                best[study] = written[int(first_row[study, 0]) + int(beam[study, rank])].tolist()
        scores, rank = top_scores.masked_fill(endings, float("-inf")).topk(beams, dim=1)
        rows = (first_row + beam.gather(1, rank)).flatten()
        token = token.gather(1, rank).flatten()
        written = torch.cat((written[rows], token[:, None]), 1)
        if length == limit or _settled(scores, length, limit, best_score, finished, config):
            break
        cache.reorder(rows)
        logits = decoder.step(token[:, None], cache)
    for study in range(studies):
        if not finished[study]:  # nothing ended within the limit: the likeliest unfinished beam
            best[study] = written[study * beams + int(scores[study].argmax())].tolist()
    return best


def _generators(config: SearchConfig, seeds: Tensor | None) -> list[torch.Generator]:
    """One for each study: what it draws does not hang on the studies beside it."""
    if seeds is None:
        raise ValueError("reports can be drawn at a temperature only with the seeds of their films")
    keys = [np.random.SeedSequence((config.seed, seed)).generate_state(1, np.uint64)[0] for seed in seeds.tolist()]
    return [torch.Generator().manual_seed(int(key >> 1)) for key in keys]


def _settled(
    scores: Tensor, length: int, limit: int, best_score: list[float], finished: list[int], config: SearchConfig
) -> bool:
    """Whether no running beam of any study can still beat the study's best finished one."""
    running = scores.max(1).values.tolist()
    for study, score in enumerate(running):
        if score == float("-inf"):
            continue
        # Scores only fall, and are divided by at most limit ** penalty: this is the best that could still come.
        longest = limit if config.length_penalty > 0 else length
        attainable = score / longest**config.length_penalty
        if not finished[study] or (attainable > best_score[study] and finished[study] < config.beams):
            return False
    return True
