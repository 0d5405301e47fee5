"""Every sequence once an epoch, in an order that is a function of its key and can be taken up anywhere."""

import pytest
import torch

from auxrnn.training.order import BatchOrder, PlainLoader, TrainingLoader
from tiny_runs import make_data


def order(epoch=0, size=20, batch_size=8, **options):
    found = BatchOrder(size, batch_size, **{"seed": 0, "phase": 0, **options})
    found.set_epoch(epoch)
    return found


def flat(batches):
    return [index for batch in batches for index in batch]


def same(one, other):
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.labels, other.labels)


def test_each_epoch_is_a_permutation_in_batches_of_which_the_last_is_smaller():
    for epoch in range(3):
        batches = list(order(epoch))
        assert [len(batch) for batch in batches] == [8, 8, 4]
        assert len(order(epoch)) == 3
        assert sorted(flat(batches)) == list(range(20))


def test_the_order_differs_between_epochs_seeds_and_phases_and_by_nothing_else():
    torch.manual_seed(1)
    orders = [flat(order(epoch, seed=seed, phase=phase)) for epoch in (0, 1) for seed in (0, 1) for phase in (0, 1)]
    torch.manual_seed(2)
    again = [flat(order(epoch, seed=seed, phase=phase)) for epoch in (0, 1) for seed in (0, 1) for phase in (0, 1)]
    assert orders == again
    assert len({tuple(found) for found in orders}) == 8
    assert list(range(20)) not in orders


@pytest.mark.parametrize(("size", "ranks"), [(20, 2), (21, 2), (20, 3), (22, 4), (2, 5)])
def test_ranks_take_as_many_batches_each_and_everything_together(size, ranks):
    shares = [list(order(size=size, batch_size=3, ranks=ranks, rank=rank)) for rank in range(ranks)]
    assert all(batch for share in shares for batch in share)
    assert all(len(share) == len(order(size=size, batch_size=3, ranks=ranks)) for share in shares)
    everything = flat(batch for share in shares for batch in share)
    assert set(everything) == set(range(size))
    assert len(everything) - size < ranks


@pytest.mark.parametrize(("size", "twice"), [(20, 0), (21, 1), (22, 0), (23, 0), (24, 0), (25, 1)])
def test_ranks_read_together_what_one_process_reads_with_a_larger_batch(size, twice):
    whole = list(order(size=size, batch_size=4))
    shares = [list(order(size=size, batch_size=2, ranks=2, rank=rank)) for rank in range(2)]
    together = [first + second for first, second in zip(*shares, strict=True)]
    assert sum(map(len, together)) - size == twice
    assert all(set(batch) == set(whole[at]) for at, batch in enumerate(together[:-1]))
    assert set(whole[-1]) <= set(together[-1])


@pytest.mark.parametrize(
    "workers", [0, pytest.param(1, marks=pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"))]
)
@pytest.mark.parametrize("read", [0, 1, 2])
def test_a_loader_goes_on_where_another_stopped_and_the_next_epoch_is_whole(read, workers):
    data = make_data()
    whole = list(TrainingLoader(data, order()).batches(1))
    before = TrainingLoader(data, order(), workers).batches(1)
    for index in range(read):
        assert same(next(before), whole[index])
    resumed = TrainingLoader(data, order(), workers)
    rest = list(resumed.batches(1, read))
    assert len(rest) == 3 - read
    assert all(same(one, other) for one, other in zip(rest, whole[read:], strict=True))
    assert [len(batch) for batch in resumed.batches(2)] == [8, 8, 4]


def test_a_loader_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    list(TrainingLoader(make_data(), order()).batches(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluation_reads_everything_once_in_one_order_with_like_lengths_side_by_side():
    data = make_data(unequal=True)
    loader = PlainLoader(data, 8)
    first, second = list(loader), list(loader)
    assert all(same(one, other) for one, other in zip(first, second, strict=True))
    lengths = torch.cat([batch.lengths for batch in first])
    assert lengths.tolist() == sorted(data.lengths.tolist())
    assert sorted(flat(loader.sampler)) == list(range(20))
    labels = torch.cat([batch.labels for batch in first])
    assert torch.equal(labels, data.labels[flat(loader.sampler)])


def test_evaluation_of_equal_lengths_keeps_the_order_of_the_set():
    assert flat(PlainLoader(make_data(), 8).sampler) == list(range(20))


@pytest.mark.parametrize(("size", "batches"), [(20, [5, 5]), (7, [2, 2]), (2, [1, 1]), (1, [1, 0])])
def test_evaluation_over_ranks_reads_everything_once(size, batches):
    data = make_data(size=size, unequal=True)
    loaders = [PlainLoader(data, 2, ranks=2, rank=rank) for rank in range(2)]
    assert [len(loader) for loader in loaders] == batches
    assert sorted(flat(batch for loader in loaders for batch in loader.sampler)) == list(range(size))


# Sequences of unequal lengths -----------------------------------------------------------------------------------------

LENGTHS = torch.randint(1, 1000, (403,), generator=torch.Generator().manual_seed(0))


def padding(batches):
    return sum(int(LENGTHS[batch].max()) * len(batch) for batch in batches) / int(LENGTHS.sum())


def test_batches_of_like_length_hold_every_sequence_once_and_little_padding():
    plain, bucketed = (list(order(size=403, lengths=lengths)) for lengths in (None, LENGTHS))
    assert sorted(flat(bucketed)) == list(range(403))
    assert [len(batch) for batch in bucketed] == [len(batch) for batch in plain] == [8] * 50 + [3]
    assert padding(bucketed) < 1.2
    assert padding(plain) > 1.5


def test_neither_lengths_nor_company_come_in_order():
    first, second = (list(order(epoch, size=403, lengths=LENGTHS)) for epoch in (0, 1))
    assert first != second
    assert list(order(size=403, lengths=LENGTHS)) == first
    longest = [int(LENGTHS[batch].max()) for batch in first]
    assert longest != sorted(longest)
    assert not {frozenset(batch) for batch in first} & {frozenset(batch) for batch in second}


def test_equal_lengths_change_nothing():
    assert list(order(lengths=torch.full((20,), 7))) == list(order())


def test_batches_of_like_length_can_be_taken_up_anywhere_and_shared():
    whole = list(order(size=403, lengths=LENGTHS))
    resumed = order(size=403, lengths=LENGTHS)
    resumed.skip = 17
    assert list(resumed) == whole[17:]
    assert list(resumed) == whole
    shares = [list(order(size=403, lengths=LENGTHS, ranks=2, rank=rank)) for rank in (0, 1)]
    assert set(flat(shares[0] + shares[1])) == set(range(403))
    doubled = list(order(size=403, lengths=LENGTHS, batch_size=16))
    for one, other, whole in zip(*shares, doubled, strict=True):
        assert set(one + other) >= set(whole)
        assert len(one) == -(-len(whole) // 2)
