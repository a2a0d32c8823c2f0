"""`load_corpus`: a folder, Parquet files or a Hub dataset in, a checked `DatasetDict` of the schema out."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import datasets
from datasets import Audio, ClassLabel, Dataset, DatasetDict, load_dataset

from ..configuration_emospeech import MODALITIES
from .folder import find_audio, read_csv, read_folder
from .problems import CorpusError, Problem, write_rejected
from .rows import Row, check_rows, set_groups
from .schema import GROUP_COLUMNS, ID_COLUMNS, SPLITS, TEXT_COLUMNS, corpus_features


logger = logging.getLogger(__name__)


def load_corpus(
    source: str | Path,
    modalities: Iterable[str] = MODALITIES,
    revision: str | None = None,
    skip_bad_rows: bool = False,
    rejected: str | Path | None = None,
    complete: bool = True,
) -> DatasetDict:
    """
    Load a corpus and check every row of it before anything is computed.

    Args:
        source (`str` or `Path`):
            A folder with `train.csv` (see [`~data.folder.read_folder`]) or with Parquet files whose names begin with
            the split, in it or in its `data/`; or the id of a dataset on the Hub.
        modalities (`Iterable[str]`, *optional*, defaults to `("speech", "text")`):
            What is needed of each row: its audio, its transcript, or both.
        revision (`str`, *optional*):
            Commit, branch or tag of the Hub dataset.
        skip_bad_rows (`bool`, *optional*, defaults to `False`):
            Leave out rows that cannot be used, instead of raising.
        rejected (`str` or `Path`, *optional*):
            CSV file that is to list the rows left out.
        complete (`bool`, *optional*, defaults to `True`):
            Whether a row needs all of `modalities`, or one of them. How many lack one is then logged.

    Returns:
        `DatasetDict` with the splits that the corpus has, of the schema [`~data.schema.corpus_features`].

    Raises:
        CorpusError: With each problem's file, row and cure.
        FileNotFoundError: If `source` is neither a folder with a corpus nor looks like a dataset's id.

    Example:

    ```python
    >>> from emospeech_hf.data import load_corpus

    >>> corpus = load_corpus("path/to/folder")  # doctest: +SKIP
    >>> corpus["train"][0]["text"]  # doctest: +SKIP
    '¡Qué alegría verte!'

    ```
    """
    splits = _read(source, revision, "surrogateescape" if skip_bad_rows else "strict")
    rows = [row for split in splits.values() for row in split]
    empty = [split for split, members in splits.items() if not members]
    if empty or not rows:
        cure = "Add utterances, or take the split out"
        raise CorpusError(
            [Problem(str(source), 0, "", f"the split {split} has no rows", cure) for split in empty or ["train"]]
        )
    modalities = tuple(modalities)
    problems = check_rows(rows, modalities, labelled=True, complete=complete)
    if problems and not skip_bad_rows:
        raise CorpusError(list(problems.values()))
    if problems:
        _report(list(problems.values()), len(rows), rejected)
    bad = {id(rows[index]) for index in problems}
    kept = {split: [row for row in members if id(row) not in bad] for split, members in splits.items()}
    lost = [split for split, members in kept.items() if not members]
    if lost:
        own = [problem for problem in problems.values() if problem.file == splits[lost[0]][0].file]
        raise CorpusError(own, skippable=False)
    used = [row for members in kept.values() for row in members]
    if not complete:
        deaf, mute = sum(row.audio is None for row in used), sum(not row.text for row in used)
        logger.info("%d of %d rows have no audio, %d no transcript.", deaf, len(used), mute)
    set_groups(used)
    return DatasetDict({split: rows_to_dataset(members) for split, members in kept.items()})


def load_unlabelled(path: str | Path, modalities: Iterable[str] = MODALITIES, segments: Path | None = None) -> Dataset:
    """
    Load a contest's test file, whose labels are not told, and check every row of it.

    Args:
        path (`str` or `Path`): CSV with `id` or `filename`, and `transcription` or `text`. A column `label` is ignored.
        modalities (`Iterable[str]`, *optional*, defaults to `("speech", "text")`): what is needed of each row.
        segments (`Path`, *optional*): folder of the recordings; by default the CSV's own, and `audio/` and `segments/`
            in it.

    Returns:
        `Dataset` of the schema, in the order of the file.

    Raises:
        CorpusError: With each problem's file, row and cure.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    rows = read_csv(path, labelled=False)
    if not rows:
        raise CorpusError([Problem(path.name, 0, "", "the file has no rows", "Add utterances")])
    if segments is None:
        find_audio(rows, path.parent)
    else:
        find_audio(rows, segments, ("",))
    for row in rows:
        row.label = None
    problems = check_rows(rows, tuple(modalities), labelled=False)
    if problems:
        raise CorpusError(list(problems.values()), skippable=False)
    set_groups(rows)
    return rows_to_dataset(rows)


