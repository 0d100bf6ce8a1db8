"""Logistic regression against scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from radscribe.metrics.logistic import fit_logistic


def test_decisions_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 20)) @ rng.normal(size=(20, 20))
    targets = features @ rng.normal(size=(20, 3)) + rng.normal(size=(200, 3)) > [0, 2, 6]
    weights, bias = fit_logistic(features, targets)
    for column in range(3):
        peer = LogisticRegression(C=1, tol=1e-8, max_iter=10_000).fit(features, targets[:, column])
        ours = features @ weights[:, column] + bias[column]
        assert np.allclose(ours, peer.decision_function(features), atol=2e-3)
