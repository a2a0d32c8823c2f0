"""Checks that every row of every corpus passes, whatever file it came from."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile
from datasets.utils import tqdm

from ..configuration_emospeech import EMOTIONS
from .groups import join_groups
from .problems import Problem


PROGRESS_FROM_ROWS = 500


@dataclass
class Row:
    """One utterance as it was read, with its place in the file for error messages."""

    file: str
    row: int
    id: str
    group: str | None = None
    audio: dict[str, Any] | None = None
    text: str | None = None
    label: str | None = None
    gender: str | None = None
    audio_sought: str = ""
    group_keys: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)

    def problem(self, what: str, cure: str) -> Problem:
        return Problem(self.file, self.row, self.id, what, cure)

    def as_example(self) -> dict[str, Any]:
        """The row as the schema has it."""
        return {
            "id": self.id,
            "group": self.group,
            "audio": self.audio,
            "text": self.text or "",
            "label": self.label,
            "gender": self.gender,
        }


def set_groups(rows: list[Row]) -> None:
    """
    Name each row's group, over all splits at once, so that a group has the same name on both sides.

    Args:
        rows (`list[Row]`): changed in place.
    """
    groups = join_groups([row.group_keys for row in rows], [row.id for row in rows])
    for row, group in zip(rows, groups):
        row.group = group


def check_rows(rows: list[Row], modalities: Iterable[str], labelled: bool, complete: bool = True) -> dict[int, Problem]:
    """
    Look for rows that cannot be used.

    Args:
        rows (`list[Row]`): the rows of all splits, so that an id that stands in two of them is found.
        modalities (`Iterable[str]`): `"speech"` where audio is needed, `"text"` where a transcript is.
        labelled (`bool`): whether a row may lack its label only if its whole split does.
        complete (`bool`, *optional*, defaults to `True`): whether a row needs all the modalities, or one of them.

    Returns:
        `dict[int, Problem]`: position in `rows` to the first problem of that row.
    """
    problems: dict[int, Problem] = {}
    seen: dict[str, Row] = {}
    labelled_files = {row.file for row in rows if row.label}
    for index, row in enumerate(rows):
        needs_text = "text" in modalities and (complete or row.audio is None)
        problem = _check_row(row, seen, needs_text, labelled and row.file in labelled_files, complete)
        if problem is not None:
            problems[index] = problem
    if "speech" in modalities:
        skipped = {index for index, row in enumerate(rows) if not complete and row.audio is None}
        problems.update(_check_audio(rows, skip={*problems, *skipped}))
    return problems


def _check_row(row: Row, seen: dict[str, Row], needs_text: bool, needs_label: bool, complete: bool) -> Problem | None:
    values = (row.id, row.text, row.label, row.gender, *row.group_keys.values())
    if any("\udc80" <= character <= "\udcff" for value in values if value for character in value):
        return row.problem("the row is not UTF-8", "Save the file as UTF-8 (it may be Latin-1 or Windows-1252)")
    if not row.id:
        return row.problem("the id is empty", "Give every utterance an id of its own")
    if row.id in seen:
        first = seen[row.id]
        place = f"row {first.row}" if first.file == row.file else f"{first.file}, row {first.row}"
        return row.problem(f"the id {row.id!r} stands already in {place}", "Give every utterance an id of its own")
    seen[row.id] = row
    if needs_label and not row.label:
        return row.problem("the label is empty", f"Use one of {', '.join(EMOTIONS)}")
    if row.label and row.label not in EMOTIONS:
        near = difflib.get_close_matches(row.label.strip().lower(), EMOTIONS, n=1)
        cure = f"Did you mean {near[0]!r}? " if near else ""
        return row.problem(f"the label {row.label!r} is unknown", f"{cure}Use one of {', '.join(EMOTIONS)}")
    if needs_text and not (row.text or "").strip():
        if complete:
            return row.problem("the transcript is empty", "Write what is said, or leave the row out")
        sought = f" (sought: {row.audio_sought})" if row.audio_sought else ""
        return row.problem(f"there is neither transcript nor audio{sought}", "Give one of them, or leave the row out")
    return None


def _check_audio(rows: list[Row], skip: set[int]) -> dict[int, Problem]:
    """Read every recording's header; whole recordings are decoded, and checked, when their features are computed."""
    todo = [index for index in range(len(rows)) if index not in skip]
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda index: _check_recording(rows[index]), todo)
        # The bar of `datasets`, so that the other processes of a run, which silence those, show none.
        bar = tqdm(found, total=len(todo), desc="Checking audio", unit="file", disable=len(todo) < PROGRESS_FROM_ROWS)
        return {index: problem for index, problem in zip(todo, bar) if problem is not None}


def _check_recording(row: Row) -> Problem | None:
    if row.audio is None:
        sought = f" (sought: {row.audio_sought})" if row.audio_sought else ""
        return row.problem(f"the audio is missing{sought}", "Put the file there, or leave the row out")
    content, path = row.audio.get("bytes"), row.audio.get("path")
    if content is None and not Path(str(path)).is_file():
        return row.problem(f"the audio {path} is missing", "Put the file there, or leave the row out")
    try:
        information = soundfile.info(io.BytesIO(content) if content is not None else str(path))
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        return row.problem(f"the audio {path or ''} cannot be read ({error})", "Convert it to WAV, FLAC, OGG or MP3")
    if information.frames == 0:
        return row.problem(f"the audio {path or ''} holds no samples", "Record or export it again")
    return None
