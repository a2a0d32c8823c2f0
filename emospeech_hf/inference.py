"""A released model at work on a corpus, through the same pipeline that its users have."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from tqdm.auto import tqdm
from transformers import AutoConfig, pipeline

from .configuration_emospeech import TASK, EmoSpeechConfig
from .data import load_corpus, load_unlabelled
from .evaluation import Predictions, compare_predictions, metrics_table, plot_confusion_matrix, plot_reliability
from .pipeline_emospeech import AudioTextEmotionPipeline
from .safe_writing import write_bytes, write_json, write_text


def load_pipeline(
    model: str | Path, revision: str | None = None, transcriber: str | None = None
) -> AudioTextEmotionPipeline:
    """
    Load a release with this package's code, not with the code it carries.

    Args:
        model (`str` or `Path`): release folder, or id on the Hub.
        revision (`str`, *optional*): commit, branch or tag on the Hub.
        transcriber (`str`, *optional*): speech recogniser for recordings without a transcript; see
            [`AudioTextEmotionPipeline`].

    Returns:
        [`AudioTextEmotionPipeline`] on the GPU where there is one.

    Raises:
        ValueError: If it is no EmoSpeech model.
        OSError: If it is not found.
    """
    config = AutoConfig.from_pretrained(str(model), revision=revision or "main")
    if not isinstance(config, EmoSpeechConfig):
        raise ValueError(f"{model} is a model of type {config.model_type!r}, not an EmoSpeech model.")
    return pipeline(TASK, model=str(model), revision=revision or "main", transcriber=transcriber)


def release_metrics(model: str | Path, revision: str | None = None) -> dict[str, Any] | None:
    """
    Args:
        model (`str` or `Path`), revision (`str`, *optional*): see [`load_pipeline`].

    Returns:
        `dict`: the release's `metrics.json`, or `None` where it has none.
    """
    path = Path(model, "metrics.json")
    if not Path(model).is_dir():
        try:
            path = Path(hf_hub_download(str(model), "metrics.json", revision=revision))
        except EntryNotFoundError:
            return None
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


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
        data,
        config.modalities,
        revision=data_revision,
        skip_bad_rows=skip_bad_rows,
        rejected=output / "rejected.csv",
        complete=not config.missing_modalities,
    )
    if split not in corpus:
        raise ValueError(f"{data} has no split {split!r}; it has {', '.join(corpus)}.")
    dataset = corpus[split]
    if None in dataset["label"]:
        raise ValueError(f"The split {split!r} of {data} has no labels, so there is nothing to score against.")
    answers = _classify_all(classify, dataset, batch_size)
    names = [config.id2label[index] for index in range(config.num_labels)]
    predictions = Predictions.from_scores(_score_matrix(answers, names), dataset, names)
    metrics = predictions.metrics()
    metrics.update(
        model=Path(model).name if Path(model).exists() else str(model), revision=revision, scored_split=split
    )
    predictions.save(output / "predictions.csv")
    title = f"{metrics['model']} on {split}"
    plot_confusion_matrix(metrics["confusion_matrix"], names, output / "confusion_matrix.png", title)
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
    one, other = Predictions.load(first), Predictions.load(second)
    differing = set(one.ids) ^ set(other.ids)
    if differing:
        raise ValueError(f"{first} and {second} are of other rows: {min(differing)!r} stands in one of them only.")
    names = sorted({*one.names, *other.names})
    one, other = one.arranged(one.ids, names), other.arranged(one.ids, names)
    for identifier, own, theirs in zip(one.ids, one.references, other.references):
        if own != theirs:
            raise ValueError(f"{identifier!r} is {names[own]!r} in {first} and {names[theirs]!r} in {second}.")
    return compare_predictions(one.references, one.predicted, other.predicted, len(names), one.known_groups)


def write_submission(
    model: str | Path,
    test: Path,
    output: Path,
    segments: Path | None = None,
    revision: str | None = None,
    batch_size: int = 16,
) -> Path:
    """
    Tell the emotion of a contest's unlabelled rows, and write them as EmoSPeech 2024 takes them: a ZIP file that holds
    `results.csv` with the columns `id` and `label`, in the order of the test file.

    Args:
        model (`str` or `Path`), revision (`str`, *optional*): see [`load_pipeline`].
        test (`Path`): CSV with `id` and `transcription`.
        output (`Path`): the ZIP file, or with the suffix `.csv` the bare table.
        segments (`Path`, *optional*): folder of the recordings, named by id, for a model that hears; by default they
            are sought beside the CSV and in `audio/` and `segments/` there.
        batch_size (`int`, *optional*, defaults to 16): utterances that go through the model together.

    Returns:
        `Path`: the file.

    Raises:
        CorpusError: If a row cannot be used: a contest wants an answer for each.
        ValueError: If `output` has another suffix.
    """
    if output.suffix not in (".zip", ".csv"):
        raise ValueError(f"{output}: a submission is a .zip file, or the .csv inside it.")
    classify = load_pipeline(model, revision)
    dataset = load_unlabelled(test, classify.model.config.modalities, segments)
    answers = _classify_all(classify, dataset, batch_size)
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("id", "label"))
    writer.writerows((identifier, answer[0]["label"]) for identifier, answer in zip(dataset["id"], answers))
    if output.suffix == ".csv":
        write_text(output, table.getvalue())
    else:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            # A fixed date, so that the same answers make the same file.
            archive.writestr(zipfile.ZipInfo("results.csv"), table.getvalue(), zipfile.ZIP_DEFLATED)
        write_bytes(output, content.getvalue())
    return output


def _classify_all(classify: AudioTextEmotionPipeline, dataset: Dataset, batch_size: int) -> list[list[dict[str, Any]]]:
    answers = classify((row for row in dataset), batch_size=batch_size, tell_silence=False)
    return list(tqdm(answers, total=len(dataset), desc="Scoring", unit="utterance"))


def _score_matrix(answers: list[list[dict[str, Any]]], names: list[str]) -> np.ndarray:
    """(utterances, classes), in the order of `names`."""
    rows = [{entry["label"]: entry["score"] for entry in answer} for answer in answers]
    return np.array([[row[name] for name in names] for row in rows])
