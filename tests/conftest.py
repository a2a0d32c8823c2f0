"""Tiny random models, a small corpus of tones, and what else the tests share."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
    pipeline,
)

from emospeech_hf import (
    EMOTIONS,
    AudioTextEmotionPipeline,
    EmoSpeechConfig,
    EmoSpeechFeatureExtractor,
    EmoSpeechForEmotionClassification,
    EmoSpeechProcessor,
)


os.environ["HF_HUB_OFFLINE"] = "1"
torch.set_num_threads(1)  # tests run side by side

WORDS = {
    "anger": "estoy harto de esto",
    "disgust": "qué asco me da",
    "fear": "tengo mucho miedo",
    "joy": "qué alegría verte",
    "neutral": "la reunión es a las cinco",
    "sadness": "me siento muy triste",
}


@pytest.fixture(scope="session")
def tokenizer() -> BertTokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = Tokenizer(models.WordPiece(unk_token=special[1]))
    pieces.normalizer = normalizers.BertNormalizer()
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    pieces.train_from_iterator(WORDS.values(), trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
    return BertTokenizer(vocab=pieces.get_vocab(), model_max_length=32)


@pytest.fixture(scope="session")
def text_config(tokenizer: BertTokenizer) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=37,
        max_position_embeddings=40,
    )


@pytest.fixture(scope="session")
def whisper_config() -> WhisperConfig:
    return WhisperConfig(
        vocab_size=100,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )


def classifier(tokenizer: BertTokenizer | None, transcriber: Any = None, **config: Any) -> AudioTextEmotionPipeline:
    """A pipeline of 13 MFCC means, with weights that are random and always the same; `config` says what else it has."""
    torch.manual_seed(0)
    settings = EmoSpeechConfig(**{"num_mfcc": 13, "fusion_dim": 8, **config})
    processor = EmoSpeechProcessor(EmoSpeechFeatureExtractor(num_mfcc=settings.num_mfcc), tokenizer)
    model = EmoSpeechForEmotionClassification(settings)
    return pipeline("audio-text-emotion", model=model, processor=processor, transcriber=transcriber, device=-1)


@pytest.fixture
def config(text_config: BertConfig) -> EmoSpeechConfig:
    return EmoSpeechConfig(text_config=text_config.to_dict(), fusion_dim=16, classifier_dim=16)


@pytest.fixture
def model(config: EmoSpeechConfig) -> EmoSpeechForEmotionClassification:
    torch.manual_seed(0)
    return EmoSpeechForEmotionClassification(config).eval()


@pytest.fixture
def processor(tokenizer: BertTokenizer) -> EmoSpeechProcessor:
    return EmoSpeechProcessor(EmoSpeechFeatureExtractor(), tokenizer)


@pytest.fixture(scope="session")
def text_encoder_dir(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: BertTokenizer, text_config: BertConfig
) -> Path:
    folder = tmp_path_factory.mktemp("text_encoder")
    torch.manual_seed(1)
    BertModel(text_config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def speech_encoder_dir(tmp_path_factory: pytest.TempPathFactory, whisper_config: WhisperConfig) -> Path:
    folder = tmp_path_factory.mktemp("speech_encoder")
    torch.manual_seed(2)
    WhisperModel(whisper_config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def tone(seconds: float, rate: int, pitch: float = 220.0, channels: int = 1) -> np.ndarray:
    """A buzzing tone with a little noise, different in each channel; (samples,) or (samples, channels)."""
    times = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(round(pitch * 10) + channels).normal(0, 0.01, (len(times), channels))
    waves = [
        np.sin(2 * np.pi * pitch * (1 + 0.5 * c) * times) + 0.3 * np.sign(np.sin(2 * np.pi * pitch * times))
        for c in range(channels)
    ]
    samples = 0.3 * np.stack(waves, axis=1) + noise
    return samples[:, 0] if channels == 1 else samples


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "utterance.wav"
    soundfile.write(path, tone(0.8, 16_000), 16_000)
    return path


def write_corpus(folder: Path, speakers: int = 4, per_emotion: int = 2, **csv_columns: str) -> Path:
    """A corpus in which pitch and words tell the emotion: `folder/train.csv` and `folder/audio/*.wav`."""
    (folder / "audio").mkdir(parents=True)
    rows = []
    for speaker in range(speakers):
        for number, label in enumerate(EMOTIONS):
            for take in range(per_emotion):
                name = f"s{speaker}-{label}-{take}.wav"
                samples = tone(0.25 + 0.03 * take, 16_000, pitch=100 + 60 * number + 5 * speaker + take)
                soundfile.write(folder / "audio" / name, samples, 16_000)
                rows.append((name, f"s{speaker}", label, f"{WORDS[label]} {take}", "female" if speaker % 2 else "male"))
    write_csv(folder / "train.csv", ("filename", "speaker", "label", "transcription", "gender"), rows)
    return folder


def write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]], encoding: str = "utf-8") -> None:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


@pytest.fixture
def corpus_dir(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus")


@pytest.fixture(scope="session")
def shared_corpus_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("shared") / "corpus")
