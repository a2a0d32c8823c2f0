"""Two classifiers on the same rows, and the scores of two groups of people by one classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from .intervals import draw_units, quantile_interval, resampled_macro_f1, resampling_units


def compare_predictions(
    references: Sequence[int],
    first: Sequence[int],
    second: Sequence[int],
    num_classes: int,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """
    Whether the second of two classifiers is better than the first, on the same rows.

    Args:
        references, first, second (`Sequence[int]`): class numbers: the truth, and what each classifier says.
        num_classes (`int`): how many classes there are.
        groups (`Sequence[str]`, *optional*): speaker or video of each row; they are resampled whole.
        seed (`int`, *optional*, defaults to 0): of the paired bootstrap.

    Returns:
        `dict`: `macro_f1` of both; `difference`, second minus first, its `interval` (95 %, paired bootstrap) and
        `share_better`, the share of resamples in which the second is better; `only_first_right`, `only_second_right`
        and `mcnemar_p`, the exact two-sided McNemar test, which takes the rows for independent; `n`.

    Raises:
        ValueError: If there are no rows, or the lengths differ.
    """
    truth, one, other = (np.asarray(values) for values in (references, first, second))
    if not len(truth) == len(one) == len(other):
        raise ValueError(f"{len(truth)} references, {len(one)} and {len(other)} predictions do not pair up.")
    if len(truth) == 0:
        raise ValueError("There are no rows to compare on.")
    units = resampling_units(len(truth), groups)
    draws = draw_units(units, seed)
    differences = resampled_macro_f1(truth, other, num_classes, units, draws) - resampled_macro_f1(
        truth, one, num_classes, units, draws
    )
    only_first = int(((one == truth) & (other != truth)).sum())
    only_second = int(((other == truth) & (one != truth)).sum())
    discordant = only_first + only_second
    scores = [float(f1_score(truth, values, average="macro", zero_division=0.0)) for values in (one, other)]
    return {
        "macro_f1": scores,
        "difference": scores[1] - scores[0],
        "interval": quantile_interval(differences),
        "share_better": float((differences > 0).mean()),
        "only_first_right": only_first,
        "only_second_right": only_second,
        "mcnemar_p": float(binomtest(only_second, discordant).pvalue) if discordant else 1.0,
        "n": len(truth),
    }


def scores_by_gender(
    references: Sequence[int],
    predictions: Sequence[int],
    genders: Sequence[str | None],
    num_classes: int,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Any] | None:
    """
    Macro-F1 for each gender that the corpus tells, and the gap between the best and the worst served.

    Args:
        references, predictions (`Sequence[int]`): class numbers.
        genders (`Sequence[str | None]`): of each row's speaker.
        num_classes (`int`): how many classes there are.
        groups (`Sequence[str]`, *optional*): speaker or video of each row; they are resampled whole.
        seed (`int`, *optional*, defaults to 0): of the bootstrap.

    Returns:
        `dict`: gender to `macro_f1`, `interval` (`None` where one group alone has that gender) and `n`, and with two
        genders or more `gap`: `macro_f1`, the difference of the highest and the lowest, its `interval`, and which
        genders are `best` and `worst`. `None` where no row tells a gender.
    """
    truth, guess = np.asarray(references), np.asarray(predictions)
    named = np.array([gender or "" for gender in genders])
    names = sorted(set(named) - {""})
    if not names:
        return None
    units = resampling_units(len(truth), groups)
    draws = draw_units(units, seed)
    report: dict[str, Any] = {}
    resampled = {}
    for name in names:
        rows = named == name
        resampled[name] = resampled_macro_f1(truth[rows], guess[rows], num_classes, units[rows], draws)
        report[name] = {
            "macro_f1": float(f1_score(truth[rows], guess[rows], average="macro", zero_division=0.0)),
            # One person of a gender says nothing of the others.
            "interval": quantile_interval(resampled[name]) if len(set(units[rows])) > 1 else None,
            "n": int(rows.sum()),
        }
    if len(names) > 1:
        best, worst = (pick(names, key=lambda name: report[name]["macro_f1"]) for pick in (max, min))
        report["gap"] = {
            "macro_f1": report[best]["macro_f1"] - report[worst]["macro_f1"],
            "interval": quantile_interval(resampled[best] - resampled[worst])
            if report[best]["interval"] and report[worst]["interval"]
            else None,
            "best": best,
            "worst": worst,
        }
    return report
