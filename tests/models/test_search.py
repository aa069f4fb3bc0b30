"""The search finds what a script hides, prices it rightly, and says nothing that is forbidden."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keras import ops

from models.search import SLOTS, CaptionSearch, SearchConfig, sample
from models.vocabulary import END, PAD, SPECIALS, START
from tests.models.conftest import TINY, UNSAYABLE, Script, grids, score, spelled

few = settings(max_examples=12, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def spelling(word):
    """Write a script that spells a word, and dislikes all else."""
    branches = {word[:place]: {word[place]: 0.9, "x": 0.1} for place in range(len(word))}
    return Script.tree(sorted({*word, "x"}), branches | {word: {".": 0.9, "x": 0.1}})


def greedy(script, config):
    """Take the likeliest allowed token at each step, the plain way."""
    tokens, node = [], 0
    while not tokens or tokens[-1] != END:
        log_probs = script.log_probs[node].copy()
        log_probs[list(UNSAYABLE)] = -np.inf
        if not tokens:
            log_probs[END] = -np.inf
        said = set(ngrams(tokens, config.no_repeat_ngram))
        for word in range(len(log_probs)):
            if set(ngrams([*tokens, word], config.no_repeat_ngram)[-1:]) & said:
                log_probs[word] = -np.inf
        tokens.append(END if len(tokens) == config.max_length else int(np.argmax(log_probs)))
        node = script.moves[node, tokens[-1]]
    return tokens + [PAD] * (config.max_length + 1 - len(tokens))


def ngrams(tokens, size):
    return [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)] if size else []


@pytest.mark.parametrize("num_beams", [1, 3])
def test_the_search_spells_the_likeliest_word(num_beams):
    config = SearchConfig(num_beams, max_length=12, no_repeat_ngram=0)
    tokens, log_probs = spelling("seaside").search(config)
    letters = sorted({*"seaside", "x"})
    assert spelled(tokens[0, 0], letters) == "seaside."
    assert log_probs[0, 0] == pytest.approx(8 * np.log(0.9), rel=1e-5)


def test_a_beam_finds_what_greedy_search_misses():
    garden_path = Script.tree(
        "ab",
        {
            "": {"a": 0.6, "b": 0.4},
            "a": {"a": 0.4, "b": 0.3, ".": 0.3},
            "aa": {".": 1},
            "ab": {".": 1},
            "b": {".": 1},
        },
    )
    best = [
        spelled(garden_path.search(SearchConfig(beams, 3, 0.0))[0][0, 0], "ab") for beams in (1, 2)
    ]
    assert best == ["aa.", "b."]


def test_a_longer_caption_wins_where_the_length_penalty_is_higher():
    script = Script.tree(
        "abc",
        {"": {"a": 1}, "a": {".": 0.55, "b": 0.45}, "ab": {"c": 0.9, ".": 0.1}, "abc": {".": 1}},
    )
    best = [
        spelled(script.search(SearchConfig(3, 5, penalty))[0][0, 0], "abc") for penalty in (0, 1)
    ]
    assert best == ["a.", "abc."]


@few
@given(seeds)
def test_finished_beams_stay_finished_and_log_probs_are_the_sum_of_their_tokens(seed):
    script = Script.random(seed)
    tokens, log_probs = script.search(SearchConfig(4, 6))
    for beam, log_prob in zip(tokens[0], log_probs[0], strict=True):
        end = int(np.argmax(beam == END))
        assert beam[end] == END
        assert (beam[end + 1 :] == PAD).all()
        assert PAD not in beam[:end]
        assert log_prob == pytest.approx(script.price(beam), abs=1e-4)


@few
@given(seeds, st.integers(0, 3), st.floats(0, 2))
def test_one_beam_is_greedy_search(seed, no_repeat_ngram, length_penalty):
    script = Script.random(seed)
    config = SearchConfig(1, 6, length_penalty, no_repeat_ngram)
    tokens, log_probs = script.search(config)
    assert tokens[0, 0].tolist() == greedy(script, config)
    assert log_probs[0, 0] == pytest.approx(script.price(tokens[0, 0]), abs=1e-4)


@few
@given(seeds, st.sampled_from([0.0, 0.7, 1.0]))
def test_enough_beams_find_every_caption_there_is_in_the_right_order(seed, length_penalty):
    script = Script.random(seed, letters=3)
    everything = script.everything(3)
    config = SearchConfig(len(everything), 3, length_penalty, no_repeat_ngram=0)
    tokens, log_probs = script.search(config)
    found = dict(zip(map(tuple, tokens[0].tolist()), log_probs[0].tolist(), strict=True))
    assert found == pytest.approx(everything, abs=1e-4)
    expected = sorted((score(p, t, config) for t, p in everything.items()), reverse=True)
    assert [score(p, t, config) for t, p in found.items()] == pytest.approx(expected, abs=1e-4)


@few
@given(seeds, st.sampled_from([0.0, 0.7, 1.0, 1.5]))
def test_the_best_beam_comes_first(seed, length_penalty):
    config = SearchConfig(5, 6, length_penalty)
    tokens, log_probs = Script.random(seed).search(config)
    scores = [score(p, t, config) for t, p in zip(tokens[0], log_probs[0], strict=True)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(map(tuple, tokens[0].tolist()))) == 5


@pytest.mark.parametrize("size", [1, 2, 3])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_no_ngram_comes_twice(size, seed):
    script = Script.random(seed, nodes=2, letters=3)
    for beam in script.search(SearchConfig(4, 9, no_repeat_ngram=size))[0][0]:
        said = ngrams(beam[beam != PAD].tolist(), size)
        assert len(said) == len(set(said))


def test_ngrams_are_blocked_only_where_they_would_come_twice():
    moaning = Script.tree("a", {"": {"a": 0.9, ".": 0.1}})
    words = {
        size: spelled(moaning.search(SearchConfig(1, 6, no_repeat_ngram=size))[0][0, 0], "a")
        for size in (0, 1, 2, 3, 6, 9)
    }
    assert words == {0: "aaaaaa.", 1: "a.", 2: "aa.", 3: "aaa.", 6: "aaaaaa.", 9: "aaaaaa."}


@pytest.mark.parametrize("within", [1, 2, 3])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_no_word_comes_twice_within_so_many(within, seed):
    script = Script.random(seed, nodes=2, letters=5)
    config = SearchConfig(4, 9, no_repeat_ngram=0, no_repeat_within=within)
    for beam in script.search(config)[0][0]:
        said = beam[beam != PAD].tolist()
        for back in range(1, within + 1):
            assert all(word != earlier for word, earlier in zip(said[back:], said, strict=False))


def test_a_word_may_come_again_where_it_is_far_enough():
    liked = {"": {"a": 0.9, "b": 0.06, "c": 0.03, ".": 0.01}}
    script = Script.tree("abc", liked)
    words = [
        spelled(script.search(SearchConfig(1, 6, 0, 0, within))[0][0, 0], "abc")
        for within in (0, 1, 2)
    ]
    assert words == ["aaaaaa.", "ababab.", "abcabc."]


def test_ngrams_longer_than_a_caption_are_no_error():
    config = SearchConfig(2, 1, no_repeat_ngram=4)
    assert Script.random(0).search(config)[0].shape == (1, 2, 2)


@few
@given(seeds, st.lists(st.sampled_from(UNSAYABLE), min_size=1, unique=True))
def test_specials_are_never_chosen_even_where_they_are_the_likeliest(seed, loved):
    script = Script.random(seed)
    script.logits[:, loved] += 20
    tokens, log_probs = script.search(SearchConfig(3, 5))
    written = tokens[tokens != PAD]
    assert not np.isin(written, UNSAYABLE).any()
    assert (tokens[..., 0] >= len(SPECIALS)).all()
    assert (log_probs > -1e6).all()


def test_a_caption_has_at_least_one_word():
    terse = Script.tree("a", {"": {".": 0.99, "a": 0.01}})
    assert spelled(terse.search(SearchConfig(1, 5))[0][0, 0], "a") == "a."


@pytest.mark.parametrize("num_beams", [1, 4])
@pytest.mark.parametrize("max_length", [1, 4])
def test_max_length_ends_a_caption_at_the_price_the_model_puts_on_it(num_beams, max_length):
    script = Script.random(3)
    script.logits[:, END] = -12.0
    config = SearchConfig(num_beams, max_length, no_repeat_ngram=0)
    tokens, log_probs = script.search(config)
    assert tokens.shape == (1, num_beams, max_length + 1)
    assert (tokens[..., :-1] >= len(SPECIALS)).all()
    assert (tokens[..., -1] == END).all()
    prices = [script.price(beam) for beam in tokens[0]]
    assert log_probs[0] == pytest.approx(prices, abs=1e-4)
    assert log_probs.max() < -12


@settings(max_examples=3, deadline=None)
@given(seeds)
def test_many_photos_at_once_get_what_each_gets_alone(seed):
    script = Script.random(seed, nodes=8)
    config = SearchConfig(3, 5)
    starts = tuple(range(8))
    tokens, log_probs = script.search(config, starts)
    for photo in starts:
        alone, price = script.search(config, (photo,))
        np.testing.assert_allclose(log_probs[photo], price[0], rtol=1e-6)
        # Beams of one price may change places: a sum of several photos rounds otherwise.
        tied = np.isclose(np.diff(price[0]), 0, atol=1e-5).any()
        assert tied or tokens[photo].tolist() == alone[0].tolist()


def test_fewer_captions_than_beams_leave_beams_that_are_told_by_their_price():
    script = Script.random(0, letters=2)
    tokens, log_probs = script.search(SearchConfig(9, 2, no_repeat_ngram=0))
    possible = log_probs[0] > -1e6
    assert possible.tolist() == [True] * 6 + [False] * 3
    found = dict(zip(map(tuple, tokens[0][possible].tolist()), log_probs[0], strict=False))
    assert found == pytest.approx(script.everything(2), abs=1e-4)


@pytest.mark.parametrize("wrong", [{"num_beams": 0}, {"max_length": 0}, {"num_beams": -3}])
def test_a_search_without_beams_or_words_is_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        SearchConfig(**wrong)


def test_the_settings_are_written_as_a_person_reads_them():
    assert str(SearchConfig(3, 20, 0.5, 2)) == (
        "beams=3 max_length=20 length_penalty=0.5 no_repeat_ngram=2"
    )


def test_the_beams_of_a_decoder_cost_what_teacher_forcing_says_they_cost(decoder):
    """Each beam must carry on its own parent's state: else the sums differ."""
    features = grids(5)
    tokens, log_probs = map(
        np.asarray, CaptionSearch(decoder, SearchConfig(4, 7), UNSAYABLE).predict_on_batch(features)
    )
    before = np.concatenate([np.full((5, 4, 1), START, np.int32), tokens[..., :-1]], axis=-1)
    logits = np.asarray(decoder((features, before))[0], np.float64)
    assert logits.shape == (5, 4, 8, TINY.vocabulary_size)
    words = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    told = np.take_along_axis(words, tokens[..., None], axis=-1)[..., 0] * (tokens != PAD)
    np.testing.assert_allclose(log_probs, told.sum(axis=-1), rtol=1e-4)
    assert len({tuple(beam) for photo in tokens.tolist() for beam in photo}) > 10


