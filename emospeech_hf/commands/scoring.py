"""`emospeech predict`, `evaluate`, `compare` and `submit`: a model at work."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from .arguments import (
    add_batch_size,
    add_data_arguments,
    add_model_arguments,
    add_skip_bad_rows,
    add_transcribe,
    output_argument,
)


def add_commands(commands: Any) -> None:
    """
    Args:
        commands (`argparse._SubParsersAction`): the parser's commands, added to.
    """
    predict = commands.add_parser("predict", help="tell the emotion of one utterance")
    add_model_arguments(predict)
    predict.add_argument("--audio", type=Path, metavar="FILE", help="WAV, FLAC, OGG or MP3; needed by models that hear")
    predict.add_argument("--text", help="the transcript; needed by models that read")
    add_transcribe(predict)
    predict.add_argument(
        "--abstain-below", "--abstain_below", type=float, metavar="SCORE", help="say uncertain below this score"
    )
    predict.add_argument("--speaker", type=Path, metavar="FILE", help="profile of the speaker, of `emospeech adapt`")
    predict.add_argument("--json", action="store_true", help="print the answer as JSON instead of bars")
    predict.set_defaults(run=run_predict)

    timeline = commands.add_parser("timeline", help="tell the emotions of a long recording over time")
    add_model_arguments(timeline)
    timeline.add_argument("--audio", required=True, type=Path, metavar="FILE", help="WAV, FLAC, OGG or MP3, of hours")
    add_transcribe(timeline)
    timeline.add_argument("--speaker", type=Path, metavar="FILE", help="profile of the speaker, of `emospeech adapt`")
    timeline.add_argument(
        "--abstain-below", "--abstain_below", type=float, default=0.0, metavar="SCORE", help="say uncertain below this"
    )
    timeline.add_argument("--window", type=float, default=8.0, metavar="SECONDS", help="of one answer (default: 8)")
    timeline.add_argument(
        "--overlap", type=float, default=2.0, metavar="SECONDS", help="heard again by the next window (default: 2)"
    )
    timeline.add_argument(
        "--separate-channels", "--separate_channels", action="store_true", help="one person is on each channel"
    )
    timeline.add_argument(
        "--output",
        required=True,
        nargs="+",
        type=Path,
        metavar="FILE",
        help="what to write, by suffix: .csv, .jsonl, .srt, .vtt, .png",
    )
    add_batch_size(timeline)
    timeline.set_defaults(run=run_timeline)

    adapt = commands.add_parser("adapt", help="make a speaker's profile of some of their clips, with or without labels")
    add_model_arguments(adapt)
    adapt.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR_OR_FILE",
        help="recordings of one person, of any moods, or a long one",
    )
    adapt.add_argument(
        "--labels", type=Path, metavar="CSV", help="emotions of some of the recordings: columns filename and label"
    )
    output_argument(adapt, "the profile, for --speaker", metavar="FILE")
    adapt.set_defaults(run=run_adapt)

    evaluate = commands.add_parser("evaluate", help="score a model on a corpus")
    add_model_arguments(evaluate)
    add_data_arguments(evaluate)
    evaluate.add_argument("--split", default="test", help="split to score (default: test)")
    output_argument(evaluate, "folder for metrics.json, predictions.csv and pictures")
    add_batch_size(evaluate)
    add_skip_bad_rows(evaluate)
    evaluate.set_defaults(run=run_evaluate)

    compare = commands.add_parser("compare", help="whether one model beats another on the same rows")
    compare.add_argument("first", type=Path, metavar="FIRST", help="predictions.csv of `emospeech evaluate`")
    compare.add_argument("second", type=Path, metavar="SECOND", help="that of the other model")
    compare.add_argument("--json", action="store_true", help="print the comparison as JSON")
    compare.set_defaults(run=run_compare)

    submit = commands.add_parser("submit", help="answer a contest's unlabelled test file, as EmoSPeech 2024 takes it")
    add_model_arguments(submit)
    submit.add_argument("--test", required=True, type=Path, metavar="CSV", help="columns id and transcription")
    submit.add_argument(
        "--segments", type=Path, metavar="DIR", help="folder of the recordings (default: beside the CSV)"
    )
    output_argument(submit, "the submission; with the suffix .csv the bare table", metavar="ZIP")
    add_batch_size(submit)
    submit.set_defaults(run=run_submit)


def run_predict(options: argparse.Namespace) -> None:
    """`emospeech predict`."""
    from ..evaluation.tables import score_bars
    from ..inference import load_pipeline

    classify = load_pipeline(options.model, options.revision, options.transcribe)
    given = {"audio": str(options.audio) if options.audio else None, "text": options.text}
    utterance = {key: value for key, value in given.items() if value is not None}
    answer = classify(utterance, abstain_below=options.abstain_below, speaker=options.speaker)
    if "text" in answer[0] and not options.json:
        print(f"Heard: «{answer[0]['text']}»")
    print(json.dumps(answer, ensure_ascii=False, indent=2) if options.json else score_bars(answer))


def run_timeline(options: argparse.Namespace) -> None:
    """`emospeech timeline`."""
    from tqdm.auto import tqdm

    from ..inference import load_pipeline
    from ..timeline import check_timeline_path, write_timeline

    for path in options.output:
        check_timeline_path(path)
    classify = load_pipeline(options.model, options.revision, options.transcribe)
    found = classify.timeline(
        str(options.audio),
        window=options.window,
        overlap=options.overlap,
        separate_channels=options.separate_channels,
        speaker=options.speaker,
        abstain_below=options.abstain_below,
        batch_size=options.batch_size,
    )
    entries = list(tqdm(found, desc="Listening", unit="window"))
    config = classify.model.config
    labels = [config.id2label[index] for index in range(config.num_labels)]
    for path in options.output:
        write_timeline(entries, path, labels, options.audio.name)
    counts = Counter(entry["label"] for entry in entries)
    shares = ", ".join(f"{label} {count / len(entries):.0%}" for label, count in counts.most_common())
    print(f"{len(entries)} windows: {shares}")


def run_adapt(options: argparse.Namespace) -> None:
    """`emospeech adapt`."""
    from ..adaptation import find_clips, make_profile, read_labels, windows_as_clips
    from ..speaker_emospeech import PRIOR_CLIPS, VARIED

    clips: Any = windows_as_clips(options.data) if options.data.is_file() else find_clips(options.data)
    if options.labels is not None and options.data.is_file():
        raise ValueError("--labels are of recordings in a folder: give one as --data.")
    labels = None if options.labels is None else read_labels(options.labels, clips)
    profile = make_profile(options.model, clips, options.revision, labels)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    profile.save(options.output)
    print(f"{options.output}: {profile.clips} clips, which count for {profile.weight:.0%} of what they could.")
    if profile.labelled:
        print(f"{profile.labelled} of them are labelled, and correct how the model hears this speaker.")
    if profile.weight < profile.clips / (profile.clips + PRIOR_CLIPS):
        print(f"The model finds fewer than {VARIED:.0f} emotions in them: clips of other moods would make it better.")
    elif profile.clips < 3 * PRIOR_CLIPS:
        print(f"{3 * PRIOR_CLIPS} clips or more would make it better.")


def run_evaluate(options: argparse.Namespace) -> None:
    """`emospeech evaluate`."""
    from ..inference import evaluate_model

    evaluate_model(
        options.model,
        options.data,
        options.output,
        split=options.split,
        revision=options.revision,
        data_revision=options.data_revision,
        batch_size=options.batch_size,
        skip_bad_rows=options.skip_bad_rows,
    )


def run_compare(options: argparse.Namespace) -> None:
    """`emospeech compare`."""
    from ..evaluation.tables import comparison_table
    from ..inference import compare_files

    comparison = compare_files(options.first, options.second)
    if options.json:
        print(json.dumps(comparison, indent=2))
    else:
        print(comparison_table(comparison, str(options.first), str(options.second)))


def run_submit(options: argparse.Namespace) -> None:
    """`emospeech submit`."""
    from ..inference import write_submission

    path = write_submission(
        options.model, options.test, options.output, options.segments, options.revision, options.batch_size
    )
    print(f"{path} is ready to be uploaded.")
