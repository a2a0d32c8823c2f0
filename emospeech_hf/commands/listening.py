"""`emospeech predict`, `explain`, `timeline` and `adapt`: a model at work on recordings and words."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from .arguments import add_batch_size, add_model_arguments, add_transcribe, output_argument


def add_commands(commands: Any) -> None:
    """
    Args:
        commands (`argparse._SubParsersAction`): the parser's commands, added to.
    """
    predict = commands.add_parser("predict", help="tell the emotion of one utterance, or of many")
    add_model_arguments(predict)
    _add_utterance(predict)
    predict.add_argument(
        "--data",
        type=Path,
        metavar="DIR_OR_CSV",
        help="many instead of one: a folder of recordings, or a CSV file with filename and, if there are transcripts, "
        "transcription",
    )
    predict.add_argument(
        "--output", type=Path, metavar="FILE", help="table of many, .csv or .jsonl; a run that was stopped goes on"
    )
    predict.add_argument(
        "--own-profiles",
        "--own_profiles",
        action="store_true",
        help="make a profile of each speaker from these recordings, which should be of several moods: by the column "
        "speaker, or each folder is one person's",
    )
    predict.add_argument("--overwrite", action="store_true", help="replace the table if it is there already")
    add_batch_size(predict)
    predict.add_argument(
        "--abstain-below", "--abstain_below", type=float, metavar="SCORE", help="say uncertain below this score"
    )
    predict.add_argument("--json", action="store_true", help="print the answer as JSON instead of bars")
    predict.set_defaults(run=run_predict)

    explain = commands.add_parser("explain", help="show which seconds, words and layers speak for an emotion")
    add_model_arguments(explain)
    _add_utterance(explain)
    explain.add_argument("--label", metavar="EMOTION", help="the emotion to be explained (default: the one told)")
    explain.add_argument(
        "--output", required=True, nargs="+", type=Path, metavar="FILE", help="what to write, by suffix: .json, .png"
    )
    explain.set_defaults(run=run_explain)

    timeline = commands.add_parser("timeline", help="tell the emotions of a long recording over time")
    add_model_arguments(timeline)
    timeline.add_argument(
        "--audio",
        required=True,
        nargs="+",
        type=Path,
        metavar="FILE_OR_DIR",
        help="WAV, FLAC, OGG or MP3, of hours; several, or a folder of them",
    )
    add_transcribe(timeline)
    _add_speaker(timeline)
    timeline.add_argument(
        "--own-profile",
        "--own_profile",
        action=argparse.BooleanOptionalAction,
        help="make a profile of the recording itself (default: where the model takes profiles, without --speaker)",
    )
    timeline.add_argument(
        "--abstain-below", "--abstain_below", type=float, default=0.0, metavar="SCORE", help="say uncertain below this"
    )
    timeline.add_argument(
        "--window",
        type=float,
        metavar="SECONDS",
        help="of one answer (default: a little longer than the training recordings)",
    )
    timeline.add_argument(
        "--overlap", type=float, metavar="SECONDS", help="heard again by the next window (default: a quarter)"
    )
    timeline.add_argument(
        "--separate-channels", "--separate_channels", action="store_true", help="one person is on each channel"
    )
    timeline.add_argument(
        "--voice-activity",
        "--voice_activity",
        action="store_true",
        help="hear what is speech, and call the rest 'no speech' (extra vad)",
    )
    timeline.add_argument(
        "--output",
        required=True,
        nargs="+",
        type=Path,
        metavar="FILE",
        help="what to write, by suffix: .csv, .jsonl, .srt, .vtt, .png; of several recordings with {name}, as "
        "timelines/{name}.csv, and a run that was stopped goes on with those that have none yet",
    )
    timeline.add_argument(
        "--overwrite", action="store_true", help="hear recordings again whose files are there already"
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


def _add_utterance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--audio", type=Path, metavar="FILE", help="WAV, FLAC, OGG or MP3; needed by models that hear")
    parser.add_argument("--text", help="the transcript; needed by models that read")
    add_transcribe(parser)
    _add_speaker(parser)


def _add_speaker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--speaker", type=Path, metavar="FILE", help="profile of the speaker, of `emospeech adapt`")


def _utterance(options: argparse.Namespace) -> dict[str, str]:
    given = {"audio": str(options.audio) if options.audio else None, "text": options.text}
    return {key: value for key, value in given.items() if value is not None}


def run_predict(options: argparse.Namespace) -> None:
    """`emospeech predict`."""
    if options.data is not None:
        run_predict_many(options)
        return
    if options.output is not None:
        raise ValueError("--output is for many utterances: give a folder or a CSV file as --data.")
    if options.own_profiles:
        raise ValueError("--own-profiles is for many utterances: give a folder or a CSV file as --data.")
    from ..evaluation.tables import score_bars
    from ..inference import load_pipeline
    from ..timeline_emospeech import SILENCE

    classify = load_pipeline(options.model, options.revision, options.transcribe)
    answer = classify(_utterance(options), abstain_below=options.abstain_below, speaker=options.speaker)
    if options.json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    elif answer[0]["label"] == SILENCE:
        print("silence: there is nothing to hear in this recording.")
    else:
        if "text" in answer[0]:
            print(f"Heard: «{answer[0]['text']}»")
        print(score_bars(answer))


def run_predict_many(options: argparse.Namespace) -> None:
    """`emospeech predict --data`."""
    from ..bulk_prediction import check_output, find_utterances, write_predictions
    from ..inference import load_pipeline

    if options.audio is not None or options.text is not None:
        raise ValueError("--audio and --text are one utterance, and --data is many: leave one of them out.")
    if options.output is None:
        raise ValueError("--data needs --output, a .csv or .jsonl file.")
    check_output(options.output, options.overwrite)
    utterances = find_utterances(options.data)
    classify = load_pipeline(options.model, options.revision, options.transcribe)
    table = write_predictions(
        classify,
        utterances,
        options.output,
        speaker=options.speaker,
        own_profiles=options.own_profiles,
        abstain_below=options.abstain_below,
        batch_size=options.batch_size,
        overwrite=options.overwrite,
    )
    told = [entry["label"] for entry in table if entry["problem"] is None]
    print(f"{len(told)} utterances: {_shares(told)}" if told else "No utterance could be told.")
    bad = [entry for entry in table if entry["problem"] is not None]
    if bad:
        print(f"{len(bad)} could not be used, as {options.output} says; the first, {bad[0]['id']}: {bad[0]['problem']}")


def _shares(labels: list[str]) -> str:
    return ", ".join(f"{label} {count / len(labels):.0%}" for label, count in Counter(labels).most_common())


def run_explain(options: argparse.Namespace) -> None:
    """`emospeech explain`."""
    from ..explanation import check_explanation_path, explain, write_explanation
    from ..inference import load_pipeline

    for path in options.output:
        check_explanation_path(path)
    classify = load_pipeline(options.model, options.revision, options.transcribe)
    explanation = explain(classify, _utterance(options), options.label, speaker=options.speaker)
    for path in options.output:
        write_explanation(explanation, path)
    shares = ", ".join(f"{name} {value:+.2f}" for name, value in explanation.sources.items())
    print(
        f"{explanation.label}, score {explanation.score:.2f}; its logit is {explanation.margin:+.2f} from their mean:"
    )
    print(f"{shares}; {explanation.baseline:+.2f} without anything")
    strongest = sorted(explanation.words, key=lambda entry: -entry["contribution"])[:5]
    if strongest:
        print("words: " + ", ".join(f"{entry['word']} {entry['contribution']:+.2f}" for entry in strongest))


def run_timeline(options: argparse.Namespace) -> None:
    """`emospeech timeline`."""
    from transformers.utils import logging as transformers_logging

    from ..audio_emospeech import AudioError
    from ..inference import load_pipeline
    from ..timeline import timeline_targets, write_timeline

    targets = timeline_targets(options.audio, options.output)
    several = len(targets) > 1
    classify = load_pipeline(options.model, options.revision, options.transcribe)
    voice_activity = None
    if options.voice_activity:
        from ..voice_activity import VoiceActivity

        voice_activity = VoiceActivity()
    config = classify.model.config
    labels = [config.id2label[index] for index in range(config.num_labels)]
    transformers_logging.enable_progress_bar()
    unusable = []
    for recording, outputs in targets:
        if several and not options.overwrite and all(path.exists() for path in outputs):
            print(f"{recording}: its files are there already (--overwrite hears it again)")
            continue
        try:
            found = classify.timeline(
                str(recording),
                window=options.window,
                overlap=options.overlap,
                separate_channels=options.separate_channels,
                speaker=options.speaker,
                abstain_below=options.abstain_below,
                batch_size=options.batch_size,
                own_profile=options.own_profile,
                voice_activity=voice_activity,
                progress=True,
            )
            entries = list(found)
        except AudioError as error:
            if not several:
                raise
            unusable.append(str(error))
            continue
        for path in outputs:
            write_timeline(entries, path, labels, recording.name)
        shares = _shares([entry["label"] for entry in entries])
        print(f"{f'{recording}: ' if several else ''}{len(entries)} windows: {shares}")
    if unusable:
        lines = "\n".join(f"  {problem}" for problem in unusable)
        raise ValueError(f"{len(unusable)} of {len(targets)} recordings could not be used:\n{lines}")


def run_adapt(options: argparse.Namespace) -> None:
    """`emospeech adapt`."""
    from transformers import AutoConfig

    from ..adaptation import find_clips, make_profile, read_labels, windows_as_clips
    from ..speaker_emospeech import PRIOR_CLIPS, VARIED

    clips: Any
    if options.data.is_file():
        if options.labels is not None:
            raise ValueError("--labels are of recordings in a folder: give one as --data.")
        config = AutoConfig.from_pretrained(options.model, revision=options.revision or "main")
        clips = windows_as_clips(options.data, config.window_seconds)
    else:
        clips = find_clips(options.data)
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
