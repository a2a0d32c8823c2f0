#!/usr/bin/env python3
"""Whether one model that hears and reads is as good, where speech or text is missing, as a model of the other alone.

    emospeech cross-validate --recipe speech_only --data voices --output runs/voice
    emospeech cross-validate --recipe task1_best --data texts --output runs/text
    python benchmarks/missing_modalities.py --voices voices --texts texts --voice-run runs/voice --text-run runs/text \\
        --output runs/both

For each fold, the multimodal recipe is trained on the training rows of both corpora and scored on the test rows: the
voices without their transcripts, the texts without audio. Test rows and their scores under the models of one modality
are taken from the two runs, so that the three see the same rows.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets
from sklearn.metrics import f1_score
from tqdm.auto import tqdm

from emospeech_hf.data import load_corpus
from emospeech_hf.evaluation import Predictions
from emospeech_hf.inference import load_pipeline
from emospeech_hf.training import PREDICTIONS_FILE, RunOptions, encoder_settings, finish_run, load_recipe


Rows = dict[str, dict[str, Any]]


def read_rows(source: str, modality: str) -> Rows:
    """
    Args:
        source (`str`): a corpus.
        modality (`str`): which its rows have for sure.

    Returns:
        `dict`: id to row, with the emotion's name, over all labelled splits.
    """
    parts = [part for part in load_corpus(source, (modality,)).values() if None not in part["label"]]
    dataset: Dataset = concatenate_datasets(parts)
    name_label = dataset.features["label"].int2str
    return {row["id"]: {**row, "label": name_label(row["label"])} for row in dataset}


def write_union(voices: Rows, texts: Rows, test: set[str], folder: Path) -> None:
    """
    Write both corpora as one, texts without audio and voices with the transcripts that they have.

    Args:
        voices, texts (`dict`): of [`read_rows`].
        test (`set[str]`): ids of the rows for `test.csv`; the others are for `train.csv`.
        folder (`Path`): of the new corpus; its `audio` links to the recordings.
    """
    recordings = {Path(row["audio"]["path"]).parent for row in voices.values()}
    if len(recordings) > 1:
        raise SystemExit(f"The recordings lie in {len(recordings)} folders; put them into one.")
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "audio"
    if not link.is_symlink():
        link.symlink_to(recordings.pop().resolve())
    for split, wanted in (("train", False), ("test", True)):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "group", "text", "label"])
            for kind, rows in (("voice", voices), ("text", texts)):
                writer.writerows(
                    [identifier, f"{kind} {row['group']}", row["text"], row["label"]]
                    for identifier, row in rows.items()
                    if (identifier in test) is wanted
                )


def score_alone(model: Path, rows: Rows, key: str, ids: list[str]) -> float:
    """
    Args:
        model (`Path`): release folder.
        rows (`dict`), key (`str`), ids (`list[str]`): what of which rows it is given.

    Returns:
        `float`: its macro-F1.
    """
    classify = load_pipeline(model)
    answers = classify(({key: rows[identifier][key]} for identifier in ids), batch_size=16, top_k=1)
    found = [answer[0]["label"] for answer in tqdm(answers, total=len(ids), desc=f"{key} alone", unit="utterance")]
    return float(f1_score([rows[identifier]["label"] for identifier in ids], found, average="macro", zero_division=0.0))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", required=True, metavar="DIR", help="corpus with audio")
    parser.add_argument("--texts", required=True, metavar="DIR", help="corpus of transcripts")
    parser.add_argument(
        "--voice-run", required=True, type=Path, metavar="DIR", help="cross-validation of `speech_only`"
    )
    parser.add_argument("--text-run", required=True, type=Path, metavar="DIR", help="cross-validation of `task1_best`")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="of the multimodal runs")
    parser.add_argument("--recipe", default="multimodal_best")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="of the recipe")
    parser.add_argument("--text_encoder", metavar="ID_OR_DIR")
    parser.add_argument("--speech_encoder", metavar="ID_OR_DIR")
    parser.add_argument("--folds", type=int, metavar="N", help="the first so many (default: all)")
    options = parser.parse_args()
    settings = [*options.set, *encoder_settings(options.text_encoder, options.speech_encoder)]
    recipe = load_recipe(options.recipe, settings)
    voices, texts = read_rows(options.voices, "speech"), read_rows(options.texts, "text")
    runs = [sorted(folder.glob("runs/seed-*/fold-*")) for folder in (options.voice_run, options.text_run)]
    if not runs[0] or len(runs[0]) != len(runs[1]):
        raise SystemExit(f"The two runs have {len(runs[0])} and {len(runs[1])} folds; they need the same number.")
    scores = []
    for number, pair in enumerate(list(zip(*runs))[: options.folds], 1):
        heard, read = (Predictions.load(run / PREDICTIONS_FILE) for run in pair)
        data, output = options.output / f"data-{number}", options.output / f"fold-{number}"
        write_union(voices, texts, {*heard.ids, *read.ids}, data)
        run = RunOptions(data=str(data), output_dir=output, cache_dir=options.output / "cache")
        finish_run(recipe, run)
        peers = [float(part.metrics()["macro_f1"]) for part in (heard, read)]
        own = [
            score_alone(output / "release", rows, key, list(part.ids))
            for rows, key, part in ((voices, "audio", heard), (texts, "text", read))
        ]
        scores.append([own[0], peers[0], own[1], peers[1]])
        print(f"fold {number}: speech alone {own[0]:.3f}, {peers[0]:.3f} by its own model; "
              f"text alone {own[1]:.3f}, {peers[1]:.3f} by its own model", flush=True)  # fmt: skip
    means = [statistics.mean(column) for column in zip(*scores)]
    print(f"\n{'macro-F1, mean over folds':28s} {'one model':>10s} {'its own':>10s} {'gain':>8s}")
    for name, own_score, peer in (("speech without text", *means[:2]), ("text without speech", *means[2:])):
        print(f"{name:28s} {own_score:10.3f} {peer:10.3f} {own_score - peer:+8.3f}")


if __name__ == "__main__":
    main()
