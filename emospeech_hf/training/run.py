"""A whole training run: corpus in; metrics, pictures, checkpoints and the release folder out."""

from __future__ import annotations

import json
import logging
import platform
import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, set_seed
from datasets import DatasetDict
from scipy.special import softmax

from .. import __version__
from ..data import CorpusError, EmotionCollator, load_corpus, split_corpus, write_rejected
from ..data.splits import SplitReport
from ..evaluation import compute_metrics, metrics_table, plot_confusion_matrix, plot_reliability
from ..hub import build_release
from ..modeling_emospeech import EmoSpeechForEmotionClassification
from ..processing_emospeech import EmoSpeechProcessor
from ..safe_writing import write_json
from .building import build_model, build_processor, limit_text_length
from .checkpoint import load_checkpoint, set_trained_weights
from .features import FeatureBuilder, FeatureTable
from .loop import EmotionTrainer, Progress
from .recipe import Recipe, recipe_from_dict


logger = logging.getLogger(__name__)

RUN_FILE = "run.json"
PICTURES = ("confusion_matrix.png", "reliability.png")


@dataclass(kw_only=True)
class RunOptions:
    """
    What of a run is not part of the experiment.

    Args:
        data (`str`): folder or Hub id of the corpus.
        output_dir (`Path`): folder of all that the run writes.
        data_revision (`str`, *optional*): commit, branch or tag of the corpus on the Hub.
        cache_dir (`Path`, *optional*): folder of features that are computed once; by default in `output_dir`. Runs
            that share it share features.
        resume (`bool`): go on from the last checkpoint.
        overwrite (`bool`): start anew where `output_dir` holds a run.
        skip_bad_rows (`bool`): leave out rows that cannot be used, and list them in `rejected.csv`.
    """

    data: str
    output_dir: Path
    data_revision: str | None = None
    cache_dir: Path | None = None
    resume: bool = False
    overwrite: bool = False
    skip_bad_rows: bool = False


def train(recipe: Recipe, options: RunOptions) -> dict[str, Any]:
    """
    Train by a recipe. May be called again in the same process, with another recipe.

    `output_dir` then holds `metrics.json`, `confusion_matrix.png`, `checkpoints/`, the trackers' files, and
    `release/`, the release folder of the best epoch.

    Args:
        recipe ([`Recipe`]): the experiment.
        options ([`RunOptions`]): data and output.

    Returns:
        `dict`: what stands in `metrics.json`.

    Raises:
        FileExistsError: If `output_dir` holds a run, and neither `resume` nor `overwrite` is set.
        CorpusError: If the corpus cannot be used.
        ValueError: If the recipe does not fit the corpus or a checkpoint.
    """
    try:
        return _train(recipe, options)
    finally:
        # Accelerate keeps precision and devices for the whole process; the next run may want others.
        AcceleratorState._reset_state(reset_partial_state=True)


