"""The leak rules against plain definitions."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from radscribe.data.leaks import count_near_twins, count_shared, near_studies_to_drop, studies_to_drop
from radscribe.data.reading import difference_hash
from radscribe.imaging.film import fit, read_film


def test_values_are_shared_when_they_stand_in_two_splits() -> None:
    assert count_shared([("train", "a"), ("train", "a"), ("test", "b"), ("train", "b"), ("validate", "b")]) == 1


def test_test_keeps_the_image_then_validate() -> None:
    splits = ["train", "test", "validate", "train", "train"]
    hashes = [["x"], ["x", "y"], ["y", "z"], ["z"], ["own"]]
    # The validate study falls to test, so that nothing keeps z from training any more.
    assert studies_to_drop(splits, hashes) == {0: "test", 2: "test"}


def test_identical_images_within_one_split_are_left_alone() -> None:
    assert studies_to_drop(["train", "train"], [["x"], ["x"]]) == {}


def test_near_twins_are_counted_as_by_brute_force() -> None:
    generator = np.random.default_rng(0)
    hashes = [generator.bytes(32) for _ in range(150)]
    hashes[100:110] = [bytes([value[0] ^ 0b101, *value[1:]]) for value in hashes[:10]]
    splits = ["train"] * 80 + ["validate"] * 20 + ["test"] * 50
    expected = sum(
        any(
            splits[left] != splits[right]
            and (int.from_bytes(hashes[left], "big") ^ int.from_bytes(hashes[right], "big")).bit_count() <= 8
            for right in range(150)
        )
        for left in range(150)
    )
    assert count_near_twins(splits, hashes) == expected == 20


def test_of_near_twins_too_test_keeps_the_image_then_validate() -> None:
    generator = np.random.default_rng(2)
    first, second, third = (generator.bytes(32) for _ in range(3))

    def near(value: bytes, bits: int = 0b1) -> bytes:
        return bytes([*value[:-1], value[-1] ^ bits])

    splits = ["train", "test", "validate", "train", "train", "train"]
    hashes = [[near(first)], [first], [near(first), second], [near(second)], [third], [near(third)]]
    # The validate study falls to test, so that nothing keeps the second film from training any more.
    assert near_studies_to_drop(splits, hashes) == {0: "test", 2: "test"}
    assert near_studies_to_drop(splits, [[near(first, 0xFF)], [near(first, 0)], *hashes[2:]], bits=7) == {2: "test"}
    assert near_studies_to_drop(["test", "train"], [[], []]) == {}


def test_a_film_saved_anew_is_a_near_twin_and_another_film_is_not() -> None:
    generator = np.random.default_rng(1)

    def smooth() -> Image.Image:
        return Image.fromarray(generator.integers(0, 256, (24, 24), np.uint8)).resize(
            (600, 500), Image.Resampling.BICUBIC
        )

    def hash_of(image: Image.Image) -> int:
        file = BytesIO()
        image.save(file, "JPEG", quality=80)
        return int.from_bytes(difference_hash(fit(read_film(file.getvalue()).pixels)), "big")

    film, other = smooth(), smooth()
    assert (hash_of(film) ^ hash_of(film.resize((300, 250)))).bit_count() <= 8
    assert (hash_of(film) ^ hash_of(other)).bit_count() > 60
