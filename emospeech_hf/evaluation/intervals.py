"""How far a score could have come out otherwise on other rows, or other people, of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


RESAMPLES = 1000


def bootstrap_macro_f1(
    references: np.ndarray,
    predictions: np.ndarray,
    num_classes: int,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> list[float]:
    """
    Bootstrap interval of macro-F1, resampling groups where there are any, else rows.

    Args:
        references, predictions (`np.ndarray` of shape `(rows,)`): class numbers.
        num_classes (`int`): how many classes there are.
        groups (`Sequence[str]`, *optional*): speaker or video of each row.
        seed (`int`, *optional*, defaults to 0): of the resampling.
        confidence (`float`, *optional*, defaults to 0.95): share of resamples inside the interval.

    Returns:
        `list[float]`: lower and upper end.
    """
    units = np.arange(len(references)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(units.max()) + 1
    cells = np.zeros((count, num_classes * num_classes))
    np.add.at(cells, (units, references * num_classes + predictions), 1)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    matrices = (draws @ cells).reshape(-1, num_classes, num_classes)
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    mass = matrices.sum(axis=1) + matrices.sum(axis=2)
    present = mass > 0
    f1 = np.divide(2 * hits, mass, out=np.zeros_like(hits), where=present)
    scores = f1.sum(axis=1) / present.sum(axis=1)
    tail = (1 - confidence) / 2
    return [float(end) for end in np.quantile(scores, [tail, 1 - tail])]
