"""The emotions of many recordings or texts, as a table: what cannot be used is listed, and a stopped run goes on."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tqdm.auto import tqdm

from .adaptation import profile_of
from .audio_emospeech import AudioError, decode_audio
from .data.folder import find_audio, find_recordings, read_csv
from .pipeline_emospeech import LONGEST_UTTERANCE, AudioTextEmotionPipeline
from .safe_writing import write_text
from .speaker_emospeech import SpeakerProfile
from .timeline_emospeech import in_batches
from .training.features import weights_digest


MOST_CLIPS = 64
"""A profile of so many utterances goes 94 % of the way; more would only take longer."""

SORTED_BATCHES = 16
"""Utterances of so many batches are sorted by length, so that little of a batch is padding."""

SUFFIXES = (".csv", ".jsonl")

logger = logging.getLogger(__name__)

Keyed = tuple[str, Mapping[str, Any]]
"""An utterance behind what tells it from others."""


def find_utterances(data: Path) -> list[dict[str, Any]]:
    """
    Args:
        data (`Path`): a folder, whose recordings are sought in its folders too; or a CSV file with `id` or `filename`
            and, if there are transcripts, `transcription` or `text`, with its recordings beside it or in `audio/`.

    Returns:
        `list[dict]`: `id`, and as far as they are there, `audio` (a path), `text` and `speaker` of each; of a row whose
        recording is not found, `sought`. In a folder, each folder is taken for one speaker.

    Raises:
        FileNotFoundError: If there is no such folder or file, or no recording in it.
        CorpusError: If the file is no such CSV.
    """
    if data.is_dir():
        return [
            {"id": _name(path.relative_to(data)), "audio": str(path), "speaker": _name(path.parent.relative_to(data))}
            for path in find_recordings(data)
        ]
    if not data.is_file():
        raise FileNotFoundError(f"{data}: there is no such folder or CSV file.")
    rows = read_csv(data, labelled=False, transcribed=False)
    if not rows:
        raise FileNotFoundError(f"{data} has no rows.")
    find_audio(rows, data.parent)
    utterances: list[dict[str, Any]] = []
    for row in rows:
        utterance: dict[str, Any] = {"id": row.id}
        if row.audio is not None:
            utterance["audio"] = row.audio["path"]
        else:
            utterance["sought"] = row.audio_sought
        if row.text:
            utterance["text"] = row.text
        if row.group_keys.get("speaker"):
            utterance["speaker"] = row.group_keys["speaker"]
        utterances.append(utterance)
    return utterances


def write_predictions(
    classify: AudioTextEmotionPipeline,
    utterances: Sequence[Mapping[str, Any]],
    output: Path,
    speaker: Path | None = None,
    own_profiles: bool = False,
    abstain_below: float | None = None,
    batch_size: int = 16,
    overwrite: bool = False,
) -> list[dict[str, Any]]:
    """
    Tell the emotion of each utterance and write a table. What cannot be used stands in it with its problem, and the
    others are told. Until the table is whole it is `output` with `.partial` behind its name; the same call goes on with
    that.

    Args:
        classify ([`AudioTextEmotionPipeline`]): the model's pipeline.
        utterances (`Sequence[Mapping]`): of [`find_utterances`].
        output (`Path`): a file with the suffix `.csv` or `.jsonl`, with `id`, `label`, `score`, a column for the score
            of each emotion (in JSON Lines, `scores`), `text` where the transcriber wrote it, and `problem`.
        speaker (`Path`, *optional*): profile of the one who speaks in all of them.
        own_profiles (`bool`, *optional*, defaults to `False`): make a profile of each speaker from that speaker's
            utterances, at most `MOST_CLIPS` of them. They should be of several moods.
        abstain_below (`float`, *optional*): see the pipeline.
        batch_size (`int`, *optional*, defaults to 16): utterances that go through the model together.
        overwrite (`bool`, *optional*, defaults to `False`): whether to begin anew where there is such a file.

    Returns:
        `list[dict]`: the table, as in JSON Lines.

    Raises:
        FileExistsError: If there is such a file.
        ValueError: If it has another suffix, was begun with another model or other settings, or no utterance has what
            the model needs.
    """
    check_output(output, overwrite)
    _check_modalities(classify, utterances)
    if own_profiles and speaker is not None:
        raise ValueError("`own_profiles` makes profiles, and `speaker` gives one: leave one of them out.")
    if own_profiles and not any("speaker" in utterance for utterance in utterances):
        raise ValueError("Nobody knows who speaks: the CSV file has no column speaker to make profiles by.")
    partial = output.with_name(output.name + ".partial")
    settings = {
        "model": weights_digest(classify.model),
        "transcriber": _recogniser(classify),
        "speaker": None if speaker is None else hashlib.sha256(speaker.read_bytes()).hexdigest(),
        "abstain_below": abstain_below,
    }
    if overwrite:
        partial.unlink(missing_ok=True)
    done = _begun(partial, settings)
    speakers = _by_speaker(utterances, own_profiles).items()
    keyed = {name: _with_keys(own, own_profiles) for name, own in speakers}
    given = None if speaker is None else SpeakerProfile.load(speaker)
    count = sum(key in done for own in keyed.values() for key, _ in own)
    with (
        partial.open("a", encoding="utf-8") as file,
        tqdm(total=len(utterances), initial=count, desc="Telling", unit="utterance") as bar,
    ):
        for name, own in keyed.items():
            remaining = [(key, utterance) for key, utterance in own if key not in done]
            if not remaining:
                continue
            lengths = {key: _length(utterance) for key, utterance in own}
            profile = given if name is None else _profile(classify, own, lengths)
            for batch in _batches(remaining, lengths, batch_size):
                entries = _told(classify, batch, lengths, {"speaker": profile, "abstain_below": abstain_below})
                for (key, _), entry in zip(batch, entries):
                    done[key] = entry
                    file.write(_line({"key": key, "entry": entry}))
                file.flush()
                bar.update(len(batch))
    keys = {id(utterance): key for own in keyed.values() for key, utterance in own}
    table = [done[keys[id(utterance)]] for utterance in utterances]
    config = classify.model.config
    names = [config.id2label[index] for index in range(config.num_labels)]
    write_text(output, _csv(table, names) if output.suffix == ".csv" else _json_lines(table))
    partial.unlink()
    return table


def check_output(output: Path, overwrite: bool) -> None:
    """
    Args:
        output (`Path`), overwrite (`bool`): see [`write_predictions`].

    Raises:
        FileExistsError, ValueError: See there.
    """
    if output.suffix not in SUFFIXES:
        raise ValueError(f"{output}: the table is a file with the suffix {' or '.join(SUFFIXES)}.")
    if output.exists() and not overwrite:
        raise FileExistsError(f"{output} is there already: name another file, or replace it with --overwrite.")


def _begun(partial: Path, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries of a run that was stopped, by key; afterwards the file holds these and no half line."""
    lines = partial.read_bytes().split(b"\n")[:-1] if partial.exists() else []
    try:
        found = [json.loads(line) for line in lines]
    except ValueError as error:
        raise ValueError(f"{partial} is damaged: begin anew with --overwrite.") from error
    if len(found) > 1 and found[0] != settings:
        differing = [name for name in settings if found[0].get(name) != settings[name]]
        raise ValueError(
            f"{partial} was begun with another {', '.join(differing)}: finish it with the same, or begin anew with "
            "--overwrite."
        )
    kept = found if len(found) > 1 else [settings]
    write_text(partial, "".join(map(_line, kept)))
    if len(kept) > 1:
        logger.warning("Going on after %d utterances of the run that was stopped.", len(kept) - 1)
    return {line["key"]: line["entry"] for line in kept[1:]}


