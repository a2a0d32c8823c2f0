"""Every example once per epoch, in an order that follows from seed and epoch."""

from __future__ import annotations

import numpy as np
import pytest

from emospeech_hf.data.batching import EpochBatchSampler


@pytest.mark.parametrize("with_lengths", [False, True])
def test_every_example_once(with_lengths: bool) -> None:
    lengths = list(range(103)) if with_lengths else None
    sampler = EpochBatchSampler(103, 8, seed=1, lengths=lengths)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 13
    assert sorted(index for batch in batches for index in batch) == list(range(103))
    assert list(sampler) == batches
    sampler.set_epoch(1)
    assert list(sampler) != batches
    assert list(EpochBatchSampler(103, 8, seed=2, lengths=lengths)) != batches


def test_buckets_hold_similar_lengths() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 1000).tolist()
    spread = {}
    for name, given in (("buckets", lengths), ("shuffled", None)):
        batches = EpochBatchSampler(1000, 10, seed=0, lengths=given)
        spread[name] = np.mean([np.ptp([lengths[index] for index in batch]) for batch in batches])
    assert spread["buckets"] < 10 < 100 < spread["shuffled"]


@pytest.mark.parametrize("with_lengths", [False, True])
def test_balanced_batches_have_each_label_as_often(with_lengths: bool) -> None:
    labels = [0] * 900 + [2] * 90 + [3] * 10
    lengths = list(range(1000)) if with_lengths else None
    sampler = EpochBatchSampler(1000, 10, seed=0, lengths=lengths, labels=labels)
    drawn = [labels[index] for batch in sampler for index in batch]
    assert len(drawn) == 1000
    assert np.bincount(drawn)[[0, 2, 3]] == pytest.approx([333] * 3, abs=60)
    assert list(sampler) == list(sampler)
