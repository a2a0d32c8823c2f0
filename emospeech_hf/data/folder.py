"""A corpus in a folder: `train.csv`, optionally `validation.csv` and `test.csv`, audio beside them or in `audio/`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from .problems import CorpusError, Problem
from .rows import Row
from .schema import GROUP_COLUMNS, ID_COLUMNS, SPLITS, TEXT_COLUMNS


KNOWN_COLUMNS = (*ID_COLUMNS, *TEXT_COLUMNS, *GROUP_COLUMNS, "label", "gender")
AUDIO_FOLDERS = ("", "audio", "segments")
AUDIO_SUFFIXES = (".wav", ".mp3", ".flac", ".ogg")


def read_folder(folder: Path, encoding_errors: str = "strict") -> dict[str, list[Row]]:
    """
    Read the CSV files of a folder.

    Args:
        folder (`Path`): holds `train.csv` and optionally the other splits. The columns are `id` or `filename`;
            `label`; `transcription` or `text`; optionally `speaker`, `youtube_key` or `group`; optionally `gender`.
            `test.csv` may lack labels.
        encoding_errors (`str`, *optional*, defaults to `"strict"`): `"surrogateescape"` keeps rows that are not UTF-8
            for [`~data.rows.check_rows`] to reject.

    Returns:
        `dict[str, list[Row]]`: split to rows.

    Raises:
        CorpusError: If a file lacks a column, is no CSV, or is not UTF-8.
    """
    splits = {}
    for split in SPLITS:
        path = folder / f"{split}.csv"
        if path.is_file():
            # Contests keep the labels of their test set to themselves.
            splits[split] = read_csv(path, encoding_errors, labelled=split != "test")
            find_audio(splits[split], folder)
    return splits


def read_csv(path: Path, encoding_errors: str = "strict", labelled: bool = True, transcribed: bool = True) -> list[Row]:
    """
    Read one CSV file into rows, without looking for audio.

    Args:
        path (`Path`): the file; see [`read_folder`] for its columns.
        encoding_errors (`str`, *optional*, defaults to `"strict"`): see [`read_folder`].
        labelled (`bool`, *optional*, defaults to `True`): whether a column `label` must be there.
        transcribed (`bool`, *optional*, defaults to `True`): whether a column `transcription` or `text` must be there.

    Returns:
        `list[Row]`; columns that the schema does not know stand in `extra`.

    Raises:
        CorpusError: If the file lacks a column, is no CSV, or is not UTF-8.
    """
    reader = csv.DictReader(io.StringIO(_decode(path, encoding_errors), newline=""), restkey="", strict=False)
    try:
        header = [(name or "").strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        columns = _columns(path, header, labelled, transcribed)
        rows = []
        line = reader.line_num + 1
        for record in reader:
            values = {name: (value or "").strip() for name, value in record.items() if isinstance(value, str)}
            label = values.get("label") or None
            text_column = columns["text"]
            rows.append(
                Row(
                    file=path.name,
                    row=line,
                    id=values.get(columns["id"] or "", ""),
                    text=values.get(text_column, "") if text_column else None,
                    label=label,
                    gender=values.get("gender", "").lower() or None,
                    extra={name: value for name, value in values.items() if name not in KNOWN_COLUMNS},
                    group_keys={name: values.get(name, "") for name in header if name in GROUP_COLUMNS},
                )
            )
            line = reader.line_num + 1
    except csv.Error as error:
        problem = Problem(path.name, reader.line_num, "", f"the row is no CSV ({error})", "Check its quotes")
        raise CorpusError([problem]) from error
    return rows


def _decode(path: Path, encoding_errors: str) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig", errors=encoding_errors)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        cure = f"Save the file as UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8 {path.name}"
        raise CorpusError([Problem(path.name, line, "", what, cure)]) from error


def _columns(path: Path, header: list[str], labelled: bool, transcribed: bool) -> dict[str, str | None]:
    found = {
        "id": next((name for name in ID_COLUMNS if name in header), None),
        "text": next((name for name in TEXT_COLUMNS if name in header), None),
        "label": "label" if "label" in header else None,
    }
    needed = {"id": " or ".join(ID_COLUMNS), "text": " or ".join(TEXT_COLUMNS), "label": "label"}
    if not labelled:
        del needed["label"]
    if not transcribed:
        del needed["text"]
    problems = []
    for field, names in needed.items():
        if found[field] is None:
            cure = f"The first line must name it; it names: {', '.join(header) or 'nothing'}"
            if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
                cure = "Separate the columns by commas, not by semicolons or tabs"
            problems.append(Problem(path.name, 0, "", f"there is no column {names}", cure))
    if problems:
        raise CorpusError(problems)
    return found


def find_audio(rows: list[Row], root: Path, folders: tuple[str, ...] = AUDIO_FOLDERS) -> None:
    """
    Set the audio path of each row whose recording is found. Nothing outside `root` is looked at.

    Args:
        rows (`list[Row]`): changed in place. A recording is named by its row's id, with or without its suffix.
        root (`Path`): the corpus' folder.
        folders (`tuple[str, ...]`, *optional*): folders below it in which recordings may lie.
    """
    places = [place for place in (root / name for name in folders) if place.is_dir()]
    # One listing of each folder instead of a look-up per row.
    listings = {place: {entry.name for entry in place.iterdir()} for place in places}
    for row in rows:
        names = [row.id + suffix for suffix in ("", *AUDIO_SUFFIXES)] if row.id and "\0" not in row.id else []
        for place, name in ((place, name) for place in places for name in names):
            if name in listings[place] or ("/" in name and _inside(root, place / name)):
                row.audio = {"path": str(place / name), "bytes": None}
                break
        row.audio_sought = f"{row.id} in {' and '.join(map(str, places)) or root}, also with .wav, .mp3, .flac, .ogg"


def find_recordings(folder: Path) -> list[Path]:
    """
    Args:
        folder (`Path`): of recordings; other files in it are passed over.

    Returns:
        `list[Path]`: the recordings in it and in its folders, by name.

    Raises:
        FileNotFoundError: If there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file())
    if not found:
        raise FileNotFoundError(f"{folder} holds no recordings; {', '.join(AUDIO_SUFFIXES)} are read.")
    return found


def _inside(root: Path, path: Path) -> bool:
    """Whether an id with a folder in it names a file, and one of this corpus."""
    return root.resolve() in path.resolve().parents and path.is_file()