def _check_modalities(classify: AudioTextEmotionPipeline, utterances: Sequence[Mapping[str, Any]]) -> None:
    config = classify.model.config
    if config.missing_modalities:
        return
    if config.uses_text and classify.transcriber is None and not any("text" in given for given in utterances):
        raise ValueError(
            "This model reads, and there are no transcripts: give a CSV file with the columns filename and "
            "transcription, or a transcriber (--transcribe)."
        )
    if config.uses_speech and not any("audio" in given for given in utterances):
        raise ValueError(f"This model hears, and there is no recording: {_sought(utterances[0])}.")


def _recogniser(classify: AudioTextEmotionPipeline) -> str | None:
    if classify.transcriber is None:
        return None
    model = getattr(classify.transcriber.recogniser, "model", None)
    return str(getattr(model, "name_or_path", "a function"))


def _sought(utterance: Mapping[str, Any]) -> str:
    return str(utterance.get("sought", f"{utterance['id']} has no audio"))


def _name(path: Path) -> str:
    """The path as text, also where it is not UTF-8."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _by_speaker(
    utterances: Sequence[Mapping[str, Any]], own_profiles: bool
) -> dict[str | None, list[Mapping[str, Any]]]:
    """Where profiles are made, the utterances of each speaker; otherwise all of them, of nobody in particular."""
    groups: dict[str | None, list[Mapping[str, Any]]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.get("speaker") if own_profiles else None, []).append(utterance)
    return groups


def _profile(
    classify: AudioTextEmotionPipeline, utterances: Sequence[Keyed], lengths: Mapping[str, float]
) -> SpeakerProfile | None:
    """Of the usable recordings, evenly chosen where they are many; `None` where there is nothing to hear."""
    usable = [one["audio"] for key, one in utterances if "audio" in one and lengths[key] <= LONGEST_UTTERANCE]
    chosen = np.linspace(0, len(usable) - 1, min(len(usable), MOST_CLIPS)).round().astype(int)
    try:
        # Nobody chose these for a profile, so that those of one mood count for nothing.
        return profile_of(classify, _decoded([usable[place] for place in chosen]), chosen=False, progress=False)
    except AudioError:
        return None


def _decoded(recordings: Sequence[str]) -> Iterator[tuple[np.ndarray, int]]:
    for recording in recordings:
        with contextlib.suppress(AudioError):  # Telling its emotion says what is wrong.
            yield decode_audio(recording)


def _batches(utterances: Sequence[Keyed], lengths: Mapping[str, float], size: int) -> Iterator[list[Keyed]]:
    for block in in_batches(utterances, size * SORTED_BATCHES):
        yield from in_batches(sorted(block, key=lambda one: lengths[one[0]]), size)


def _with_keys(utterances: Sequence[Mapping[str, Any]], companions: bool) -> list[Keyed]:
    """Each with what tells it from others, and if so, from the same among others of its speaker."""
    keys = [_digest(_described(utterance)) for utterance in utterances]
    if companions:
        whole = _digest(keys)
        keys = [_digest([key, whole]) for key in keys]
    return list(zip(keys, utterances))


def _described(utterance: Mapping[str, Any]) -> dict[str, Any]:
    """The utterance, and of its recording what changes where it is replaced."""
    parts = dict(utterance)
    if "audio" in parts:
        status = Path(parts["audio"]).stat()
        parts["audio"] += f" {status.st_size} {status.st_mtime_ns}"
    return parts


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"


def _told(
    classify: AudioTextEmotionPipeline,
    batch: Sequence[Keyed],
    lengths: Mapping[str, float],
    arguments: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """Each one's entry. A batch with one that cannot be used is heard one by one."""
    found = [_problem(classify, utterance, lengths[key]) for key, utterance in batch]
    given = [_inputs(utterance) for (_, utterance), problem in zip(batch, found) if problem is None]
    answers: list[Any] | None = None
    if len(given) > 1:
        try:
            answers = classify(given, batch_size=len(given), **arguments)
        except (ValueError, OSError):
            answers = None  # One of them; which one, and why, is found by hearing them one by one.
    if answers is None:
        answers = [_alone(classify, utterance, arguments) for utterance in given]
    remaining = iter(answers)
    for (_, utterance), problem in zip(batch, found):
        answer = next(remaining) if problem is None else problem
        entry: dict[str, Any] = {"id": utterance["id"], "label": None, "score": None, "scores": {}}
        if isinstance(answer, str):
            yield {**entry, "text": None, "problem": answer}
            continue
        emotions = classify.model.config.label2id
        entry.update(label=answer[0]["label"], score=answer[0]["score"])
        entry["scores"] = {each["label"]: each["score"] for each in answer if each["label"] in emotions}
        yield {**entry, "text": answer[0].get("text"), "problem": None}


