"""The `emospeech` command."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from transformers.utils import logging as transformers_logging

from .commands import experiments, listening, publishing, scoring


EXAMPLES = """examples:
  emospeech predict --model runs/demo/release --audio call.wav --text "¡Qué alegría verte!"
  emospeech predict --model user/model --data calls/ --transcribe --output emotions.csv
  emospeech explain --model runs/demo/release --audio call.wav --text "¡Qué alegría verte!" --output why.json why.png
  emospeech timeline --model user/model --audio interview.mp3 --output interview.csv interview.srt interview.png
  emospeech timeline --model user/model --audio interviews/ --output "timelines/{name}.csv"
  emospeech adapt --model user/model --data clips/ana --labels ana.csv --output ana.safetensors
  emospeech evaluate --model user/model --data corpus --split test --output runs/check
  emospeech compare runs/check/predictions.csv runs/other/predictions.csv
  emospeech calibrate --model user/model --predictions runs/check/predictions.csv --to releases/calibrated
  emospeech submit --model user/model --test test.csv --segments mp3 --output submission.zip
  emospeech audit --data corpus --output runs/audit --strict
  emospeech cross-validate --recipe task1 --data corpus --output runs/folds
  emospeech cross-validate --recipe speech_only --data corpus --auxiliary_data corpora/emovo --output runs/voices
  emospeech learning-curve --recipe speech_only --data corpus --output runs/curve
  emospeech reproduce --data corpus --output runs/paper --seeds 42 43 44
  emospeech release --run runs/task2 --to releases/task2
  emospeech push releases/task2 user/model --private
  emospeech push-dataset corpora/meacorpus user/corpus --dry-run
  emospeech push-space user/page --model user/model --revision v1
  emospeech demo --model runs/demo/release
  emospeech verify user/model@v1 --data corpus

Training has a command of its own: python train_accelerate.py --help
"""


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
    for module in (listening, scoring, experiments, publishing):
        module.add_commands(commands)
    for name, command in commands.choices.items():
        own = [line for line in EXAMPLES.splitlines() if line.startswith(f"  emospeech {name} ")]
        command.epilog = "\n".join(["examples:" if len(own) > 1 else "example:", *own])
        command.formatter_class = argparse.RawDescriptionHelpFormatter
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
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
