"""Topics of reports: planted ones are found, they are distinct, and their words belong together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from radscribe.core.errors import RadscribeError
from radscribe.models.knowledge.topics import Bags, TopicModel, TopicsConfig

PLANTED = (
    ("heart", "enlarged", "cardiomegaly", "borderline"),
    ("effusion", "blunted", "angle", "fluid"),
    ("fracture", "rib", "displaced", "healing"),
    ("catheter", "tip", "port", "jugular"),
)
CONFIG = TopicsConfig(least_reports=2, hidden=32)


def reports(count: int = 240, seed: int = 0) -> list[str]:
    """Each of one planted topic, three of its words, and what every report says."""
    random = torch.Generator().manual_seed(seed)
    texts = []
    for number in range(count):
        words = PLANTED[number % len(PLANTED)]
        chosen = torch.randperm(len(words), generator=random)[:3].tolist()
        texts.append("The " + " ".join(words[place] for place in chosen) + ".")
    return texts


def vectors(bags: Bags, noise: float = 0.6) -> Tensor:
    """Words of one topic lie near one of four orthogonal directions."""
    random = torch.Generator().manual_seed(1)
    place = {word: number for number, words in enumerate(PLANTED) for word in words}
    directions = torch.linalg.qr(torch.randn(16, 16, generator=random)).Q
    drawn = torch.randn(len(bags.words), 16, generator=random)
    return directions[[place[word] for word in bags.words]] + noise * normalize(drawn, dim=-1)


def learned(bags: Bags, count: int, steps: int = 150, **settings: Any) -> TopicModel:
    torch.manual_seed(0)
    model = TopicModel(replace(CONFIG, **settings), count, vectors(bags))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    counts, shares = bags.rows(bags.telling)
    for step in range(steps):
        if step % 25 == 24:
            model.eval().separate(counts, shares)
        loss = model.train()((counts, shares))["loss"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model.eval().separate(counts, shares)
    return model.requires_grad_(False)


def test_bags_hold_counts_of_the_words_that_tell_reports_apart() -> None:
    bags = Bags.of(["The heart, the HEART is big.", "The lung is big.", "The lung xx."], TopicsConfig(least_reports=1))
    assert bags.words == ("big", "lung", "heart")  # "the" stands everywhere, "is" and "xx" are short
    assert bags.counts.tolist() == [[1, 0, 2], [1, 1, 0], [0, 1, 0]]
    counts, shares = bags.rows([0, 2])
    assert counts.tolist() == [[1, 0, 2], [0, 1, 0]]
    torch.testing.assert_close(shares.sum(1), torch.ones(2))
    assert shares[0, 2] > 2 * shares[0, 0]  # twice, and rarer
    without = Bags.of(["big lung", "lung", "big", "No."], TopicsConfig(least_reports=1))
    assert without.telling == [0, 1, 2] and without.rows([3])[1].tolist() == [[0, 0]]
    assert int(Bags.of(["lung " * 300, "heart"], TopicsConfig(least_reports=1)).counts.max()) == 255
    with pytest.raises(RadscribeError, match="1 words stand in at least 2 of 3 reports"):
        Bags.of(["heart big", "heart small", "lung"], TopicsConfig(least_reports=2))


def test_planted_topics_are_found() -> None:
    bags = Bags.of(reports(), CONFIG)
    model = learned(bags, 4)
    tops = model.nearness().topk(4, dim=1).indices.tolist()
    assert {frozenset(bags.words[column] for column in row) for row in tops} == {frozenset(words) for words in PLANTED}
    theta = model.proportions(bags.rows(bags.telling)[0])
    torch.testing.assert_close(theta.sum(1), torch.ones(len(theta)))
    chosen = theta.argmax(1)
    for topic in range(4):  # each planted topic's reports have one topic of their own
        assert len(chosen[topic::4].unique()) == 1
    assert len(chosen[:4].unique()) == 4


def test_topics_are_distinct_though_there_are_more_of_them_than_subjects() -> None:
    bags = Bags.of(reports(), CONFIG)
    directions = learned(bags, 12).directions
    assert float((directions @ directions.T).fill_diagonal_(-1).max()) <= 0.95


def test_words_of_a_topic_stand_together_no_less_than_those_nearest_to_the_best_clusters_of_reports() -> None:
    bags = Bags.of(reports(), CONFIG)
    model = learned(bags, 4)
    places = normalize(bags.rows(bags.telling)[1] @ model.words, dim=-1)
    by_topics = bags.coherence(model.nearness().topk(4, dim=1).indices).mean()
    by_clusters = max(clustered(places, bags, model, seed) for seed in range(8))
    assert by_topics >= by_clusters - 1e-6 and by_topics > 0.5


def clustered(places: Tensor, bags: Bags, model: TopicModel, seed: int) -> float:
    """The coherence of the words nearest to the centres that k-means finds from one start."""
    centres = places[torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))[:4]]
    for _ in range(20):
        nearest = (places @ centres.T).argmax(1)
        centres = normalize(torch.stack([places[nearest == one].mean(0) for one in range(4)]).nan_to_num(), dim=-1)
    return float(bags.coherence((centres @ model.words.T).topk(4, dim=1).indices).mean())


def test_coherence_is_one_for_words_always_together_zero_by_chance_and_minus_one_for_strangers() -> None:
    counts = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    found = Bags(("a", "b", "c", "d"), counts.byte(), torch.ones(4)).coherence(torch.tensor([[0, 1], [0, 2], [0, 3]]))
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0, -1.0]))


def test_gradients_reach_topics_and_reader_and_never_the_words() -> None:
    bags = Bags.of(reports(), CONFIG)
    model = TopicModel(CONFIG, 5, vectors(bags))
    losses = model(bags.rows(bags.telling))
    losses["loss"].backward()
    torch.testing.assert_close(losses["loss"], losses["transport"] + 0.07 * losses["reconstruction"])
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in model.parameters() if value.dim() > 1)
    assert not model.words.requires_grad


def test_too_many_topics_for_so_few_kinds_of_report_are_refused() -> None:
    bags = Bags.of(["heart big"] * 3 + ["lung small"] * 3, TopicsConfig(least_reports=1))
    model = TopicModel(TopicsConfig(least_reports=1), 6, torch.randn(4, 3)).eval()
    with torch.no_grad():
        model.topics.copy_(torch.ones(6, 3))
        model.words.copy_(normalize(torch.eye(3)[[0, 0, 1, 1]], dim=-1))
    with pytest.raises(RadscribeError, match="ask for fewer slots"):
        model.separate(*bags.rows(bags.telling))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epsilon": 0.01}, "epsilon must be at least 0.033"),
        ({"epsilon": float("inf")}, "finite"),
        ({"vocabulary": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"duplicate_cosine": 1.0}, "duplicate_cosine"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TopicsConfig(**settings)
