"""A released model at work on a corpus, through the same pipeline that its users have."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import AutoConfig, pipeline

from .configuration_emospeech import TASK, EmoSpeechConfig
from .data import load_corpus
from .evaluation import compute_metrics, metrics_table, plot_confusion_matrix
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
    return pipeline(TASK, model=str(model), revision=revision or "main", device=0 if torch.cuda.is_available() else -1)


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
    prediction, the scores) and `confusion_matrix.png`.

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
    )
    metrics.update(model=Path(model).name if Path(model).exists() else str(model), revision=revision, split=split)
    _write_predictions(output / "predictions.csv", dataset["id"][:], references, predictions, scores, names)
    picture = output / "confusion_matrix.png"
    title = f"{metrics['model']} on {split}"
    plot_confusion_matrix(metrics["confusion_matrix"], names, picture, title)
    write_json(output / "metrics.json", metrics)
    print(metrics_table(metrics, title))
    return metrics


def _write_predictions(
    path: Path,
    ids: list[str],
    references: list[str],
    predictions: list[str],
    scores: list[dict[str, float]],
    names: list[str],
) -> None:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["id", "label", "prediction", *names])
    for identifier, reference, prediction, row in zip(ids, references, predictions, scores):
        writer.writerow([identifier, reference, prediction, *(f"{row[name]:.6f}" for name in names)])
    write_text(path, file.getvalue())
