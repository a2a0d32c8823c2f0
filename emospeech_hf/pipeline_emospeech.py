"""`pipeline("audio-text-emotion")`: an utterance in, its emotions with their scores out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from transformers import Pipeline
from transformers.utils import logging

from .audio_emospeech import decode_audio, is_silent
from .speaker_emospeech import SpeakerProfile
from .timeline_emospeech import SILENCE, RecordingListener, VoiceActivity
from .transcription_emospeech import Transcriber
from .windows_emospeech import OVERLAP, WINDOW_SECONDS, cut_windows


logger = logging.get_logger(__name__)

RECORDING_SUFFIXES = (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".mp4")

LONGEST_UTTERANCE = 30.0
"""Seconds; hardly anybody keeps one emotion for longer."""

UNCERTAIN = "uncertain"
"""What an answer begins with where no emotion is likely enough."""


class AudioTextEmotionPipeline(Pipeline):
    r"""
    Tells the emotion of utterances from speech and transcript.

    Takes one utterance, a list, a generator or a dataset of them. An utterance is
    `{"audio": ..., "text": ...}`, where audio is a path, bytes, `{"array", "sampling_rate"}`, an array beside a
    `sampling_rate`, or a value of a `datasets` audio column. A model of one modality also takes the bare audio or
    the bare text. A list gives a list of answers; a generator or dataset gives an iterator.

    An answer is a list of `{"label", "score"}`, the most probable first; the scores are probabilities. Where there is
    nothing to hear, it is `[{"label": "silence", "score": 1.0}]`, save for a model that takes text alone as well and is
    given one: that answers for the text.

    With `return_timestamps=True` it takes one long recording instead, and the answer is that of [`timeline`], as a
    list.

    Args:
        transcriber (`str` or `Callable`, *optional*): speech recogniser that writes the transcript where an utterance
            comes without `text`: a Hub id or folder, as `"openai/whisper-small"`, or such a pipeline; see
            [`Transcriber`]. The entries of such an answer hold what it heard, as `text`.

    Args (here or at each call):
        top_k (`int`, *optional*): how many emotions an answer holds; by default all.
        speaker (`str`, `PathLike` or [`SpeakerProfile`], *optional*): profile of the one who speaks, a file that
            `emospeech adapt` makes of some of their clips.
        abstain_below (`float`, *optional*): where no emotion reaches this score, the answer begins with
            `{"label": "uncertain", "score": ...}`, whose score is what the best emotion lacks to 1.
        tell_silence (`bool`, *optional*, defaults to `True`): `False` answers with emotions even where there is nothing
            to hear, as scores over a whole corpus need.
        sampling_rate (`int`, *optional*): rate in Hz of arrays that come without one.
        batch_size (`int`, *optional*, defaults to 1): utterances that go through the model together.

    Example:

    ```python
    >>> from transformers import pipeline

    >>> classify = pipeline("audio-text-emotion", model="user/model", trust_remote_code=True)  # doctest: +SKIP
    >>> classify({"audio": "llamada.wav", "text": "¡Qué alegría verte!"}, top_k=1)  # doctest: +SKIP
    [{'label': 'joy', 'score': 0.93}]

    ```
    """

    _load_processor = True
    _load_tokenizer = False
    _load_feature_extractor = False
    _load_image_processor = False
    _load_video_processor = False

    def __init__(self, *args: Any, transcriber: str | Callable[..., Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transcriber = None if transcriber is None else Transcriber(transcriber, self.device)
        # A model that comes from memory may still be in training, and its dropout would draw lots.
        self.model.eval()

    def _sanitize_parameters(
        self,
        top_k: int | None = None,
        sampling_rate: int | None = None,
        abstain_below: float | None = None,
        speaker: str | os.PathLike[str] | SpeakerProfile | None = None,
        tell_silence: bool | None = None,
        **unknown: Any,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if unknown:
            raise TypeError(
                f"Unknown argument {sorted(unknown)[0]!r}; this pipeline takes top_k, abstain_below, speaker, "
                "tell_silence, sampling_rate and batch_size."
            )
        if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
            raise ValueError(f"`top_k` is {top_k!r}; it must be a number from 1, or None for all emotions.")
        if abstain_below is not None and not 0 <= abstain_below <= 1:
            raise ValueError(f"`abstain_below` is {abstain_below!r}; it is compared with scores, from 0 to 1.")
        given = {"sampling_rate": sampling_rate, "tell_silence": tell_silence}
        preprocess: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if speaker is not None:
            preprocess["speaker"] = speaker if isinstance(speaker, SpeakerProfile) else SpeakerProfile.load(speaker)
        wanted = {"top_k": top_k, "abstain_below": abstain_below}
        postprocess = {name: value for name, value in wanted.items() if value is not None}
        return preprocess, {}, postprocess

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """See the class."""
        if kwargs.pop("return_timestamps", False):
            return list(self.timeline(inputs, **kwargs))
        if isinstance(inputs, (list, tuple)) and not inputs:
            return []
        if hasattr(inputs, "column_names") and hasattr(inputs, "features"):
            inputs = (row for row in inputs)  # a dataset of the library `datasets`
        return super().__call__(inputs, **kwargs)

    def timeline(
        self,
        audio: Any,
        window: float | None = None,
        overlap: float | None = None,
        separate_channels: bool = False,
        sampling_rate: int | None = None,
        speaker: str | os.PathLike[str] | SpeakerProfile | None = None,
        abstain_below: float = 0.0,
        batch_size: int = 8,
        own_profile: bool | None = None,
        voice_activity: VoiceActivity | None = None,
        progress: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """
        The emotions of a long recording over time. It is read, heard and forgotten window by window, so that hours take
        no more memory than a minute does. Sound that is still coming may be given as an iterator of chunks: with
        `batch_size=1` each answer comes as soon as its window is full, `window` seconds behind its beginning.

        Args:
            audio: one recording, or an iterator of arrays of samples; see [`~windows_emospeech.cut_windows`].
            window (`float`, *optional*), overlap (`float`, *optional*): length of a window, and how much of it the
                next one hears again, in seconds; by default the config's `window_seconds`, or 8, and a quarter of it.
                The last one ends with the recording, and a recording shorter than a window is one of its own length.
            separate_channels (`bool`, *optional*, defaults to `False`): hear each channel by itself, for recordings
                with one person on each; otherwise channels are averaged.
            own_profile (`bool`, *optional*): make a profile of each channel from the recording itself, see
                [`SpeakerProfile`]; the answers then come when it has been heard. By default, where the model takes
                profiles, no `speaker` is given and `audio` is no iterator.
            voice_activity (`Callable`, *optional*): finds speech: is given a window's samples and their rate, and gives
                start and end of each stretch of speech in seconds, as `emospeech_hf.voice_activity.VoiceActivity` does.
                Only these are heard.
            progress (`bool`, *optional*, defaults to `False`): show how many windows have been heard.
            sampling_rate (`int`, *optional*): rate in Hz of arrays that come without one.
            speaker (*optional*), abstain_below (`float`, *optional*): see the class.
            batch_size (`int`, *optional*, defaults to 8): windows that go through the model together.

        Returns:
            `Iterator[dict]`: for each window `start` and `end` in seconds, `channel`, `text` (what the transcriber
            heard, or `None`), `label`, its `score`, and all `scores` by label. The label is `"silence"` where there is
            nothing to hear, `"no speech"` where voice activity finds none, and `"no words"` where the model reads and
            the transcriber hears none; score is `None` there, and `scores` is empty. With `abstain_below`, it may be
            `"uncertain"`.

        Raises:
            ValueError: If the model needs a transcript and there is no transcriber, or an argument does not fit.
            AudioError: If the recording cannot be used.
        """
        config = self.model.config
        if "speech" not in config.modalities and self.transcriber is None:
            raise ValueError("This model reads and does not hear: give the pipeline a transcriber.")
        if "text" in config.modalities and self.transcriber is None and not config.missing_modalities:
            raise ValueError("This model also reads: give the pipeline a transcriber, or use a model of speech alone.")
        if batch_size < 1:
            raise ValueError(f"`batch_size` is {batch_size}; it must be at least 1.")
        if own_profile and speaker is not None:
            raise ValueError("`own_profile` makes a profile, and `speaker` gives one: leave one of them out.")
        preprocess, _, _ = self._sanitize_parameters(speaker=speaker, abstain_below=abstain_below)
        if isinstance(audio, Mapping) and "audio" in audio:
            if audio.get("text") is not None:
                raise ValueError("Which words are said when is not known: leave `text` out, and give a transcriber.")
            sampling_rate, audio = audio.get("sampling_rate", sampling_rate), audio["audio"]
        if own_profile is None:
            own_profile = config.takes_profiles and speaker is None and not isinstance(audio, Iterator)
        window = window or config.window_seconds or WINDOW_SECONDS
        overlap = OVERLAP * window if overlap is None else overlap
        windows = cut_windows(audio, sampling_rate, window, overlap, separate_channels)
        listener = RecordingListener(self, preprocess.get("speaker"), abstain_below, voice_activity, progress)
        if own_profile:
            yield from listener.entries_with_own_profile(windows, batch_size)
        else:
            yield from listener.entries(windows, batch_size)

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """
        Save model and processor to a folder that `pipeline` loads.

        Args:
            save_directory (`str` or `PathLike`): the folder.
            kwargs: passed on to the model's `save_pretrained`.
        """
        self.model.save_pretrained(save_directory, **kwargs)
        self.processor.save_pretrained(save_directory)

    def preprocess(
        self,
        inputs: Any,
        sampling_rate: int | None = None,
        speaker: SpeakerProfile | None = None,
        tell_silence: bool = True,
    ) -> Any:
        wanted = {"speech": "audio", "text": "text"}
        keys = [wanted[modality] for modality in self.model.config.modalities]
        utterance = self._as_utterance(inputs, keys)
        config, text = self.model.config, utterance.get("text")
        if config.missing_modalities and isinstance(text, str) and not text.strip():
            utterance["text"] = text = None
        has_audio = utterance.get("audio") is not None
        transcriber = self.transcriber if has_audio and "text" in keys and text is None else None
        spared = ["text"] if transcriber is not None else []
        missing = [key for key in keys if utterance.get(key) is None and key not in spared]
        if missing and not (config.missing_modalities and len(missing) < len(keys)):
            given = ", ".join(sorted(map(str, utterance))) or "nothing"
            raise ValueError(
                f"This model needs {' and '.join(map(repr, keys))}, and {' and '.join(map(repr, missing))} is missing "
                f"(given: {given}). Give it, or use a model that was made without it"
                f"{', or a transcriber' if missing == ['text'] else ''}."
            )
        if "text" in keys and isinstance(text, str) and not text.strip():
            raise ValueError("The transcript is empty. Give the words that are said.")
        heard, silent = None, False
        if has_audio and ("audio" in keys or transcriber is not None):
            waveform, rate = decode_audio(utterance["audio"], utterance.get("sampling_rate", sampling_rate))
            utterance["audio"] = {"array": waveform, "sampling_rate": rate}
            if len(waveform) > LONGEST_UTTERANCE * rate:
                logger.warning_once(
                    f"A recording of more than {LONGEST_UTTERANCE:.0f} s is told as one utterance; with "
                    "`return_timestamps=True`, or by `emospeech timeline`, its emotions are told over time."
                )
            silent = tell_silence and is_silent(waveform, rate)
            if silent and config.missing_modalities and text is not None:
                utterance["audio"], silent = None, False
            elif silent and transcriber is not None:
                utterance["text"] = SILENCE  # A recogniser would invent words. The model's answer to these is not told.
            elif transcriber is not None:
                heard = utterance["text"] = transcriber(utterance["audio"])
        batch = {key: [utterance.get(key)] for key in keys}
        model_inputs = self.processor(**batch, return_tensors="pt")
        if self.model.config.missing_modalities and "modality_mask" not in model_inputs:
            # Every row has it, so that rows with and without can stand in one batch.
            model_inputs["modality_mask"] = torch.ones(1, 2, dtype=torch.bool)
        self._turn_bands(model_inputs)
        if speaker is not None:
            model_inputs.update(speaker.model_inputs(1))
        if self.transcriber is not None:
            model_inputs["heard"] = heard
        model_inputs["silent"] = silent
        return model_inputs

    def _turn_bands(self, model_inputs: Any) -> None:
        """
        Turn Whisper's mel bands behind its frames, and back: transformers makes a batch of recordings by filling up the
        second dimension, which must be time.
        """
        if self.processor.feature_extractor.bands_first and "input_features" in model_inputs:
            model_inputs["input_features"] = model_inputs["input_features"].transpose(1, 2)

    def _as_utterance(self, inputs: Any, keys: list[str]) -> dict[str, Any]:
        if isinstance(inputs, Mapping) and any(key in inputs for key in ("audio", "text")):
            return dict(inputs)
        if keys == ["text"] and (not isinstance(inputs, str) or inputs.lower().endswith(RECORDING_SUFFIXES)):
            # A sentence does not end like that, and the name of a recording has no emotion.
            if self.transcriber is None and inputs is not None:
                raise ValueError(
                    f"This model reads and does not hear, and {str(inputs)[:80]!r} is no transcript: give the words "
                    "that are said, or the pipeline a transcriber, or use a model that hears."
                )
            return {"audio": inputs}
        if len(keys) == 1:
            return {keys[0]: inputs}
        hears_alone = self.transcriber is not None or self.model.config.missing_modalities
        if hears_alone and not isinstance(inputs, Mapping):
            return {"audio": inputs}
        if isinstance(inputs, (Mapping, str, os.PathLike)):
            given = f"the keys {sorted(map(str, inputs))}" if isinstance(inputs, Mapping) else repr(inputs)
        else:
            given = type(inputs).__name__
        raise ValueError(f"This model takes {{'audio': ..., 'text': ...}}, not {given}.")

    def _forward(self, model_inputs: Any) -> dict[str, Any]:
        told = {name: model_inputs.pop(name) for name in ("heard", "silent") if name in model_inputs}
        self._turn_bands(model_inputs)
        return {"logits": self.model(**model_inputs).logits, **told}

    def postprocess(
        self, model_outputs: dict[str, Any], top_k: int | None = None, abstain_below: float = 0.0
    ) -> list[dict[str, Any]]:
        if model_outputs.get("silent"):
            return [{"label": SILENCE, "score": 1.0}]
        config = self.model.config
        scores = (model_outputs["logits"][0].float() / config.temperature).softmax(dim=-1)
        answer = [{"label": config.id2label[index], "score": score} for index, score in enumerate(scores.tolist())]
        answer.sort(key=lambda entry: -entry["score"])
        if answer[0]["score"] < abstain_below:
            answer.insert(0, {"label": UNCERTAIN, "score": 1 - answer[0]["score"]})
        heard = model_outputs.get("heard")
        return [entry if heard is None else {**entry, "text": heard} for entry in answer[:top_k]]


__all__ = ["AudioTextEmotionPipeline"]
