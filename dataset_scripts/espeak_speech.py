"""eSpeak NG through its C interface, as the wheel `espeakng-loader` brings it: text in, waveform out."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np


SYNCHRONOUS_RETRIEVAL = 2
CHARACTERS_UTF8 = 1
END_PAUSE = 0x1000
PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "pitch_range": 4}

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class Delivery:
    """
    How a sentence is spoken.

    Args:
        rate (`int`): words per minute, 80 to 450.
        volume (`int`): 0 to 200; 100 is usual.
        pitch (`int`): base of the pitch, 0 to 100.
        pitch_range (`int`): liveliness of the pitch, 0 (monotone) to 100.
    """

    rate: int
    volume: int
    pitch: int
    pitch_range: int


class SpeechSynthesizer:
    """
    Speaks Spanish.

    Raises:
        ImportError: If the wheel is not installed.
        RuntimeError: If eSpeak NG does not start.
    """

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise ImportError("Speech synthesis needs eSpeak NG: pip install 'emospeech-hf[demo]'.") from error
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.sampling_rate: int = self._library.espeak_Initialize(SYNCHRONOUS_RETRIEVAL, 0, data, 0)
        if self.sampling_rate <= 0:
            raise RuntimeError(f"eSpeak NG did not start with its data in {data.decode()}.")
        self._samples: list[np.ndarray] = []
        # Kept, because the library calls it as long as it lives.
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples and count > 0:
            self._samples.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    def speak(self, text: str, voice: str, delivery: Delivery) -> np.ndarray:
        """
        Args:
            text (`str`): what to say.
            voice (`str`): eSpeak's name of language and variant, as `"es+f2"`.
            delivery ([`Delivery`]): how.

        Returns:
            `np.ndarray` of shape `(samples,)`, int16, at `sampling_rate` Hz.

        Raises:
            ValueError: If there is no such voice.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {voice!r}.")
        for name, number in PARAMETERS.items():
            self._library.espeak_SetParameter(number, getattr(delivery, name), 0)
        self._samples = []
        content = text.encode()
        self._library.espeak_Synth(
            content, ctypes.c_size_t(len(content) + 1), 0, 0, 0, CHARACTERS_UTF8 | END_PAUSE, None, None
        )
        if not self._samples:
            raise RuntimeError(f"eSpeak NG said nothing for {text!r}.")
        return np.concatenate(self._samples)
