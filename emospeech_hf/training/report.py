"""What a training run says of itself: `metrics.json`, `predictions.csv`, pictures and the table in the terminal."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from sklearn.metrics import f1_score

from .. import __version__
from ..data.splits import SplitReport
from ..evaluation import Predictions, metrics_table, plot_confusion_matrix, plot_reliability
from ..modeling_emospeech import EmoSpeechForEmotionClassification
from .loop import Progress
from .recipe import Recipe


METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.csv"
PICTURES = ("confusion_matrix.png", "reliability.png")


def describe_run(
    recipe: Recipe,
    split_report: SplitReport,
    progress: Progress,
    model: EmoSpeechForEmotionClassification,
    accelerator: Accelerator,
) -> dict[str, Any]:
    """
    Args:
        recipe ([`Recipe`]), split_report ([`SplitReport`]), progress ([`Progress`]): of the run.
        model ([`EmoSpeechForEmotionClassification`]): trained.
        accelerator (`Accelerator`): tells the processes and the device.

    Returns:
        `dict`: what `metrics.json` says beside the scores.
    """
    parameters = list(model.parameters())
    public = recipe.as_dict()
    for encoder in ("text_encoder", "speech_encoder"):
        # Metrics are released; the folders of this machine are nobody's business.
        if public["model"][encoder] and Path(public["model"][encoder]).exists():
            public["model"][encoder] = Path(public["model"][encoder]).name
    return {
        "recipe": public,
        "encoders": {"text": public["model"]["text_encoder"], "speech": public["model"]["speech_encoder"]},
        "split": split_report.as_dict(),
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "history": progress.history,
        "parameters": {
            "all": sum(parameter.numel() for parameter in parameters),
            "trained": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        },
        "processes": accelerator.num_processes,
        "device": accelerator.device.type,
        "versions": {
            "python": platform.python_version(),
            "emospeech_hf": __version__,
            **{name: version(name) for name in ("torch", "transformers", "datasets", "accelerate")},
        },
    }


def score_run(predictions: Mapping[str, Predictions]) -> dict[str, Any]:
    """
    Args:
        predictions (`Mapping[str, Predictions]`): of each held-out split; may be empty.

    Returns:
        `dict`: the scores of each, and at the top level those to be looked at first, of the test split where there is
        one, under the names that `emospeech evaluate` uses; `scored_split` tells which they are.
    """
    scores = {split: rows.metrics() for split, rows in predictions.items()}
    scored = next((split for split in ("test", "validation") if split in scores), None)
    return {**(scores[scored] if scored else {}), **scores, "scored_split": scored}


def score_modalities(
    together: float, references: np.ndarray, alone: Mapping[str, np.ndarray], has: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """
    Args:
        together (`float`): macro-F1 with all that each row has.
        references (`np.ndarray` of shape `(rows,)`): class numbers of the scored rows.
        alone (`Mapping[str, np.ndarray]`): logits with each modality alone, of shape (rows, classes).
        has (`Mapping[str, np.ndarray]`): for each modality, which rows have it.

    Returns:
        `dict[str, float]`: macro-F1 of `speech_and_text`, and of `speech` and `text` alone on the rows that have it.
    """
    scores = {}
    for name, logits in alone.items():
        rows = has[name]
        found = f1_score(references[rows], logits[rows].argmax(axis=1), average="macro", zero_division=0.0)
        scores[name] = float(found)
    return {"speech_and_text": together, **scores}


def write_results(output_dir: Path, metrics: Mapping[str, Any], predictions: Mapping[str, Predictions]) -> None:
    """
    Write `predictions.csv` and the pictures of the scored split, and print its table.

    Args:
        output_dir (`Path`): the run's folder.
        metrics (`Mapping`): of the run.
        predictions (`Mapping[str, Predictions]`): of each held-out split.
    """
    shown = metrics["scored_split"]
    if shown is None:
        print("Every row was trained on: there is nothing to score.")
        return
    title = f"Held-out {shown}, recipe {metrics['recipe']['name']}"
    picture, reliability = (output_dir / name for name in PICTURES)
    predictions[shown].save(output_dir / PREDICTIONS_FILE)
    plot_confusion_matrix(metrics[shown]["confusion_matrix"], metrics[shown]["labels"], picture, title)
    plot_reliability(metrics[shown]["calibration"], reliability, title)
    print(metrics_table(metrics[shown], title))
    if "macro_f1_by_modality" in metrics:
        found = [f"{name.replace('_', ' ')} {score:.3f}" for name, score in metrics["macro_f1_by_modality"].items()]
        print(f"macro-F1 with {', '.join(found)}")
