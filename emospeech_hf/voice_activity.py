"""Where in a recording somebody speaks, told by silero-vad, whose weights come with it (extra `vad`)."""

from __future__ import annotations

import numpy as np
import torch

from .audio_emospeech import resample_audio


RATE = 16_000


class VoiceActivity:
    """
    Finds speech in a waveform, for `timeline(..., voice_activity=VoiceActivity())`.

    Args:
        threshold (`float`, *optional*, defaults to 0.5): how sure the detector must be of speech, from 0 to 1.

    Raises:
        ImportError: If the extra `vad` is not installed.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        threads = torch.get_num_threads()
        try:
            import onnxruntime  # noqa: F401 (asked for here, so that what is missing is named)
            from silero_vad import get_speech_timestamps, load_silero_vad
        except ImportError as error:
            raise ImportError("Voice activity needs silero-vad: pip install 'emospeech-hf[vad]'.") from error
        finally:
            # Its import takes all threads but one from PyTorch.
            torch.set_num_threads(threads)
        self.threshold = threshold
        self._find = get_speech_timestamps
        # ONNX, since the other form of its weights would be unpickled.
        self._model = load_silero_vad(onnx=True)

    def __call__(self, waveform: np.ndarray, sampling_rate: int) -> list[tuple[float, float]]:
        """
        Args:
            waveform (`np.ndarray` of shape `(samples,)`): float in [-1, 1].
            sampling_rate (`int`): its rate in Hz.

        Returns:
            `list[tuple[float, float]]`: start and end of each stretch of speech, in seconds.
        """
        samples = torch.from_numpy(resample_audio(waveform.astype(np.float32), sampling_rate, RATE))
        found = self._find(samples, self._model, threshold=self.threshold, sampling_rate=RATE)
        return [(span["start"] / RATE, span["end"] / RATE) for span in found]
