"""Words for recordings that come without a transcript, by any speech recogniser that transformers has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import pipeline

from .audio_emospeech import AudioError, decode_audio, resample_audio


WHISPER_SECONDS = 30
"""Longer recordings go through Whisper in pieces, which it joins by timestamps."""


class Transcriber:
    """
    A speech recogniser.

    Args:
        recogniser (`str` or `Callable`):
            Hub id or folder of a model for `pipeline("automatic-speech-recognition")`, such a pipeline, or anything
            that is called like one: with `{"raw", "sampling_rate"}`, returning a `dict` with `text`.
        device (*optional*): where a model that is named by id or folder runs.
    """

    def __init__(self, recogniser: str | Callable[..., Any], device: Any = None) -> None:
        if isinstance(recogniser, str):
            loaded: Any = pipeline("automatic-speech-recognition", model=recogniser, device=device)
            if loaded.model.device.type == "cpu":
                loaded.model.float()  # Many are stored in half precision, which takes a CPU three times as long.
            recogniser = loaded
        self.recogniser: Any = recogniser
        model = getattr(recogniser, "model", None)
        config = getattr(model, "config", None)
        self.is_whisper = getattr(config, "model_type", None) == "whisper"
        self.sampling_rate: int = getattr(getattr(recogniser, "feature_extractor", None), "sampling_rate", 16_000)
        generation = getattr(model, "generation_config", None)
        self.is_multilingual = self.is_whisper and bool(getattr(generation, "is_multilingual", False))

    def __call__(self, audio: Any, sampling_rate: int | None = None) -> str:
        """
        Args:
            audio: one recording, as [`~audio_emospeech.decode_audio`] takes it.
            sampling_rate (`int`, *optional*): rate in Hz of an array that comes without one.

        Returns:
            `str`: what is said, in Spanish where the recogniser knows several languages; without outer blanks.

        Raises:
            AudioError: If the recording cannot be used, or no words are heard in it.
        """
        waveform, rate = decode_audio(audio, sampling_rate)
        options: dict[str, Any] = {}
        if self.is_multilingual:
            options["generate_kwargs"] = {"language": "spanish", "task": "transcribe"}
        if self.is_whisper and len(waveform) > WHISPER_SECONDS * rate:
            options["return_timestamps"] = True
        recording = {"raw": resample_audio(waveform, rate, self.sampling_rate), "sampling_rate": self.sampling_rate}
        text = str(self.recogniser(recording, **options)["text"]).strip()
        if not text:
            raise AudioError(
                "The transcriber hears no words in this recording. Give the transcript as `text`, or use a model of "
                "speech alone."
            )
        return text


__all__ = ["Transcriber"]
