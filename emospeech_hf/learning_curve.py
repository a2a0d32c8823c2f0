"""How a recipe's score grows with the number of speakers or videos that it is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .cross_validation import cross_validate
from .evaluation import plot_learning_curve
from .safe_writing import write_json


LEARNING_CURVE_FILE = "learning_curve.json"


def learning_curve(
    recipe: str,
    data: str,
    output: Path,
    numbers: Sequence[int] = (),
    folds: int = 5,
    seeds: Sequence[int] = (42,),
    settings: Iterable[str] = (),
    data_revision: str | None = None,
    skip_bad_rows: bool = False,
    cache_dir: Path | None = None,
    auxiliary_data: Sequence[str] = (),
) -> dict[str, Any]:
    """
    Cross-validate a recipe on fewer and fewer speakers or videos, tested on the same strangers each time. What is
    finished is not run again, and features are computed once.

    Args:
        recipe (`str`): a recipe's name or YAML file.
        data (`str`): folder or Hub id of the corpus, with speakers or videos.
        output (`Path`): folder for `learning_curve.json`, `learning_curve.png` and the runs.
        numbers (`Sequence[int]`, *optional*): how many speakers or videos to train on, besides all of them; by default
            2, 4, 8 and so on.
        folds (`int`, *optional*, defaults to 5), seeds (`Sequence[int]`, *optional*, defaults to `(42,)`), settings
            (`Iterable[str]`, *optional*), data_revision (`str`, *optional*), skip_bad_rows (`bool`, *optional*),
            cache_dir (`Path`, *optional*), auxiliary_data (`Sequence[str]`, *optional*): see
            [`~cross_validation.cross_validate`]. Each seed draws speakers of its own; auxiliary ones do not count.

    Returns:
        `dict`: what stands in `learning_curve.json`: `points`, each with `groups`, `mean`, `mean_interval` and
        `fold_macro_f1` as [`~cross_validation.cross_validate`] gives them, from few groups to all; and
        `gain_per_doubling`, the slope of `mean` over the logarithm to base 2 of `groups`, `None` of a single point.

    Raises:
        RecipeError, CorpusError: If recipe or corpus does not fit.
        ValueError: If rows tell no speaker or video, a number is not among 1 and all but one of them, or an older run
            in `output` does not fit.
    """
    settings = list(settings)

    def score(name: str, number: int) -> dict[str, Any]:
        return cross_validate(
            recipe,
            data,
            output / name,
            folds,
            seeds,
            [*settings, f"training_groups={number}"],
            data_revision,
            skip_bad_rows,
            cache_dir or output / "cache",
            auxiliary_data,
        )

    whole = score("all", 0)
    most = min(whole["split"]["training_groups"])
    if most < 2:
        raise ValueError(f"{data}: a learning curve needs rows of two speakers or videos to train on.")
    chosen = sorted(set(numbers)) or [2**power for power in range(1, most.bit_length()) if 2**power < most]
    if chosen and not 1 <= chosen[0] <= chosen[-1] < most:
        raise ValueError(f"The smallest fold trains on {most} speakers or videos: give numbers from 1 to {most - 1}.")
    scored = [*((number, score(f"groups-{number}", number)) for number in chosen), (most, whole)]
    kept = ("mean", "mean_interval", "fold_macro_f1", "minutes")
    points: list[dict[str, Any]] = [
        {"groups": number, **{name: metrics[name] for name in kept}} for number, metrics in scored
    ]
    means = [point["mean"] for point in points]
    slope = np.polyfit(np.log2([point["groups"] for point in points]), means, 1)[0] if chosen else None
    curve = {
        "recipe": whole["recipe"]["name"],
        "data": data,
        "folds": folds,
        "seeds": list(seeds),
        "points": points,
        "gain_per_doubling": None if slope is None else float(slope),
        "versions": whole["versions"],
    }
    write_json(output / LEARNING_CURVE_FILE, curve)
    plot_learning_curve(points, output / "learning_curve.png", f"{curve['recipe']}, strangers in {folds} folds")
    print(learning_curve_table(curve))
    return curve


def learning_curve_table(curve: dict[str, Any]) -> str:
    """
    Args:
        curve (`dict`): as [`learning_curve`] gives it.

    Returns:
        `str`: the table for the terminal.
    """
    lines = ["", f"{'trained on':>12s} {'macro-F1':>9s}   95 % interval"]
    for point in curve["points"]:
        interval = point["mean_interval"]
        tail = "" if interval is None else f"   {interval[0]:.3f} to {interval[1]:.3f}"
        lines.append(f"{point['groups']:12d} {point['mean']:9.3f}{tail}")
    if curve["gain_per_doubling"] is not None:
        lines.append(f"twice as many speakers or videos brought {curve['gain_per_doubling']:+.3f}")
    return "\n".join(lines)
