"""The commands that tell what can be learnt from a corpus, and believed: `audit`, `cross-validate` and the like."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .arguments import (
    add_auxiliary_data,
    add_data_arguments,
    add_encoder_arguments,
    add_settings,
    add_skip_bad_rows,
    output_argument,
)


CONTEST_FOLDER = "corpora/emospeech"


def add_commands(commands: Any) -> None:
    """
    Args:
        commands (`argparse._SubParsersAction`): the parser's commands, added to.
    """
    audit = commands.add_parser("audit", help="look for leaks and imbalance in a corpus and its splits")
    add_data_arguments(audit)
    output_argument(audit, "folder for audit.json and pictures", required=False)
    audit.add_argument("--strict", action="store_true", help="end with status 1 where a split leaks")
    audit.set_defaults(run=run_audit)

    cross_validate = commands.add_parser(
        "cross-validate", help="score a recipe on every utterance, by models that never met its speaker"
    )
    _add_fold_arguments(cross_validate, "folder for metrics.json, predictions.csv and all runs")
    cross_validate.set_defaults(run=run_cross_validate)

    learning_curve = commands.add_parser(
        "learning-curve", help="cross-validate on fewer and fewer speakers: what would more of them bring?"
    )
    _add_fold_arguments(learning_curve, "folder for learning_curve.json, learning_curve.png and all runs")
    learning_curve.add_argument(
        "--groups",
        nargs="+",
        type=int,
        default=[],
        metavar="N",
        help="how many speakers or videos to train on, besides all of them (default: 2 4 8 ...)",
    )
    learning_curve.set_defaults(run=run_learning_curve)

    reproduce = commands.add_parser("reproduce", help="run the paper's experiments, beside its figures")
    add_data_arguments(reproduce, default=CONTEST_FOLDER)
    output_argument(reproduce, "folder for results.md and all runs")
    reproduce.add_argument("--recipes", nargs="+", metavar="NAME", help="which experiments (default: all)")
    reproduce.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44], help="default: 42 43 44")
    add_encoder_arguments(reproduce, speech=False)
    add_settings(reproduce, "settings for every recipe")
    reproduce.set_defaults(run=run_reproduce)


def _add_fold_arguments(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument("--recipe", required=True, metavar="NAME_OR_YAML", help="the recipe")
    add_data_arguments(parser)
    add_auxiliary_data(parser)
    output_argument(parser, output)
    parser.add_argument(
        "--cache_dir", type=Path, help="folder of computed features, to share among commands (default: in --output)"
    )
    parser.add_argument("--folds", type=int, default=5, help="parts, by speaker or video (default: 5)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[42], help="all folds with each (default: 42)")
    add_encoder_arguments(parser)
    add_settings(parser, "settings of the recipe")
    add_skip_bad_rows(parser)


def run_audit(options: argparse.Namespace) -> None:
    """`emospeech audit`."""
    from ..audit import audit_corpus, audit_report, write_audit

    audit = audit_corpus(options.data, options.data_revision)
    print(audit_report(audit))
    if options.output is not None:
        write_audit(audit, options.output)
    if options.strict and audit["leaks"]:
        sys.exit(1)


def run_cross_validate(options: argparse.Namespace) -> None:
    """`emospeech cross-validate`."""
    from ..cross_validation import cross_validate
    from ..training import encoder_settings

    cross_validate(
        options.recipe,
        options.data,
        options.output,
        options.folds,
        options.seeds,
        [*options.settings, *encoder_settings(options.text_encoder, options.speech_encoder)],
        options.data_revision,
        options.skip_bad_rows,
        options.cache_dir,
        options.auxiliary_data,
    )


def run_learning_curve(options: argparse.Namespace) -> None:
    """`emospeech learning-curve`."""
    from ..learning_curve import learning_curve
    from ..training import encoder_settings

    learning_curve(
        options.recipe,
        options.data,
        options.output,
        options.groups,
        options.folds,
        options.seeds,
        [*options.settings, *encoder_settings(options.text_encoder, options.speech_encoder)],
        options.data_revision,
        options.skip_bad_rows,
        options.cache_dir,
        options.auxiliary_data,
    )


def run_reproduce(options: argparse.Namespace) -> None:
    """`emospeech reproduce`."""
    from ..reproduce import EXPERIMENT_RECIPES, reproduce, results_table

    if options.data == CONTEST_FOLDER and not Path(CONTEST_FOLDER).is_dir():
        raise FileNotFoundError(
            f"No --data is given, and there is no folder {CONTEST_FOLDER}, where dataset_scripts/emospeech2024.py puts "
            "the contest's corpus in the README. Make it, or name another corpus."
        )
    results = reproduce(
        options.data,
        options.output,
        options.recipes or EXPERIMENT_RECIPES,
        options.seeds,
        options.text_encoder,
        options.settings,
        options.data_revision,
    )
    print(results_table(results).split("## ")[0].strip())