def test_a_compiled_search_says_the_same_and_leaves_rows_that_are_no_photos(decoder):
    """More photos than slots: each has the next free one, whatever it held before."""
    features, config = grids(SLOTS + 9), SearchConfig(3, 7)
    compiled = CaptionSearch(decoder, config, UNSAYABLE)
    compiled.compile(jit_compile=True)
    some = np.arange(len(features)) < SLOTS + 4
    found, fewer = (
        tuple(map(np.asarray, compiled.predict_on_batch((features, rows))))
        for rows in (np.ones(len(features), bool), some)
    )
    alone = CaptionSearch(decoder, config, UNSAYABLE)
    for photo in range(0, SLOTS + 9, 5):
        tokens, log_probs = alone.predict_on_batch(features[photo : photo + 1])
        assert np.array_equal(tokens[0], found[0][photo])
        assert log_probs[0] == pytest.approx(found[1][photo], abs=1e-4)
    assert np.array_equal(fewer[0][some], found[0][some])
    assert (fewer[0][~some] == PAD).all()


# Sampling.


def draws_of(photos, length, seed=0):
    return np.random.default_rng(seed).random((photos, length), np.float32)


def sampled(script, config, draws):
    """Sample one caption for each row of draws, all from the script's first node."""
    words = script.logits.shape[1]
    logits = ops.convert_to_tensor(script.logits.astype(np.float32))
    moves = ops.convert_to_tensor(script.moves.reshape(-1).astype(np.int32))

    def step(last, state, _):
        node = ops.where(last == START, state[0], ops.take(moves, state[0] * words + last))
        return ops.take(logits, node, axis=0), (node,)

    photos = (), (ops.zeros((len(draws),), "int32"),)
    tokens, log_probs = sample(step, photos, ops.convert_to_tensor(draws), config, UNSAYABLE)
    return np.asarray(tokens)[:, 0], np.asarray(log_probs)[:, 0]