def _train(recipe: Recipe, options: RunOptions) -> dict[str, Any]:
    started = time.perf_counter()
    output_dir = options.output_dir
    accelerator = Accelerator(
        mixed_precision=recipe.training.mixed_precision,
        gradient_accumulation_steps=recipe.training.gradient_accumulation_steps,
        log_with=recipe.training.trackers or None,
        project_dir=str(output_dir),
        kwargs_handlers=[
            # The other processes wait while the first one computes features, which may take long.
            InitProcessGroupKwargs(timeout=timedelta(hours=12)),
            # Speech encoders drop whole layers at random while they are trained.
            DistributedDataParallelKwargs(
                find_unused_parameters=bool(recipe.model.speech_encoder) and not recipe.model.freeze_speech_encoder
            ),
        ],
    )
    if not accelerator.is_main_process:
        datasets.disable_progress_bars()
        logging.getLogger("emospeech_hf").setLevel(logging.ERROR)
    description = {"recipe": recipe.as_dict(), "data": options.data, "data_revision": options.data_revision}
    check_output_dir(output_dir, description, options)

    set_seed(recipe.training.seed)
    processor = build_processor(recipe.model)
    model = build_model(recipe.model)
    limit_text_length(processor, model)
    with accelerator.main_process_first():
        tables, corpus, split_report = prepare_data(recipe, options, model, processor, accelerator)
    if accelerator.is_main_process:
        # Only now, when the new run has all it needs, does an older one go.
        if not options.resume:
            remove_run(output_dir)
        write_json(output_dir / RUN_FILE, description)
    accelerator.wait_for_everyone()
    if recipe.training.trackers:
        accelerator.init_trackers("logs", config=_flat(recipe.as_dict()))

    trainer = EmotionTrainer(
        accelerator, model, EmotionCollator(processor), recipe.training, output_dir / "checkpoints"
    )
    progress = trainer.fit(tables["train"], tables["validation"], resume=options.resume)
    logits = {split: trainer.predict(table) for split, table in tables.items() if split != "train"}

    metrics: dict[str, Any] = describe_run(recipe, split_report, progress, model, accelerator)
    for split, values in logits.items():
        groups = corpus[split]["group"][:] if split_report.groups else None
        names = [model.config.id2label[index] for index in range(model.num_labels)]
        metrics[split] = compute_metrics(
            tables[split].columns["label"],
            values.argmax(axis=1),
            names,
            groups,
            softmax(values / model.config.temperature, axis=1),
            corpus[split]["gender"][:],
        )
    # The top level repeats the scores to be looked at first, under the names that `emospeech evaluate` uses.
    metrics["scored_split"] = "test" if "test" in metrics else "validation"
    metrics = {**metrics[metrics["scored_split"]], **metrics}
    metrics["minutes"] = round((time.perf_counter() - started) / 60, 2)
    if accelerator.is_main_process:
        write_results(output_dir, metrics, accelerator.unwrap_model(model).cpu(), processor)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return metrics


def check_output_dir(output_dir: Path, description: dict[str, Any], options: RunOptions) -> None:
    """
    Refuse to write over another run, or to go on with a run of something else.

    Args:
        output_dir (`Path`): the run's folder.
        description (`dict`): what the run is: recipe and data.
        options ([`RunOptions`]): whether to resume or to overwrite.

    Raises:
        FileExistsError: If the folder holds a run, and neither `resume` nor `overwrite` is set.
        ValueError: If the run to resume has another recipe or other data.
    """
    run_file = output_dir / RUN_FILE
    if not run_file.is_file():
        return
    earlier, own = _flat(json.loads(run_file.read_text(encoding="utf-8"))), _flat(description)
    different = sorted(name for name in earlier.keys() | own.keys() if earlier.get(name) != own.get(name))
    if options.resume and different:
        raise ValueError(
            f"{output_dir} holds another run; it differs in {', '.join(different)}. Resume it with the same settings, "
            "or give another --output_dir."
        )
    if not options.resume and not options.overwrite:
        raise FileExistsError(
            f"{output_dir} holds a run. Go on with it (--resume), replace it (--overwrite), or give another "
            "--output_dir."
        )


def remove_run(output_dir: Path) -> None:
    """
    Remove what an earlier run wrote, so that none of it can be taken for the new run's. The features' cache stays.

    Args:
        output_dir (`Path`): the run's folder.
    """
    for name in ("checkpoints", "release", "logs"):
        shutil.rmtree(output_dir / name, ignore_errors=True)
    for name in ("metrics.json", *PICTURES):
        (output_dir / name).unlink(missing_ok=True)


