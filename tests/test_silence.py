"""Where there is nothing to hear, no emotion is invented: the answer says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from transformers import BertConfig, BertTokenizer

from emospeech_hf import (
    EMOTIONS,
    AudioTextEmotionPipeline,
)
from emospeech_hf.adaptation import make_profile
from emospeech_hf.audio_emospeech import AudioError
from emospeech_hf.cli import main
from emospeech_hf.explanation import explain
from emospeech_hf.hub import build_release
from emospeech_hf.page import app

from .conftest import classifier, tone, write_csv


ANSWER = [{"label": "silence", "score": 1.0}]


@pytest.fixture
def silent(tmp_path: Path) -> str:
    """Two seconds of a microphone that is switched off: not zeros, and 80 dB under full scale."""
    soundfile.write(tmp_path / "silent.wav", np.random.default_rng(0).normal(0, 1e-4, 32_000), 16_000)
    return str(tmp_path / "silent.wav")


@pytest.fixture
def voice_alone() -> AudioTextEmotionPipeline:
    return classifier(None, text_config=None)


@pytest.mark.parametrize("seconds", [1, 0.05])
def test_what_is_too_short_or_does_not_move_is_not_heard(voice_alone: AudioTextEmotionPipeline, seconds: float) -> None:
    samples = tone(0.05, 16_000) if seconds < 0.1 else np.full(16_000, 0.3)
    assert voice_alone({"audio": samples, "sampling_rate": 16_000}) == ANSWER


@pytest.mark.parametrize("batch_size", [1, 3])
def test_among_others(voice_alone: AudioTextEmotionPipeline, silent: str, wav: Path, batch_size: int) -> None:
    first, second, third = voice_alone([str(wav), silent, str(wav)], batch_size=batch_size)
    assert second == ANSWER
    assert [entry["label"] for entry in first] == [entry["label"] for entry in third]
    assert sorted(entry["label"] for entry in first) == sorted(EMOTIONS)
    told = voice_alone([silent], batch_size=batch_size, tell_silence=False)
    assert sorted(entry["label"] for entry in told[0]) == sorted(EMOTIONS)


def test_a_pause_is_no_silence(voice_alone: AudioTextEmotionPipeline) -> None:
    samples = np.concatenate([np.zeros(16_000, np.float32), tone(0.05, 16_000), np.zeros(16_000, np.float32)])
    assert len(voice_alone({"audio": samples, "sampling_rate": 16_000})) == 6


def test_a_transcript_of_silence(text_config: BertConfig, tokenizer: BertTokenizer, silent: str) -> None:
    """A model that needs both has nothing to go by; one that takes either reads."""
    both = classifier(tokenizer, text_config=text_config)
    assert both({"audio": silent, "text": "qué asco"}) == ANSWER
    either = classifier(tokenizer, text_config=text_config, fusion="late", missing_modalities=True)
    assert either({"audio": silent, "text": "qué asco"}) == either({"text": "qué asco"})
    assert either({"audio": silent}) == either({"audio": silent, "text": " "}) == ANSWER


def test_a_recogniser_is_not_asked_to_invent_words(
    text_config: BertConfig, tokenizer: BertTokenizer, silent: str, wav: Path
) -> None:
    asked = []

    def recogniser(recording: dict[str, Any]) -> dict[str, str]:
        asked.append(recording)
        return {"text": "¡Suscríbete al canal!"}

    classify = classifier(tokenizer, recogniser, text_config=text_config)
    heard, nothing = classify([str(wav), silent], batch_size=2)
    assert heard[0]["text"] == "¡Suscríbete al canal!"
    assert nothing == ANSWER
    assert len(asked) == 1


def test_there_is_nothing_to_explain(voice_alone: AudioTextEmotionPipeline, silent: str) -> None:
    with pytest.raises(AudioError, match="nothing to hear"):
        explain(voice_alone, silent)


def test_the_page_says_so(voice_alone: AudioTextEmotionPipeline, silent: str) -> None:
    for language in app.LANGUAGES:
        scores, words = app.tell_emotion(voice_alone, silent, "", language, None)
        assert scores is None
        assert app.TEXTS[language]["nothing_heard"] in words


def test_profile_without_the_silent_clips(silent: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    classify = classifier(None, text_config=None, standardize=True)
    release = str(build_release(classify.model, classify.processor, tmp_path / "release"))
    clips: list[Any] = [{"array": tone(0.3, 16_000, 150.0 + 30 * row), "sampling_rate": 16_000} for row in range(6)]
    labels: list[str | None] = ["joy", None, "anger", "anger", None, "joy"]
    expected = make_profile(release, clips, labels=labels)
    found = make_profile(release, [clips[0], silent, *clips[1:]], labels=[labels[0], "fear", *labels[1:]])
    assert found.clips == 6
    assert found.labelled == expected.labelled == 4
    torch.testing.assert_close(found.shift, expected.shift)
    assert "silent.wav: there is nothing to hear" in caplog.text
    with pytest.raises(AudioError, match="nothing to hear"):
        make_profile(release, [silent])


def test_command_line(
    voice_alone: AudioTextEmotionPipeline, silent: str, wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = str(build_release(voice_alone.model, voice_alone.processor, tmp_path / "release"))
    main(["predict", "--model", release, "--audio", silent])
    assert capsys.readouterr().out == "silence: there is nothing to hear in this recording.\n"
    # A corpus is scored row by row, whatever is in it.
    (tmp_path / "corpus").mkdir()
    for name, source in (("a.wav", silent), ("b.wav", str(wav))):
        (tmp_path / "corpus" / name).write_bytes(Path(source).read_bytes())
    rows = [("a.wav", "ana", "neutral", "hola"), ("b.wav", "leo", "joy", "hola")]
    write_csv(tmp_path / "corpus/train.csv", ("filename", "speaker", "label", "transcription"), rows)
    main(
        ["evaluate", "--model", release, "--data", str(tmp_path / "corpus"), "--split", "train",
         "--output", str(tmp_path / "scores")]
    )  # fmt: skip
    assert len((tmp_path / "scores/predictions.csv").read_text(encoding="utf-8").splitlines()) == 3
