"""R2Gen's relational memory against its published equations, word by word, and through a search's cache."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.relational_memory import ConditionalNorm, RelationalMemory
from radscribe.models.decoding.search import SearchConfig, search

CONFIG = DecoderConfig(layers=2, width=16, heads=4, feed_forward=32, max_positions=32, relational_slots=3)


def decoder() -> ReportDecoder:
    torch.manual_seed(0)
    made = ReportDecoder(CONFIG, 9, memory_width=12).eval()
    torch.nn.init.normal_(made.words.weight)
    for module in made.modules():
        if isinstance(module, ConditionalNorm):  # a state that steers visibly
            torch.nn.init.normal_(module.scale[-1].weight, std=0.5)
    return made


@torch.no_grad()
def test_a_step_is_that_of_the_published_equations() -> None:
    torch.manual_seed(1)
    own = RelationalMemory(slots=3, width=8, heads=2)
    words = torch.randn(2, 4, 8)
    states, last = own(words, own.start(words))
    assert states.shape == (2, 4, 24) and torch.equal(states[:, -1], last)
    query, key, value = own.attention.in_proj_weight.chunk(3)
    for row in range(2):
        memory = torch.eye(3, 8)  # M_0
        for position, word in enumerate(words[row]):
            seen = torch.cat((memory, word[None]))  # [M_{t-1}; y_{t-1}]
            heads = []
            for part in (slice(0, 4), slice(4, 8)):
                q, k, v = ((x @ weight.T)[:, part] for x, weight in ((memory, query), (seen, key), (seen, value)))
                heads.append((q @ k.T / 4**0.5).softmax(-1) @ v)
            read = memory + own.attention.out_proj(torch.cat(heads, 1))  # Z + M_{t-1}
            read = read + own.network(read)
            entering, keeping = (own.gates_of_word(word) + own.gates_of_state(memory.tanh())).chunk(2, -1)
            memory = keeping.sigmoid() * memory + entering.sigmoid() * read.tanh()  # M_t
            torch.testing.assert_close(states[row, position], memory.flatten(), rtol=1e-4, atol=1e-5)


def test_a_norm_without_a_state_that_moves_it_is_a_layer_norm() -> None:
    norm = ConditionalNorm(8, 24, eps=1e-12)
    for module in (norm.scale[-1], norm.shift[-1]):
        torch.nn.init.zeros_(module.weight)
        torch.nn.init.zeros_(module.bias)
    x = torch.randn(2, 3, 8)
    expected = functional.layer_norm(x, (8,), norm.weight, norm.bias, 1e-12)
    torch.testing.assert_close(norm(x, torch.randn(2, 3, 24)), expected)


@torch.no_grad()
def test_a_beam_that_goes_on_from_another_takes_its_state_along() -> None:
    own = decoder()
    memory = torch.randn(1, 5, 12, generator=torch.Generator().manual_seed(2))
    words = torch.randint(0, 9, (2, 6), generator=torch.Generator().manual_seed(3))
    cache = own.start(memory, beams=2, length=6)
    own.step(words[:, :1], cache)
    for position in range(1, 4):
        own.step(words[:, position : position + 1], cache)
    cache.reorder(torch.tensor([1, 1]))
    found = own.step(words[:, 4:5], cache)
    continued = torch.cat((words[1, :4].expand(2, -1), words[:, 4:5]), 1)
    expected = own(continued, memory.expand(2, -1, -1))[:, -1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    # The state matters: another one gives other logits.
    assert (own(words[:, :5], memory.expand(2, -1, -1))[:, -1] - expected).abs().max() > 1e-3


def test_greedy_search_takes_the_likeliest_word_each_time() -> None:
    own = decoder()
    memory = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(2))
    found = search(own, memory, torch.full((2, 1), 3), SearchConfig(beams=1, max_new_tokens=8), end=1)
    for study in range(2):
        words = [3]
        while len(words) <= 8:
            words.append(int(own(torch.tensor([words]), memory[study : study + 1])[0, -1].argmax()))
            if words[-1] == 1:
                break
        assert found[study] == [word for word in words[1:] if word != 1]


def test_a_study_keeps_its_state_when_others_leave_the_batch() -> None:
    own = decoder()
    with torch.no_grad():
        own.bias[1] = 1.0
    memory, prompts = 3 * torch.randn(9, 5, 12, generator=torch.Generator().manual_seed(2)), torch.arange(9)[:, None]
    config = SearchConfig(beams=2, max_new_tokens=12)
    together = search(own, memory, prompts, config, end=1)
    assert together == [search(own, memory[at : at + 1], prompts[at : at + 1], config, end=1)[0] for at in range(9)]
    assert len({len(words) for words in together}) > 2


def test_it_reads_words_alone() -> None:
    with pytest.raises(ValueError, match="words alone"):
        replace(CONFIG, memory_tokens=2)
    assert not any(
        "relational" in name for name in ReportDecoder(replace(CONFIG, relational_slots=0), 9, 12).state_dict()
    )
