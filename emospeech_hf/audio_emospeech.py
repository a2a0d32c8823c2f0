"""From whatever a caller calls audio to a mono waveform. Opens the file it is given and nothing else."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr


SILENCE_DECIBELS = -60.0
"""Sound that nowhere gets louder than this is silence: decibels under full scale, mean over `SILENCE_SECONDS`."""

SILENCE_SECONDS = 0.02

LEAST_SECONDS = 0.1
"""Sound shorter than this, less than a syllable, is silence as well."""

LARGEST_SAMPLE = 100.0
"""No floating-point recording clips this far above full scale: larger samples are integers that were not scaled."""


class AudioError(ValueError):
    """Audio that cannot be used, with what it is and what would mend it."""


def decode_audio(audio: Any, sampling_rate: int | None = None) -> tuple[np.ndarray, int]:
    """
    Decode one recording into a mono waveform at its own rate.

    Args:
        audio (`str`, `Path`, `bytes`, file object, array, `(array, rate)`, `dict` or `datasets` audio value):
            A file's path or content in a format that libsndfile reads (WAV, FLAC, OGG, MP3, ...); an array of shape
            (samples,), (channels, samples) or (samples, channels), floating point in [-1, 1] or integer; a `dict`
            with `array` or `raw` and `sampling_rate`, or with `bytes` or `path`; or an object with
            `get_all_samples()`, as `datasets` gives where torchcodec is installed.
        sampling_rate (`int`, *optional*):
            Rate in Hz of an array that comes without one.

    Returns:
        `tuple[np.ndarray, int]`: the waveform, float32 of shape (samples,), the mean of its channels, and its rate in
        Hz.

    Raises:
        AudioError: If the file is missing, is no audio, is empty or holds NaN, or an array has no rate.
    """
    channels, rate = decode_channels(audio, sampling_rate)
    mono = channels[0] if len(channels) == 1 else channels.mean(axis=0)
    return np.ascontiguousarray(mono), rate


def decode_channels(audio: Any, sampling_rate: int | None = None) -> tuple[np.ndarray, int]:
    """
    Decode one recording at its own rate, with its channels apart.

    Args:
        audio, sampling_rate: as [`decode_audio`] takes them.

    Returns:
        `tuple[np.ndarray, int]`: the waveforms, float32 of shape (channels, samples), and their rate in Hz.

    Raises:
        AudioError: See [`decode_audio`].
    """
    if isinstance(audio, Mapping):
        return _decode_mapping(audio, sampling_rate)
    if isinstance(audio, (str, os.PathLike)):
        return _decode_path(audio)
    if isinstance(audio, (bytes, bytearray, memoryview)):
        return _decode_file(io.BytesIO(bytes(audio)), f"{len(audio)} bytes of audio")
    if hasattr(audio, "get_all_samples"):
        samples = audio.get_all_samples()
        return _checked(np.asarray(samples.data), "decoded audio"), int(samples.sample_rate)
    if hasattr(audio, "read"):
        return _decode_file(audio, str(getattr(audio, "name", "audio file object")))
    if isinstance(audio, tuple) and len(audio) == 2 and isinstance(audio[1], (int, np.integer)):
        audio, sampling_rate = audio[0], int(audio[1])
    return _decode_array(audio, sampling_rate)


def as_batch(audio: Any) -> list[Any]:
    """A list of recordings as it is, and one recording as a list; a list of numbers is the samples of one."""
    if isinstance(audio, list) and not (audio and isinstance(audio[0], (int, float, np.number))):
        return audio
    return [audio]


def as_float(samples: np.ndarray) -> np.ndarray:
    """
    Args:
        samples (`np.ndarray`): floating point in [-1, 1], or integers of the whole range of their type, unsigned ones
            around its middle as in 8-bit WAV.

    Returns:
        `np.ndarray`: of the same shape, float32 in [-1, 1].

    Raises:
        AudioError: If they are of another type.
    """
    if np.issubdtype(samples.dtype, np.integer) and samples.dtype.itemsize <= 4:
        limits = np.iinfo(samples.dtype)
        middle = (float(limits.max) + float(limits.min) + 1) / 2
        return ((samples.astype(np.float64) - middle) / (float(limits.max) + 1 - middle)).astype(np.float32)
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"Samples must be floating point, or integers of 8, 16 or 32 bits, not {samples.dtype}.")
    return samples.astype(np.float32)


def check_scale(samples: np.ndarray, name: str) -> None:
    """
    Args:
        samples (`np.ndarray`): floating point, all finite.
        name (`str`): what the message calls them.

    Raises:
        AudioError: If they are so large that they must be integers that were not scaled; see `LARGEST_SAMPLE`.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > LARGEST_SAMPLE:
        raise AudioError(
            f"{name}: samples reach {peak:.0f}, and full scale is 1. Divide samples of 16 bits by 32768, or give them "
            "as integers."
        )


