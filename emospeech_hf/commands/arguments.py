"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """`--model` and `--revision`."""
    parser.add_argument("--model", required=True, metavar="DIR_OR_HUB_ID", help="release folder, or a model on the Hub")
    parser.add_argument("--revision", help="commit, branch or tag of the model on the Hub")


def add_data_arguments(parser: argparse.ArgumentParser, default: str | None = None, required: bool = True) -> None:
    """`--data` and `--data_revision`."""
    what = "corpus: a folder, or a dataset on the Hub" + (f" (default: {default})" if default else "")
    required = required and default is None
    parser.add_argument("--data", required=required, default=default, metavar="DIR_OR_HUB_ID", help=what)
    parser.add_argument("--data_revision", metavar="REVISION", help="commit, branch or tag of the dataset on the Hub")


def add_auxiliary_data(parser: argparse.ArgumentParser) -> None:
    """`--auxiliary_data`."""
    parser.add_argument(
        "--auxiliary_data",
        action="extend",
        nargs="+",
        default=[],
        metavar="DIR_OR_HUB_ID",
        help="other corpora to train on as well, never to test on; user/name@revision pins one",
    )


def add_encoder_arguments(parser: argparse.ArgumentParser, speech: bool = True) -> None:
    """`--text_encoder` and `--speech_encoder`."""
    parser.add_argument("--text_encoder", metavar="PATH_OR_ID", help="text encoder instead of the recipe's own")
    if speech:
        parser.add_argument("--speech_encoder", metavar="PATH_OR_ID", help="speech encoder instead of the recipe's own")


def add_settings(parser: argparse.ArgumentParser, what: str) -> None:
    """`--set field=value ...`."""
    parser.add_argument("--set", nargs="+", default=[], metavar="field=value", dest="settings", help=what)


def add_batch_size(parser: argparse.ArgumentParser) -> None:
    """`--batch_size`."""
    parser.add_argument("--batch_size", type=int, default=16, help="utterances that go through the model together")


def add_skip_bad_rows(parser: argparse.ArgumentParser) -> None:
    """`--skip-bad-rows`."""
    parser.add_argument(
        "--skip-bad-rows", "--skip_bad_rows", action="store_true", help="go on without rows that cannot be used"
    )


def output_argument(parser: argparse.ArgumentParser, what: str, required: bool = True, metavar: str = "DIR") -> None:
    """`--output`."""
    parser.add_argument("--output", required=required, type=Path, metavar=metavar, help=what)


def add_transcribe(parser: argparse.ArgumentParser) -> None:
    """
    Args:
        parser (`argparse.ArgumentParser`): given the option `--transcribe`.
    """
    parser.add_argument(
        "--transcribe",
        nargs="?",
        const="openai/whisper-small",
        metavar="PATH_OR_ID",
        help="let this speech recogniser write transcripts that are missing (default: openai/whisper-small)",
    )
