"""Cross-validation of a recipe: every utterance is scored once, by a model that never met its speaker or video."""

from __future__ import annotations

import functools
import logging
import operator
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from . import __version__
from .evaluation import Predictions, bootstrap_mean_macro_f1, metrics_table, plot_confusion_matrix, plot_reliability
from .safe_writing import write_json
from .training import PREDICTIONS_FILE, RunOptions, finish_run, load_recipe


logger = logging.getLogger(__name__)


def cross_validate(
    recipe: str,
    data: str,
    output: Path,
    folds: int = 5,
    seeds: Sequence[int] = (42,),
    settings: Iterable[str] = (),
    data_revision: str | None = None,
    skip_bad_rows: bool = False,
    cache_dir: Path | None = None,
    auxiliary_data: Sequence[str] = (),
) -> dict[str, Any]:
    """
    Cut a corpus into parts, by speaker or video where it tells them, and test on each part a model trained on the
    others. What is finished is not run again, what was stopped is resumed, and features are shared.

    Args:
        recipe (`str`): a recipe's name or YAML file.
        data (`str`): folder or Hub id of the corpus. Its own splits are put together.
        output (`Path`): folder for `metrics.json`, `predictions.csv`, pictures and the runs.
        folds (`int`, *optional*, defaults to 5): how many parts. They follow from the recipe's `split_seed`.
        seeds (`Sequence[int]`, *optional*, defaults to `(42,)`): of weights, order and dropout; all folds are run with
            each.
        settings (`Iterable[str]`, *optional*): further `field=value` of the recipe.
        data_revision (`str`, *optional*), skip_bad_rows (`bool`, *optional*): see [`RunOptions`].
        cache_dir (`Path`, *optional*): folder of features; by default in `output`.
        auxiliary_data (`Sequence[str]`, *optional*): other corpora that each fold is trained on as well, see
            [`RunOptions`].

    Returns:
        `dict`: what stands in `metrics.json`: the scores of all rows together (of the first seed; see
        [`~evaluation.compute_metrics`]), `fold_macro_f1`, for each seed the macro-F1 of each fold, its `mean` over both
        and `deviation` over folds, and `mean_interval`, 95 % bootstrap.

    Raises:
        RecipeError, CorpusError, ValueError: If recipe, corpus or an older run in `output` does not fit.
    """
    plans = [
        (seed, fold, load_recipe(recipe, [*settings, f"training.seed={seed}", f"folds={folds}", f"fold={fold}"]))
        for seed in seeds
        for fold in range(1, folds + 1)
    ]
    runs: dict[int, list[Predictions]] = {seed: [] for seed in seeds}
    training_groups: list[int] = []
    minutes = 0.0
    run: dict[str, Any] = {}
    for seed, fold, plan in tqdm(plans, desc="Cross-validation", unit="run"):
        folder = output / "runs" / f"seed-{seed}" / f"fold-{fold}"
        options = RunOptions(
            data=data,
            output_dir=folder,
            data_revision=data_revision,
            auxiliary_data=auxiliary_data,
            cache_dir=cache_dir or output / "cache",
            skip_bad_rows=skip_bad_rows,
            release=False,
        )
        run = finish_run(plan, options)
        minutes += run["minutes"]
        training_groups.append(run["split"]["groups"].get("train", 0))
        runs[seed].append(Predictions.load(folder / PREDICTIONS_FILE))
    together = functools.reduce(operator.add, runs[seeds[0]])
    scores = [[part.macro_f1 for part in parts] for parts in runs.values()]
    every = [part for parts in runs.values() for part in parts]
    metrics: dict[str, Any] = {
        **together.metrics(),
        "recipe": {**run["recipe"], "data": {**run["recipe"]["data"], "fold": 0}},
        "seeds": list(seeds),
        "fold_macro_f1": scores,
        "mean": float(np.mean(scores)),
        "deviation": float(np.std(scores, ddof=1)),
        "mean_interval": bootstrap_mean_macro_f1(
            [(part.references, part.predicted, part.units) for part in every], len(together.names)
        ),
        "split": {
            "method": run["split"]["method"],
            "folds": folds,
            "seed": run["split"]["seed"],
            "training_groups": training_groups,
        },
        **({"auxiliary": run["auxiliary"]} if auxiliary_data else {}),
        "parameters": run["parameters"],
        "minutes": round(minutes, 2),
        "versions": {**run["versions"], "emospeech_hf": __version__},
    }
    title = f"Cross-validation in {folds} folds, recipe {plans[0][2].name}"
    together.save(output / PREDICTIONS_FILE)
    plot_confusion_matrix(metrics["confusion_matrix"], metrics["labels"], output / "confusion_matrix.png", title)
    plot_reliability(metrics["calibration"], output / "reliability.png", title)
    write_json(output / "metrics.json", metrics)
    print(cross_validation_table(metrics, title))
    return metrics


def cross_validation_table(metrics: dict[str, Any], title: str) -> str:
    """
    Args:
        metrics (`dict`): as [`cross_validate`] gives them.
        title (`str`): what was scored.

    Returns:
        `str`: the scores of all rows together, then of each fold, for the terminal.
    """
    lines = [metrics_table(metrics, title), ""]
    for seed, scores in zip(metrics["seeds"], metrics["fold_macro_f1"]):
        folds = "  ".join(f"{score:.3f}" for score in scores)
        lines.append(f"macro-F1 of each fold, seed {seed}: {folds}")
    low, high = metrics["mean_interval"]
    lines.append(
        f"mean over folds {metrics['mean']:.3f} ± {metrics['deviation']:.3f} (95 % interval {low:.3f} to {high:.3f})"
    )
    return "\n".join(lines)
