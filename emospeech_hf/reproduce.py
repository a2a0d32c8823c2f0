"""Every experiment of the paper, over several seeds, beside the paper's own figures."""

from __future__ import annotations

import functools
import logging
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from . import __version__
from .evaluation import (
    Predictions,
    bootstrap_mean_macro_f1,
    gender_lines,
    interval_text,
    plot_confusion_matrix,
    plot_curves,
    scores_by_gender,
)
from .safe_writing import write_json, write_text
from .training import PREDICTIONS_FILE, RunOptions, encoder_settings, finish_run, load_recipe


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment:
    """
    An experiment of the paper.

    Args:
        recipe (`str`): the recipe that repeats it.
        title (`str`): what it is.
        paper (`str`): the paper's figures, or why there is none.
    """

    recipe: str
    title: str
    paper: str


EXPERIMENTS = (
    Experiment("task1", "Task 1: text, BETO fine-tuned", "0.6575 (official test)"),
    Experiment("task2", "Task 2: 128 MFCC means and BERT", "0.7123 (official test), 0.7256 (validation)"),
    Experiment("task2_beto", "Task 2 with BETO", "lower than Task 2"),
    Experiment("task2_mfcc56", "Task 2 with 56 MFCC", "lower than Task 2"),
    Experiment("task2_mfcc256", "Task 2 with 256 MFCC", "lower than Task 2"),
    Experiment("task2_attention", "Task 2 with attention over each modality", "lower than Task 2"),
    Experiment("task2_multihead", "Task 2 with multi-head attention", "lower than Task 2"),
)


EXPERIMENT_RECIPES = tuple(experiment.recipe for experiment in EXPERIMENTS)


