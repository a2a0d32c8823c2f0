"""A released model at work on a corpus, through the same pipeline that its users have."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm
from transformers import AutoConfig, pipeline

from .configuration_emospeech import TASK, EmoSpeechConfig
from .data import load_corpus
from .evaluation import compare_predictions, compute_metrics, metrics_table, plot_confusion_matrix, plot_reliability
from .pipeline_emospeech import AudioTextEmotionPipeline
from .safe_writing import write_json, write_text


def load_pipeline(model: str | Path, revision: str | None = None) -> AudioTextEmotionPipeline:
    """
    Load a release with this package's code, not with the code it carries.

    Args:
        model (`str` or `Path`): release folder, or id on the Hub.
        revision (`str`, *optional*): commit, branch or tag on the Hub.

    Returns:
        [`AudioTextEmotionPipeline`] on the GPU where there is one.

    Raises:
        ValueError: If it is no EmoSpeech model.
        OSError: If it is not found.
    """
    config = AutoConfig.from_pretrained(str(model), revision=revision or "main")
    if not isinstance(config, EmoSpeechConfig):
        raise ValueError(f"{model} is a model of type {config.model_type!r}, not an EmoSpeech model.")
    return pipeline(TASK, model=str(model), revision=revision or "main")


def evaluate_model(
    model: str | Path,
    data: str | Path,
    output: Path,
    split: str = "test",
    revision: str | None = None,
    data_revision: str | None = None,
    batch_size: int = 16,
    skip_bad_rows: bool = False,
) -> dict[str, Any]:
    """
    Score a model on one split of a corpus; print the table, and write `metrics.json`, `predictions.csv` (id, label,
    prediction, the scores, group), `confusion_matrix.png` and `reliability.png`.

    Args:
        model (`str` or `Path`), revision (`str`, *optional*): see [`load_pipeline`].
        data (`str` or `Path`), data_revision (`str`, *optional*), skip_bad_rows (`bool`): see [`~data.load_corpus`].
        output (`Path`): folder for the files.
        split (`str`, *optional*, defaults to `"test"`): which split.
        batch_size (`int`, *optional*, defaults to 16): utterances that go through the model together.

    Returns:
        `dict`: what stands in `metrics.json`; see [`~evaluation.compute_metrics`].

    Raises:
        ValueError: If there is no such split, or it has no labels.
        CorpusError: If the corpus cannot be used.
    """
    classify = load_pipeline(model, revision)
    config = classify.model.config
    corpus = load_corpus(
        data, config.modalities, revision=data_revision, skip_bad_rows=skip_bad_rows, rejected=output / "rejected.csv"
    )
    if split not in corpus:
        raise ValueError(f"{data} has no split {split!r}; it has {', '.join(corpus)}.")
    dataset = corpus[split]
    if None in dataset["label"]:
        raise ValueError(f"The split {split!r} of {data} has no labels, so there is nothing to score against.")
    answers = list(
        tqdm(
            classify((row for row in dataset), batch_size=batch_size),
            total=len(dataset),
            desc="Scoring",
            unit="utterance",
        )
    )
    names = [config.id2label[index] for index in range(config.num_labels)]
    scores = [{entry["label"]: entry["score"] for entry in answer} for answer in answers]
    predictions = [answer[0]["label"] for answer in answers]
    references = dataset.features["label"].int2str(dataset["label"][:])
    groups = dataset["group"][:]
    metrics = compute_metrics(
        [names.index(reference) for reference in references],
        [names.index(prediction) for prediction in predictions],
        names,
        None if None in groups else groups,
        np.array([[row[name] for name in names] for row in scores]),
        dataset["gender"][:],
    )
    metrics.update(
        model=Path(model).name if Path(model).exists() else str(model), revision=revision, scored_split=split
    )
    _write_predictions(output / "predictions.csv", dataset["id"][:], references, predictions, scores, names, groups)
    picture = output / "confusion_matrix.png"
    title = f"{metrics['model']} on {split}"
    plot_confusion_matrix(metrics["confusion_matrix"], names, picture, title)
    plot_reliability(metrics["calibration"], output / "reliability.png", title)
    write_json(output / "metrics.json", metrics)
    print(metrics_table(metrics, title))
    return metrics


def compare_files(first: Path, second: Path) -> dict[str, Any]:
    """
    Compare two models by the `predictions.csv` that [`evaluate_model`] wrote for each.

    Args:
        first, second (`Path`): the files; of the same rows, in any order.

    Returns:
        `dict`: see [`~evaluation.compare_predictions`].

    Raises:
        ValueError: If a file lacks a column, or the files are of other rows or other labels.
    """
    tables = [_read_predictions(path) for path in (first, second)]
    differing = tables[0].keys() ^ tables[1].keys()
    if differing:
        raise ValueError(
            f"{first} and {second} are of other rows: {sorted(differing)[0]!r} stands in one of them only."
        )
    ids = sorted(tables[0])
    for identifier in ids:
        own, other = tables[0][identifier], tables[1][identifier]
        if own["label"] != other["label"]:
            raise ValueError(f"{identifier!r} is {own['label']!r} in {first} and {other['label']!r} in {second}.")
    rows = [(tables[0][identifier], tables[1][identifier]) for identifier in ids]
    names = sorted({row[key] for pair in rows for row in pair for key in ("label", "prediction")})
    groups = [own["group"] for own, _ in rows]
    return compare_predictions(
        [names.index(own["label"]) for own, _ in rows],
        [names.index(own["prediction"]) for own, _ in rows],
        [names.index(other["prediction"]) for _, other in rows],
        len(names),
        groups if all(groups) else None,
    )


def _read_predictions(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = {"id", "label", "prediction"} - set(rows[0] if rows else ())
    if missing:
        raise ValueError(
            f"{path}: there is no column {sorted(missing)[0]}, or no row; `emospeech evaluate` writes such files."
        )
    return {row["id"]: {**row, "group": row.get("group", "")} for row in rows}


def _write_predictions(
    path: Path,
    ids: list[str],
    references: list[str],
    predictions: list[str],
    scores: list[dict[str, float]],
    names: list[str],
    groups: list[str | None],
) -> None:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["id", "label", "prediction", *names, "group"])
    for identifier, reference, prediction, row, group in zip(ids, references, predictions, scores, groups):
        writer.writerow([identifier, reference, prediction, *(f"{row[name]:.6f}" for name in names), group or ""])
    write_text(path, file.getvalue())
