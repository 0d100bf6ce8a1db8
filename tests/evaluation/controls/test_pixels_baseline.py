"""The pixel baselines against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from radscribe.core.errors import WrongUse
from radscribe.evaluation.controls.pixels_baseline import nearest_by_pixels, pool, predict


def films(seed: int, studies: int) -> np.ndarray:
    """Films of smooth structure, so that neighbouring pixels agree as they do in radiographs."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(40, 200, (studies, 8, 8)), np.ones((8, 8), dtype=int))
    return (coarse + rng.integers(0, 20, coarse.shape)).astype(np.uint8)


def test_predictions_are_scikit_learns_on_standardized_pixels() -> None:
    train, test = films(1, 150), films(2, 50)
    features = pool(train)
    targets = np.stack([features[:, 0] > 120, features[:, 500] + features[:, 700] > 300], axis=1)
    mean, spread = features.mean(0), features.std(0)
    peers = [
        LogisticRegression(C=1, tol=1e-6, max_iter=5000)
        .fit((features - mean) / spread, targets[:, column])
        .predict((pool(test) - mean) / spread)
        for column in range(2)
    ]
    assert np.array_equal(predict(train, targets, test), np.stack(peers, axis=1))


def test_a_condition_never_seen_is_never_predicted() -> None:
    targets = np.zeros((30, 2), dtype=bool)
    targets[::2, 1] = True
    assert not predict(films(3, 30), targets, films(4, 10))[:, 0].any()


def test_pool_is_the_mean_of_each_cell() -> None:
    pixels = films(5, 3)
    assert pool(pixels)[1, 33] == pixels[1, 2:4, 2:4].mean()
    assert np.array_equal(pool(np.concatenate([pixels] * 100))[-3:], pool(pixels))


def test_nearest_is_scikit_learns_and_blind_to_exposure() -> None:
    train, test = films(6, 40), films(7, 15)
    centred = [pool(pixels) - pool(pixels).mean(1, keepdims=True) for pixels in (train, test)]
    peer = NearestNeighbors(n_neighbors=1, metric="cosine").fit(centred[0]).kneighbors(centred[1])[1][:, 0]
    assert np.array_equal(nearest_by_pixels(train, test), peer)
    assert np.array_equal(nearest_by_pixels(train, train / 2 + 50), np.arange(40))


def test_rows_and_columns_beyond_a_multiple_are_left_out_and_pooled_films_stay() -> None:
    pixels = films(5, 3)
    side = pixels.shape[1] // 32 * 32
    wider = np.pad(pixels, ((0, 0), (0, 5), (0, 20)))
    assert np.array_equal(pool(wider)[:, :32], pool(wider[:, :side, :side])[:, :32])
    assert np.array_equal(pool(pool(pixels)), pool(pixels))


@pytest.mark.parametrize("shape", [(2, 31, 32), (2, 32), (0, 32, 32)])
def test_films_that_do_not_pool_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(WrongUse):
        pool(np.zeros(shape))


def test_targets_are_one_a_film() -> None:
    with pytest.raises(WrongUse, match="1 rows of targets for 2 films"):
        predict(films(8, 2), np.zeros((1, 14), dtype=bool), films(9, 1))
