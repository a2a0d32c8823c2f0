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
) -> list[float] | None:
    """
    Bootstrap interval of macro-F1, resampling groups where there are any, else rows.

    Args:
        references, predictions (`np.ndarray` of shape `(rows,)`): class numbers.
        num_classes (`int`): how many classes there are.
        groups (`Sequence[str]`, *optional*): speaker or video of each row.
        seed (`int`, *optional*, defaults to 0): of the resampling.
        confidence (`float`, *optional*, defaults to 0.95): share of resamples inside the interval.

    Returns:
        `list[float]`: lower and upper end; `None` where all rows are of one group, of whom nothing follows for others.
    """
    units = resampling_units(len(references), groups)
    scores = resampled_macro_f1(references, predictions, num_classes, units, draw_units(units, seed))
    return quantile_interval(scores, confidence) if units.max() > 0 else None


def bootstrap_mean_macro_f1(
    runs: Sequence[tuple[Sequence[int], Sequence[int], Sequence[str]]], num_classes: int, seed: int = 0
) -> list[float] | None:
    """
    Bootstrap interval of the mean of several runs' macro-F1. Runs with other seeds may score some of the same people:
    these are drawn, or left out, for all runs together.

    Args:
        runs (`Sequence` of `(references, predictions, units)`): class numbers of each run's rows, and the name of what
            each row is drawn with, its group or its id.
        num_classes (`int`): how many classes there are.
        seed (`int`, *optional*, defaults to 0): of the resampling.

    Returns:
        `list[float]`: lower and upper end of the 95 % interval; `None` where all rows are of one unit.
    """
    names, numbers = np.unique(np.concatenate([units for _, _, units in runs]), return_inverse=True)
    if len(names) < 2:
        return None
    draws = draw_units(numbers, seed)
    ends = np.cumsum([len(units) for _, _, units in runs])[:-1]
    scores = [
        resampled_macro_f1(np.asarray(references), np.asarray(predictions), num_classes, units, draws)
        for (references, predictions, _), units in zip(runs, np.split(numbers, ends))
    ]
    return quantile_interval(np.nanmean(scores, axis=0))


def resampling_units(rows: int, groups: Sequence[str] | None) -> np.ndarray:
    """
    Args:
        rows (`int`): how many rows there are.
        groups (`Sequence[str]`, *optional*): speaker or video of each row.

    Returns:
        `np.ndarray` of shape `(rows,)`: number of the unit that each row is drawn with, its group or itself.
    """
    return np.arange(rows) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]


def draw_units(units: np.ndarray, seed: int) -> np.ndarray:
    """
    Args:
        units (`np.ndarray` of shape `(rows,)`): from [`resampling_units`].
        seed (`int`): of the resampling.

    Returns:
        `np.ndarray` of shape `(1000, units)`: how often each resample holds each unit.
    """
    count = int(units.max()) + 1
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)


def resampled_macro_f1(
    references: np.ndarray, predictions: np.ndarray, num_classes: int, units: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """
    Args:
        references, predictions (`np.ndarray` of shape `(rows,)`): class numbers.
        num_classes (`int`): how many classes there are.
        units (`np.ndarray` of shape `(rows,)`): from [`resampling_units`].
        draws (`np.ndarray` of shape `(resamples, units)`): from [`draw_units`].

    Returns:
        `np.ndarray` of shape `(resamples,)`: macro-F1 of each resample, over the classes that stand in it.
    """
    cells = np.zeros((draws.shape[1], num_classes * num_classes))
    np.add.at(cells, (units, references * num_classes + predictions), 1)
    matrices = (draws @ cells).reshape(-1, num_classes, num_classes)
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    mass = matrices.sum(axis=1) + matrices.sum(axis=2)
    present = mass > 0
    f1 = np.divide(2 * hits, mass, out=np.zeros_like(hits), where=present)
    # A resample may hold none of the rows at hand (those of one gender, say): no score, rather than a wrong one.
    return np.divide(f1.sum(axis=1), present.sum(axis=1), out=np.full(len(f1), np.nan), where=present.any(axis=1))


def quantile_interval(values: np.ndarray, confidence: float = 0.95) -> list[float]:
    """
    Args:
        values (`np.ndarray`): a score of each resample; NaN where it has none.
        confidence (`float`, *optional*, defaults to 0.95): share of resamples inside the interval.

    Returns:
        `list[float]`: lower and upper end.
    """
    tail = (1 - confidence) / 2
    return [float(end) for end in np.nanquantile(values, [tail, 1 - tail])]
