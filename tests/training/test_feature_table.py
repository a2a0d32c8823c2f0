"""Examples of a split, joined with those of another."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset

from emospeech_hf.training import feature_table
from emospeech_hf.training.feature_table import FeatureTable


@pytest.mark.parametrize("on_disk", [(False, False), (True, False), (True, True)])
def test_sequences_in_memory_and_on_disk_are_joined(
    on_disk: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    frames = [
        [generator.normal(size=(length, 4)).astype(np.float32) for length in lengths] for lengths in ((2, 5), (3,))
    ]
    tables = []
    for sequences, kept in zip(frames, on_disk):
        monkeypatch.setattr(feature_table, "SEQUENCE_MEMORY", 0 if kept else 2**30)
        columns = {"mfcc_frames": [frame.reshape(-1) for frame in sequences]}
        lengths = [len(frame) for frame in sequences]
        dataset = Dataset.from_dict({"label": [0] * len(lengths), "mfcc_frames_length": lengths, **columns})
        tables.append(FeatureTable(dataset))
    joined = tables[0].joined(tables[1])
    assert len(joined) == 3
    assert joined.lengths == [2, 5, 3]
    for row, frame in enumerate([*frames[0], *frames[1]]):
        np.testing.assert_allclose(joined[row]["mfcc_frames"], frame)
