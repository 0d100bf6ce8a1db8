"""The decoder against transformers' BERT, its cache against the full forward pass, search against brute force."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertLMHeadModel

from radscribe.models.decoding.decoder import DecoderConfig, ReportDecoder
from radscribe.models.decoding.search import SearchConfig, search

VOCABULARY = 7
END = 1


def small_decoder(
    layers: int = 2, vocabulary: int = VOCABULARY, rest: bool = False, memory_tokens: int = 0
) -> ReportDecoder:
    torch.manual_seed(0)
    config = DecoderConfig(
        layers=layers, width=16, heads=4, feed_forward=32, max_positions=32, rest=rest, memory_tokens=memory_tokens
    )
    decoder = ReportDecoder(config, vocabulary, memory_width=12).eval()
    # Far from uniform, so that search has something to choose between.
    torch.nn.init.normal_(decoder.words.weight, std=1.0)
    return decoder


def memory(studies: int) -> Tensor:
    return torch.randn(studies, 9, 12, generator=torch.Generator().manual_seed(1))


def test_logits_equal_those_of_bert_with_the_same_weights() -> None:
    decoder = small_decoder(vocabulary=30)
    config = BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=32, is_decoder=True, add_cross_attention=True, hidden_act="gelu",
    )  # fmt: skip
    bert = BertLMHeadModel(config).eval()
    with torch.no_grad():
        embeddings = bert.bert.embeddings
        embeddings.word_embeddings.weight.copy_(decoder.words.weight)
        embeddings.position_embeddings.weight.copy_(decoder.positions.weight)
        embeddings.token_type_embeddings.weight.zero_()
        embeddings.LayerNorm.load_state_dict(decoder.embedding_norm.state_dict())
        for theirs, ours in zip(bert.bert.encoder.layer, decoder.layers, strict=True):
            for block, attention, norm in (
                (theirs.attention, ours.self_attention, ours.self_norm),
                (theirs.crossattention, ours.cross_attention, ours.cross_norm),
            ):
                for name in ("key", "value"):
                    layer = getattr(attention, name)
                    setattr(block.self, name, torch.nn.Linear(layer.in_features, layer.out_features))
                    getattr(block.self, name).load_state_dict(layer.state_dict())
                block.self.query.load_state_dict(attention.query.state_dict())
                block.output.dense.load_state_dict(attention.output.state_dict())
                block.output.LayerNorm.load_state_dict(norm.state_dict())
            theirs.intermediate.dense.load_state_dict(ours.expand.state_dict())
            theirs.output.dense.load_state_dict(ours.contract.state_dict())
            theirs.output.LayerNorm.load_state_dict(ours.feed_norm.state_dict())
        head = bert.cls.predictions
        head.transform.dense.load_state_dict(decoder.transform.state_dict())
        head.transform.LayerNorm.load_state_dict(decoder.transform_norm.state_dict())
        head.decoder.weight.copy_(decoder.words.weight)
        head.decoder.bias.copy_(decoder.bias)
    bert.eval()
    tokens = torch.randint(0, 30, (2, 10))
    expected = bert(input_ids=tokens, encoder_hidden_states=memory(2), use_cache=False).logits
    torch.testing.assert_close(decoder(tokens, memory(2)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rest", [False, True])
def test_cached_steps_equal_the_full_forward_pass_for_every_beam(rest: bool) -> None:
    decoder, beams = small_decoder(rest=rest), 3
    tokens = torch.randint(0, VOCABULARY, (2 * beams, 8))
    tokens[:, :4] = tokens[::beams, :4].repeat_interleave(beams, 0)  # the prompt is a study's
    seen = memory(2)
    expected = decoder(tokens, seen.repeat_interleave(beams, 0))
    cache = decoder.start(seen, beams, 8)
    logits = [decoder.step(tokens[:, :4], cache)] + [decoder.step(tokens[:, at : at + 1], cache) for at in range(4, 8)]
    for position, found in zip(range(3, 8), logits, strict=True):
        torch.testing.assert_close(found, expected[:, position], rtol=1e-4, atol=1e-5)


def test_reordered_rows_continue_from_the_rows_they_name() -> None:
    decoder = small_decoder()
    prompt = torch.tensor([[2, 3], [4, 5]])
    seen = memory(1)
    cache = decoder.start(seen, 2, 4)
    decoder.step(prompt, cache)
    cache.reorder(torch.tensor([1, 1]))
    found = decoder.step(torch.tensor([[6], [0]]), cache)
    expected = decoder(torch.tensor([[4, 5, 6], [4, 5, 0]]), seen.expand(2, -1, -1))[:, -1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_cross_attention_keys_are_computed_once_a_study() -> None:
    decoder = small_decoder()
    calls = []
    for layer in decoder.layers:
        layer.cross_attention.key.register_forward_hook(lambda *arguments: calls.append(arguments[1][0].shape[0]))
    search(decoder, memory(2), torch.tensor([[2], [3]]), SearchConfig(beams=3, max_new_tokens=6), END)
    assert calls == [2, 2]  # once a layer, for both studies, not for their beams and not at each step


@pytest.mark.parametrize("memory_tokens", [0, 3])
def test_rows_computed_with_those_of_like_length_are_what_they_are_in_one_padded_batch(memory_tokens: int) -> None:
    decoder = small_decoder(memory_tokens=memory_tokens)
    lengths = torch.tensor([7, 1, 4, 9, 2])
    embedded, seen = decoder.embed(torch.randint(0, VOCABULARY, (5, 9))).detach(), memory(5)
    read: list[tuple[int, int]] = []
    decoder.layers[0].register_forward_hook(lambda _, arguments, __: read.append(arguments[0].shape[:2]))
    padded, apart = decoder.hidden(embedded, seen), decoder.hidden(embedded, seen, lengths)
    within = torch.arange(9) < lengths[:, None]
    torch.testing.assert_close(apart[within], padded[within], rtol=1e-4, atol=1e-5)
    assert read == [(5, 9 + memory_tokens), (2, 2 + memory_tokens), (2, 7 + memory_tokens), (1, 9 + memory_tokens)]


def test_explained_shares_are_a_distribution_over_patches_and_logits_are_the_same() -> None:
    decoder = small_decoder()
    tokens = torch.tensor([[2, 3, 4]])
    logits, weights = decoder.explain(decoder.embed(tokens), memory(1))
    torch.testing.assert_close(logits, decoder(tokens, memory(1)))
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 3))


def test_a_patch_has_the_share_of_what_attention_would_bring_from_it_alone() -> None:
    attention, seen = small_decoder().layers[0].cross_attention, memory(2)
    x = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        keys, values = attention.keys_values(seen)
        values[:, :, 4] = 0.0  # whatever its weight, nothing comes from it
        apart = [torch.zeros_like(values) for _ in range(9)]
        for patch, alone in enumerate(apart):
            alone[:, :, patch] = values[:, :, patch]
        brought = [(attention(x, keys, alone) - attention.output.bias).norm(dim=-1) for alone in apart]
        shares = attention.shares(x, keys, values)
    torch.testing.assert_close(shares, torch.stack(brought, -1) / torch.stack(brought).sum(0)[..., None])
    assert (shares[..., 4] == 0).all()


def test_attention_rests_on_the_vector_beside_the_patches_and_maps_show_the_patches_alone() -> None:
    decoder, seen = small_decoder(layers=1, rest=True), memory(1)
    tokens = torch.tensor([[2, 3, 4]])
    weights = decoder.explain(decoder.embed(tokens), seen)[1].detach()
    assert weights.shape == (1, 3, 9)
    assert bool((weights.sum(-1) < 1).all()) and float(weights.sum()) > 0
    # A vector that every query of the layer is drawn to takes the attention off the patches, and with it their word.
    attention = decoder.layers[0].cross_attention
    with torch.no_grad():
        torch.nn.init.constant_(attention.query.bias, 1.0)
        attention.query.weight.zero_()
        attention.key.weight.zero_()
        attention.key.weight[:, 0] = 100.0
        decoder.rest.zero_()
        decoder.rest[..., 0] = 1.0
    assert float(decoder.explain(decoder.embed(tokens), seen.clamp(max=0.5))[1].detach().sum()) < 1e-6
    rested = decoder(tokens, seen.clamp(max=0.5))
    torch.testing.assert_close(decoder(tokens, -seen.abs()), rested)


def log_probability(decoder: ReportDecoder, seen: Tensor, prompt: list[int], words: list[int]) -> float:
    logits = decoder(torch.tensor([prompt + words]), seen).detach().log_softmax(-1)[0]
    return sum(float(logits[len(prompt) - 1 + at, word]) for at, word in enumerate(words))


def greedy(decoder: ReportDecoder, seen: Tensor, prompt: list[int], limit: int) -> list[int]:
    words: list[int] = []
    while len(words) < limit:
        word = int(decoder(torch.tensor([prompt + words]), seen)[0, -1].argmax())
        if word == END:
            break
        words.append(word)
    return words


@pytest.mark.parametrize("limit", [1, 4, 9])
def test_one_beam_is_greedy_search(limit: int) -> None:
    decoder, seen = small_decoder(), memory(5)
    prompts = torch.tensor([[2], [3], [4], [5], [6]])
    found = search(decoder, seen, prompts, SearchConfig(beams=1, max_new_tokens=limit), END)
    assert found == [greedy(decoder, seen[row : row + 1], [row + 2], limit) for row in range(5)]


def test_a_wide_beam_finds_the_best_of_all_continuations() -> None:
    decoder, seen, limit = small_decoder(), memory(1), 3
    words = [word for word in range(VOCABULARY) if word != END]
    ended = [[*body, END] for length in range(limit) for body in itertools.product(words, repeat=length)]
    best = max(ended, key=lambda words: log_probability(decoder, seen, [2], list(words)) / len(words))
    found = search(decoder, seen, torch.tensor([[2]]), SearchConfig(beams=60, max_new_tokens=limit), END)
    assert found == [list(best)[:-1]]


def test_a_study_is_written_alike_alone_and_in_a_batch() -> None:
    decoder, seen = small_decoder(), memory(4)
    prompts = torch.tensor([[2], [3], [4], [5]])
    config = SearchConfig(beams=3, max_new_tokens=12)
    together = search(decoder, seen, prompts, config, END)
    alone = [search(decoder, seen[row : row + 1], prompts[row : row + 1], config, END)[0] for row in range(4)]
    assert together == alone


def test_studies_left_behind_change_nothing_for_those_that_go_on() -> None:
    decoder, seen = small_decoder(), memory(3)
    tokens = torch.randint(0, VOCABULARY, (6, 5), generator=torch.Generator().manual_seed(2))
    tokens[:, 0] = tokens[::2, 0].repeat_interleave(2)
    asked: list[list[int]] = []

    def read_words(embedded: Tensor, studies: Tensor) -> Tensor:
        asked.append(studies.tolist())
        return embedded

    cache = decoder.start(seen, 2, 5, read_words)
    decoder.step(tokens[:, :1], cache)
    decoder.step(tokens[:, 1:2], cache)
    cache.reorder(torch.tensor([3, 2, 4, 4]))  # the first study is done
    decoder.step(tokens[2:, 2:3], cache)
    cache.reorder(torch.tensor([2, 3]))  # and the second
    found = decoder.step(tokens[4:, 3:4], cache)
    whole = torch.stack([torch.cat((tokens[4, :2], tokens[row, 2:4])) for row in (4, 5)])
    torch.testing.assert_close(found, decoder(whole, seen[2:].expand(2, -1, -1))[:, -1], rtol=1e-4, atol=1e-5)
    assert asked == [[0, 1, 2], [0, 1, 2], [1, 2], [2]]


def test_a_settled_study_leaves_the_batch() -> None:
    decoder, seen = small_decoder(), memory(6)
    prompts, config = torch.tensor([[2], [3], [4], [5], [6], [0]]), SearchConfig(beams=2, max_new_tokens=20)
    with torch.no_grad():
        decoder.bias[END] = 3.0  # reports of a few words
    rows: list[int] = []
    decoder.layers[0].register_forward_hook(lambda *arguments: rows.append(len(arguments[2])))
    alone = []
    for study in range(6):
        search(decoder, seen[study : study + 1], prompts[study : study + 1], config, END)
        alone.append(len(rows))
        rows.clear()
    assert len(set(alone)) > 2  # some are settled long before others
    search(decoder, seen, prompts, config, END)
    assert rows == [2 * sum(steps > at for steps in alone) for at in range(max(alone))]


def test_words_are_drawn_as_often_as_they_are_likely() -> None:
    decoder, seen, banned = small_decoder(), 3 * memory(1), [5]
    likely = decoder(torch.tensor([[2]]), seen)[0, -1].detach()
    likely[banned] = float("-inf")
    for temperature in (1.0, 0.5):
        drawn = torch.zeros(VOCABULARY)
        for seed in range(600):
            config = SearchConfig(beams=1, max_new_tokens=1, temperature=temperature)
            (words,) = search(decoder, seen, torch.tensor([[2]]), config, END, banned, seeds=torch.tensor([seed]))
            drawn[words[0] if words else END] += 1
        expected = (likely / temperature).softmax(0)
        deviation = (expected * (1 - expected) / 600).sqrt()
        assert bool(((drawn / 600 - expected).abs() <= 4 * deviation).all())


def test_a_film_is_drawn_alike_in_any_batch_and_otherwise_with_another_seed() -> None:
    decoder, seen = small_decoder(), memory(1).expand(5, -1, -1)
    prompts, seeds = torch.full((5, 1), 2), torch.tensor([7, 8, 9, 10, 7])
    config = SearchConfig(beams=2, max_new_tokens=12, temperature=1.0)
    together = search(decoder, seen, prompts, config, END, seeds=seeds)
    rows = [slice(row, row + 1) for row in range(5)]
    assert together == [search(decoder, seen[row], prompts[row], config, END, seeds=seeds[row])[0] for row in rows]
    assert together[0] == together[4] and len(set(map(tuple, together))) > 2  # otherwise equal films
    assert together != search(decoder, seen, prompts, replace(config, seed=1), END, seeds=seeds)
    searched = search(decoder, seen, prompts, replace(config, temperature=0.0), END, seeds=seeds)
    assert len(set(map(tuple, searched))) == 1
    with pytest.raises(ValueError, match="seeds of their films"):
        search(decoder, seen, prompts, config, END)
    with pytest.raises(ValueError, match="must not be negative"):
        SearchConfig(temperature=-0.1)


def test_limits_count_new_tokens_and_banned_words_are_never_written() -> None:
    decoder, seen = small_decoder(), memory(3)
    prompts = torch.tensor([[2, 3], [3, 4], [4, 5]])
    config = SearchConfig(beams=2, max_new_tokens=8, min_new_tokens=6)
    for words in search(decoder, seen, prompts, config, END, banned=[5, 6]):
        assert 5 <= len(words) <= 8  # the sixth new token may be the end
        assert not {5, 6, END} & set(words)


@pytest.mark.parametrize("setting", [{"beams": 0}, {"max_new_tokens": 3, "min_new_tokens": 3}])
def test_impossible_limits_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        SearchConfig(**setting)


def test_weights_start_as_the_configuration_says() -> None:
    for initialization, spread in (("normal", 0.02), ("xavier", (2 / (64 + 64)) ** 0.5)):
        torch.manual_seed(0)
        config = DecoderConfig(layers=1, width=64, heads=4, feed_forward=64, initialization=initialization)
        decoder = ReportDecoder(config, VOCABULARY, memory_width=64)
        for layer in (decoder.layers[0].cross_attention.value, decoder.layers[0].expand, decoder.transform):
            assert float(layer.weight.detach().std()) == pytest.approx(spread, rel=0.1) and not layer.bias.any()
        assert float(decoder.positions.weight.std()) == pytest.approx(0.02, rel=0.1)
