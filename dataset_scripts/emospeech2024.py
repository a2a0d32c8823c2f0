#!/usr/bin/env python3
"""EmoSPeech 2024 (IberLEF): the contest's CSV files and MP3 segments to Parquet ready for the Hub.

Participants were given `id,label,transcription` for train, the same without `label` for test, and one MP3 per id. The
contest tells no speakers; MEACorpus 2023, from which its segments come, tells their videos: give its CSV with
--meacorpus-csv, and the set can be split by them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from emospeech_hf.corpus_script import CorpusDescription, add_output_arguments, run_script
from emospeech_hf.data.folder import find_audio, read_csv
from emospeech_hf.data.rows import Row


EXAMPLES = """examples:
  python dataset_scripts/emospeech2024.py --train train.csv --output corpora/emospeech_text
  python dataset_scripts/emospeech2024.py --train train.csv --test test.csv --segments mp3 \\
      --meacorpus-csv meacorpus2023.csv --output corpora/emospeech
"""

DESCRIPTION = CorpusDescription(
    title="EmoSPeech 2024",
    summary=(
        "The data of the task EmoSPeech at IberLEF 2024, multimodal emotion recognition in Spanish, a part of Spanish "
        "MEACorpus 2023. The labels of the test split were not given out."
    ),
    license="cc-by-nc-4.0",
    citation=(
        "R. Pan, J. A. García-Díaz, M. Á. Rodríguez-García, F. García-Sánchez, R. Valencia-García: Overview of "
        "EmoSPeech at IberLEF 2024: Multimodal speech-text emotion recognition in Spanish. Procesamiento del Lenguaje "
        "Natural 73, 2024."
    ),
)


def read_corpus(
    train: Path, test: Path | None, segments: Path | None, meacorpus_csv: Path | None, lenient: bool
) -> dict[str, list[Row]]:
    """
    Args:
        train (`Path`): CSV with `id`, `label` and `transcription`.
        test (`Path`, *optional*): CSV with `id` and `transcription`, and `label` where you have it.
        segments (`Path`, *optional*): folder of the MP3 files, named by id.
        meacorpus_csv (`Path`, *optional*): MEACorpus 2023's CSV, for source videos and speakers' gender.
        lenient (`bool`): keep rows that are not UTF-8, for the check to reject.

    Returns:
        `dict[str, list[Row]]`: split to rows.

    Raises:
        CorpusError: If a column is missing.
    """
    encoding_errors = "surrogateescape" if lenient else "strict"
    splits = {"train": read_csv(train, encoding_errors)}
    if test is not None:
        splits["test"] = read_csv(test, encoding_errors, labelled=False)
    origins = {Path(row.id).stem: row for row in read_csv(meacorpus_csv)} if meacorpus_csv is not None else {}
    for rows in splits.values():
        if segments is not None:
            find_audio(rows, segments, ("",))
        for row in rows:
            origin = origins.get(Path(row.id).stem)
            if origin is not None:
                row.group_keys, row.gender = origin.group_keys, origin.gender
    return splits


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, required=True, metavar="CSV", help="the contest's training CSV")
    parser.add_argument("--test", type=Path, metavar="CSV", help="the contest's test CSV")
    parser.add_argument("--segments", type=Path, metavar="DIR", help="folder of the MP3 segments")
    parser.add_argument(
        "--meacorpus-csv", type=Path, metavar="CSV", help="MEACorpus 2023's CSV, for source videos and gender"
    )
    add_output_arguments(parser)
    options = parser.parse_args()
    run_script(
        lambda: read_corpus(
            options.train, options.test, options.segments, options.meacorpus_csv, options.skip_bad_rows
        ),
        DESCRIPTION,
        options,
    )


if __name__ == "__main__":
    main()
