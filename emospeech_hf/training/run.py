"""A whole training run: corpus in; metrics, pictures, checkpoints and the release folder out."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import datasets
import numpy as np
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, set_seed
from datasets import DatasetDict
from scipy.special import softmax

from .. import __version__
from ..configuration_emospeech import MODALITIES
from ..data import CorpusError, EmotionCollator, describe_source, load_corpus, split_corpus, write_rejected
from ..data.splits import SplitReport
from ..evaluation import Predictions, calibration
from ..hub import build_release
from ..modeling_emospeech import EmoSpeechForEmotionClassification
from ..processing_emospeech import EmoSpeechProcessor
from ..safe_writing import write_json
from .adapters import merge_low_rank
from .auxiliary import Auxiliary, load_auxiliary
from .building import build_model, build_processor, limit_text_length, may_leave_weights_out
from .cost import estimate_energy, measure_speed
from .cross_fitting import cross_fitted_logits
from .feature_table import FeatureTable
from .features import FeatureBuilder
from .fitting import can_tell_temperature, fit_temperature, fit_window, training_rows
from .loop import EmotionTrainer
from .recipe import Recipe
from .report import METRICS_FILE, PICTURES, describe_run, score_modalities, score_run, write_results
from .run_folder import RUN_FILE, RunOptions, check_output_dir, flat, remove_run, run_description


logger = logging.getLogger(__name__)

ALONE = {"speech": (True, False), "text": (False, True)}
"""What `modality_mask` says where one modality is given without the other."""


def train(recipe: Recipe, options: RunOptions) -> dict[str, Any]:
    """
    Train by a recipe. May be called again in the same process, with another recipe.

    `output_dir` then holds `metrics.json`, `predictions.csv`, `confusion_matrix.png`, `reliability.png`,
    `checkpoints/`, the trackers' files, and `release/`, the release folder of the best epoch.

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
            DistributedDataParallelKwargs(find_unused_parameters=may_leave_weights_out(recipe.model)),
        ],
    )
    if not accelerator.is_main_process:
        datasets.disable_progress_bars()
        logging.getLogger("emospeech_hf").setLevel(logging.ERROR)
    description = run_description(recipe, options)
    check_output_dir(output_dir, description, options)
    source = describe_source(options.data, options.data_revision)

    set_seed(recipe.training.seed)
    processor = build_processor(recipe.model)
    model = build_model(recipe.model)
    limit_text_length(processor, model)
    with accelerator.main_process_first():
        tables, corpus, split_report, auxiliary = prepare_data(recipe, options, model, processor, accelerator)
    fit_window(model, corpus["train"])
    train_table = training_rows(model, recipe, tables["train"], corpus["train"]["group"], auxiliary)
    if accelerator.is_main_process:
        # Only now, when the new run has all it needs, does an older one go.
        if not options.resume:
            remove_run(output_dir)
        write_json(output_dir / RUN_FILE, description)
    accelerator.wait_for_everyone()
    collator, checkpoints = EmotionCollator(processor), output_dir / "checkpoints"
    cross_fitted = None
    held_out_tells = "validation" in corpus and can_tell_temperature(corpus["validation"])
    if recipe.training.temperature_folds and not held_out_tells and can_tell_temperature(corpus["train"]):
        parts = (recipe, tables["train"], corpus["train"]["group"], checkpoints, auxiliary)
        cross_fitted = cross_fitted_logits(accelerator, model, collator, *parts)
    if recipe.training.trackers:
        accelerator.init_trackers("logs", config=flat(recipe.as_dict()))

    trainer = EmotionTrainer(accelerator, model, collator, recipe.training, checkpoints)
    progress = trainer.fit(train_table, tables.get("validation"), resume=options.resume)
    names = [model.config.id2label[index] for index in range(model.num_labels)]
    logits = {split: trainer.predict(table) for split, table in tables.items() if split != "train"}
    uncalibrated = {
        split: calibration(corpus[split]["label"], softmax(scores, axis=1)) for split, scores in logits.items()
    }
    if cross_fitted is not None:
        fit_temperature(model, corpus["train"]["label"], cross_fitted, corpus["train"]["group"])
    elif recipe.training.fit_temperature and "validation" in logits:
        held_out = corpus["validation"]
        if not fit_temperature(model, held_out["label"], logits["validation"], held_out["group"]):
            logger.info("Too few speakers or videos in validation to fit a temperature on: it stays 1.")
    predictions = {
        split: Predictions.from_scores(softmax(scores / model.config.temperature, axis=1), corpus[split], names)
        for split, scores in logits.items()
    }
    metrics = describe_run(recipe, split_report, progress, model, accelerator)
    merge_low_rank(model)
    metrics["temperature"] = {
        "value": model.config.temperature,
        "calibration_error_without": {
            split: entry["expected_calibration_error"] for split, entry in uncalibrated.items()
        },
    }
    if auxiliary is not None:
        metrics["auxiliary"] = auxiliary.sources
    metrics.update(score_run(predictions), data=source, minutes=round((time.perf_counter() - started) / 60, 2))
    if len(model.config.modalities) == len(MODALITIES) and metrics["scored_split"] is not None:
        split = metrics["scored_split"]
        alone = {name: trainer.predict(tables[split], ALONE[name]) for name in MODALITIES}
        references = np.asarray(corpus[split]["label"])
        has = {name: tables[split].has(name) for name in MODALITIES}
        metrics["macro_f1_by_modality"] = score_modalities(metrics["macro_f1"], references, alone, has)
    metrics["window_seconds"] = model.config.window_seconds
    metrics["energy"] = estimate_energy(metrics["minutes"], accelerator.device.type, accelerator.num_processes)
    metrics["speed"] = measure_speed(accelerator.unwrap_model(model), processor)
    if accelerator.is_main_process:
        write_results(output_dir, metrics, predictions)
        if options.release:
            pictures = {name: output_dir / name for name in PICTURES if (output_dir / name).is_file()}
            build_release(accelerator.unwrap_model(model).cpu(), processor, output_dir / "release", metrics, pictures)
        # Last: a run is finished when its metrics are there.
        write_json(output_dir / METRICS_FILE, metrics)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return metrics


