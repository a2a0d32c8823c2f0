"""Voice activity: silence, noise and music are no speech; the import leaves PyTorch's threads alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emospeech_hf.cli import main
from emospeech_hf.voice_activity import VoiceActivity

from .conftest import tone


RATE = 22_050


def test_what_is_no_speech() -> None:
    threads = torch.get_num_threads()
    find = VoiceActivity()
    assert torch.get_num_threads() == threads
    chord = sum(tone(4.0, RATE, pitch=pitch) for pitch in (262, 330, 392)) / 3
    noise = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE)
    for waveform in (np.zeros(4 * RATE), chord, noise):
        assert find(waveform.astype(np.float32), RATE) == []


def test_speech_between_silence(tmp_path: Path) -> None:
    """A synthetic voice between pauses; where it lies is where the detector finds it."""
    script = (
        "import sys, soundfile\n"
        "from espeak_speech import Delivery, SpeechSynthesizer\n"
        "synthesizer = SpeechSynthesizer()\n"
        "samples = synthesizer.speak('Qué alegría verte después de tantos años, amigo mío.', 'es', "
        "Delivery(rate=160, volume=100, pitch=50, pitch_range=50))\n"
        "soundfile.write(sys.argv[1], samples, synthesizer.sampling_rate)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "voice.wav")]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1] / "dataset_scripts")
    speech, rate = soundfile.read(tmp_path / "voice.wav", dtype="float32")
    pause = np.zeros(2 * rate, np.float32)
    spans = VoiceActivity()(np.concatenate([pause, speech, pause]), rate)
    assert spans
    assert spans[0][0] > 1.5
    assert spans[-1][1] < 2.5 + len(speech) / rate
    assert sum(end - start for start, end in spans) > 0.5 * len(speech) / rate


def test_without_silero_vad_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(ImportError, match=r"pip install 'emospeech-hf\[vad\]'"):
        VoiceActivity()


def test_the_command_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["timeline", "--help"])
    assert "--voice-activity" in capsys.readouterr().out