def _alone(classify: AudioTextEmotionPipeline, utterance: dict[str, Any], arguments: dict[str, Any]) -> Any:
    try:
        return classify(utterance, **arguments)
    except (ValueError, OSError) as error:
        return str(error)


def _inputs(utterance: Mapping[str, Any]) -> dict[str, Any]:
    return {name: utterance[name] for name in ("audio", "text") if name in utterance}


def _length(utterance: Mapping[str, Any]) -> float:
    """Seconds of its recording, or 0 where that cannot be told."""
    try:
        return float(soundfile.info(utterance["audio"]).duration) if "audio" in utterance else 0.0
    except (soundfile.SoundFileError, RuntimeError):
        return 0.0  # Hearing it says what is wrong.


def _problem(classify: AudioTextEmotionPipeline, utterance: Mapping[str, Any], seconds: float) -> str | None:
    """What can be told without hearing it."""
    config = classify.model.config
    heard = config.uses_speech or (classify.transcriber is not None and "text" not in utterance)
    if not heard:
        return None
    if "audio" not in utterance:
        spared = config.missing_modalities and "text" in utterance
        return None if spared else f"There is no such recording: {_sought(utterance)}."
    if seconds <= LONGEST_UTTERANCE:
        return None
    return f"It lasts {seconds:.0f} s, too long for one emotion: `emospeech timeline` tells its emotions over time."


def _csv(table: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("id", "label", "score", *names, "text", "problem"))
    for entry in table:
        scores = [entry["scores"].get(name) for name in names]
        writer.writerow((entry["id"], entry["label"], entry["score"], *scores, entry["text"], entry["problem"]))
    return file.getvalue()


def _json_lines(table: Sequence[Mapping[str, Any]]) -> str:
    return "".join(map(_line, table))
