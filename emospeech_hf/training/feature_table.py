"""The examples of a split with their features, as batches are made of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from ..configuration_emospeech import MODALITIES
from ..data.collation import ROW_TENSORS, SEQUENCE_MASKS
from ..processing_emospeech import SILENT_RECORDING


SEQUENCE_MEMORY = 2**30
"""Bytes of sequences that a split may hold in memory."""

DECODE_LATER = "decode_later"
"""Column that marks a split whose audio the collator decodes, batch by batch."""


def other_speed_column(factor: str) -> str:
    """
    Args:
        factor (`str`): a speed.

    Returns:
        `str`: name of the column of speech embeddings at that speed.
    """
    return f"speech_embeds at {factor}"


class FeatureTable(torch.utils.data.Dataset[dict[str, Any]]):
    """
    The examples of one split, as [`~data.EmotionCollator`] takes them.

    Vectors are held in memory, since every epoch reads them, and so are sequences of vectors up to `SEQUENCE_MEMORY`;
    more of them are read from the disk's cache. Audio that is decoded batch by batch stays where it is.

    Args:
        dataset (`Dataset`): of the schema, with the columns that [`FeatureBuilder`] adds.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.columns: dict[str, Any] = {"label": list(dataset["label"])}
        self.lengths: list[int] | None = None
        for name in ROW_TENSORS:
            if name in dataset.column_names:
                self.columns[name] = np.asarray(dataset.with_format("numpy")[name][:], dtype=np.float32)
        if "modality_mask" in dataset.column_names:
            self.columns["modality_mask"] = np.asarray(dataset["modality_mask"][:], dtype=bool)
        if "input_ids" in dataset.column_names:
            self.columns["input_ids"] = list(dataset["input_ids"])
            self.lengths = [len(tokens) for tokens in self.columns["input_ids"]]
        self.sequence_names = [name for name in SEQUENCE_MASKS if name in dataset.column_names]
        self.sequences: Sequence[dict[str, Any]] | Dataset | None = None
        if self.sequence_names:
            lengths = [f"{name}_length" for name in self.sequence_names]
            stored = dataset.select_columns([*self.sequence_names, *lengths]).with_format("numpy")
            # The first are the MFCC, if there are any; as frames outnumber tokens, they decide what a batch costs.
            self.lengths = list(dataset[lengths[0]])
            self.sequences = list(stored) if stored.data.nbytes <= SEQUENCE_MEMORY else stored
        self.audio = dataset.select_columns(["audio"]) if DECODE_LATER in dataset.column_names else None
        prefix = other_speed_column("")
        self.other_speeds: dict[str, np.ndarray] = {
            name.removeprefix(prefix): np.asarray(dataset.with_format("numpy")[name][:], dtype=np.float32)
            for name in dataset.column_names
            if name.startswith(prefix)
        }

    def has(self, modality: str) -> np.ndarray:
        """
        Args:
            modality (`str`): `"speech"` or `"text"`.

        Returns:
            `np.ndarray` of shape `(rows,)`, boolean: which rows have it.
        """
        if "modality_mask" not in self.columns:
            return np.ones(len(self), bool)
        return np.asarray(self.columns["modality_mask"][:, MODALITIES.index(modality)])

    def with_other_speeds(self, groups: Sequence[str | None]) -> tuple[FeatureTable, list[str | None]]:
        """
        Args:
            groups (`Sequence[str]`): each row's speaker or video, `None` where it is not known.

        Returns:
            `tuple`: a new [`FeatureTable`] of the rows and, behind them, of those with speech again at each other speed
            that was computed; and the groups, in which a speaker at another speed is another speaker.
        """
        heard = np.flatnonzero(self.has("speech"))
        table = self.subset(np.concatenate([np.arange(len(self)), *[heard] * len(self.other_speeds)]))
        table.other_speeds = {}
        if self.other_speeds:
            others = [embeddings[heard] for embeddings in self.other_speeds.values()]
            table.columns["speech_embeds"] = np.concatenate([self.columns["speech_embeds"], *others])
        known = [groups[int(row)] for row in heard]
        virtual = [None if group is None else f"{group} at {factor}" for factor in self.other_speeds for group in known]
        return table, [*groups, *virtual]

    def joined(self, other: FeatureTable) -> FeatureTable:
        """
        Args:
            other ([`FeatureTable`]): of the same features.

        Returns:
            [`FeatureTable`]: these examples and, behind them, the others'. Other speeds are left out.
        """
        table = copy.copy(self)
        table.columns = {name: _joined(values, other.columns[name]) for name, values in self.columns.items()}
        table.lengths = None if self.lengths is None else _joined(self.lengths, other.lengths)
        table.sequences = None if self.sequences is None else _joined(self.sequences, other.sequences)
        table.audio = None if self.audio is None else _joined(self.audio, other.audio)
        table.other_speeds = {}
        return table

    def subset(self, rows: Sequence[int] | np.ndarray) -> FeatureTable:
        """
        Args:
            rows (`Sequence[int]`): places of examples.

        Returns:
            [`FeatureTable`]: of those examples.
        """
        places = [int(row) for row in rows]
        table = copy.copy(self)
        table.columns = {name: _chosen(values, places) for name, values in self.columns.items()}
        table.lengths = None if self.lengths is None else _chosen(self.lengths, places)
        table.sequences = None if self.sequences is None else _chosen(self.sequences, places)
        table.audio = None if self.audio is None else self.audio.select(places)
        table.other_speeds = {name: _chosen(values, places) for name, values in self.other_speeds.items()}
        return table

    def __len__(self) -> int:
        return len(self.columns["label"])

    def __getitem__(self, index: int) -> dict[str, Any]:
        example = {name: values[index] for name, values in self.columns.items()}
        if self.sequences is not None:
            row = self.sequences[index]
            for name in self.sequence_names:
                example[name] = row[name].reshape(row[f"{name}_length"], -1)
        if self.audio is not None:
            example["audio"] = self.audio[index]["audio"] or SILENT_RECORDING
        return example


def _chosen(values: Any, places: list[int]) -> Any:
    if isinstance(values, np.ndarray):
        return values[places]
    return values.select(places) if isinstance(values, Dataset) else [values[place] for place in places]


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second])
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *second]
    return torch.utils.data.ConcatDataset([first, second])  # what is on disk stays there
