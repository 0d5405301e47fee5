"""Anchors, windows and batches, whatever the lengths: inside the sequence, the same as a slow loop, each once."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from auxrnn.core.anchors import prediction_segments, reconstruction_segments, step_generator
from auxrnn.core.batch import InputSpec, batches_by_length
from auxrnn.core.truncation import encode_windows
from auxrnn.sources.dataset import SequenceData
from auxrnn.training.order import BatchOrder, PlainLoader, TrainingLoader
from oracles import assert_same, gradients, slow_window

lengths = st.lists(st.integers(1, 40), min_size=1, max_size=6)
anchors = st.sampled_from(["uniform", "end", "late", "stratified"])


# Anchors --------------------------------------------------------------------------------------------------------------


@given(
    lengths=lengths,
    number=st.integers(1, 4),
    length=st.integers(1, 50),
    seed=st.integers(0, 99),
    placement=st.sampled_from(["near", "distant"]),
    direction=st.sampled_from(["past", "future"]),
    anchors=anchors,
)
def test_reconstructed_segments_lie_on_their_side_of_the_anchor(
    lengths, number, length, seed, placement, direction, anchors
):
    steps = torch.tensor(lengths)
    found = reconstruction_segments(
        steps, number, length, step_generator(seed), placement, direction=direction, anchors=anchors
    )
    again = reconstruction_segments(
        steps, number, length, step_generator(seed), placement, direction=direction, anchors=anchors
    )
    assert found.anchor.shape == found.start.shape == found.length.shape == (len(lengths), number)
    stop, whole = found.start + found.length, steps.unsqueeze(1)
    future = direction == "future"
    assert (found.length == (whole - int(future)).clamp(max=length)).all()
    assert (found.start >= (found.anchor if future else 0)).all()
    assert (stop <= (whole if future else found.anchor)).all()
    assert (found.anchor >= (1 if future else 0)).all()
    assert (found.anchor <= whole).all()
    if placement == "near":
        assert ((found.start if future else stop) == found.anchor).all()
    assert torch.equal(found.anchor, again.anchor)
    assert torch.equal(found.start, again.start)


@given(lengths=lengths, number=st.integers(1, 4), length=st.integers(1, 50), seed=st.integers(0, 99), anchors=anchors)
def test_predicted_segments_leave_a_step_to_predict(lengths, number, length, seed, anchors):
    steps = torch.tensor(lengths)
    found = prediction_segments(steps, number, length, step_generator(seed), anchors=anchors)
    assert torch.equal(found.start, found.anchor)
    assert (found.length == (steps.unsqueeze(1) - 1).clamp(max=length)).all()
    assert (found.start >= 0).all()
    assert (found.start + found.length <= steps.unsqueeze(1) - 1).all()


# Windows --------------------------------------------------------------------------------------------------------------


@given(
    data=st.data(),
    batch=st.integers(1, 3),
    windows=st.integers(1, 3),
    steps=st.integers(1, 30),
    cell=st.sampled_from([nn.LSTM, nn.GRU]),
)
def test_windows_are_as_in_a_slow_loop(data, batch, windows, steps, cell):
    """Values and every gradient, also of what lies outside the window: nothing."""
    torch.manual_seed(0)
    core = cell(2, 3, batch_first=True).double()
    inputs = torch.randn(batch, steps, 2, dtype=torch.float64, requires_grad=True)
    pairs = st.tuples(st.integers(0, steps), st.integers(0, steps)).map(sorted)
    bounds = torch.tensor([[data.draw(pairs) for _ in range(windows)] for _ in range(batch)])  # (B, W, 2)
    found = encode_windows(core, inputs, bounds[..., 0], bounds[..., 1])
    total, expected = found.outputs.square().sum(), torch.zeros((), dtype=torch.float64)
    for b in range(batch):
        for w in range(windows):
            start, stop = bounds[b, w].tolist()
            outputs, _ = slow_window(core, inputs[b], start, stop)
            assert not found.outputs[b, w, stop - start :].any()
            if outputs is not None:
                assert_same([found.outputs[b, w, : stop - start]], [outputs])
                expected = expected + outputs.square().sum()
    weights = [inputs, *core.parameters()]
    assert_same(gradients(total, weights), gradients(expected, weights))


# Batches --------------------------------------------------------------------------------------------------------------

orders = st.fixed_dictionaries(
    {"batch_size": st.integers(1, 7), "seed": st.integers(0, 9), "phase": st.integers(0, 1), "ranks": st.integers(1, 3)}
)


def batches_of(size, options, rank, lengths=None, *, epoch=0, skip=0):
    order = BatchOrder(size, **options, rank=rank, lengths=lengths)
    order.set_epoch(epoch)
    order.skip = skip
    return list(order)


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    options=orders,
    epoch=st.integers(0, 3),
    skip=st.integers(0, 30),
)
def test_every_sequence_once_and_from_anywhere(lengths, options, epoch, skip):
    size, steps = len(lengths), torch.tensor(lengths)
    ranks = [batches_of(size, options, rank, steps, epoch=epoch) for rank in range(options["ranks"])]
    assert len({len(batches) for batches in ranks}) == 1  # none waits for another
    every = [index for batches in ranks for batch in batches for index in batch]
    assert set(every) == set(range(size))
    assert len(every) - size < options["ranks"]
    assert all(1 <= len(batch) <= options["batch_size"] for batches in ranks for batch in batches)
    for rank, batches in enumerate(ranks):
        assert batches_of(size, options, rank, steps, epoch=epoch, skip=skip) == batches[skip:]


@given(size=st.integers(1, 60), options=orders)
def test_several_ranks_read_what_one_would(size, options):
    number, batch_size = options["ranks"], options["batch_size"]
    whole = batches_of(size, options | {"ranks": 1, "batch_size": number * batch_size}, 0)
    ranks = [batches_of(size, options, rank) for rank in range(number)]
    for batch, *parts in zip(whole, *ranks, strict=True):
        assert {index for part in parts for index in part} >= set(batch)


def data_of(lengths):
    sequences = [torch.full((length, 1), index, dtype=torch.uint8) for index, length in enumerate(lengths)]
    return SequenceData("some", InputSpec("pixels", 1), sequences, torch.arange(len(lengths)) % 2, ("a", "b"))


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    batch_size=st.integers(1, 7),
    stopped=st.integers(0, 30),
)
def test_a_loader_goes_on_where_it_was_stopped(lengths, batch_size, stopped):
    data = data_of(lengths)

    def loader():
        return TrainingLoader(data, BatchOrder(len(data), batch_size, seed=1, phase=0, lengths=data.lengths))

    whole = [batch.labels.tolist() + batch.lengths.tolist() for batch in loader().batches(0)]
    seen = []
    for batch in loader().batches(0):
        seen.append(batch.labels.tolist() + batch.lengths.tolist())
        if len(seen) == stopped:
            break
    if len(seen) < len(whole):
        rest = loader().batches(0, len(seen))
        seen += [batch.labels.tolist() + batch.lengths.tolist() for batch in rest]
    assert seen == whole


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=30), batch_size=st.integers(1, 7), ranks=st.integers(1, 3)
)
def test_batches_hold_each_sequence_and_zeros_behind_it(lengths, batch_size, ranks):
    data = data_of(lengths)
    assert sorted(torch.cat(batches_by_length(data.lengths, batch_size)).tolist()) == list(range(len(lengths)))
    seen = []
    for rank in range(ranks):
        for batch in PlainLoader(data, batch_size, ranks=ranks, rank=rank):
            assert batch.inputs.shape[1] == int(batch.lengths.max())
            for row, length in zip(batch.inputs, batch.lengths.tolist(), strict=True):
                assert (row[:length] == row[0]).all()
                assert not row[length:].any()
                assert lengths[int(row[0])] == length
                seen.append(int(row[0]))
    assert sorted(seen) == list(range(len(lengths)))
