"""A release is loaded as a stranger would: another process, another folder, and this package out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertTokenizer, WhisperConfig, WhisperFeatureExtractor

from emospeech_hf import (
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)
from emospeech_hf.hub import build_release


STRANGER = Path(__file__).with_name("stranger_script.py").read_text(encoding="utf-8")

INSTALLED = """
import json, sys
import emospeech_hf
from transformers import (
    AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification, AutoModelForSequenceClassification,
    AutoProcessor, pipeline,
)
folder = sys.argv[1]
for trust in ({}, {"trust_remote_code": True}):
    for load in (
        AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification,
        AutoModelForSequenceClassification, AutoProcessor,
    ):
        assert type(load.from_pretrained(folder, **trust)).__module__.startswith("emospeech_hf"), load
    for classify in (pipeline("audio-text-emotion", model=folder, **trust), pipeline(model=folder, **trust)):
        assert type(classify.model).__module__.startswith("emospeech_hf")
        assert len(classify({"audio": sys.argv[2], "text": "hola"})) == 6
"""


def in_another_process(script: str, *arguments: object, home: Path) -> str:
    home.mkdir(exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "HF_MODULES_CACHE": str(home / "modules"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def make(kind: str, text_config: BertConfig, tokenizer: BertTokenizer, whisper_config: WhisperConfig) -> tuple[
    EmoSpeechForEmotionClassification, EmoSpeechProcessor
]:  # fmt: skip
    torch.manual_seed(0)
    config = EmoSpeechConfig(
        text_config=text_config if kind != "speech" else None,
        num_mfcc=128 if kind in ("both", "speech") else 0,
        speech_config=whisper_config if kind == "encoders" else None,
        fusion_dim=8,
    )
    extractor = EmoSpeechFeatureExtractor(
        num_mfcc=config.num_mfcc, speech_extractor=WhisperFeatureExtractor() if kind == "encoders" else None
    )
    processor = EmoSpeechProcessor(extractor, tokenizer if kind != "speech" else None)
    return EmoSpeechForEmotionClassification(config).eval(), processor


@pytest.mark.parametrize("kind", ["both", "text", "speech", "encoders"])
def test_a_stranger_gets_the_same_logits(
    kind: str,
    text_config: BertConfig,
    tokenizer: BertTokenizer,
    whisper_config: WhisperConfig,
    wav: Path,
    tmp_path: Path,
) -> None:
    model, processor = make(kind, text_config, tokenizer, whisper_config)
    folder = build_release(model, processor, tmp_path / "release")
    found = json.loads(in_another_process(STRANGER, folder, wav, home=tmp_path / "home").splitlines()[-1])
    inputs = processor(audio=wav, text="me siento muy triste", return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).logits
    torch.testing.assert_close(torch.tensor(found["logits"]), expected, atol=1e-4, rtol=1e-5)
    assert sum(entry["score"] for entry in found["answer"]) == pytest.approx(1)


def test_with_the_package_its_own_code_is_used(
    model: EmoSpeechForEmotionClassification, processor: EmoSpeechProcessor, wav: Path, tmp_path: Path
) -> None:
    folder = build_release(model, processor, tmp_path / "release")
    in_another_process(INSTALLED, folder, wav, home=tmp_path / "home")