def rows_to_dataset(rows: list[Row]) -> Dataset:
    """
    Args:
        rows (`list[Row]`): checked rows.

    Returns:
        `Dataset` of the schema; audio stays where it is, as path or bytes.
    """
    features = corpus_features()
    # A plain struct is cast afterwards: encoding an Audio column would want an audio library even for paths.
    plain = datasets.Features(
        {**features, "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}}
    )
    columns: dict[str, list[Any]] = {name: [] for name in features}
    for row in rows:
        for name, value in row.as_example().items():
            columns[name].append(value)
    return Dataset.from_dict(columns, features=plain).cast_column("audio", Audio(decode=False))


def _read(source: str | Path, revision: str | None, encoding_errors: str) -> dict[str, list[Row]]:
    folder = Path(source)
    if folder.is_dir():
        if (folder / "train.csv").is_file() or (folder / "test.csv").is_file():
            return read_folder(folder, encoding_errors)
        files = _parquet_files(folder)
        if files:
            corpus = load_dataset(
                "parquet", data_files={split: list(map(str, paths)) for split, paths in files.items()}
            )
            return {split: _dataset_rows(corpus[split], f"{folder.name}/{split}") for split in corpus}
        raise FileNotFoundError(
            f"{folder} holds no corpus: there is neither a train.csv nor a train-*.parquet in it or in its data/."
        )
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(source)) or folder.suffix:
        raise FileNotFoundError(
            f"{source} is no folder, and no id of a dataset on the Hub, which looks like user/name."
        )
    corpus = load_dataset(str(source), revision=revision)
    return {split: _dataset_rows(corpus[split], f"{source}/{split}") for split in corpus if split in SPLITS}


def _parquet_files(folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for place in (folder, folder / "data"):
        for split in SPLITS:
            found = sorted(place.glob(f"{split}*.parquet"))
            if found:
                files[split] = found
        if files:
            break
    return files


def _dataset_rows(dataset: Dataset, name: str) -> list[Row]:
    """Rows of a `datasets` dataset whose columns may be spelled as in any corpus of this field."""
    names = dataset.column_names
    id_column = next((column for column in ID_COLUMNS if column in names), None)
    text_column = next((column for column in TEXT_COLUMNS if column in names), None)
    missing = [
        " or ".join(columns)
        for columns, found in ((ID_COLUMNS, id_column), (TEXT_COLUMNS, text_column), (("label",), "label" in names))
        if not found
    ]
    if missing:
        cure = f"The dataset has the columns {', '.join(names)}"
        raise CorpusError([Problem(name, 0, "", f"there is no column {column}", cure) for column in missing])
    label_feature = dataset.features["label"]
    if "audio" in names and isinstance(dataset.features["audio"], Audio):
        dataset = dataset.cast_column("audio", Audio(decode=False))
    rows = []
    for number, record in enumerate(dataset, start=1):
        label = record["label"]
        if isinstance(label, int):
            named = isinstance(label_feature, ClassLabel) and 0 <= label < label_feature.num_classes
            label = label_feature.int2str(label) if named else (str(label) if label >= 0 else None)
        audio = record.get("audio")
        rows.append(
            Row(
                file=name,
                row=number,
                id=record[id_column] or "",
                audio=audio if audio and (audio.get("bytes") or audio.get("path")) else None,
                text=(record[text_column] or "").strip(),
                label=label or None,
                gender=record.get("gender"),
                group_keys={column: record[column] or "" for column in GROUP_COLUMNS if column in names},
            )
        )
    return rows


def _report(problems: list[Problem], rows: int, rejected: str | Path | None) -> None:
    logger.warning("Leaving out %d of %d rows that cannot be used.", len(problems), rows)
    if rejected is not None:
        write_rejected(problems, Path(rejected))
        logger.warning("They are listed in %s.", rejected)
