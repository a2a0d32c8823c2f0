"""The emotions of a long recording as a file: table, subtitles or picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .data.folder import find_recordings
from .evaluation import plot_timeline
from .safe_writing import write_text


def write_timeline(entries: Sequence[dict[str, Any]], path: Path, labels: Sequence[str], title: str = "") -> None:
    """
    Args:
        entries (`Sequence[dict]`): of [`AudioTextEmotionPipeline.timeline`].
        path (`Path`): its suffix tells the form: `.csv`, `.jsonl`, `.srt`, `.vtt` or `.png`; a picture of channels
            that were heard separately is drawn for each, the second as `name.channel1.png`.
        labels (`Sequence[str]`): the emotions, in the order of columns and rows.
        title (`str`, *optional*): what the picture shows.

    Raises:
        ValueError: If the suffix is none of those.
    """
    check_timeline_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        for channel in sorted({entry["channel"] for entry in entries}):
            own = [entry for entry in entries if entry["channel"] == channel]
            spans = [(entry["start"], entry["end"]) for entry in own]
            target = path if channel == 0 else path.with_suffix(f".channel{channel}.png")
            plot_timeline(spans, [entry["scores"] for entry in own], labels, target, title)
    else:
        write_text(path, WRITERS[path.suffix](entries, labels))


def timeline_targets(recordings: Sequence[Path], outputs: Sequence[Path]) -> list[tuple[Path, list[Path]]]:
    """
    Which files are to be written of which recording.

    Args:
        recordings (`Sequence[Path]`): files, or folders, whose recordings are sought in their folders too.
        outputs (`Sequence[Path]`): see [`write_timeline`]; where there are several recordings, with `{name}` for a
            recording's name without its suffix, and below a folder, its path there.

    Returns:
        `list[tuple[Path, list[Path]]]`: each recording and its files.

    Raises:
        FileNotFoundError: If a folder holds no recordings.
        ValueError: If a suffix is none that can be written, or two recordings would have the same file.
    """
    named: list[tuple[Path, str]] = []
    for place in recordings:
        if place.is_dir():
            named += [(path, path.relative_to(place).with_suffix("").as_posix()) for path in find_recordings(place)]
        else:
            named.append((place, place.stem))
    targets: list[tuple[Path, list[Path]]] = []
    owners: dict[Path, Path] = {}
    for recording, name in named:
        own = [Path(str(output).replace("{name}", name)) for output in outputs]
        for path in own:
            check_timeline_path(path)
            if path in owners:
                cure = "Write {name} into --output" if "{name}" not in str(outputs) else "Rename one of them"
                raise ValueError(f"{path} would be of both {owners[path]} and {recording}. {cure}.")
            owners[path] = recording
        targets.append((recording, own))
    return targets


def check_timeline_path(path: Path) -> None:
    """
    Args:
        path (`Path`): see [`write_timeline`].

    Raises:
        ValueError: If its suffix is none that can be written.
    """
    if path.suffix not in (*WRITERS, ".png"):
        raise ValueError(f"{path}: a timeline is a file with the suffix {', '.join(WRITERS)} or .png.")


def _csv(entries: Sequence[dict[str, Any]], labels: Sequence[str]) -> str:
    table = io.StringIO()
    writer = csv.writer(table)
    plain = ("start", "end", "channel", "text", "label", "score")
    writer.writerow((*plain, *labels))
    for entry in entries:
        scores = [entry["scores"].get(label) for label in labels]
        writer.writerow((*(entry[name] for name in plain), *scores))
    return table.getvalue()


def _json_lines(entries: Sequence[dict[str, Any]], labels: Sequence[str]) -> str:
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def _srt(entries: Sequence[dict[str, Any]], labels: Sequence[str]) -> str:
    cues = [
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{words}\n"
        for number, (start, end, words) in enumerate(_cues(entries), 1)
    ]
    return "\n".join(cues)


def _vtt(entries: Sequence[dict[str, Any]], labels: Sequence[str]) -> str:
    cues = [f"{_clock(start, '.')} --> {_clock(end, '.')}\n{words}\n" for start, end, words in _cues(entries)]
    return "\n".join(["WEBVTT\n", *cues])


def _cues(entries: Sequence[dict[str, Any]]) -> list[tuple[float, float, str]]:
    """Each window up to the start of its channel's next one: subtitles that overlap would stand on one another."""
    several = len({entry["channel"] for entry in entries}) > 1
    cues = []
    for place, entry in enumerate(entries):
        later = (other["start"] for other in entries[place + 1 :] if other["channel"] == entry["channel"])
        end = min(entry["end"], next(later, entry["end"]))
        if entry["score"] is None or end <= entry["start"]:
            continue
        words = f"[{entry['label']} {entry['score']:.0%}]" + (f" {entry['text']}" if entry["text"] else "")
        cues.append((entry["start"], end, f"({entry['channel']}) {words}" if several else words))
    return cues


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


WRITERS: dict[str, Callable[[Sequence[dict[str, Any]], Sequence[str]], str]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".srt": _srt,
    ".vtt": _vtt,
}


__all__ = ["check_timeline_path", "write_timeline"]
