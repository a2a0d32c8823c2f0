"""Training recordings as they might have been: faster, noisier, in another room, cut, or with parts missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torchaudio.functional


REVERBERATION_SECONDS = (0.1, 0.6)
"""Time in which the sound of a room, drawn between the two, falls by 60 dB."""


@dataclass(kw_only=True)
class AudioAugmentation:
    """
    Changes waveforms and spectrograms at random, drawn from PyTorch's generator. MFCC means that a model takes beside a
    speech encoder stay those of the recording itself.

    Args:
        speed_factors (`Sequence[float]`): each recording is played at one of these, or at 1; pitch and formants move
            with it, as another speaker's would.
        noise_snr (`Sequence[float]`, *optional*): lowest and highest signal-to-noise ratio in dB of white noise, drawn
            for each recording.
        reverberation (`float`): share of the recordings that sound as in a room, whose impulse response is noise that
            dies away.
        crop_seconds (`float`, *optional*): of longer recordings, a random piece of this length is taken.
        time_masking, frequency_masking (`float`): greatest share of the frames, and of the mel bands, that lie under
            one mask (Park et al., "SpecAugment"); for encoders that take spectrograms.
    """

    speed_factors: Sequence[float] = ()
    noise_snr: Sequence[float] | None = None
    reverberation: float = 0.0
    crop_seconds: float | None = None
    time_masking: float = 0.0
    frequency_masking: float = 0.0

    @property
    def changes_waveforms(self) -> bool:
        """Whether there is anything to do before the features are computed."""
        return bool(self.speed_factors or self.noise_snr or self.reverberation or self.crop_seconds)

    def change_waveform(self, waveform: torch.Tensor, sampling_rate: int) -> torch.Tensor:
        """
        Args:
            waveform (`torch.Tensor` of shape `(samples,)`): of one recording.
            sampling_rate (`int`): its rate in Hz.

        Returns:
            `torch.Tensor` of shape `(other samples,)`.
        """
        if self.crop_seconds is not None:
            length = round(self.crop_seconds * sampling_rate)
            start = _draw(max(1, len(waveform) - length + 1))
            waveform = waveform[start : start + length]
        if self.speed_factors:
            factor = (1.0, *self.speed_factors)[_draw(1 + len(self.speed_factors))]
            waveform = change_speed(waveform, sampling_rate, factor)
        if self.reverberation and float(torch.rand(())) < self.reverberation:
            low, high = REVERBERATION_SECONDS
            waveform = reverberate(waveform, sampling_rate, low + (high - low) * float(torch.rand(())))
        if self.noise_snr is not None:
            low, high = self.noise_snr
            waveform = add_noise(waveform, low + (high - low) * float(torch.rand(())))
        return waveform

    def mask_features(self, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Args:
            features (`torch.Tensor` of shape `(batch, mel bands, frames)`): log mel spectrograms.
            mask (`torch.Tensor` of shape `(batch, frames)`): their real frames.

        Returns:
            `torch.Tensor` of the same shape; what is masked has the mean of its spectrogram.
        """
        features = features.clone()
        bands = features.shape[1]
        for row, length in zip(features, mask.sum(dim=1).tolist()):
            real = row[:, :length]
            mean = float(real.mean())
            for size, masking, axis in ((length, self.time_masking, 1), (bands, self.frequency_masking, 0)):
                width = _draw(int(masking * size) + 1)
                start = _draw(size - width + 1)
                real.narrow(axis, start, width).fill_(mean)
        return features


def change_speed(waveform: torch.Tensor, sampling_rate: int, factor: float) -> torch.Tensor:
    """
    Args:
        waveform (`torch.Tensor` of shape `(samples,)`), sampling_rate (`int`): a recording.
        factor (`float`): above 1 is faster, shorter and higher.

    Returns:
        `torch.Tensor` of shape `(about samples / factor,)`.
    """
    return waveform if factor == 1 else torchaudio.functional.speed(waveform, sampling_rate, factor)[0]


def add_noise(waveform: torch.Tensor, snr: float) -> torch.Tensor:
    """
    Args:
        waveform (`torch.Tensor` of shape `(samples,)`): a recording.
        snr (`float`): signal-to-noise ratio in dB.

    Returns:
        `torch.Tensor` of the same shape; silence stays silence.
    """
    if not bool(waveform.any()):
        return waveform
    noise = torch.randn_like(waveform)
    return torchaudio.functional.add_noise(waveform, noise, torch.tensor(float(snr)))


def reverberate(waveform: torch.Tensor, sampling_rate: int, seconds: float) -> torch.Tensor:
    """
    Args:
        waveform (`torch.Tensor` of shape `(samples,)`), sampling_rate (`int`): a recording.
        seconds (`float`): time in which the room's sound falls by 60 dB.

    Returns:
        `torch.Tensor` of the same shape and energy.
    """
    times = torch.arange(1, round(seconds * sampling_rate) + 1) / sampling_rate
    response = torch.randn(len(times)) * 10 ** (-3 * times / seconds)
    # The direct sound is as strong as all its echoes together.
    response = torch.cat([torch.ones(1), response / response.norm()])
    wet = torchaudio.functional.fftconvolve(waveform, response)[: len(waveform)]
    return wet * (waveform.norm() / wet.norm().clamp(min=1e-9))


def _draw(size: int) -> int:
    return int(torch.randint(size, ()))


def augmented_recording(waveform: Any, sampling_rate: int, augmentation: AudioAugmentation) -> dict[str, Any]:
    """
    Args:
        waveform (`np.ndarray` of shape `(samples,)`), sampling_rate (`int`): a decoded recording.
        augmentation ([`AudioAugmentation`]): what to do to it.

    Returns:
        `dict`: `array` and `sampling_rate`, as [`~audio_emospeech.decode_audio`] takes them.
    """
    changed = augmentation.change_waveform(torch.from_numpy(waveform), sampling_rate)
    return {"array": changed.numpy(), "sampling_rate": sampling_rate}
