#!/usr/bin/env python3
"""Spanish MEACorpus 2023: its CSV, and its MP3 segments where you have them, to Parquet ready for the Hub.

The corpus (Pan et al., 2024; Zenodo record 18246241) distributes transcripts and labels; the audio belongs to the
authors of the videos. With the CSV alone this makes the text-only set; with a folder of segments, the full one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from emospeech_hf.corpus_script import CorpusDescription, add_output_arguments, run_script
from emospeech_hf.data.folder import find_audio, read_csv
from emospeech_hf.data.problems import CorpusError, Problem
from emospeech_hf.data.rows import Row


EXAMPLES = """examples:
  python dataset_scripts/meacorpus2023.py --csv meacorpus2023.csv --output corpora/meacorpus
  python dataset_scripts/meacorpus2023.py --csv meacorpus2023.csv --segments mp3 --output corpora/meacorpus_audio
  python dataset_scripts/meacorpus2023.py --csv meacorpus2023.csv --only-emospeech2024 --output corpora/emospeech_text
"""

DESCRIPTION = CorpusDescription(
    title="Spanish MEACorpus 2023",
    summary=(
        "Segments of Spanish videos with transcripts, labelled with six emotions, by R. Pan, J. A. García-Díaz, "
        "M. Á. Rodríguez-García and R. Valencia-García. The corpus' own train and test splits share source videos: "
        "split by `group` instead."
    ),
    license="cc-by-nc-4.0",
    citation=(
        "R. Pan, J. A. García-Díaz, M. Á. Rodríguez-García, R. Valencia-García: Spanish MEACorpus 2023: A multimodal "
        "speech–text corpus for emotion analysis in Spanish from natural environments. Computer Standards & "
        "Interfaces 90, 103856, 2024."
    ),
)


def read_corpus(csv: Path, segments: Path | None, only_emospeech2024: bool, lenient: bool) -> dict[str, list[Row]]:
    """
    Args:
        csv (`Path`): `meacorpus2023.csv`, with the columns `youtube_key`, `filename`, `segment_id`, `label`,
            `gender`, `transcription` and `split`.
        segments (`Path`, *optional*): folder of the MP3 files, named by `filename`, or by `segment_id` in a folder
            for each `youtube_key`.
        only_emospeech2024 (`bool`): only the rows of EmoSPeech 2024's training set, all in one split.
        lenient (`bool`): keep rows that are not UTF-8, for the check to reject.

    Returns:
        `dict[str, list[Row]]`: split to rows.

    Raises:
        CorpusError: If a column is missing, or a row names an unknown split.
    """
    rows = read_csv(csv, "surrogateescape" if lenient else "strict")
    wanted = {"split", *(("emospeech2024",) if only_emospeech2024 else ())}
    missing = wanted - set(rows[0].extra if rows else ())
    if missing:
        raise CorpusError(
            [
                Problem(csv.name, 0, "", f"there is no column {name}", "Use the corpus' own CSV")
                for name in sorted(missing)
            ]
        )
    if segments is not None:
        _find_segments(rows, segments)
    if only_emospeech2024:
        return {"train": [row for row in rows if row.extra["emospeech2024"].lower() == "true"]}
    strange = [row for row in rows if row.extra["split"] not in ("train", "test")]
    if strange:
        raise CorpusError(
            [row.problem(f"the split {row.extra['split']!r} is unknown", "Use train or test") for row in strange]
        )
    return {split: [row for row in rows if row.extra["split"] == split] for split in ("train", "test")}


def _find_segments(rows: list[Row], segments: Path) -> None:
    find_audio(rows, segments, ("",))
    for row in rows:
        by_video = (
            segments / Path(row.group_keys.get("youtube_key", "")).name / Path(row.extra.get("segment_id", "")).name
        )
        if row.audio is None and by_video.is_file():
            row.audio = {"path": str(by_video), "bytes": None}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, required=True, help="the corpus' CSV")
    parser.add_argument("--segments", type=Path, metavar="DIR", help="folder of the MP3 segments")
    parser.add_argument(
        "--only-emospeech2024", action="store_true", help="only the 3,000 rows of EmoSPeech 2024's training set"
    )
    add_output_arguments(parser)
    options = parser.parse_args()
    run_script(
        lambda: read_corpus(options.csv, options.segments, options.only_emospeech2024, options.skip_bad_rows),
        DESCRIPTION,
        options,
    )


if __name__ == "__main__":
    main()
