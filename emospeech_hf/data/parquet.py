"""A checked corpus as Parquet files that `load_dataset` and the Hub's viewer read, beside a dataset card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets.utils import tqdm

from ..configuration_emospeech import EMOTIONS
from ..safe_writing import replaced_folder
from .problems import CorpusError, Problem, write_rejected
from .rows import Row, check_rows, set_groups
from .schema import corpus_features


SHARD_BYTES = 500_000_000
ROWS_PER_GROUP = 100


def write_parquet_corpus(
    splits: Mapping[str, list[Row]],
    output: Path,
    card: Callable[[Mapping[str, Mapping[str, Any]]], str],
    skip_bad_rows: bool = False,
    overwrite: bool = False,
    transcribed: bool = True,
) -> dict[str, Any]:
    """
    Check rows and write them as `data/SPLIT-0000N-of-0000M.parquet` and `README.md`, the card.

    Rows without audio are kept, and counted: whoever needs audio is told so when loading.

    Args:
        splits (`Mapping[str, list[Row]]`): split to rows; audio is read from their paths and embedded.
        output (`Path`): the folder, written aside and renamed into place.
        card (`Callable`): makes the dataset card from the statistics that this function returns.
        skip_bad_rows (`bool`, *optional*, defaults to `False`): leave out rows that cannot be used, and list them in
            `rejected.csv`.
        overwrite (`bool`, *optional*, defaults to `False`): replace the folder where it exists.
        transcribed (`bool`, *optional*, defaults to `True`): whether each row must have a transcript, or else a
            recording will do.

    Returns:
        `dict`: `rows`, `without_audio`, `groups` and `labels` of each split, and `rejected`, the number of rows left
        out.

    Raises:
        CorpusError: If rows cannot be used, and they are not to be skipped.
        FileExistsError: If the folder exists, and is not to be replaced.
    """
    if output.exists() and any(output.iterdir()) and not overwrite:
        raise FileExistsError(f"{output} exists: give another --output, or replace it with --overwrite.")
    rows = [row for members in splits.values() for row in members]
    problems = {id(rows[index]): problem for index, problem in _check(rows, transcribed).items()}
    if problems and not skip_bad_rows:
        raise CorpusError(list(problems.values()))
    kept = {split: [row for row in members if id(row) not in problems] for split, members in splits.items()}
    kept = {split: members for split, members in kept.items() if members}
    set_groups([row for members in kept.values() for row in members])
    statistics: dict[str, Any] = {split: _statistics(members) for split, members in kept.items()}
    with replaced_folder(output) as folder:
        for split, members in kept.items():
            _write_split(split, members, folder / "data")
        if problems:
            write_rejected(list(problems.values()), folder / "rejected.csv")
        (folder / "README.md").write_text(card(statistics), encoding="utf-8")
    return {**statistics, "rejected": len(problems)}


def _check(rows: list[Row], transcribed: bool) -> dict[int, Problem]:
    problems = check_rows(rows, ("text",), labelled=True, complete=transcribed)
    with_audio = [index for index, row in enumerate(rows) if row.audio is not None and index not in problems]
    found = check_rows([rows[index] for index in with_audio], ("speech",), labelled=False)
    problems.update({with_audio[position]: problem for position, problem in found.items()})
    return problems


def _statistics(rows: list[Row]) -> dict[str, Any]:
    labels = Counter(row.label for row in rows if row.label)
    return {
        "rows": len(rows),
        "without_audio": sum(row.audio is None for row in rows),
        "groups": len({row.group for row in rows if row.group is not None}),
        "labels": {label: labels[label] for label in EMOTIONS if labels},
    }


def _write_split(split: str, rows: list[Row], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    size = sum(Path(row.audio["path"]).stat().st_size for row in rows if row.audio is not None)
    shards = max(1, -(-size // SHARD_BYTES))
    per_shard = -(-len(rows) // shards)
    features = corpus_features()
    with tqdm(total=len(rows), desc=f"Writing {split}", unit="row", disable=size == 0) as bar:
        for shard in range(shards):
            path = folder / f"{split}-{shard:05d}-of-{shards:05d}.parquet"
            with pq.ParquetWriter(path, features.arrow_schema) as writer:
                for group in _chunks(rows[shard * per_shard : (shard + 1) * per_shard]):
                    examples = [_encode(row) for row in group]
                    writer.write_table(pa.Table.from_pylist(examples, schema=features.arrow_schema))
                    bar.update(len(group))


def _chunks(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), ROWS_PER_GROUP):
        yield rows[start : start + ROWS_PER_GROUP]


def _encode(row: Row) -> dict[str, Any]:
    """The row as Parquet stores it; by hand, as `Features.encode_example` wants an audio library even for bytes."""
    example = row.as_example()
    example["label"] = EMOTIONS.index(row.label) if row.label else None
    if row.audio is not None:
        path = Path(row.audio["path"])
        example["audio"] = {"bytes": path.read_bytes(), "path": path.name}
    return example
