"""A long recording, or one that is still going on, cut into windows without ever being held as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from .audio_emospeech import AudioError, as_float, check_scale, decode_channels, is_silent


WINDOW_SECONDS = 8.0
"""Length of a window where nothing else is known."""

OVERLAP = 0.25
"""Share of a window that the next one hears again."""

BLOCK_SECONDS = 10
"""What is read of a file at once."""


@dataclass
class Window:
    """
    A piece of a recording.

    Args:
        start, end (`float`): in seconds from the recording's beginning.
        waveform (`np.ndarray` of shape `(samples,)`): float32.
        sampling_rate (`int`): its rate in Hz.
        channel (`int`): which channel it is of, from 0; 0 where they are mixed.
    """

    start: float
    end: float
    waveform: np.ndarray
    sampling_rate: int
    channel: int = 0

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to hear in it; see [`~audio_emospeech.is_silent`]."""
        return is_silent(self.waveform, self.sampling_rate)


class WindowCutter:
    """
    Cuts one channel into windows as its samples come. All windows but the last are `window` long; the last ends where
    the recording ends, and reaches back as far as a window does, or to the beginning.

    Args:
        sampling_rate (`int`): of the samples, in Hz.
        window (`float`, *optional*, defaults to 8.0), overlap (`float`, *optional*, defaults to 2.0):
            length of a window, and how much of it the next one hears again, in seconds.
        channel (`int`, *optional*, defaults to 0): see [`Window`].

    Raises:
        ValueError: If the overlap is negative or no shorter than the window.
    """

    def __init__(
        self,
        sampling_rate: int,
        window: float = WINDOW_SECONDS,
        overlap: float = OVERLAP * WINDOW_SECONDS,
        channel: int = 0,
    ) -> None:
        check_window(window, overlap)
        self.sampling_rate = sampling_rate
        self.channel = channel
        self.length = max(1, round(window * sampling_rate))
        self.step = max(1, round((window - overlap) * sampling_rate))
        self.held = np.empty(0, np.float32)
        self.first = 0  # the place of `held` in the recording
        self.next = 0  # the place of the next window in `held`
        self.covered = 0  # how far the windows given so far reach

    def push(self, samples: np.ndarray) -> Iterator[Window]:
        """
        Args:
            samples (`np.ndarray` of shape `(samples,)`): the next ones, of any number.

        Returns:
            `Iterator[Window]`: the windows that they complete.

        Raises:
            AudioError: If one is NaN or infinite; the message tells the second.
        """
        bad = np.flatnonzero(~np.isfinite(samples))
        if len(bad):
            second = (self.first + len(self.held) + int(bad[0])) / self.sampling_rate
            raise AudioError(f"A sample at {second:.2f} s is NaN or infinite; export the recording again.")
        check_scale(samples, "recording")
        self.held = np.concatenate([self.held, samples.astype(np.float32, copy=False)])
        while len(self.held) - self.next >= self.length:
            yield self._window(self.next, self.next + self.length)
            # This window stays until the next: the last one may reach back into it.
            self.held = self.held[self.next :]
            self.first += self.next
            self.next = self.step

    def finish(self) -> Iterator[Window]:
        """
        Returns:
            `Iterator[Window]`: the last window, if the recording does not end where the one before does.
        """
        if self.first + len(self.held) > self.covered:
            yield self._window(max(0, len(self.held) - self.length), len(self.held))

    def _window(self, start: int, end: int) -> Window:
        self.covered = self.first + end
        seconds = (self.first + start) / self.sampling_rate, self.covered / self.sampling_rate
        return Window(*seconds, self.held[start:end].copy(), self.sampling_rate, self.channel)


def cut_windows(
    audio: Any,
    sampling_rate: int | None = None,
    window: float = WINDOW_SECONDS,
    overlap: float = OVERLAP * WINDOW_SECONDS,
    separate_channels: bool = False,
) -> Iterator[Window]:
    """
    Args:
        audio: a recording as [`~audio_emospeech.decode_audio`] takes it, of which a file is read piece by piece; or an
            iterator of arrays of shape (samples,) or (channels, samples), for sound that is still coming.
        sampling_rate (`int`, *optional*): rate in Hz of arrays.
        window, overlap (`float`, *optional*): see [`WindowCutter`].
        separate_channels (`bool`, *optional*, defaults to `False`): give each channel's windows, for recordings with
            one person on each; otherwise channels are averaged.

    Returns:
        `Iterator[Window]`: in the order in which they end.

    Raises:
        AudioError: If the recording cannot be used, or ends without a sample.
        ValueError: If the overlap does not fit the window.
    """
    check_window(window, overlap)
    cutters: list[WindowCutter] = []
    for block, rate in _blocks(audio, sampling_rate):
        channels = np.atleast_2d(block)
        if not separate_channels:
            channels = channels.mean(axis=0, keepdims=True)
        if not cutters:
            cutters = [WindowCutter(rate, window, overlap, channel) for channel in range(len(channels))]
        if len(channels) != len(cutters):
            raise AudioError(f"A chunk of {len(channels)} channels came after chunks of {len(cutters)}.")
        found = [each for cutter, samples in zip(cutters, channels) for each in cutter.push(samples)]
        yield from sorted(found, key=lambda each: each.end)
    if not cutters:
        raise AudioError("The recording holds no samples.")
    for cutter in cutters:
        yield from cutter.finish()


def check_window(window: float, overlap: float) -> None:
    """
    Args:
        window, overlap (`float`): see [`WindowCutter`].

    Raises:
        ValueError: If the overlap is negative or no shorter than the window.
    """
    if not 0 <= overlap < window:
        raise ValueError(f"`overlap` is {overlap} s and `window` {window} s: it must be from 0 to less than that.")


def _blocks(audio: Any, sampling_rate: int | None) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of shape (samples,) or (channels, samples), and their rate."""
    if isinstance(audio, (str, os.PathLike)) and Path(audio).is_file():
        try:
            with soundfile.SoundFile(str(audio)) as file:
                rate = int(file.samplerate)
                for block in file.blocks(BLOCK_SECONDS * rate, dtype="float32", always_2d=True):
                    yield block.T, rate
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise AudioError(f"{audio}: cannot be decoded ({error}). Convert it to WAV, FLAC, OGG or MP3.") from error
    elif isinstance(audio, Iterator):
        yield from _chunks(audio, sampling_rate)
    else:
        yield decode_channels(audio, sampling_rate)


def _chunks(audio: Iterable[Any], sampling_rate: int | None) -> Iterator[tuple[np.ndarray, int]]:
    if sampling_rate is None:
        raise AudioError("Chunks of samples need their rate: give `sampling_rate`.")
    for chunk in audio:
        samples = as_float(np.asarray(chunk))
        if samples.ndim not in (1, 2):
            raise AudioError(f"A chunk has {samples.ndim} dimensions; it has (samples,) or (channels, samples).")
        yield samples, sampling_rate


__all__ = ["Window", "WindowCutter", "check_window", "cut_windows"]
