"""Steps that are read where they are asked for against a tensor of the same steps, bit by bit."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from auxrnn.config import ModelConfig
from auxrnn.core import lazy_steps
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.build import build_model
from auxrnn.core.lazy_steps import LazySteps
from auxrnn.core.stems import TokenGrid

SPECS = {
    "values": InputSpec("values", 2),
    "pixels": InputSpec("pixels", 3, levels=5),
    "characters": InputSpec("characters", 6),
}
LENGTHS = [1, 2, 9, 40, 33, 17]


def make_batch(kind: str) -> SequenceBatch:
    torch.manual_seed(2)
    spec, shape = SPECS[kind], (len(LENGTHS), max(LENGTHS))
    if kind == "values":
        inputs = torch.randn(*shape, spec.size)
    elif kind == "pixels":
        inputs = torch.randint(spec.levels, (*shape, spec.size), dtype=torch.uint8)
    else:
        inputs = torch.randint(spec.size, shape)
    for row, length in enumerate(LENGTHS):
        inputs[row, length:] = 0
    return SequenceBatch(inputs, torch.tensor(LENGTHS), torch.arange(len(LENGTHS)) % 3)


def lazily(batch: SequenceBatch) -> SequenceBatch:
    rows = [row[:length] for row, length in zip(batch.inputs, batch.lengths.tolist(), strict=True)]
    reads = [lambda first, stop, row=row: checked(row, first, stop) for row in rows]
    return replace(batch, inputs=LazySteps(reads, batch.lengths))


def checked(row: Tensor, first: int, stop: int) -> Tensor:
    assert 0 <= first < stop <= len(row)
    return row[first:stop]


@pytest.mark.parametrize("ahead", [1, 2**18])
@pytest.mark.parametrize("kind", SPECS)
def test_every_way_to_ask_gives_what_a_tensor_gives(kind: str, ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_steps, "AHEAD", ahead)
    batch = make_batch(kind)
    grid = TokenGrid(3, 7)
    for dense, lazy in (
        (batch, lazily(batch)),
        (grid.cut(batch, SPECS[kind]), grid.cut(lazily(batch), SPECS[kind])),
    ):
        assert torch.equal(dense.lengths, lazy.lengths)
        for one, other in ((dense.inputs, lazy.inputs), (dense.steps, lazy.steps)):
            assert isinstance(other, LazySteps)
            assert (one.shape, one.dtype, len(one), one.dim()) == (
                other.shape, other.dtype, len(other), other.dim(),
            )  # fmt: skip
            steps = one.shape[1]
            for first, stop in ((0, 1), (0, 5), (3, 9), (4, 6), (0, steps), (steps - 2, steps + 5)):
                assert torch.equal(one[:, first:stop], other[:, first:stop])
                assert torch.equal(one[1:4][:, first:stop], other[1:4][:, first:stop])
                assert torch.equal(one[2:3, first:stop], other[2:3, first:stop])
            rows = torch.tensor([5, 0, 3, 3]).unsqueeze(1)
            at = (torch.tensor([2, 0, 1, 8]).unsqueeze(1) + torch.arange(4)).clamp(max=steps - 1)
            assert torch.equal(one[rows, at], other[rows, at])
            assert torch.equal(
                one[rows.unsqueeze(1), at.flip(1).view(4, 2, 2)], other[rows.unsqueeze(1), at.flip(1).view(4, 2, 2)]
            )
    assert torch.equal(lazily(batch).inputs.to("cpu")[:, :], batch.inputs)
    assert lazily(batch).inputs.to("meta").shape == batch.inputs.shape


def test_another_way_to_ask_is_refused() -> None:
    steps = lazily(make_batch("values")).inputs
    assert isinstance(steps, LazySteps)
    for key in (0, (0, slice(3)), (slice(None), 0), (slice(None), slice(0, 6, 2)), (slice(None),) * 3):
        with pytest.raises(TypeError, match=r"take steps\[:, first:stop\], or steps\[:, :\] for all"):
            steps[key]
    with pytest.raises(AttributeError, match=r"steps\[:, :\] for all. They have no 'mean'"):
        steps.mean(1)


def test_stretches_that_follow_each_other_read_every_step_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_steps, "AHEAD", 50)
    read = []
    row = torch.randn(90, 1)
    steps = LazySteps([lambda first, stop: read.append(stop - first) or row[first:stop]], torch.tensor([90]))
    steps[:, :1]
    del read[:]
    for first in range(0, 90, 7):
        assert torch.equal(steps[:, first : first + 7], row[None, first : first + 7])
    assert sum(read) == 90
    assert len(read) == 2  # 49 steps, and the rest


SETTINGS = {
    "windows and both losses": {"model": "rp-lstm", "bptt": 4, "num_anchors": 2, "segment_length": 3},
    "statistics": {"model": "rp-lstm", "bptt": 3, "segment_length": 2, "readout": "stats-max", "num_windows": 2,
                   "top_windows": 2, "anchor_labels": 0.5},
    "checkpointed": {"model": "lstm", "bptt": "full", "gradient": "checkpointed"},
    "exact": {"model": "lstm", "bptt": "full", "gradient": "exact", "cell": "lru"},
    "fptt": {"model": "lstm", "bptt": 3, "gradient": "fptt"},
    "a transformer": {"model": "transformer"},
}  # fmt: skip


@pytest.mark.parametrize("stem", [{}, {"stem": "conv", "stride": 3, "kernel": 2}])
@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("name", SETTINGS)
def test_losses_gradients_and_answers_are_those_of_a_tensor(name: str, kind: str, stem: dict[str, object]) -> None:
    if name == "a transformer" and stem:
        pytest.skip("it has no stem")
    torch.manual_seed(0)
    config = ModelConfig(**{**SETTINGS[name], **stem, "hidden_size": 5, "projection_size": 4})
    network = build_model(config, SPECS[kind], 3, max(LENGTHS)).eval()
    batch = make_batch(kind)

    def found(of: SequenceBatch) -> list[Tensor]:
        network.zero_grad()
        if config.gradient == "fptt":
            losses = list(network.losses_forward(of))
        else:
            losses = list(network.losses(of, ["supervised", *config.auxiliaries], 0.5, step_generator(1)).values())
        torch.stack([loss.mean for loss in losses]).sum().backward()
        with torch.no_grad():
            answers = network(of)
        weights = [weight.grad for weight in network.parameters() if weight.grad is not None]
        return [answers, *(loss.total.detach() for loss in losses), *weights]

    for one, other in zip(found(batch), found(lazily(batch)), strict=True):
        assert torch.equal(one, other)
