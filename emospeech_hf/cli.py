"""The `emospeech` command."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers.utils import logging as transformers_logging


EXAMPLES = """examples:
  emospeech predict --model runs/demo/release --audio call.wav --text "¡Qué alegría verte!"
  emospeech evaluate --model user/model --data corpus --split test --output runs/check
  emospeech compare runs/check/predictions.csv runs/other/predictions.csv
  emospeech audit --data corpus --output runs/audit --strict
  emospeech cross-validate --recipe task1 --data corpus --output runs/folds
  emospeech submit --model user/model --test test.csv --segments mp3 --output submission.zip
  emospeech reproduce --data corpus --output runs/paper --seeds 42 43 44
  emospeech release --run runs/task2 --to releases/task2

Training has a command of its own: python train_accelerate.py --help
"""

CONTEST_FOLDER = "corpora/emospeech"


def build_parser() -> argparse.ArgumentParser:
    """
    Returns:
        `argparse.ArgumentParser`: of `emospeech`.
    """
    parser = argparse.ArgumentParser(
        prog="emospeech",
        description="Emotion recognition from Spanish speech.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="tell the emotion of one utterance")
    _add_model_arguments(predict)
    predict.add_argument("--audio", type=Path, metavar="FILE", help="WAV, FLAC, OGG or MP3; needed by models that hear")
    predict.add_argument("--text", help="the transcript; needed by models that read")
    predict.add_argument("--json", action="store_true", help="print the answer as JSON instead of bars")
    predict.set_defaults(run=run_predict)

    evaluate = commands.add_parser("evaluate", help="score a model on a corpus")
    _add_model_arguments(evaluate)
    _add_data_arguments(evaluate)
    evaluate.add_argument("--split", default="test", help="split to score (default: test)")
    evaluate.add_argument(
        "--output", required=True, type=Path, help="folder for metrics.json, predictions.csv and confusion_matrix.png"
    )
    evaluate.add_argument("--batch_size", type=int, default=16, help="utterances that go through the model together")
    evaluate.add_argument(
        "--skip-bad-rows", "--skip_bad_rows", action="store_true", help="score without rows that cannot be used"
    )
    evaluate.set_defaults(run=run_evaluate)

    compare = commands.add_parser("compare", help="whether one model beats another on the same rows")
    compare.add_argument("first", type=Path, metavar="FIRST", help="predictions.csv of `emospeech evaluate`")
    compare.add_argument("second", type=Path, metavar="SECOND", help="that of the other model")
    compare.add_argument("--json", action="store_true", help="print the comparison as JSON")
    compare.set_defaults(run=run_compare)

    audit = commands.add_parser("audit", help="look for leaks and imbalance in a corpus and its splits")
    _add_data_arguments(audit)
    audit.add_argument("--output", type=Path, metavar="DIR", help="folder for audit.json and pictures")
    audit.add_argument("--strict", action="store_true", help="end with status 1 where a split leaks")
    audit.set_defaults(run=run_audit)

    reproduce = commands.add_parser("reproduce", help="run the paper's experiments, beside its figures")
    _add_data_arguments(reproduce, default=CONTEST_FOLDER)
    reproduce.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="folder for results.md and all runs"
    )
    reproduce.add_argument("--recipes", nargs="+", metavar="NAME", help="which experiments (default: all)")
    reproduce.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44], help="default: 42 43 44")
    _add_encoder_arguments(reproduce, speech=False)
    reproduce.add_argument(
        "--set", nargs="+", default=[], metavar="field=value", dest="settings", help="settings for every recipe"
    )
    reproduce.set_defaults(run=run_reproduce)

    cross_validate = commands.add_parser(
        "cross-validate", help="score a recipe on every utterance, by models that never met its speaker"
    )
    cross_validate.add_argument("--recipe", required=True, metavar="NAME_OR_YAML", help="the recipe")
    _add_data_arguments(cross_validate)
    cross_validate.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for metrics.json, predictions.csv and all runs",
    )
    cross_validate.add_argument("--folds", type=int, default=5, help="parts, by speaker or video (default: 5)")
    cross_validate.add_argument("--seeds", nargs="+", type=int, default=[42], help="all folds with each (default: 42)")
    _add_encoder_arguments(cross_validate)
    cross_validate.add_argument(
        "--set", nargs="+", default=[], metavar="field=value", dest="settings", help="settings of the recipe"
    )
    cross_validate.add_argument(
        "--skip-bad-rows", "--skip_bad_rows", action="store_true", help="go on without rows that cannot be used"
    )
    cross_validate.set_defaults(run=run_cross_validate)

    submit = commands.add_parser("submit", help="answer a contest's unlabelled test file, as EmoSPeech 2024 takes it")
    _add_model_arguments(submit)
    submit.add_argument("--test", required=True, type=Path, metavar="CSV", help="columns id and transcription")
    submit.add_argument(
        "--segments", type=Path, metavar="DIR", help="folder of the recordings (default: beside the CSV)"
    )
    submit.add_argument(
        "--output", required=True, type=Path, metavar="ZIP", help="the submission; with the suffix .csv the bare table"
    )
    submit.add_argument("--batch_size", type=int, default=16, help="utterances that go through the model together")
    submit.set_defaults(run=run_submit)

    release = commands.add_parser("release", help="write the release folder of a training run's best epoch")
    release.add_argument("--run", required=True, type=Path, metavar="OUT", dest="run_dir", help="folder of the run")
    release.add_argument(
        "--to", required=True, type=Path, metavar="DIR", help="release folder; an older one is replaced"
    )
    release.set_defaults(run=run_release)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run a command; end with status 2 and a plain message where the input is at fault.

    Args:
        arguments (`Sequence[str]`, *optional*): of the command line; by default the process's own.
    """
    options = build_parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    # Weights that load in a moment need no bar; it would hide the answer.
    transformers_logging.disable_progress_bar()
    try:
        options.run(options)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def run_predict(options: argparse.Namespace) -> None:
    """`emospeech predict`."""
    from .evaluation.tables import score_bars
    from .inference import load_pipeline

    classify = load_pipeline(options.model, options.revision)
    given = {"audio": str(options.audio) if options.audio else None, "text": options.text}
    answer = classify({key: value for key, value in given.items() if value is not None})
    print(json.dumps(answer, ensure_ascii=False, indent=2) if options.json else score_bars(answer))


