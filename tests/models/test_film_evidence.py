"""What a film's draws begin from, and that it goes where the film goes."""

from __future__ import annotations

import torch

from radscribe.models.evidence import seeds_of
from radscribe.models.mcsam import McsamEvidence


def test_a_film_has_its_own_seed_whatever_its_batch() -> None:
    films = torch.randint(0, 256, (4, 1, 32, 32), generator=torch.Generator().manual_seed(0)).float() / 255.0
    turned = films.clone()
    turned[0] = films[0].flip(-1)
    seeds = seeds_of(films)
    assert len(set(seeds.tolist())) == 4 and seeds.dtype == torch.long
    assert torch.equal(seeds, torch.cat([seeds_of(film[None]) for film in films]))
    assert (seeds_of(turned) != seeds).tolist() == [True, False, False, False]
    views = torch.stack((films, films.flip(-1)), 1)  # B x views x 1 x H x W
    assert len(set(seeds_of(views).tolist())) == 4


def test_seeds_go_with_their_films_and_no_part_takes_them() -> None:
    patches = torch.randn(3, 4, 2)
    evidence = McsamEvidence(patches, None, None, None, seeds=torch.tensor([5, 6, 7]))
    other = McsamEvidence(patches + 1, None, None, None, seeds=torch.tensor([1, 2, 3]))
    seeds = evidence.rows(torch.tensor([2, 0])).seeds
    assert seeds is not None and seeds.tolist() == [7, 5]
    joined = McsamEvidence.joined([evidence, other]).seeds
    assert joined is not None and joined.tolist() == [5, 6, 7, 1, 2, 3]
    exchanged = evidence.with_part_of("patches", other)
    assert torch.equal(exchanged.patches, other.patches) and exchanged.seeds is evidence.seeds
