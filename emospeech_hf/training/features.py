"""What is computed once, before training: MFCC means, tokens, and the pooled outputs of frozen encoders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, concatenate_datasets

from ..audio_emospeech import AudioError, decode_audio, resample_audio
from ..data.augmentation import change_speed
from ..data.problems import Problem
from ..feature_extraction_emospeech import EmoSpeechFeatureExtractor
from ..modeling_emospeech import EmoSpeechForEmotionClassification
from ..processing_emospeech import SILENT_RECORDING, EmoSpeechProcessor
from .feature_table import DECODE_LATER, other_speed_column
from .recipe import ModelRecipe


ENCODER_BATCH = 32
TEXT_BLOCK = 8 * ENCODER_BATCH
"""Texts among which those of similar length are sought."""

SPEECH_BLOCK, BLOCK = 16 * ENCODER_BATCH, 16 * TEXT_BLOCK
"""Rows whose features are kept together, of a speech encoder and of all else: what a kill costs at most, and what is
computed anew where a row of them changes."""

FEATURE_VERSION = 3
"""Part of every cache key; to be raised when the same inputs give other features."""


class FeatureBuilder:
    """
    Computes the features of a split, and keeps them on disk under a key made of all that they depend on.

    Args:
        model ([`EmoSpeechForEmotionClassification`]): its frozen encoders are run.
        processor ([`EmoSpeechProcessor`]): computes their inputs.
        recipe ([`ModelRecipe`]): says which encoders are frozen.
        cache_dir (`Path`): folder of the kept features.
        device (`torch.device`): where the encoders run.
        num_workers (`int`, *optional*, defaults to 0): processes that compute MFCC.
        speed_factors (`Sequence[float]`, *optional*): other speeds at which a frozen speech encoder hears each
            recording too, for training.
    """

    def __init__(
        self,
        model: EmoSpeechForEmotionClassification,
        processor: EmoSpeechProcessor,
        recipe: ModelRecipe,
        cache_dir: Path,
        device: torch.device,
        num_workers: int = 0,
        speed_factors: Sequence[float] = (),
    ) -> None:
        self.model = model
        self.processor = processor
        self.recipe = recipe
        self.cache_dir = cache_dir
        self.device = device
        self.num_workers = num_workers
        self.speed_factors = speed_factors

    def add_features(
        self, dataset: Dataset, split: str, other_speeds: bool = True
    ) -> tuple[Dataset, list[tuple[int, Problem]]]:
        """
        Add the columns that [`FeatureTable`] reads. Done before the corpus is split, so that another split or seed
        finds the features in the cache.

        Args:
            dataset (`Dataset`): of the schema.
            split (`str`): its name, for progress bars and messages.
            other_speeds (`bool`, *optional*, defaults to `True`): whether the recordings are heard at other speeds too.

        Returns:
            `tuple[Dataset, list[tuple[int, Problem]]]`: the dataset with its features, without the rows whose
            recording cannot be decoded; and those rows' indices and problems.
        """
        recipe = self.recipe
        problems: list[tuple[int, Problem]] = []
        if self.model.config.missing_modalities:
            present = [[audio is not None, bool(text)] for audio, text in zip(dataset["audio"], dataset["text"])]
            dataset = dataset.add_column("modality_mask", present)
        if self.processor.uses_speech:
            speech = self._speech(dataset, split)
            problems = [
                (index, Problem(split, index + 1, dataset[index]["id"], message, "Replace the file"))
                for index, message in enumerate(speech["problem"])
                if message
            ]
            if recipe.num_mfcc:
                dataset = _beside(dataset, speech.remove_columns(["problem"]))
            if problems:
                bad = {index for index, _ in problems}
                kept = [index for index in range(len(dataset)) if index not in bad]
                dataset = dataset.select(kept).flatten_indices(keep_in_memory=True)
        if recipe.speech_encoder and recipe.freeze_speech_encoder:
            for factor in (1.0, *(self.speed_factors if other_speeds else ())):
                dataset = _beside(dataset, self._embeddings(dataset, split, "speech", self._encode_speech, factor))
        elif recipe.speech_encoder:
            dataset = dataset.add_column(DECODE_LATER, [True] * len(dataset))
        if recipe.text_encoder and recipe.freeze_text_encoder:
            dataset = _beside(dataset, self._embeddings(dataset, split, "text", self._encode_text))
        elif recipe.text_encoder:
            dataset = dataset.add_column("input_ids", self._tokens(list(dataset["text"])))
        return dataset, problems

    def _speech(self, dataset: Dataset, split: str) -> Dataset:
        extractor = self.processor.feature_extractor
        frames = extractor.mfcc_pooling == "none"

        # Sees the extractor alone: what it sees is copied to every worker.
        def compute(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            results = [_mfcc(extractor, SILENT_RECORDING if audio is None else audio) for audio in batch["audio"]]
            features = [mfcc for mfcc, _ in results]
            columns = _flattened("mfcc_frames", features) if frames else {"mfcc_means": features}
            return {**columns, "problem": [problem for _, problem in results]}

        return self._map(dataset, f"MFCC of {split}", compute, ["audio"], extractor.to_dict(), self.num_workers)

    def _embeddings(
        self,
        dataset: Dataset,
        split: str,
        modality: str,
        encode: Callable[[list[Any], float], tuple[torch.Tensor, torch.Tensor | None]],
        factor: float = 1.0,
    ) -> Dataset:
        encoder = getattr(self.model.emospeech, f"{modality}_encoder")
        sequences = self.model.config.takes_sequences
        pooling = None if sequences else getattr(self.recipe, f"{modality}_pooling")
        column = {"speech": "audio", "text": "text"}[modality]
        width = self.model.emospeech.source_dims[modality]
        name = f"{modality}_states" if sequences else f"{modality}_embeds"
        name = name if factor == 1 else other_speed_column(str(factor))

        def compute(batch: dict[str, list[Any]]) -> dict[str, Any]:
            rows = batch[column]
            # Texts of similar length go through the encoder together.
            lengths = [len(text) for text in rows] if modality == "text" else [0] * len(rows)
            order = [int(place) for place in np.argsort(lengths, kind="stable") if rows[place] is not None]
            # What a row lacks, `modality_mask` hides.
            outputs = [np.zeros((1, width) if sequences else width, np.float32)] * len(rows)
            for start in range(0, len(order), ENCODER_BATCH):
                places = order[start : start + ENCODER_BATCH]
                with torch.no_grad():
                    encoded, mask = encode([rows[place] for place in places], factor)
                for number, place in enumerate(places):
                    states = encoded[number] if mask is None else encoded[number][mask[number].bool()]
                    outputs[place] = states.float().cpu().numpy()
            return _flattened(name, outputs) if sequences else {name: outputs}

        key = {
            "weights": weights_digest(encoder),
            "pooling": pooling,
            "layers": getattr(self.recipe, f"{modality}_layers"),
            "inputs": self.processor.feature_extractor.to_dict(),
            "tokens": self._tokens(["¡Qué alegría, verte!"])[0] if modality == "text" else None,
            "limit": self.processor.tokenizer.model_max_length if modality == "text" else None,
        }
        if factor != 1:
            key["speed"] = factor
        encoder.to(self.device).eval()
        description = f"{modality.capitalize()} encoder on {split}" + ("" if factor == 1 else f", speed {factor}")
        sizes = (TEXT_BLOCK, BLOCK) if modality == "text" else (ENCODER_BATCH, SPEECH_BLOCK)
        return self._map(dataset, description, compute, [column], key, 0, *sizes)

    def _encode_speech(self, rows: list[Any], factor: float) -> tuple[torch.Tensor, torch.Tensor | None]:
        extractor = self.processor.feature_extractor
        if factor != 1:
            rate = extractor.speech_extractor.sampling_rate
            waveforms = [torch.from_numpy(resample_audio(*decode_audio(row), rate)) for row in rows]
            rows = [(change_speed(waveform, rate, factor).numpy(), rate) for waveform in waveforms]
        inputs = extractor.speech_inputs(rows)
        inputs = {name: value.to(self.device) for name, value in inputs.items()}
        model = self.model.emospeech
        encoded = model.get_speech_features(**inputs)
        if not model.config.takes_sequences:
            return encoded, None
        return encoded, model.get_speech_mask(encoded, inputs["speech_attention_mask"], "input_values" in inputs)

    def _encode_text(self, rows: list[Any], _: float) -> tuple[torch.Tensor, torch.Tensor | None]:
        inputs = self.processor.text_inputs(rows, return_tensors="pt")
        inputs = {name: value.to(self.device) for name, value in inputs.items()}
        encoded = self.model.emospeech.get_text_features(**inputs)
        return encoded, inputs["attention_mask"] if self.model.config.takes_sequences else None

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return list(self.processor.text_inputs(texts, padding=False)["input_ids"])

    def _map(
        self,
        dataset: Dataset,
        description: str,
        function: Callable[[dict[str, list[Any]]], dict[str, Any]],
        columns: list[str],
        settings: dict[str, Any],
        num_workers: int = 0,
        batch_size: int = ENCODER_BATCH,
        block_size: int = BLOCK,
    ) -> Dataset:
        self.cache_dir.mkdir(parents=True, exist_ok=True)
        starts = range(0, len(dataset), block_size)
        blocks = []
        for number, start in enumerate(starts, start=1):
            block = dataset.select(range(start, min(start + block_size, len(dataset))))
            parts = [FEATURE_VERSION, columns, settings, _rows_digest(block, columns)]
            key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
            computed = block.map(
                function,
                batched=True,
                batch_size=batch_size,
                remove_columns=dataset.column_names,
                num_proc=num_workers or None,
                cache_file_name=str(self.cache_dir / f"{key}.arrow"),
                new_fingerprint=key,
                desc=description if len(starts) == 1 else f"{description}, part {number} of {len(starts)}",
            )
            blocks.append(computed)
        return concatenate_datasets(blocks)


def _beside(dataset: Dataset, features: Dataset) -> Dataset:
    return concatenate_datasets([dataset, features], axis=1)


def _mfcc(extractor: EmoSpeechFeatureExtractor, audio: Any) -> tuple[np.ndarray, str]:
    """MFCC means or frames of a recording, and `""`; or zeros, and why it cannot be used."""
    frames = extractor.mfcc_pooling == "none"
    try:
        return (extractor.mfcc_frames([audio]) if frames else extractor.mfcc_means([audio]))[0], ""
    except AudioError as error:
        return np.zeros((1, extractor.num_mfcc) if frames else extractor.num_mfcc, np.float32), str(error)


def _flattened(name: str, sequences: list[np.ndarray]) -> dict[str, list[Any]]:
    """Columns of sequences of shape (length, width). Flat rows are read from the cache without a copy."""
    return {
        name: [sequence.reshape(-1) for sequence in sequences],
        f"{name}_length": [len(sequence) for sequence in sequences],
    }


def _rows_digest(dataset: Dataset, columns: list[str]) -> str:
    """Digest of the columns' content; of an audio file its path, size and time of change."""
    digest = hashlib.sha256()
    for row in dataset.select_columns(columns):
        for value in row.values():
            if isinstance(value, dict):
                content = value.get("bytes")
                if content is None:
                    status = Path(value["path"]).stat()
                    content = f"{value['path']} {status.st_size} {status.st_mtime_ns}".encode()
                digest.update(hashlib.sha256(content).digest())
            else:
                digest.update(hashlib.sha256(str(value).encode()).digest())
    return digest.hexdigest()


def weights_digest(module: torch.nn.Module) -> str:
    """
    Args:
        module (`torch.nn.Module`): of any kind.

    Returns:
        `str`: what tells its weights from others.
    """
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
