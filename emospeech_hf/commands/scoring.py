"""`emospeech evaluate`, `compare`, `calibrate` and `submit`: a model at work on a corpus."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .arguments import (
    add_batch_size,
    add_data_arguments,
    add_model_arguments,
    add_skip_bad_rows,
    output_argument,
)


def add_commands(commands: Any) -> None:
    """
    Args:
        commands (`argparse._SubParsersAction`): the parser's commands, added to.
    """
    evaluate = commands.add_parser("evaluate", help="score a model on a corpus")
    add_model_arguments(evaluate)
    add_data_arguments(evaluate)
    evaluate.add_argument("--split", default="test", help="split to score (default: test)")
    output_argument(evaluate, "folder for metrics.json, predictions.csv and pictures")
    add_batch_size(evaluate)
    add_skip_bad_rows(evaluate)
    evaluate.set_defaults(run=run_evaluate)

    compare = commands.add_parser("compare", help="whether one model beats another on the same rows")
    compare.add_argument("first", type=Path, metavar="FIRST", help="predictions.csv of `emospeech evaluate`")
    compare.add_argument("second", type=Path, metavar="SECOND", help="that of the other model")
    compare.add_argument("--json", action="store_true", help="print the comparison as JSON")
    compare.set_defaults(run=run_compare)

    calibrate = commands.add_parser(
        "calibrate", help="fit a finished model's temperature on rows that it never met, such as your own"
    )
    add_model_arguments(calibrate)
    calibrate.add_argument(
        "--predictions",
        required=True,
        type=Path,
        metavar="CSV",
        help="predictions.csv of `emospeech evaluate` with this model, or of `cross-validate` with its recipe",
    )
    calibrate.add_argument(
        "--to", required=True, type=Path, metavar="DIR", help="release folder; an older one is replaced"
    )
    calibrate.set_defaults(run=run_calibrate)

    submit = commands.add_parser("submit", help="answer a contest's unlabelled test file, as EmoSPeech 2024 takes it")
    add_model_arguments(submit)
    submit.add_argument("--test", required=True, type=Path, metavar="CSV", help="columns id and transcription")
    submit.add_argument(
        "--segments", type=Path, metavar="DIR", help="folder of the recordings (default: beside the CSV)"
    )
    output_argument(submit, "the submission; with the suffix .csv the bare table", metavar="ZIP")
    add_batch_size(submit)
    submit.set_defaults(run=run_submit)


def run_evaluate(options: argparse.Namespace) -> None:
    """`emospeech evaluate`."""
    from ..inference import evaluate_model

    evaluate_model(
        options.model,
        options.data,
        options.output,
        split=options.split,
        revision=options.revision,
        data_revision=options.data_revision,
        batch_size=options.batch_size,
        skip_bad_rows=options.skip_bad_rows,
    )


def run_compare(options: argparse.Namespace) -> None:
    """`emospeech compare`."""
    from ..evaluation.tables import comparison_table
    from ..inference import compare_files

    comparison = compare_files(options.first, options.second)
    if options.json:
        print(json.dumps(comparison, indent=2))
    else:
        print(comparison_table(comparison, str(options.first), str(options.second)))


def run_calibrate(options: argparse.Namespace) -> None:
    """`emospeech calibrate`."""
    from ..recalibration import calibrate_model, recalibration_table

    print(recalibration_table(calibrate_model(options.model, options.predictions, options.to, options.revision)))
    print(f"{options.to} is ready.")


def run_submit(options: argparse.Namespace) -> None:
    """`emospeech submit`."""
    from ..inference import write_submission

    path = write_submission(
        options.model, options.test, options.output, options.segments, options.revision, options.batch_size
    )
    print(f"{path} is ready to be uploaded.")