def finish_run(recipe: Recipe, options: RunOptions) -> dict[str, Any]:
    """
    Train unless it is done: what is finished is read, what was stopped is resumed.

    Args:
        recipe ([`Recipe`]), options ([`RunOptions`]): see [`train`].

    Returns:
        `dict`: what stands in `metrics.json`.

    Raises:
        ValueError: If `output_dir` holds a run with another recipe or other data, or of another version.
    """
    started = (options.output_dir / RUN_FILE).is_file()
    options = replace(options, resume=started)
    if started:
        check_output_dir(options.output_dir, run_description(recipe, options), options)
    finished = options.output_dir / METRICS_FILE
    if not finished.is_file():
        return train(recipe, options)
    metrics: dict[str, Any] = json.loads(finished.read_text(encoding="utf-8"))
    version_of_run = metrics["versions"]["emospeech_hf"]
    if version_of_run != __version__:
        raise ValueError(
            f"{options.output_dir} holds a run of emospeech_hf {version_of_run}; this is {__version__}. Give another "
            "--output."
        )
    return metrics


def prepare_data(
    recipe: Recipe,
    options: RunOptions,
    model: EmoSpeechForEmotionClassification,
    processor: EmoSpeechProcessor,
    accelerator: Accelerator,
) -> tuple[dict[str, FeatureTable], DatasetDict, SplitReport, Auxiliary | None]:
    """
    Load, check and split the corpus, compute its features, and those of auxiliary corpora.

    Args:
        recipe ([`Recipe`]), options ([`RunOptions`]): what to load and how to split it.
        model ([`EmoSpeechForEmotionClassification`]), processor ([`EmoSpeechProcessor`]): compute the features.
        accelerator (`Accelerator`): its main process computes, the others read what it left.

    Returns:
        `tuple`: features of each labelled split; the splits themselves; how they came about; auxiliary rows, if any.

    Raises:
        CorpusError: If rows cannot be used, and they are not to be skipped.
    """
    rejected = options.output_dir / "rejected.csv"
    rejected_audio = options.output_dir / "rejected_audio.csv"
    if accelerator.is_main_process:
        for stale in options.output_dir.glob("rejected*.csv"):
            stale.unlink()
    corpus = load_corpus(
        options.data,
        model.config.modalities,
        revision=options.data_revision,
        skip_bad_rows=options.skip_bad_rows,
        rejected=rejected if accelerator.is_main_process else None,
        complete=not model.config.missing_modalities,
    )
    corpus = DatasetDict({split: part for split, part in corpus.items() if None not in part["label"]})
    builder = FeatureBuilder(
        model,
        processor,
        recipe.model,
        options.cache_dir or options.output_dir / "cache",
        accelerator.device,
        recipe.training.num_workers,
        recipe.training.speed_factors if recipe.model.freeze_speech_encoder else (),
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
    auxiliary = load_auxiliary(
        options.auxiliary_data,
        corpus,
        model.config.modalities,
        not model.config.missing_modalities,
        builder,
        options.skip_bad_rows,
        options.output_dir if accelerator.is_main_process else None,
    )
    data = recipe.data
    splits, report = split_corpus(
        corpus,
        data.split,
        data.validation_fraction,
        data.test_fraction,
        data.split_seed,
        data.fold,
        data.folds,
        data.training_groups,
        recipe.training.seed,
    )
    if "validation" not in splits and recipe.training.keep == "best":
        raise ValueError("There is no validation split to choose the best epoch on: set training.keep=last.")
    for split, part in splits.items():
        logger.info("%s: %d utterances, %d groups", split, len(part), report.groups.get(split, 0))
    return {split: FeatureTable(part) for split, part in splits.items()}, splits, report, auxiliary
