"""Calibration error against hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest

from emospeech_hf.evaluation import calibration


def test_by_hand() -> None:
    # Bin (0.6, 0.667]: confidence 0.65, one of two right. Bin (0.933, 1]: confidence 0.95, both right.
    scores = [[0.65, 0.35], [0.65, 0.35], [0.95, 0.05], [0.05, 0.95]]
    found = calibration([0, 1, 0, 1], scores)
    assert found["expected_calibration_error"] == pytest.approx((2 * 0.15 + 2 * 0.05) / 4)
    assert [entry["n"] for entry in found["bins"]] == [2, 2]


def test_scores_that_mean_what_they_say() -> None:
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(6) * 0.5, 50_000)
    truth = [generator.choice(6, p=row) for row in scores]
    assert calibration(truth, scores)["expected_calibration_error"] < 0.01
    sharp = scores**3 / (scores**3).sum(axis=1, keepdims=True)
    assert calibration(truth, sharp)["expected_calibration_error"] > 0.1


def test_certain_scores_fall_into_the_last_bin() -> None:
    (entry,) = calibration([0, 0], [[1.0, 0.0], [1.0, 0.0]])["bins"]
    assert (entry["high"], entry["accuracy"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("references", "scores", "message"),
    [
        ([0], [[0.5, 0.5], [0.5, 0.5]], "as many rows"),
        ([], np.zeros((0, 6)), "no rows"),
        ([0], [[0.9, 0.9]], "no probabilities"),
        ([0], [[1.5, -0.5]], "no probabilities"),
    ],
)
def test_bad_input(references: list[int], scores: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        calibration(references, scores)
