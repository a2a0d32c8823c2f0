"""Scores of a classifier, from labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from .calibration import calibration, coverage
from .comparison import scores_by_gender
from .intervals import bootstrap_macro_f1


RARE_CLASS_ROWS = 20


def compute_metrics(
    references: Sequence[int],
    predictions: Sequence[int],
    names: Sequence[str],
    groups: Sequence[str] | None = None,
    scores: np.ndarray | None = None,
    genders: Sequence[str | None] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """
    Score predictions.

    Macro averages are taken over the classes that stand in the references or the predictions, as scikit-learn does
    (macro-F1 is the contest's measure).

    Args:
        references, predictions (`Sequence[int]`): class numbers, one for each row.
        names (`Sequence[str]`): the classes' names, in the order of their numbers.
        groups (`Sequence[str]`, *optional*): speaker or video of each row; the interval is then over groups.
        scores (`np.ndarray` of shape `(rows, classes)`, *optional*): probabilities, for the calibration.
        genders (`Sequence[str | None]`, *optional*): of each row's speaker, as far as known.
        seed (`int`, *optional*, defaults to 0): of the bootstrap.

    Returns:
        `dict`: `macro_f1`, `macro_f1_interval` (95 % bootstrap; `None` from one group), `weighted_f1`, `accuracy`,
        `macro_precision`, `macro_recall`, `unweighted_average_recall` (over the classes of the references),
        `per_class` (name to precision, recall, f1, support), `confusion_matrix` (rows are references), `labels`, `n`,
        and `notes`, sentences on what makes the scores doubtful; where asked for, `calibration` (see
        [`~evaluation.calibration`]), `coverage` (see [`~evaluation.coverage`]) and `by_gender` (see
        [`~evaluation.scores_by_gender`]).

    Raises:
        ValueError: If there are no rows, the lengths differ, or a number names no class.

    Example:

    ```python
    >>> from emospeech_hf.evaluation import compute_metrics

    >>> scores = compute_metrics([0, 0, 1, 1], [0, 1, 1, 1], names=["anger", "joy"])
    >>> round(scores["macro_f1"], 4), scores["accuracy"]
    (0.7333, 0.75)

    ```
    """
    truth, guess = np.asarray(references), np.asarray(predictions)
    if len(truth) != len(guess):
        raise ValueError(f"{len(truth)} references and {len(guess)} predictions do not pair up.")
    if len(truth) == 0:
        raise ValueError("There are no rows to score.")
    if groups is not None and len(groups) != len(truth):
        raise ValueError(f"{len(truth)} references and {len(groups)} groups do not pair up.")
    outside = sorted(set(np.concatenate([truth, guess]).tolist()) - set(range(len(names))))
    if outside:
        raise ValueError(f"Class numbers {outside} have no name; the classes are {', '.join(names)}.")
    numbers = list(range(len(names)))
    precision, recall, f1, support = precision_recall_fscore_support(truth, guess, labels=numbers, zero_division=0.0)
    present = np.isin(numbers, np.concatenate([truth, guess]))
    metrics = {
        "macro_f1": float(f1[present].mean()),
        "macro_f1_interval": bootstrap_macro_f1(truth, guess, len(names), groups, seed),
        "weighted_f1": float(np.average(f1, weights=support)),
        "accuracy": float(accuracy_score(truth, guess)),
        "macro_precision": float(precision[present].mean()),
        "macro_recall": float(recall[present].mean()),
        "unweighted_average_recall": float(recall[support > 0].mean()),
        "per_class": {
            name: {
                "precision": float(precision[number]),
                "recall": float(recall[number]),
                "f1": float(f1[number]),
                "support": int(support[number]),
            }
            for number, name in enumerate(names)
        },
        "confusion_matrix": confusion_matrix(truth, guess, labels=numbers).tolist(),
        "labels": list(names),
        "n": len(truth),
        "notes": _notes(names, support, groups),
    }
    if scores is not None:
        metrics["calibration"] = calibration(references, scores)
        metrics["coverage"] = coverage(references, scores)
    by_gender = (
        scores_by_gender(references, predictions, genders, len(names), groups, seed) if genders is not None else None
    )
    if by_gender is not None:
        metrics["by_gender"] = by_gender
    return metrics


def _notes(names: Sequence[str], support: np.ndarray, groups: Sequence[str] | None) -> list[str]:
    notes = []
    for name, rows in zip(names, support.tolist()):
        if rows == 0:
            notes.append(f"No row is of class {name}; macro averages say nothing of it.")
        elif rows < RARE_CLASS_ROWS:
            notes.append(
                f"Only {rows} rows are of class {name}: each moves macro-F1 by about {1 / rows / len(names):.3f}."
            )
    if groups is None:
        notes.append("The corpus tells no speakers or videos; the interval takes the rows for independent.")
    elif len(set(groups)) == 1:
        notes.append("All rows come from one group: of others nothing follows, and there is no interval.")
    elif len(set(groups)) < 5:
        notes.append(f"The rows come from {len(set(groups))} groups only: the interval is rough.")
    return notes
