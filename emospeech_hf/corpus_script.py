"""What the scripts in `dataset_scripts/` have in common: options, card, report, errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .data.parquet import write_parquet_corpus
from .data.rows import Row
from .hub.cards import dataset_card


@dataclass(kw_only=True)
class CorpusDescription:
    """
    What the dataset card says that the rows do not.

    Args:
        title (`str`): the corpus' name.
        summary (`str`): what it is, in a sentence or two.
        license (`str`): as the Hub names it.
        citation (`str`): whom to cite.
        language (`str`, *optional*, defaults to `"es"`): in which it is spoken, as ISO 639-1 names it.
        transcribed (`bool`, *optional*, defaults to `True`): whether its rows must have transcripts.
    """

    title: str
    summary: str
    license: str
    citation: str
    language: str = "es"
    transcribed: bool = True


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Args:
        parser (`argparse.ArgumentParser`): gets `--output`, `--skip-bad-rows` and `--overwrite`.
    """
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the Parquet files and the card"
    )
    parser.add_argument(
        "--skip-bad-rows", "--skip_bad_rows", action="store_true",
        help="go on without rows that cannot be used, and list them in rejected.csv",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace the output folder where it exists")


def run_script(
    read: Callable[[], dict[str, list[Row]]], description: CorpusDescription, options: argparse.Namespace
) -> None:
    """
    Write a corpus and report on it; end with status 2 and a plain message where the input is at fault.

    Args:
        read (`Callable`): reads the corpus' own layout, and returns its rows by split.
        description ([`CorpusDescription`]): for the card.
        options (`argparse.Namespace`): with the options of [`add_output_arguments`].
    """
    about = (description.title, description.summary, description.license, description.citation)
    card = partial(dataset_card, *about, language=description.language)
    output: Path = options.output
    try:
        report = write_parquet_corpus(
            read(), output, card, options.skip_bad_rows, options.overwrite, description.transcribed
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    rejected = report.pop("rejected")
    for split, numbers in report.items():
        groups = f"{numbers['groups']} groups" if numbers["groups"] else "no groups told"
        print(f"{split}: {numbers['rows']} rows, {numbers['without_audio']} of them without audio, {groups}")
    if rejected:
        print(f"{rejected} rows were left out; {output / 'rejected.csv'} lists them.")
    print(f"{output} is ready for --data, for load_dataset and for the Hub.")
