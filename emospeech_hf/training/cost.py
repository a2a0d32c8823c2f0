"""What a run and its model cost: time, size, and an estimate of energy, for the card."""

from __future__ import annotations

import platform
import statistics
import time
from typing import Any

import numpy as np
import torch

from ..modeling_emospeech import EmoSpeechForEmotionClassification
from ..processing_emospeech import EmoSpeechProcessor


SECONDS_OF_AUDIO = 5.0
REPEATS = 10
WATTS = {"cuda": 300, "cpu": 10}
"""Taken for granted: of a data centre's GPU under load, and of a busy thread of a CPU with its share of the machine."""


def measure_speed(model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor) -> dict[str, Any]:
    """
    Time one utterance at a time, from samples and text to logits.

    Args:
        model ([`EmoSpeechForEmotionClassification`]): on the device to measure.
        processor ([`EmoSpeechProcessor`]): its own.

    Returns:
        `dict`: `seconds`, the median, of `repeats`; `seconds_of_audio`; `device`; `threads`.
    """
    generator = np.random.default_rng(0)
    samples = generator.normal(0, 0.1, int(SECONDS_OF_AUDIO * 16_000)).astype(np.float32)
    audio = {"array": samples, "sampling_rate": 16_000}
    text = "¡Qué alegría verte por aquí esta tarde!" if processor.uses_text else None
    device = next(model.parameters()).device
    model.eval()
    seconds = []
    for _ in range(REPEATS + 2):
        started = time.perf_counter()
        inputs = processor(audio=audio, text=text, return_tensors="pt").to(device)
        with torch.no_grad():
            model(**inputs).logits.cpu()
        seconds.append(time.perf_counter() - started)
    return {
        "seconds": round(statistics.median(seconds[2:]), 5),  # the first two warm up
        "repeats": REPEATS,
        "seconds_of_audio": SECONDS_OF_AUDIO if processor.uses_speech else 0,
        "device": _hardware(device.type),
        "threads": torch.get_num_threads(),
    }


def estimate_energy(minutes: float, device: str, processes: int) -> dict[str, Any]:
    """
    Args:
        minutes (`float`): how long the run took.
        device (`str`): `"cpu"`, `"cuda"` or another type of torch's.
        processes (`int`): how many it ran on.

    Returns:
        `dict`: `hardware`, `assumed_watts` for all of it, and `kilowatt_hours`.
    """
    units = processes if device != "cpu" else processes * torch.get_num_threads()
    watts = WATTS.get(device, WATTS["cuda"]) * units
    return {
        "hardware": f"{units} x {_hardware(device)}" if device != "cpu" else f"{units} threads of {_hardware(device)}",
        "assumed_watts": watts,
        "kilowatt_hours": minutes / 60 * watts / 1000,
    }


def _hardware(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{device} ({platform.machine()})"
