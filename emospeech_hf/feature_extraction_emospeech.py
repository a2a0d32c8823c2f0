"""Speech features: the paper's MFCC means, and what a wrapped speech encoder takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import transformers
from transformers import BatchFeature, FeatureExtractionMixin
from transformers.audio_utils import mel_filter_bank

from .audio_emospeech import as_batch, decode_audio, resample_audio
from .configuration_emospeech import MFCC_SAMPLING_RATE
from .remote_code_emospeech import PROCESSOR_CODE, carry_code, is_remote_code


FRAMES_PER_BLOCK = 2048
"""Frames transformed at once; bounds the memory that a long recording takes."""


class EmoSpeechFeatureExtractor(FeatureExtractionMixin):
    r"""
    Turns recordings into the speech inputs of [`EmoSpeechModel`].

    The MFCC means equal `librosa.feature.mfcc(y=librosa.load(path, sr=22050)[0], sr=22050, n_mfcc=128).mean(axis=1)`
    (paper, Task 2; where its text gives no value, librosa's default holds). A recording is decoded once and
    resampled for the MFCC and, where there is one, for the speech encoder's own feature extractor.

    Args:
        num_mfcc (`int`, *optional*, defaults to 128):
            Number of coefficients; 0 computes none.
        sampling_rate (`int`, *optional*, defaults to 22050):
            Rate in Hz at which MFCC are computed. Recordings of other rates are resampled to it.
        n_fft (`int`, *optional*, defaults to 2048):
            Window length in samples.
        hop_length (`int`, *optional*, defaults to 512):
            Samples between frames.
        num_mel_bins (`int`, *optional*, defaults to 128):
            Mel bands; at least `num_mfcc`.
        top_db (`float`, *optional*, defaults to 80.0):
            Bands weaker than the recording's loudest by more than this, in decibels, are raised to that floor.
        mfcc_pooling (`str`, *optional*, defaults to `"mean"`):
            `"mean"` over the frames gives `mfcc_means` (paper, Task 2); `"none"` keeps them, as `mfcc_frames`.
        speech_extractor (`dict` or `FeatureExtractionMixin`, *optional*):
            Feature extractor of the speech encoder, of any type that transformers has.

    Raises:
        ValueError: If there are fewer mel bands than coefficients, the pooling is unknown, or the speech extractor's
            type is.

    Example:

    ```python
    >>> import numpy as np
    >>> from emospeech_hf import EmoSpeechFeatureExtractor

    >>> extractor = EmoSpeechFeatureExtractor()
    >>> second = {"array": np.sin(np.arange(16_000) / 10), "sampling_rate": 16_000}
    >>> extractor([second, second], return_tensors="pt")["mfcc_means"].shape
    torch.Size([2, 128])

    ```
    """

    def __init__(
        self,
        num_mfcc: int = 128,
        sampling_rate: int = MFCC_SAMPLING_RATE,
        n_fft: int = 2048,
        hop_length: int = 512,
        num_mel_bins: int = 128,
        top_db: float = 80.0,
        mfcc_pooling: str = "mean",
        speech_extractor: dict[str, Any] | FeatureExtractionMixin | None = None,
        **kwargs: Any,
    ) -> None:
        if not is_remote_code():
            kwargs["auto_map"] = dict(PROCESSOR_CODE)
        super().__init__(**kwargs)
        if num_mfcc > num_mel_bins:
            raise ValueError(
                f"{num_mfcc} MFCC cannot come from {num_mel_bins} mel bands: raise `num_mel_bins` to {num_mfcc}."
            )
        if mfcc_pooling not in ("mean", "none"):
            raise ValueError(f"`mfcc_pooling` is {mfcc_pooling!r}; it can be one of mean, none.")
        self.num_mfcc = num_mfcc
        self.sampling_rate = sampling_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.num_mel_bins = num_mel_bins
        self.top_db = top_db
        self.mfcc_pooling = mfcc_pooling
        self.speech_extractor = _as_speech_extractor(speech_extractor)
        self._transforms: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None

    @property
    def model_input_names(self) -> list[str]:
        names: list[str] = []
        if self.num_mfcc:
            names = ["mfcc_means"] if self.mfcc_pooling == "mean" else ["mfcc_frames", "mfcc_mask"]
        if self.speech_extractor is not None:
            names += [self.speech_extractor.model_input_names[0], "speech_attention_mask"]
        return names

    @property
    def bands_first(self) -> bool:
        """Whether the speech encoder is Whisper's, which takes mel bands before frames."""
        return hasattr(self.speech_extractor, "nb_max_frames")

    @property
    def padding_value(self) -> float:
        return getattr(self.speech_extractor, "padding_value", 0.0)

    def __call__(
        self,
        audio: Any,
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """
        Compute the features of one recording or of a list of them.

        Args:
            audio:
                One recording, or a list of recordings, each as [`~audio_emospeech.decode_audio`] takes it.
            sampling_rate (`int`, *optional*):
                Rate in Hz of arrays that come without one.
            return_tensors (`str`, *optional*):
                `"pt"` for PyTorch tensors, `"np"` for NumPy arrays; by default lists of arrays.
            kwargs:
                Passed on to the speech encoder's feature extractor.

        Returns:
            `BatchFeature` with `mfcc_means` of shape (batch, num_mfcc), float32, or with `mfcc_frames` of shape
            (batch, frames, num_mfcc), float32, padded with zeros, and `mfcc_mask` of shape (batch, frames), int64;
            and with a speech extractor its `input_features` or `input_values` and `speech_attention_mask`.

        Raises:
            AudioError: If a recording cannot be used; the message names it.
        """
        waveforms = [decode_audio(recording, sampling_rate) for recording in as_batch(audio)]
        data: dict[str, Any] = {}
        if self.num_mfcc and self.mfcc_pooling == "mean":
            data["mfcc_means"] = self._mfcc(waveforms, self._mfcc_means)
        elif self.num_mfcc:
            data["mfcc_frames"], data["mfcc_mask"] = pad_sequences(self._mfcc(waveforms, self._mfcc_frames))
        features = BatchFeature(data, tensor_type=return_tensors)
        if self.speech_extractor is not None:
            features.update(self._speech_inputs(waveforms, return_tensors, **kwargs))
        return features

    def mfcc_means(self, audio: Any, sampling_rate: int | None = None) -> np.ndarray:
        """
        The MFCC means alone; the arguments are those of a call.

        Returns:
            `np.ndarray` of shape (batch, num_mfcc), float32.
        """
        waveforms = [decode_audio(recording, sampling_rate) for recording in as_batch(audio)]
        if not self.num_mfcc:
            return np.empty((len(waveforms), 0), np.float32)
        return np.stack(self._mfcc(waveforms, self._mfcc_means))

    def mfcc_frames(self, audio: Any, sampling_rate: int | None = None) -> list[np.ndarray]:
        """
        The MFCC frames alone, not padded; the arguments are those of a call.

        Returns:
            `list[np.ndarray]`: for each recording its frames, float32 of shape (frames, num_mfcc).
        """
        return self._mfcc([decode_audio(recording, sampling_rate) for recording in as_batch(audio)], self._mfcc_frames)

    def speech_inputs(self, audio: Any, sampling_rate: int | None = None) -> dict[str, torch.Tensor]:
        """
        The speech encoder's inputs alone; the arguments are those of a call.

        Returns:
            `dict[str, torch.Tensor]`: `input_features` or `input_values`, and `speech_attention_mask`.

        Raises:
            ValueError: If there is no speech extractor.
        """
        if self.speech_extractor is None:
            raise ValueError("This feature extractor wraps no speech encoder's.")
        return self._speech_inputs([decode_audio(item, sampling_rate) for item in as_batch(audio)], "pt")

    def _mfcc(
        self, waveforms: list[tuple[np.ndarray, int]], compute: Callable[[np.ndarray], np.ndarray]
    ) -> list[np.ndarray]:
        return [compute(resample_audio(waveform, rate, self.sampling_rate)) for waveform, rate in waveforms]

    def _speech_inputs(
        self, waveforms: list[tuple[np.ndarray, int]], return_tensors: str | None, **kwargs: Any
    ) -> dict[str, Any]:
        extractor = self.speech_extractor
        rate: int = extractor.sampling_rate
        resampled = [resample_audio(waveform, own, rate) for waveform, own in waveforms]
        name = extractor.model_input_names[0]
        if self.bands_first:
            features = [self._whisper_features(waveform, **kwargs) for waveform in resampled]
            padded, mask = pad_sequences(features)
            values = np.ascontiguousarray(padded.transpose(0, 2, 1))
            return dict(BatchFeature({name: values, "speech_attention_mask": mask}, tensor_type=return_tensors))
        options = {"padding": True, "return_attention_mask": True, "return_tensors": return_tensors, **kwargs}
        inputs = extractor(resampled, sampling_rate=rate, **options)
        return {name: inputs[name], "speech_attention_mask": inputs["attention_mask"]}

    def _whisper_features(self, waveform: np.ndarray, **kwargs: Any) -> np.ndarray:
        """
        Log mel spectrogram of the real length, (frames, bands): one recording at a time, as the window at the end of
        a padded one would see the padding. Whisper's window needs 0.025 s.
        """
        extractor = self.speech_extractor
        short = extractor.n_fft - len(waveform)
        if short > 0:
            waveform = np.pad(waveform, (0, short))
        options = {"padding": True, "truncation": False, "return_tensors": "np", **kwargs}
        features = extractor([waveform], sampling_rate=extractor.sampling_rate, **options)
        return np.asarray(features[extractor.model_input_names[0]][0].T, dtype=np.float32)

    def _mfcc_means(self, waveform: np.ndarray) -> np.ndarray:
        # The cosine transform is linear, so the mean over frames may come first.
        return (self._decibels(waveform).double().mean(dim=0) @ self._get_transforms()[2]).float().numpy()

    def _mfcc_frames(self, waveform: np.ndarray) -> np.ndarray:
        return (self._decibels(waveform) @ self._get_transforms()[2].float()).numpy()

    def _decibels(self, waveform: np.ndarray) -> torch.Tensor:
        """Log mel spectrogram, (frames, num_mel_bins)."""
        window, mel_filters, _ = self._get_transforms()
        padded = torch.nn.functional.pad(torch.from_numpy(waveform), (self.n_fft // 2, self.n_fft // 2))
        frames = padded.unfold(0, self.n_fft, self.hop_length)
        blocks = []
        for start in range(0, len(frames), FRAMES_PER_BLOCK):
            spectrum = torch.fft.rfft(frames[start : start + FRAMES_PER_BLOCK] * window)
            blocks.append((spectrum.real.square() + spectrum.imag.square()) @ mel_filters)
        decibels = 10 * torch.cat(blocks).clamp(min=1e-10).log10()
        return decibels.clamp(min=float(decibels.max()) - self.top_db)

    def _get_transforms(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Window (n_fft,), mel filters (n_fft // 2 + 1, num_mel_bins) and cosine transform (num_mel_bins, num_mfcc)."""
        if self._transforms is None:
            mel_filters = mel_filter_bank(
                num_frequency_bins=self.n_fft // 2 + 1,
                num_mel_filters=self.num_mel_bins,
                min_frequency=0.0,
                max_frequency=self.sampling_rate / 2,
                sampling_rate=self.sampling_rate,
                norm="slaney",
                mel_scale="slaney",
            )
            bands = torch.arange(self.num_mel_bins, dtype=torch.float64) + 0.5
            orders = torch.arange(self.num_mfcc, dtype=torch.float64)
            dct = torch.cos(torch.pi / self.num_mel_bins * bands[:, None] * orders)
            dct *= torch.where(orders == 0, 0.5, 1.0).sqrt() * (2 / self.num_mel_bins) ** 0.5
            window = torch.hann_window(self.n_fft, periodic=True)
            self._transforms = (window, torch.from_numpy(mel_filters).float(), dct)
        return self._transforms

    def to_dict(self) -> dict[str, Any]:
        transforms, self._transforms = self._transforms, None
        output = super().to_dict()
        self._transforms = transforms
        output.pop("_transforms", None)
        if self.speech_extractor is not None:
            output["speech_extractor"] = self.speech_extractor.to_dict()
        return output

    def save_pretrained(self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any) -> Any:
        """Save to a folder, with the code that loads it; see `FeatureExtractionMixin.save_pretrained`."""
        os.makedirs(save_directory, exist_ok=True)
        carry_code(save_directory)
        return super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)


def pad_sequences(sequences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """
    Args:
        sequences (`list` of `np.ndarray` of shape `(length, width)`): float32, of one width.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: the sequences, of shape (batch, longest, width), filled up with zeros, and a
        mask of shape (batch, longest), int64, 1 at real positions.
    """
    longest = max(len(sequence) for sequence in sequences)
    padded = np.zeros((len(sequences), longest, sequences[0].shape[1]), np.float32)
    mask = np.zeros((len(sequences), longest), np.int64)
    for row, sequence in enumerate(sequences):
        padded[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return padded, mask


def _as_speech_extractor(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    name = value.get("feature_extractor_type", "")
    extractor_class = getattr(transformers, name, None)
    if extractor_class is None:
        raise ValueError(f"transformers {transformers.__version__} has no feature extractor called {name!r}.")
    return extractor_class.from_dict(value)


__all__ = ["EmoSpeechFeatureExtractor", "pad_sequences"]
