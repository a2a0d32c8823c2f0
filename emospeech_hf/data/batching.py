"""Which examples go into a batch together, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


BUCKET_BATCHES = 50


class EpochBatchSampler:
    """
    Batches in an order that follows from seed and epoch alone, so that a resumed run goes on as it would have.

    With lengths, batches hold examples of similar length (length buckets: the shuffled examples are sorted by length
    within runs of 50 batches), and come in random order.

    Args:
        size (`int`): number of examples.
        batch_size (`int`): examples per batch; the last may be smaller.
        seed (`int`): of the order.
        lengths (`Sequence[int]`, *optional*): of the examples, in any unit.
        labels (`Sequence[int]`, *optional*): of the examples; as many as there are are then drawn for each epoch, with
            each label as often as any other, instead of each of them once.
    """

    drop_last = False

    def __init__(
        self,
        size: int,
        batch_size: int,
        seed: int,
        lengths: Sequence[int] | None = None,
        labels: Sequence[int] | None = None,
    ) -> None:
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.lengths = None if lengths is None else np.asarray(lengths)
        self.shares: np.ndarray | None = None
        if labels is not None:
            counts = np.bincount(labels)
            self.shares = 1 / (np.count_nonzero(counts) * counts[np.asarray(labels)])
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng([self.seed, self.epoch])
        if self.shares is None:
            order = generator.permutation(self.size)
        else:
            order = generator.choice(self.size, self.size, p=self.shares)
        if self.lengths is not None:
            run = BUCKET_BATCHES * self.batch_size
            runs = [order[start : start + run] for start in range(0, self.size, run)]
            order = np.concatenate([indices[np.argsort(-self.lengths[indices], kind="stable")] for indices in runs])
        batches = [order[start : start + self.batch_size] for start in range(0, self.size, self.batch_size)]
        if self.lengths is not None:
            batches = [batches[index] for index in generator.permutation(len(batches))]
        for batch in batches:
            yield batch.tolist()
