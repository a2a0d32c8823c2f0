"""Every experiment of the paper, over several seeds, beside the paper's own figures."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from . import __version__
from .evaluation import plot_confusion_matrix, plot_curves
from .safe_writing import write_json, write_text
from .training import RunOptions, load_recipe, train
from .training.recipe import Recipe


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
    settings: Iterable[str] = (),
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
        settings (`Iterable[str]`, *optional*): further `field=value` for every recipe.

    Returns:
        `dict`: what stands in `results.json`.

    Raises:
        ValueError: If there is no such experiment, or `output` holds results of another version or of other settings.
    """
    known = {experiment.recipe: experiment for experiment in EXPERIMENTS}
    unknown = [name for name in recipes if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no experiment of the paper; they are {', '.join(known)}.")
    common = list(settings)
    if text_encoder is not None:
        encoder = str(Path(text_encoder).resolve()) if Path(text_encoder).exists() else text_encoder
        common += [f"text_encoder={encoder}", "text_revision="]
    # All recipes are checked before the first is run.
    plans = [
        (name, seed, load_recipe(name, [*common, f"training.seed={seed}", f"split_seed={seed}"]))
        for name in recipes
        for seed in seeds
    ]
    _check_version(output)
    metrics: dict[str, list[dict[str, Any]]] = {name: [] for name in recipes}
    for name, seed, recipe in tqdm(plans, desc="Experiments", unit="run"):
        logger.info("%s, seed %d", name, seed)
        metrics[name].append(_run(recipe, data, output / "runs" / name / f"seed-{seed}", output / "cache"))
    results = {
        "emospeech_hf": __version__,
        "data": Path(data).name if Path(data).exists() else data,
        "text_encoder": Path(text_encoder).name if text_encoder and Path(text_encoder).exists() else text_encoder,
        "seeds": list(seeds),
        "experiments": {name: _summary(known[name], runs) for name, runs in metrics.items()},
    }
    _write(results, metrics, output)
    return results


def _run(recipe: Recipe, data: str, folder: Path, cache: Path) -> dict[str, Any]:
    finished = folder / "metrics.json"
    if finished.is_file():
        metrics = json.loads(finished.read_text(encoding="utf-8"))
        described = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if described == json.loads(json.dumps({"recipe": recipe.as_dict(), "data": data, "data_revision": None})):
            return metrics
        raise ValueError(f"{folder} holds a run with other settings or data: give another --output.")
    resume = (folder / "run.json").is_file()
    return train(recipe, RunOptions(data=data, output_dir=folder, cache_dir=cache, resume=resume))


def _check_version(output: Path) -> None:
    path = output / "results.json"
    if path.is_file():
        version = json.loads(path.read_text(encoding="utf-8")).get("emospeech_hf")
        if version != __version__:
            raise ValueError(
                f"{output} holds results of emospeech_hf {version}; this is {__version__}. Give another --output."
            )


def _summary(experiment: Experiment, runs: list[dict[str, Any]]) -> dict[str, Any]:
    scores = [run["macro_f1"] for run in runs]
    return {
        "title": experiment.title,
        "paper": experiment.paper,
        "scored_split": runs[0]["scored_split"],
        "split": runs[0]["split"]["method"],
        "macro_f1": scores,
        "mean": float(np.mean(scores)),
        "deviation": float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
        # The widest that any seed's interval reaches: the seeds score different people.
        "interval": [
            min(run["macro_f1_interval"][0] for run in runs),
            max(run["macro_f1_interval"][1] for run in runs),
        ],
        "weighted_f1": [run["weighted_f1"] for run in runs],
        "parameters_trained": runs[0]["parameters"]["trained"],
        "minutes": round(sum(run["minutes"] for run in runs), 2),
        "confusion_matrix": np.sum([run["confusion_matrix"] for run in runs], axis=0).tolist(),
        "labels": runs[0]["labels"],
    }


def _write(results: dict[str, Any], metrics: dict[str, list[dict[str, Any]]], output: Path) -> None:
    for name, summary in results["experiments"].items():
        title = summary["title"]
        matrix, curves = output / f"{name}_confusion_matrix.png", output / f"{name}_learning_curves.png"
        scored = f"{title}\n{summary['scored_split']}, all seeds"
        plot_confusion_matrix(summary["confusion_matrix"], summary["labels"], matrix, scored)
        histories = {
            f"seed {run['recipe']['training']['seed']}": [entry["macro_f1"] for entry in run["history"]]
            for run in metrics[name]
        }
        plot_curves(histories, curves, "epoch", "validation macro-F1", title)
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
        "| recipe | experiment | paper, macro-F1 | here, macro-F1, mean ± deviation | intervals reach "
        "| split, scored on | parameters trained | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, summary in results["experiments"].items():
        low, high = summary["interval"]
        cells = [
            f"`{name}`",
            summary["title"],
            summary["paper"],
            f"{summary['mean']:.3f} ± {summary['deviation']:.3f}",
            f"{low:.3f} to {high:.3f}",
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
        lines += [f"## {summary['title']}", "", f"![confusion matrix]({name}_confusion_matrix.png)", ""]
        lines += [f"![learning curves]({name}_learning_curves.png)", ""]
    return "\n".join(lines)
