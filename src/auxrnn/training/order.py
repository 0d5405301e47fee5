"""Batches in an order that can be taken up again anywhere.

The order is a pure function of (seed, phase, epoch, rank): a run that goes on exactly has only to know its position.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from auxrnn.config import TrainingConfig
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import SequenceBatch, batches_by_length
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.ranks import Ranks

BUCKET = 50  # batches that are sorted by length together
ORDER_KEY = 1  # keeps this generator apart from those of other purposes


def steps_an_epoch(training: TrainingConfig, number: int) -> int:
    """Steps of the optimiser on so many sequences."""
    batch = training.batch_size * training.devices * training.num_nodes
    return math.ceil(number / batch) * training.epoch_passes


class BatchOrder(Sampler[list[int]]):
    """Lists of indices, one a batch: shuffled afresh each epoch, every sequence once, the last batch may be smaller.

    Over several ranks a batch is dealt out to them in turn, so that together they read what one process would with a
    batch `ranks` times as large. Where the last is smaller than their number, a rank left without a sequence takes one
    that has been read already, so that none waits for a batch that another does not have: at most `ranks - 1` in an
    epoch come twice.

    passes: how often an epoch takes every sequence, in an order of its own each time.

    lengths: of the sequences, (size,). Where they differ, the shuffled order is sorted by length within buckets of at
    most `BUCKET` batches and an eighth of the epoch, and the batches are shuffled: padding stays low, and which
    sequences meet still differs from epoch to epoch.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        *,
        seed: int,
        phase: int,
        ranks: int = 1,
        rank: int = 0,
        lengths: Tensor | None = None,
        passes: int = 1,
    ) -> None:
        self.size, self.batch_size, self.seed, self.phase = size, batch_size, seed, phase
        self.ranks, self.rank, self.passes = ranks, rank, passes
        self._lengths = None if lengths is None or (lengths == lengths[:1]).all() else lengths
        self.epoch = 0
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Take another epoch's order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.passes * self._batches

    @property
    def _batches(self) -> int:
        """Batches of a pass."""
        return math.ceil(self.size / (self.ranks * self.batch_size))

    def __iter__(self) -> Iterator[list[int]]:
        first, self.skip = self.skip, 0
        for passed in range(first // self._batches, self.passes):
            mine = self._pass(self.epoch * self.passes + passed)
            for batch in range(max(first - passed * self._batches, 0), self._batches):
                yield mine[batch * self.batch_size : (batch + 1) * self.batch_size]

    def _pass(self, number: int) -> list[int]:
        """The sequences of this rank in the order of a pass."""
        generator = step_generator(ORDER_KEY, self.seed, self.phase, number)
        order = torch.randperm(self.size, generator=generator).tolist()
        if self._lengths is not None:
            order = self._by_length(order, self._lengths, generator)
        mine = order[self.rank :: self.ranks]
        if len(mine) <= (self._batches - 1) * self.batch_size:
            mine.append(order[self.rank % self.size])
        return mine

    def _by_length(self, order: list[int], lengths: Tensor, generator: torch.Generator) -> list[int]:
        """The order with sequences of like length in one batch of all ranks; the smaller last one stays last."""
        size = self.ranks * self.batch_size
        together = min(max(self._batches // 8, 1), BUCKET) * size
        batches: list[list[int]] = []
        for start in range(0, len(order), together):
            bucket = torch.tensor(order[start : start + together])
            by_length = bucket[torch.argsort(lengths[bucket], stable=True)]
            batches += [batch.tolist() for batch in by_length.split(size)]
        last = batches.pop() if len(batches[-1]) < size else []
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [index for place in shuffled for index in batches[place]] + last


class _Batches(Dataset[SequenceBatch]):
    """Whole batches by their list of indices, as torch's loader asks for them."""

    def __init__(self, data: SequenceData, *, lazy: bool = True) -> None:
        self.data, self.lazy = data, lazy

    def __getitem__(self, indices: list[int]) -> SequenceBatch:
        return self.data.batch(indices, lazy=self.lazy)


class TrainingLoader(DataLoader[SequenceBatch]):
    """The batches of an epoch from any of them on."""

    def __init__(self, data: SequenceData, order: BatchOrder, num_workers: int = 0) -> None:
        super().__init__(
            _Batches(data, lazy=num_workers == 0),  # what a worker sends is read
            batch_size=None,
            sampler=order,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            generator=torch.Generator().manual_seed(0),  # else the loader's own draw shifts the global random state
        )
        self._order = order

    def batches(self, epoch: int, first: int = 0) -> Iterator[SequenceBatch]:
        """Those of an epoch, which counts from 0, without the `first` that have been read."""
        self._order.set_epoch(epoch)
        self._order.skip = first
        return iter(self)


def training_loader(train: SequenceData, training: TrainingConfig, phase: int, ranks: Ranks) -> TrainingLoader:
    """The batches of this rank in a phase."""
    order = BatchOrder(
        len(train),
        training.batch_size,
        seed=training.seed,
        phase=phase,
        ranks=ranks.number,
        rank=ranks.rank,
        lengths=train.lengths if training.sort_batches else None,
        passes=training.epoch_passes,
    )
    return TrainingLoader(train, order, training.num_workers)


class PlainLoader(DataLoader[SequenceBatch]):
    """All of a set in a fixed order, for evaluation: sequences of like length side by side.

    Over several ranks each sequence goes to one of them; a rank may have fewer batches than another, or none.
    """

    def __init__(self, data: SequenceData, batch_size: int, *, ranks: int = 1, rank: int = 0) -> None:
        mine = torch.cat(batches_by_length(data.lengths, batch_size))[rank::ranks]
        batches = [indices.tolist() for indices in mine.split(batch_size) if len(indices)]
        super().__init__(_Batches(data), batch_size=None, sampler=batches)
