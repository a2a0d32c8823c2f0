"""Whether a score of 0.8 is right eight times in ten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score


BINS = 15
CHANCE_DRAWS = 2000
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Shares of the rows that a model answers, when it may abstain from the others."""


def calibration(
    references: Sequence[int], scores: Sequence[Sequence[float]] | np.ndarray, bins: int = BINS
) -> dict[str, Any]:
    """
    Expected calibration error of the most probable class, and the bins it is made of (a reliability diagram's data).

    Args:
        references (`Sequence[int]`): class numbers, one for each row.
        scores (`np.ndarray` of shape `(rows, classes)`): probabilities.
        bins (`int`, *optional*, defaults to 15): bins of equal width of the highest probability.

    Returns:
        `dict`: `expected_calibration_error`, the mean over rows of a bin's |accuracy - confidence|; `by_chance`, what
        scores that are exactly right would show as such on so many rows, as these are in the bins: their `mean` and
        the `limit` that 95 % of them stay below (consistency resampling, Bröcker and Smith 2007); and `bins`, for each
        that holds rows its `low` and `high` end, `confidence`, `accuracy` and `n`.

    Raises:
        ValueError: If the shapes do not fit, or the scores are no probabilities.

    Example:

    ```python
    >>> from emospeech_hf.evaluation import calibration

    >>> round(calibration([0, 1], [[0.9, 0.1], [0.7, 0.3]])["expected_calibration_error"], 3)
    0.4

    ```
    """
    truth, probabilities = _checked(references, scores)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    edges = np.linspace(0, 1, bins + 1)
    numbers = np.clip(np.digitize(confidence, edges[1:-1], right=True), 0, bins - 1)
    entries = []
    for number in range(bins):
        inside = numbers == number
        if inside.any():
            entries.append(
                {
                    "low": float(edges[number]),
                    "high": float(edges[number + 1]),
                    "confidence": float(confidence[inside].mean()),
                    "accuracy": float(right[inside].mean()),
                    "n": int(inside.sum()),
                }
            )
    error = sum(entry["n"] * abs(entry["accuracy"] - entry["confidence"]) for entry in entries) / len(truth)
    return {"expected_calibration_error": float(error), "by_chance": _error_by_chance(entries), "bins": entries}


def coverage(references: Sequence[int], scores: Sequence[Sequence[float]] | np.ndarray) -> list[dict[str, float]]:
    """
    What abstaining is worth: accuracy and macro-F1 of the surest rows, the fewer the surer.

    Args:
        references (`Sequence[int]`), scores (`np.ndarray` of shape `(rows, classes)`): see [`calibration`].

    Returns:
        `list[dict]`: for each of `COVERAGES` the `coverage`, the rows' least score `abstain_below`, `accuracy`, and
        `macro_f1` over the classes that are left among them.

    Raises:
        ValueError: See [`calibration`].

    Example:

    ```python
    >>> from emospeech_hf.evaluation import coverage

    >>> entries = coverage([0, 0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    >>> [(entry["coverage"], entry["accuracy"]) for entry in entries][::3]
    [(1.0, 0.75), (0.7, 1.0)]

    ```
    """
    truth, probabilities = _checked(references, scores)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    entries = []
    for share in COVERAGES:
        kept = order[: max(1, round(share * len(truth)))]
        entries.append(
            {
                "coverage": share,
                "abstain_below": float(confidence[kept[-1]]),
                "accuracy": float((predicted[kept] == truth[kept]).mean()),
                "macro_f1": float(
                    f1_score(
                        truth[kept], predicted[kept], labels=np.unique(truth[kept]), average="macro", zero_division=0.0
                    )
                ),
            }
        )
    return entries


def _error_by_chance(entries: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The error of a model that is right as often as it says, on rows that lie in the bins as these do."""
    rows = np.array([entry["n"] for entry in entries])
    # Probabilities that sum to 1 only nearly may exceed it.
    confidence = np.clip([entry["confidence"] for entry in entries], 0, 1)
    right = np.random.default_rng(0).binomial(rows, confidence, (CHANCE_DRAWS, len(rows)))
    errors = np.abs(right - rows * confidence).sum(axis=1) / rows.sum()
    return {"mean": float(errors.mean()), "limit": float(np.quantile(errors, 0.95))}


def _checked(
    references: Sequence[int], scores: Sequence[Sequence[float]] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    truth, probabilities = np.asarray(references), np.asarray(scores, dtype=float)
    if probabilities.ndim != 2 or len(probabilities) != len(truth):
        raise ValueError(
            f"{len(truth)} references need as many rows of scores; they have the shape {probabilities.shape}."
        )
    if len(truth) == 0:
        raise ValueError("There are no rows to score.")
    if (probabilities < 0).any() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise ValueError("The scores are no probabilities: each row must be at least 0 and sum to 1.")
    return truth, probabilities