def run_evaluate(options: argparse.Namespace) -> None:
    """`emospeech evaluate`."""
    from .inference import evaluate_model

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
    from .evaluation.tables import comparison_table
    from .inference import compare_files

    comparison = compare_files(options.first, options.second)
    if options.json:
        print(json.dumps(comparison, indent=2))
    else:
        print(comparison_table(comparison, str(options.first), str(options.second)))


def run_audit(options: argparse.Namespace) -> None:
    """`emospeech audit`."""
    from .audit import audit_corpus, audit_report, write_audit

    audit = audit_corpus(options.data, options.data_revision)
    print(audit_report(audit))
    if options.output is not None:
        write_audit(audit, options.output)
    if options.strict and audit["leaks"]:
        sys.exit(1)


def run_reproduce(options: argparse.Namespace) -> None:
    """`emospeech reproduce`."""
    from .reproduce import EXPERIMENT_RECIPES, reproduce, results_table

    if options.data == CONTEST_FOLDER and not Path(CONTEST_FOLDER).is_dir():
        raise FileNotFoundError(
            f"No --data is given, and there is no folder {CONTEST_FOLDER}, where dataset_scripts/emospeech2024.py puts "
            "the contest's corpus in the README. Make it, or name another corpus."
        )
    recipes = options.recipes or EXPERIMENT_RECIPES
    results = reproduce(
        options.data,
        options.output,
        recipes,
        options.seeds,
        options.text_encoder,
        options.settings,
        options.data_revision,
    )
    print(results_table(results).split("## ")[0].strip())


def run_cross_validate(options: argparse.Namespace) -> None:
    """`emospeech cross-validate`."""
    from .cross_validation import cross_validate
    from .training import encoder_settings

    cross_validate(
        options.recipe,
        options.data,
        options.output,
        options.folds,
        options.seeds,
        [*options.settings, *encoder_settings(options.text_encoder, options.speech_encoder)],
        options.data_revision,
        options.skip_bad_rows,
    )


def run_submit(options: argparse.Namespace) -> None:
    """`emospeech submit`."""
    from .inference import write_submission

    path = write_submission(
        options.model, options.test, options.output, options.segments, options.revision, options.batch_size
    )
    print(f"{path} is ready to be uploaded.")


def run_release(options: argparse.Namespace) -> None:
    """`emospeech release`."""
    from .hub import build_release
    from .training import PICTURES, load_run

    model, processor, metrics = load_run(options.run_dir)
    pictures = {name: options.run_dir / name for name in PICTURES if (options.run_dir / name).is_file()}
    folder = build_release(model, processor, options.to, metrics, pictures, check=True)
    print(f'{folder} is ready: pipeline("audio-text-emotion", model="{folder}", trust_remote_code=True)')


def _add_data_arguments(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    what = "corpus: a folder, or a dataset on the Hub" + (f" (default: {default})" if default else "")
    parser.add_argument("--data", required=default is None, default=default, metavar="DIR_OR_HUB_ID", help=what)
    parser.add_argument("--data_revision", metavar="REVISION", help="commit, branch or tag of the dataset on the Hub")


def _add_encoder_arguments(parser: argparse.ArgumentParser, speech: bool = True) -> None:
    parser.add_argument("--text_encoder", metavar="PATH_OR_ID", help="text encoder instead of the recipe's own")
    if speech:
        parser.add_argument("--speech_encoder", metavar="PATH_OR_ID", help="speech encoder instead of the recipe's own")


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="DIR_OR_HUB_ID", help="release folder, or a model on the Hub")
    parser.add_argument("--revision", help="commit, branch or tag of the model on the Hub")


if __name__ == "__main__":
    main()