def is_silent(waveform: np.ndarray, sampling_rate: int) -> bool:
    """
    Whether there is nothing to hear; see `SILENCE_DECIBELS` and `LEAST_SECONDS`. A constant offset is not heard.

    Args:
        waveform (`np.ndarray` of shape `(samples,)`): float32.
        sampling_rate (`int`): its rate in Hz.

    Returns:
        `bool`
    """
    if len(waveform) < LEAST_SECONDS * sampling_rate:
        return True
    step = max(1, round(SILENCE_SECONDS * sampling_rate))
    squares = np.square(waveform - waveform.mean(dtype=np.float64), dtype=np.float64)
    power = np.add.reduceat(squares, np.arange(0, len(squares), step)) / step
    return bool(power.max() < 10 ** (SILENCE_DECIBELS / 10))


def resample_audio(waveform: np.ndarray, sampling_rate: int, target_rate: int) -> np.ndarray:
    """
    Resample a mono waveform as `librosa.resample` does by default: soxr at high quality, `ceil` of the new length.

    Args:
        waveform (`np.ndarray` of shape `(samples,)`): float32.
        sampling_rate (`int`): its rate in Hz.
        target_rate (`int`): the wanted rate in Hz.

    Returns:
        `np.ndarray` of shape `(ceil(samples * target_rate / sampling_rate),)`, float32.
    """
    if sampling_rate == target_rate:
        return waveform
    length = int(np.ceil(len(waveform) * target_rate / sampling_rate))
    resampled = soxr.resample(waveform, sampling_rate, target_rate, quality="HQ")[:length]
    return np.pad(resampled, (0, length - len(resampled))).astype(np.float32, copy=False)


def _decode_mapping(audio: Mapping[str, Any], sampling_rate: int | None) -> tuple[np.ndarray, int]:
    for key in ("array", "raw"):
        if audio.get(key) is not None:
            return _decode_array(audio[key], audio.get("sampling_rate", sampling_rate))
    if audio.get("bytes") is not None:
        name = audio.get("path") or f"{len(audio['bytes'])} bytes of audio"
        return _decode_file(io.BytesIO(audio["bytes"]), str(name))
    if audio.get("path") is not None:
        return _decode_path(audio["path"])
    raise AudioError(
        f"This audio has the keys {sorted(map(str, audio))}; give 'array' and 'sampling_rate', or 'bytes', or 'path'."
    )


def _decode_path(path: str | os.PathLike[str]) -> tuple[np.ndarray, int]:
    if str(path).startswith(("http://", "https://")):
        raise AudioError(f"{path}: addresses are not fetched. Download the file and give its path or its bytes.")
    if not Path(path).is_file():
        raise AudioError(f"{path}: there is no such audio file.")
    return _decode_file(str(path), str(path))


def _decode_file(file: Any, name: str) -> tuple[np.ndarray, int]:
    try:
        samples, rate = soundfile.read(file, dtype="float32")
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        raise AudioError(
            f"{name}: cannot be decoded ({error}). Convert it to WAV, FLAC, OGG or MP3; a file that plays elsewhere "
            "may be AAC or video, which ffmpeg converts."
        ) from error
    return _checked(samples.T, name), int(rate)


def _decode_array(array: Any, sampling_rate: int | None) -> tuple[np.ndarray, int]:
    if sampling_rate is None:
        raise AudioError(
            "An array of samples needs its sampling rate: give {'array': samples, 'sampling_rate': 16000}."
        )
    if not isinstance(sampling_rate, (int, float, np.number)) or not 1 <= sampling_rate < float("inf"):
        raise AudioError(f"A sampling rate of {sampling_rate!r} Hz is impossible.")
    if hasattr(array, "detach"):
        array = array.detach().cpu().numpy()
    try:
        numbers = np.asarray(array)
    except (TypeError, ValueError) as error:
        raise AudioError(f"Audio must be a path, bytes or numbers, not {type(array).__name__}.") from error
    if numbers.dtype.kind not in "iufcb":
        raise AudioError(f"Audio must be a path, bytes or numbers, not {type(array).__name__}.")
    samples = as_float(numbers)
    if samples.ndim == 2 and samples.shape[0] > samples.shape[1]:
        samples = samples.T  # soundfile's order; librosa and torchaudio put channels first
    return _checked(samples, "array of samples"), int(sampling_rate)


def _checked(samples: np.ndarray, name: str) -> np.ndarray:
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name}: {samples.ndim} dimensions; audio has (samples,) or (channels, samples).")
    if samples.size == 0:
        raise AudioError(f"{name}: holds no samples.")
    channels = np.atleast_2d(samples).astype(np.float32, copy=False)
    finite = np.isfinite(channels)
    if not finite.all():
        raise AudioError(f"{name}: {int((~finite).sum())} samples are NaN or infinite; export it again.")
    check_scale(channels, name)
    return channels


__all__ = [
    "AudioError",
    "as_batch",
    "as_float",
    "check_scale",
    "decode_audio",
    "decode_channels",
    "is_silent",
    "resample_audio",
]
