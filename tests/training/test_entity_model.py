"""The entity model: targets from triplets, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from radscribe.labels.entities import ENTITIES, PLACES
from radscribe.models.encoders.entity import EntityModel, EntityModelConfig
from radscribe.models.encoders.image import ImageEncoderConfig
from radscribe.training.area import mean_area
from radscribe.training.entity_model import IGNORED, EntityBatch, EntityLoss, targets

EFFUSION, LEFT, RIGHT = ENTITIES.index("effusion"), PLACES.index("left_pleural"), PLACES.index("right_pleural")


def test_targets_are_present_entities_at_their_first_place() -> None:
    presence, positions = targets([[(EFFUSION, LEFT, 1), (EFFUSION, RIGHT, 1)], [(EFFUSION, RIGHT, 0)], []])
    assert presence[:, EFFUSION].tolist() == [1, 0, 0] and int(presence.sum()) == 1
    assert positions[:, EFFUSION].tolist() == [LEFT, IGNORED, IGNORED]


def test_the_area_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    scores, truth = random.integers(0, 9, (60, 3)) / 9, random.random((60, 3)) < 0.3
    truth[:, 2] = False  # a column without a positive says nothing
    expected = np.mean([roc_auc_score(truth[:, column], scores[:, column]) for column in (0, 1)])
    assert mean_area(torch.from_numpy(scores), torch.from_numpy(truth)) == pytest.approx(float(expected))
    assert mean_area(torch.zeros(4, 2), torch.zeros(4, 2)) == 0.5


def test_it_overfits_a_few_films() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoderConfig(
        embedding_size=8, hidden_sizes=(8, 8, 16, 16), depths=(1, 1, 1, 1), layer_type="basic", stride=16
    )
    config = EntityModelConfig(width=32, layers=1, heads=2, feed_forward=32, dropout=0.0, image_encoder=encoder)
    model = EntityModel(config, text_width=16)
    model.descriptions.normal_()
    model.places.normal_()
    films = torch.rand(8, 1, 64, 64)
    presence = torch.randint(0, 2, (8, 75))
    positions = torch.where(presence == 1, torch.randint(0, 51, (8, 75)), torch.tensor(IGNORED))
    loss = EntityLoss(model, presence).train()
    optimizer = torch.optim.AdamW(loss.parameters(), 3e-3)
    batch = EntityBatch(films, presence, positions)
    first = float(loss(batch)["loss"])
    for _ in range(400):
        optimizer.zero_grad()
        loss(batch)["loss"].backward()
        optimizer.step()
    output = model(films)
    assert float(loss(batch)["loss"]) < first / 4
    assert float(((output.presence >= 0.5).long() == presence).float().mean()) > 0.95