def prepare_data(
    recipe: Recipe,
    options: RunOptions,
    model: EmoSpeechForEmotionClassification,
    processor: EmoSpeechProcessor,
    accelerator: Accelerator,
) -> tuple[dict[str, FeatureTable], DatasetDict, SplitReport]:
    """
    Load, check and split the corpus, and compute its features.

    Args:
        recipe ([`Recipe`]), options ([`RunOptions`]): what to load and how to split it.
        model ([`EmoSpeechForEmotionClassification`]), processor ([`EmoSpeechProcessor`]): compute the features.
        accelerator (`Accelerator`): its main process computes, the others read what it left.

    Returns:
        `tuple`: features of each labelled split; the splits themselves; how they came about.

    Raises:
        CorpusError: If rows cannot be used, and they are not to be skipped.
    """
    rejected = options.output_dir / "rejected.csv"
    rejected_audio = options.output_dir / "rejected_audio.csv"
    if accelerator.is_main_process:
        for stale in (rejected, rejected_audio):
            stale.unlink(missing_ok=True)
    corpus = load_corpus(
        options.data,
        model.config.modalities,
        revision=options.data_revision,
        skip_bad_rows=options.skip_bad_rows,
        rejected=rejected if accelerator.is_main_process else None,
    )
    corpus = DatasetDict({split: part for split, part in corpus.items() if None not in part["label"]})
    builder = FeatureBuilder(
        model,
        processor,
        recipe.model,
        options.cache_dir or options.output_dir / "cache",
        accelerator.device,
        recipe.training.num_workers,
    )
    problems = []
    for split, part in corpus.items():
        corpus[split], found = builder.add_features(part, split)
        problems += [problem for _, problem in found]
    if problems and not options.skip_bad_rows:
        raise CorpusError(problems)
    if problems:
        logger.warning("Leaving out %d recordings that cannot be decoded.", len(problems))
        if accelerator.is_main_process:
            write_rejected(problems, rejected_audio)
    data = recipe.data
    splits, report = split_corpus(corpus, data.split, data.validation_fraction, data.test_fraction, data.split_seed)
    for split, part in splits.items():
        logger.info("%s: %d utterances, %d groups", split, len(part), report.groups.get(split, 0))
    return {split: FeatureTable(part) for split, part in splits.items()}, splits, report


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


def write_results(
    output_dir: Path, metrics: dict[str, Any], model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor
) -> None:
    """
    Write `metrics.json`, `confusion_matrix.png` and `release/`, and print the table of scores.

    Args:
        output_dir (`Path`): the run's folder.
        metrics (`dict`): of the run; scores of the test split where there is one, else of validation, are shown.
        model ([`EmoSpeechForEmotionClassification`]), processor ([`EmoSpeechProcessor`]): to release.
    """
    shown = metrics["scored_split"]
    title = f"Held-out {shown}, recipe {metrics['recipe']['name']}"
    picture, reliability = (output_dir / name for name in PICTURES)
    plot_confusion_matrix(metrics[shown]["confusion_matrix"], metrics[shown]["labels"], picture, title)
    plot_reliability(metrics[shown]["calibration"], reliability, title)
    write_json(output_dir / "metrics.json", metrics)
    pictures = {path.name: path for path in (picture, reliability)}
    build_release(model, processor, output_dir / "release", metrics, pictures)
    print(metrics_table(metrics[shown], title))


def load_run(output_dir: Path) -> tuple[EmoSpeechForEmotionClassification, EmoSpeechProcessor, dict[str, Any] | None]:
    """
    The best epoch of a run, also of one that was stopped before its end.

    Args:
        output_dir (`Path`): the run's folder.

    Returns:
        `tuple`: model, processor, and `metrics.json`, or `None` where the run did not come to it.

    Raises:
        FileNotFoundError: If the folder holds no run, or no epoch of it was finished.
    """
    run_file, best, metrics_file = (
        output_dir / RUN_FILE,
        output_dir / "checkpoints" / "best",
        output_dir / "metrics.json",
    )
    if not run_file.is_file():
        raise FileNotFoundError(f"{output_dir} holds no run: there is no {RUN_FILE} in it.")
    if not (best / "state.json").is_file():
        raise FileNotFoundError(
            f"{output_dir}: no epoch was finished, so there is nothing to release. Train with --resume."
        )
    recipe = recipe_from_dict(json.loads(run_file.read_text(encoding="utf-8"))["recipe"], str(run_file))
    processor = build_processor(recipe.model)
    model = build_model(recipe.model)
    limit_text_length(processor, model)
    weights, _ = load_checkpoint(best)
    set_trained_weights(model, weights)
    metrics = json.loads(metrics_file.read_text(encoding="utf-8")) if metrics_file.is_file() else None
    return model.eval(), processor, metrics


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, (int, float, str, bool)) else str(value)
    return flat
