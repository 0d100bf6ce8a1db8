"""Logistic regressions that are fitted together."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from radscribe.core.errors import WrongUse
from radscribe.metrics.significance import Floats

MAX_ITERATIONS = 100
# Mean change of a scaled parameter below which the fit counts as converged.
TOLERANCE = 1e-6


def fit_logistic(features: Floats, targets: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Weights ``D x C`` and biases ``C`` of ``C`` logistic regressions on ``N x D`` features, ``N x C`` targets.

    Each minimises the summed log loss plus half the squared norm of its weights (scikit-learn's ``C=1``); the bias
    is not penalised. They are independent but fitted as one problem, so that a step is two matrix products for all.
    Raises ``WrongUse`` where the numbers of rows differ.
    """
    studies, size = features.shape
    conditions = targets.shape[1]
    if len(targets) != studies:
        raise WrongUse(f"{len(targets)} rows of targets for {studies} films; give one for each film")
    signs = np.where(targets, 1.0, -1.0)
    # Neighbouring pixels are nearly equal, and the loss curves less along rare conditions than along common ones. In
    # principal axes, each condition scaled by its expected curvature, the problem is well conditioned.
    variances, axes = np.linalg.eigh(features.T @ features / studies)
    coordinates = features @ axes
    rates = targets.mean(axis=0)
    curvatures = np.maximum(rates * (1 - rates), 1 / studies)
    scales = np.empty((size + 1, conditions))
    scales[:size] = 1 / np.sqrt(np.maximum(variances, 0)[:, None] * curvatures + 1 / studies)
    scales[size] = 1 / np.sqrt(curvatures)

    def margins(parameters: Floats) -> Floats:
        return np.asarray(coordinates @ parameters[:size] + parameters[size])

    def gradient(parameters: Floats, slopes: Floats) -> Floats:
        """Of the penalty, and of a loss that changes by ``slopes`` (``N x C``) with the margins."""
        return np.asarray(
            scales * np.vstack((coordinates.T @ slopes + parameters[:size] / studies, slopes.sum(axis=0)))
        )

    def loss_and_gradient(flat: Floats) -> tuple[float, Floats]:
        parameters = scales * flat.reshape(scales.shape)
        found = signs * margins(parameters)
        loss = (np.logaddexp(0, -found).sum() + (parameters[:size] ** 2).sum() / 2) / studies
        return float(loss), gradient(parameters, -signs * expit(-found) / studies).ravel()

    @lru_cache(maxsize=1)  # called many times in a row for the same point
    def curvature(point: bytes) -> Floats:
        probabilities = expit(margins(scales * np.frombuffer(point).reshape(scales.shape)))
        return np.asarray(probabilities * (1 - probabilities) / studies)

    def hessian_product(flat: Floats, direction: Floats) -> Floats:
        change = scales * direction.reshape(scales.shape)
        return gradient(change, curvature(flat.tobytes()) * margins(change)).ravel()

    fitted: Any = minimize(
        loss_and_gradient,
        np.zeros(scales.size),
        jac=True,
        hessp=hessian_product,
        method="Newton-CG",
        options={"maxiter": MAX_ITERATIONS, "xtol": TOLERANCE},
    )
    parameters = scales * fitted.x.reshape(scales.shape)
    return axes @ parameters[:size], parameters[size]
