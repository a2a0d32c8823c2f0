"""Whether a release is what its card says: its code, its weights, and its figures, computed again by a stranger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from huggingface_hub import ModelCard, snapshot_download
from scipy.special import softmax

from .configuration_emospeech import EmoSpeechConfig
from .data import load_corpus, split_corpus
from .data.source import split_revision
from .evaluation import Predictions
from .hub import ground_floor_files, pickled_files, run_stranger
from .safe_writing import write_json


TOLERANCE = 0.0005
"""Largest difference of a score that rounding, and another machine's arithmetic, may make."""

COMPARED = ("macro_f1", "weighted_f1", "accuracy")


def verify_release(
    model: str,
    data: str | None = None,
    split: str | None = None,
    data_revision: str | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """
    Pull a release, compare its code with this version's and its card with its metrics, load it in a process that cannot
    reach this package, and compute its scores again.

    Args:
        model (`str`): release folder, or id on the Hub with an optional `@revision`.
        data (`str`, *optional*): folder or Hub id of the corpus to score; without one, no scores are computed.
        split (`str`, *optional*): which of the corpus' splits; by default the rows that the card's figures are of, cut
            off as the training run did.
        data_revision (`str`, *optional*): commit, branch or tag of the corpus on the Hub.
        output (`Path`, *optional*): folder for `verification.json` and `predictions.csv`.

    Returns:
        `dict`: `model`, `commit` (of a Hub's), `code` (file to "same", "differs", "missing" or "added"), `differences`
        (sentences on what is not as it should be; empty where all is well), `notes`, and with `data` `scores`, the
        scores computed here, and `card`, those of `metrics.json`.

    Raises:
        ReleaseError: If the release does not load.
        CorpusError, ValueError, OSError: If corpus or release is not found or cannot be used.
    """
    folder, commit = _pull(model)
    metrics = _metrics(folder)
    verification: dict[str, Any] = {
        "model": model,
        "commit": commit,
        "code": _compare_code(folder),
        "differences": [],
        "notes": [],
    }
    differences, notes = verification["differences"], verification["notes"]
    differences += [f"{name} may hold a pickle." for name in pickled_files(folder)]
    differences += [f"{name} {state}." for name, state in verification["code"].items() if state != "same"]
    differences += _compare_card(folder, metrics)
    if data is not None:
        config = EmoSpeechConfig.from_pretrained(folder)
        rows = _rows(data, split, data_revision, metrics, config)
        result = run_stranger(folder, rows)
        scores = softmax(np.array(result["logits"]) / result["temperature"], axis=1)
        predictions = Predictions.from_scores(scores, rows, result["labels"])
        verification["scores"] = predictions.metrics()
        verification["card"] = {name: metrics.get(name) for name in (*COMPARED, "n", "rows_digest")}
        if output is not None:
            predictions.save(output / "predictions.csv")
        _compare_scores(verification, differences, notes)
    if output is not None:
        write_json(output / "verification.json", verification)
    return verification


def verification_report(verification: dict[str, Any]) -> str:
    """
    Args:
        verification (`dict`): as [`verify_release`] gives it.

    Returns:
        `str`: the report, for the terminal.
    """
    same = sum(state == "same" for state in verification["code"].values())
    where = f" at commit {verification['commit'][:8]}" if verification["commit"] else ""
    lines = [f"{verification['model']}{where}", f"{same} of {len(verification['code'])} code files are this version's"]
    if "scores" in verification:
        own, card = verification["scores"], verification["card"]
        lines.append(f"{own['n']} rows, scored by a process without this package")
        for name in COMPARED:
            told = "not told" if card[name] is None else f"{card[name]:.4f}"
            lines.append(f"{name:<12} here {own[name]:.4f}, card {told}")
    lines += [f"Note: {note}" for note in verification["notes"]]
    lines += [f"DIFFERS: {difference}" for difference in verification["differences"]]
    return "\n".join(lines if verification["differences"] else [*lines, "The release is what its card says."])


def _pull(model: str) -> tuple[Path, str | None]:
    if Path(model).is_dir():
        return Path(model), None
    name, revision = split_revision(model)
    folder = Path(snapshot_download(name, revision=revision))
    return folder, folder.name


def _metrics(folder: Path) -> dict[str, Any]:
    path = folder / "metrics.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _compare_code(folder: Path) -> dict[str, str]:
    own = {file.name: file.read_bytes() for file in ground_floor_files()}
    there = {file.name: file.read_bytes() for file in folder.glob("*.py")}
    return {
        name: "is missing"
        if name not in there
        else "is none of this version's files"
        if name not in own
        else "same"
        if own[name] == there[name]
        else "differs from this version's"
        for name in sorted(own.keys() | there.keys())
    }


def _compare_card(folder: Path, metrics: dict[str, Any]) -> list[str]:
    """What the card's metadata states of its results and `metrics.json` does not bear out."""
    path = folder / "README.md"
    if not path.is_file():
        return ["README.md is missing."]
    results = ModelCard.load(path).data.eval_results or []
    return [
        f"The card states {result.metric_name} {result.metric_value:.4f} on {result.dataset_split}, metrics.json "
        f"{'nothing of it' if measured is None else format(measured, '.4f')}."
        for result in results
        for measured in [metrics.get(str(result.dataset_split), {}).get(result.metric_name)]
        if measured is None or abs(measured - result.metric_value) > TOLERANCE
    ]


def _rows(
    data: str, split: str | None, revision: str | None, metrics: dict[str, Any], config: EmoSpeechConfig
) -> Dataset:
    corpus = load_corpus(data, config.modalities, revision=revision, complete=not config.missing_modalities)
    if split is not None:
        if split not in corpus:
            raise ValueError(f"{data} has no split {split!r}; it has {', '.join(corpus)}.")
        rows = corpus[split]
    else:
        scored, recipe = metrics.get("scored_split"), metrics.get("recipe", {}).get("data")
        if not scored or not recipe:
            raise ValueError("The release does not tell which rows its figures are of: name a --split.")
        labelled = type(corpus)({name: part for name, part in corpus.items() if None not in part["label"]})
        parts, _ = split_corpus(
            labelled,
            recipe["split"],
            recipe["validation_fraction"],
            recipe["test_fraction"],
            recipe["split_seed"],
            recipe["fold"],
            recipe["folds"],
        )
        rows = parts[scored]
    if None in rows["label"]:
        raise ValueError(f"The split {split!r} of {data} has no labels, so there is nothing to score against.")
    return rows


def _compare_scores(verification: dict[str, Any], differences: list[str], notes: list[str]) -> None:
    own, card = verification["scores"], verification["card"]
    if card["rows_digest"] != own["rows_digest"]:
        notes.append(
            f"The card's figures are of {card['n'] or 'no'} other rows than the {own['n']} scored here: they cannot be "
            "compared."
        )
        return
    differences += [
        f"{name} is {own[name]:.4f} here and {card[name]:.4f} on the card, on the same rows."
        for name in COMPARED
        if abs(own[name] - card[name]) > TOLERANCE
    ]