def test_words_are_drawn_as_often_as_they_are_probable():
    coin = Script.tree("ab", {"": {"a": 0.8, "b": 0.2}, "a": {".": 1}, "b": {".": 1}})
    config = SearchConfig(max_length=3, no_repeat_ngram=0, temperature=1.0)
    tokens, _ = sampled(coin, config, draws_of(4000, 4))
    assert np.mean(tokens[:, 0] == len(SPECIALS)) == pytest.approx(0.8, abs=0.03)
    tokens, _ = sampled(coin, replace(config, temperature=100.0), draws_of(4000, 4))
    assert np.mean(tokens[:, 0] == len(SPECIALS)) == pytest.approx(0.5, abs=0.1)


@few
@given(seeds)
@example(178)  # two words are nearly as probable
def test_a_cold_sample_is_the_greedy_caption_at_its_price(seed):
    script = Script.random(seed)
    config = SearchConfig(1, 5, no_repeat_ngram=2, temperature=1e-6)
    tokens, log_probs = sampled(script, config, draws_of(3, 6, seed))
    for found, log_prob in zip(tokens, log_probs, strict=True):
        assert found.tolist() == greedy(script, config)
        assert log_prob == pytest.approx(script.price(found), rel=1e-3)


@few
@given(seeds)
def test_a_sample_says_nothing_forbidden_and_ends(seed):
    script = Script.random(seed)
    config = SearchConfig(max_length=4, no_repeat_ngram=0, temperature=2.0)
    tokens, _ = sampled(script, config, draws_of(20, 5, seed))
    assert not np.isin(tokens[:, 0], [*UNSAYABLE, END]).any()
    for found in tokens.tolist():
        end = found.index(END)
        assert not set(found[:end]) & set(UNSAYABLE)
        assert set(found[end + 1 :]) <= {PAD}


@pytest.mark.parametrize("wrong", [-0.1, float("inf"), float("nan")])
def test_a_temperature_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="temperature"):
        SearchConfig(temperature=wrong)


def test_a_search_names_itself_by_what_it_does():
    assert str(SearchConfig()) == "beams=4 max_length=20 length_penalty=0.7 no_repeat_ngram=2"
    sampling = str(SearchConfig(temperature=0.5, seed=3))
    assert sampling == "temperature=0.5 seed=3 max_length=20 no_repeat_ngram=2"
    assert str(SearchConfig(no_repeat_within=2)).endswith("no_repeat_ngram=2 no_repeat_within=2")
