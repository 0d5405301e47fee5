"""The losses as obvious loops over sequences, anchors and tokens, in float64; and what they are compared on."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.heads import FeedForward
from auxrnn.core.objectives import Draw, Loss, Objective, Prediction, Reconstruction, Supervised
from auxrnn.core.objectives import prediction as prediction_room
from auxrnn.core.objectives import reconstruction as reconstruction_room
from auxrnn.core.objectives.tokens import steps_at
from auxrnn.core.truncation import encode_plans
from oracles import assert_same, gradients, slow_reconstruction, slow_window

SPECS = {
    "pixels": InputSpec("pixels", 2, levels=5),
    "values": InputSpec("values", 2),
    "characters": InputSpec("characters", 6),
}


LENGTHS = [20, 9, 2, 1, 13]


CLASSES = 3


def make_encoder(kind: str = "values", **options: Any) -> Encoder:
    return Encoder(SPECS[kind], **{"hidden_size": 4, "projection_size": 3, **options}).double()


def make_batch(kind: str = "values", lengths: list[int] = LENGTHS) -> SequenceBatch:
    spec, shape = SPECS[kind], (len(lengths), max(lengths))
    if kind == "values":
        inputs = torch.randn(*shape, spec.size, dtype=torch.float64).requires_grad_()
    elif kind == "pixels":
        inputs = torch.randint(spec.levels, (*shape, spec.size), dtype=torch.uint8)
    else:
        inputs = torch.randint(spec.size, shape)
    return SequenceBatch(inputs, torch.tensor(lengths), torch.randint(CLASSES, (len(lengths),)))


def reconstruction(encoder: nn.Module, **options: Any) -> Reconstruction:
    return Reconstruction(encoder, **{"segment_length": 6, "hidden_size": 4, "regulariser": "none", **options}).double()


def prediction(encoder: nn.Module, **options: Any) -> Prediction:
    return Prediction(encoder, **{"segment_length": 6, "hidden_size": 4, "regulariser": "none", **options}).double()


def supervised(encoder: nn.Module, bptt: int | None) -> Supervised:
    return Supervised(FeedForward(4, CLASSES, regulariser="none"), bptt=bptt).double()


def walk(objective: Objective, core: nn.Module, batch: SequenceBatch, truth_share: float = 1.0) -> tuple[Loss, Draw]:
    """The walk of one batch, with what was drawn in sight."""
    generator = step_generator(7)
    draw = objective.draw(batch.lengths, generator)
    (windows,) = encode_plans(core, batch.inputs, [draw.windows])
    draw = replace(draw, chances=objective.chances(draw, generator))
    return objective.loss(batch, draw, windows, truth_share), draw


def drawn_feeding(objective: Reconstruction, batch: SequenceBatch, truth_share: float) -> Tensor:
    """Which inputs are fed as they are, (R, l - 1): drawn from the generator behind the anchors."""
    generator = step_generator(7)
    draw = objective.draw(batch.lengths, generator)
    assert draw.segments is not None
    rows, longest = draw.segments.length.numel(), int(draw.segments.length.max())
    fed = torch.rand(rows, longest - 1, generator=generator) < truth_share
    fed[:, 0] = True
    return fed


def token_loss(outputs: Tensor, step: Tensor, levels: int | None) -> Tensor:
    """One token by hand: squared error for levels None, else minus the logarithm of the right level's share."""
    if levels is None:
        return ((outputs - step) ** 2).sum()
    shares = outputs.exp() / outputs.exp().sum(-1, keepdim=True)
    if step.dim() == 0:
        return -shares[int(step)].log()
    return -sum(shares[c, int(level)].log() for c, level in enumerate(step))


LEVELS = {"pixels": 5, "values": None, "characters": 6}


def slow_reconstruction_loss(
    objective: Reconstruction, core: nn.Module, batch: SequenceBatch, draw: Draw, fed: Tensor
) -> tuple[Tensor, int]:
    assert draw.segments is not None
    total, count, row = torch.zeros((), dtype=torch.float64), 0, -1
    for b, sequence in enumerate(batch.inputs):
        for i in range(objective.num_anchors):
            row += 1
            anchor, start, length = (
                int(part[b, i]) for part in (draw.segments.anchor, draw.segments.start, draw.segments.length)
            )
            if length < 2:
                continue
            back = length if objective.reach == "segment" else anchor
            back = back if objective.bptt is None else min(back, objective.bptt)
            _, state = slow_window(core, sequence, anchor - back, anchor)
            segment = sequence[start : start + length]
            segment = segment.flip(0) if objective.order == "reversed" else segment
            outputs = slow_reconstruction(objective.decoder, segment, state, fed[row, : length - 1].tolist())
            for said, step in zip(outputs, segment[1:], strict=True):
                total = total + token_loss(said, step, LEVELS[core.spec.kind])
                count += 1
    return total, count


def slow_prediction_loss(
    objective: Prediction, core: nn.Module, batch: SequenceBatch, draw: Draw
) -> tuple[Tensor, int]:
    assert draw.segments is not None
    total, count = torch.zeros((), dtype=torch.float64), 0
    for b, sequence in enumerate(batch.inputs):
        for i in range(objective.num_anchors):
            anchor, length = int(draw.segments.anchor[b, i]), int(draw.segments.length[b, i])
            state, hidden = None, []
            for first in range(0, length, objective.bptt or max(length, 1)):  # pieces of at most K main steps
                end = min(first + (objective.bptt or length), length)
                outputs, _ = slow_window(core, sequence, anchor + first, anchor + end)
                assert outputs is not None
                hidden += list(outputs.detach() if objective.bptt == 0 else outputs)
            for t, main in enumerate(hidden):
                above, state = objective.decoder.core(main.view(1, 1, -1), state)
                said = objective.decoder.head(above[0, 0])
                total = total + token_loss(said, sequence[anchor + t + 1], LEVELS[core.spec.kind])
                count += 1
    return total, count


def assert_equal_to_slow(
    found: Loss, slow: tuple[Tensor, int], core: nn.Module, objective: Objective, batch: SequenceBatch
) -> None:
    total, count = slow
    assert found.count == count
    assert_same([found.total, found.mean], [total, total / count])
    modules = nn.ModuleDict({"core": core, "objective": objective})
    tensors = [weight for _, weight in modules.named_parameters()]
    names = [name for name, _ in modules.named_parameters()]
    if batch.inputs.requires_grad:
        tensors, names = [*tensors, batch.inputs], [*names, "inputs"]
    assert_same(gradients(found.mean, tensors), gradients(total / count, tensors), names)


def detach_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the decoder's own view of the raw steps, so that the inputs' gradient is the main network's alone."""
    for room in (prediction_room, reconstruction_room):
        monkeypatch.setattr(room, "steps_at", lambda batch, at: steps_at(batch, at).detach())