def reproduce(
    data: str,
    output: Path,
    recipes: Sequence[str] = EXPERIMENT_RECIPES,
    seeds: Sequence[int] = (42, 43, 44),
    text_encoder: str | None = None,
    settings: Sequence[str] = (),
    data_revision: str | None = None,
) -> dict[str, Any]:
    """
    Run experiments, each with several seeds, and write `results.md`, `results.json` and pictures.

    What is finished is not run again, what was stopped is resumed; features are shared among all runs.

    Args:
        data (`str`): folder or Hub id of the corpus.
        output (`Path`): folder for all of it; the runs are in `runs/RECIPE/seed-N`.
        recipes (`Sequence[str]`, *optional*): which experiments; by default all.
        seeds (`Sequence[int]`, *optional*, defaults to `(42, 43, 44)`): of weights, order, dropout and split.
        text_encoder (`str`, *optional*): Hub id or folder instead of the recipes' own.
        settings (`Sequence[str]`, *optional*): further `field=value` for every recipe.
        data_revision (`str`, *optional*): commit, branch or tag of the corpus on the Hub.

    Returns:
        `dict`: what stands in `results.json`.

    Raises:
        ValueError: If there is no such experiment, or `output` holds results of another version or of other settings.
    """
    known = {experiment.recipe: experiment for experiment in EXPERIMENTS}
    unknown = [name for name in recipes if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no experiment of the paper; they are {', '.join(known)}.")
    common = [*settings, *encoder_settings(text_encoder)]
    # All recipes are checked before the first is run.
    plans = [
        (name, seed, load_recipe(name, [f"training.seed={seed}", f"split_seed={seed}", *common]))
        for name in recipes
        for seed in seeds
    ]
    metrics: dict[str, list[dict[str, Any]]] = {name: [] for name in recipes}
    predictions: dict[str, list[Predictions]] = {name: [] for name in recipes}
    for name, seed, recipe in tqdm(plans, desc="Experiments", unit="run"):
        logger.info("%s, seed %d", name, seed)
        folder = output / "runs" / name / f"seed-{seed}"
        options = RunOptions(
            data=data, output_dir=folder, data_revision=data_revision, cache_dir=output / "cache", release=False
        )
        metrics[name].append(finish_run(recipe, options))
        predictions[name].append(Predictions.load(folder / PREDICTIONS_FILE))
    results = {
        "emospeech_hf": __version__,
        "data": Path(data).name if Path(data).exists() else data,
        "text_encoder": Path(text_encoder).name if text_encoder and Path(text_encoder).exists() else text_encoder,
        "settings": list(settings),
        "seeds": list(seeds),
        "experiments": {name: _summary(known[name], runs, predictions[name]) for name, runs in metrics.items()},
    }
    _write(results, output)
    return results


def _summary(
    experiment: Experiment, runs: Sequence[dict[str, Any]], predictions: Sequence[Predictions]
) -> dict[str, Any]:
    scores = [run["macro_f1"] for run in runs]
    names = runs[0]["labels"]
    together = functools.reduce(operator.add, predictions)
    return {
        "title": experiment.title,
        "paper": experiment.paper,
        "scored_split": runs[0]["scored_split"],
        "split": runs[0]["split"]["method"],
        "macro_f1": scores,
        "mean": float(np.mean(scores)),
        "deviation": float(np.std(scores, ddof=1)) if len(scores) > 1 else None,
        "interval": bootstrap_mean_macro_f1(
            [(rows.references, rows.predicted, rows.units) for rows in predictions], len(names)
        ),
        "weighted_f1": [run["weighted_f1"] for run in runs],
        "by_gender": scores_by_gender(
            together.references, together.predicted, together.genders, len(names), together.units
        ),
        "parameters_trained": runs[0]["parameters"]["trained"],
        "minutes": round(sum(run["minutes"] for run in runs), 2),
        "confusion_matrix": np.sum([run["confusion_matrix"] for run in runs], axis=0).tolist(),
        "labels": names,
        "validation_macro_f1": {
            f"seed {run['recipe']['training']['seed']}": [entry["macro_f1"] for entry in run["history"]] for run in runs
        },
        "notes": sorted({note for run in runs for note in run["notes"]}),
    }


def _write(results: dict[str, Any], output: Path) -> None:
    for name, summary in results["experiments"].items():
        matrix, curves = output / f"{name}_confusion_matrix.png", output / f"{name}_learning_curves.png"
        scored = f"{summary['title']}\n{summary['scored_split']}, {len(results['seeds'])} seeds together"
        plot_confusion_matrix(summary["confusion_matrix"], summary["labels"], matrix, scored)
        plot_curves(summary["validation_macro_f1"], curves, "epoch", "validation macro-F1", summary["title"])
    write_json(output / "results.json", results)
    write_text(output / "results.md", results_table(results))


def results_table(results: dict[str, Any]) -> str:
    """
    Args:
        results (`dict`): as [`reproduce`] gives them.

    Returns:
        `str`: `results.md`.
    """
    encoder = results["text_encoder"] or "each recipe's own"
    lines = [
        "# The paper's experiments",
        "",
        f"Data: {results['data']}. Text encoder: {encoder}. Seeds: {', '.join(map(str, results['seeds']))}, of "
        f"weights, order, dropout and split. emospeech_hf {results['emospeech_hf']}.",
        "",
        "| recipe | experiment | paper, macro-F1 | here, macro-F1, mean ± deviation | 95 % interval of the mean "
        "| split, scored on | parameters trained | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, summary in results["experiments"].items():
        deviation = "" if summary["deviation"] is None else f" ± {summary['deviation']:.3f}"
        cells = [
            f"`{name}`",
            summary["title"],
            summary["paper"],
            f"{summary['mean']:.3f}{deviation}",
            interval_text(summary["interval"]),
            f"{summary['split']}, {summary['scored_split']}",
            f"{summary['parameters_trained']:,}",
            f"{summary['minutes']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "The paper's figures are of the contest's data, which the audio above may not be. Where a score is of the "
        "validation split, the epoch was chosen on it, and it flatters.",
        "",
    ]
    for name, summary in results["experiments"].items():
        scores = ", ".join(f"{score:.3f}" for score in summary["macro_f1"])
        lines += [f"## {summary['title']}", "", f"- macro-F1 of each seed: {scores}"]
        lines += [f"- {line}" for line in [*gender_lines(summary["by_gender"]), *summary["notes"]]]
        lines += ["", f"![confusion matrix]({name}_confusion_matrix.png)", ""]
        lines += [f"![learning curves]({name}_learning_curves.png)", ""]
    return "\n".join(lines)
