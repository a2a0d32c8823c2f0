"""Calibration error against hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest

from emospeech_hf.evaluation import calibration, coverage


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


def test_what_chance_alone_shows() -> None:
    generator = np.random.default_rng(0)
    errors, told = [], []
    for _ in range(200):
        scores = generator.dirichlet(np.ones(6) * 0.5, 300)
        truth = [generator.choice(6, p=row) for row in scores]
        found = calibration(truth, scores)
        errors.append(found["expected_calibration_error"])
        told.append(found["by_chance"])
    assert np.mean([chance["mean"] for chance in told]) == pytest.approx(np.mean(errors), rel=0.05)
    assert np.mean([error < chance["limit"] for error, chance in zip(errors, told)]) == pytest.approx(0.95, abs=0.03)
    # Of more rows, less; and scores of 1 leave nothing to chance.
    assert calibration(truth * 9, np.tile(scores, (9, 1)))["by_chance"]["mean"] < told[-1]["mean"] / 2
    assert calibration([0], [[1.0005, 0.0]])["by_chance"] == {"mean": 0.0, "limit": 0.0}


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


def test_coverage_by_hand() -> None:
    # Ten rows, surest first; the last three are wrong.
    scores = [[0.99 - 0.05 * row, 0.01 + 0.05 * row] for row in range(9)] + [[0.45, 0.55]]
    truth = [0, 0, 0, 0, 0, 0, 0, 1, 1, 0]
    found = {entry["coverage"]: entry for entry in coverage(truth, scores)}
    assert found[1.0]["accuracy"] == pytest.approx(0.7)
    assert found[0.7]["accuracy"] == 1.0
    assert found[0.7]["abstain_below"] == pytest.approx(0.69)
    assert found[0.7]["macro_f1"] == 1.0  # class 1 is not among them and does not count
    assert found[0.8]["macro_f1"] == pytest.approx((2 * 7 / 15 + 0) / 2)


def test_scores_that_know_earn_by_abstaining_and_others_do_not() -> None:
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(6) * 0.5, 5000)
    truth = [generator.choice(6, p=row) for row in scores]
    accuracies = [entry["accuracy"] for entry in coverage(truth, scores)]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] > accuracies[0] + 0.1
    lots = generator.integers(0, 6, 5000)
    assert abs(coverage(lots, scores)[-1]["accuracy"] - 1 / 6) < 0.03
