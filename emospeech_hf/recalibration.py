"""A temperature for a finished model, from what it said of rows that it never met."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import ModelCard, snapshot_download
from scipy.special import softmax
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold

from .evaluation import Predictions, calibration, coverage, plot_reliability
from .evaluation.tables import calibration_text
from .hub import build_release
from .inference import load_pipeline, release_metrics
from .training import PICTURES
from .training.fitting import LEAST_GROUPS, are_enough, best_temperature


FOLDS = 5
LEAST_SCORE = 1e-6
"""`predictions.csv` tells no smaller ones from zero."""


def calibrate_model(
    model: str | Path, predictions: Path, to: str | Path, revision: str | None = None
) -> dict[str, Any]:
    """
    Fit the temperature of a finished model, and write its release with that temperature.

    The rows may be of its users' own recordings, scored by `emospeech evaluate`, or those of `emospeech cross-validate`
    with the recipe that it was trained by. They may not be rows that it was trained on, on which it is surer.

    Args:
        model (`str` or `Path`), revision (`str`, *optional*): see [`~inference.load_pipeline`].
        predictions (`Path`): `predictions.csv` with scores.
        to (`str` or `Path`): folder of the new release; an older one is replaced, also the model's own.

    Returns:
        `dict`: see [`fit_to_predictions`]. It stands in the release's `metrics.json` as `recalibration`, and its
        `after` as `calibration`, for whoever shows how far a score can be believed.

    Raises:
        ValueError: If the file has no scores or other labels than the model, or comes from fewer than five speakers or
            videos.
        OSError: If the model or the file is not found.
    """
    told = Predictions.load(predictions)
    folder = Path(model) if Path(model).is_dir() else Path(snapshot_download(str(model), revision=revision))
    classify = load_pipeline(folder)
    config = classify.model.config
    names = [config.id2label[index] for index in range(config.num_labels)]
    try:
        found = fit_to_predictions(told, names, config.temperature)
    except ValueError as error:
        raise ValueError(f"{predictions}: {error}") from error
    config.temperature = found["temperature"]
    metrics = {**(release_metrics(folder) or {}), "recalibration": found, "calibration": found["after"]}
    with tempfile.TemporaryDirectory() as kept:
        # The folder may be the one that is replaced.
        pictures = {name: Path(kept, name) for name in PICTURES if (folder / name).is_file()}
        for name, copy in pictures.items():
            shutil.copyfile(folder / name, copy)
        pictures["reliability.png"] = Path(kept, "reliability.png")
        plot_reliability(found["after"], pictures["reliability.png"], f"{found['rows']} rows the model never met")
        license_name = ModelCard.load(folder / "README.md").data.license if (folder / "README.md").is_file() else None
        build_release(classify.model, classify.processor, to, metrics, pictures, license_name, check=True)
    return found


def fit_to_predictions(told: Predictions, names: Sequence[str], temperature: float) -> dict[str, Any]:
    """
    What temperature a model should have, and what that is worth on rows that it was not fitted on: five parts, by
    speaker or video.

    Args:
        told ([`~evaluation.Predictions`]): with scores, of rows that the model was not trained on.
        names (`Sequence[str]`): the model's labels, in its order.
        temperature (`float`): what the scores were made with.

    Returns:
        `dict`: `rows`, `groups`; `temperature`, and `temperature_before`, which it stays where no other makes the
        parts' rows more likely; `before` and `after`, their [`~evaluation.calibration`]; and their
        [`~evaluation.coverage`].

    Raises:
        ValueError: See [`calibrate_model`].
    """
    if told.scores is None or set(told.names) != set(names):
        raise ValueError(
            f"it must have a column of scores for each label of the model, {', '.join(names)}, and no other; "
            "`emospeech evaluate` and `cross-validate` write such files."
        )
    if not are_enough(told.groups):
        raise ValueError(
            f"its rows come from fewer than {LEAST_GROUPS} speakers or videos: these would tell how sure to be of them "
            "alone."
        )
    logits = np.log(np.maximum(told.scores[:, [told.names.index(name) for name in names]], LEAST_SCORE))
    truth = [names.index(told.names[number]) for number in told.references]
    before, after = softmax(logits, axis=1), _on_other_rows(truth, logits, told.units)
    found = round(temperature * best_temperature(truth, logits), 4)
    if log_loss(truth, after, labels=range(len(names))) >= log_loss(truth, before, labels=range(len(names))):
        found, after = temperature, before
    return {
        "rows": len(truth),
        "groups": len(set(told.groups) - {None}),
        "temperature": found,
        "temperature_before": temperature,
        "before": calibration(truth, before),
        "after": calibration(truth, after),
        "coverage": coverage(truth, after),
    }


def recalibration_table(found: dict[str, Any]) -> str:
    """
    Args:
        found (`dict`): as [`calibrate_model`] gives it.

    Returns:
        `str`: the table for the terminal.
    """
    of_whom = f" of {found['groups']} speakers or videos" if found["groups"] else ""
    lines = [
        f"{found['rows']} rows{of_whom}",
        f"temperature {found['temperature_before']:.2f} -> {found['temperature']:.2f}"
        + ("" if found["temperature"] != found["temperature_before"] else ": no other does better on other rows"),
        f"expected calibration error {found['before']['expected_calibration_error']:.3f} -> "
        f"{calibration_text(found['after'])}",
        "",
        f"{'abstain below':>13s} {'answered':>9s} {'accuracy':>9s} {'macro-F1':>9s}",
        *(
            f"{entry['abstain_below']:13.2f} {entry['coverage']:9.0%} {entry['accuracy']:9.3f} {entry['macro_f1']:9.3f}"
            for entry in found["coverage"]
        ),
    ]
    return "\n".join(lines)


def _on_other_rows(truth: Sequence[int], logits: np.ndarray, units: Sequence[str]) -> np.ndarray:
    """Scores of each row at the temperature that was fitted on the rows of other speakers."""
    references = np.asarray(truth)
    scores = np.zeros_like(logits)
    for kept, held in GroupKFold(min(FOLDS, len(set(units)))).split(logits, groups=units):
        scores[held] = softmax(logits[held] / best_temperature(references[kept].tolist(), logits[kept]), axis=1)
    return scores
