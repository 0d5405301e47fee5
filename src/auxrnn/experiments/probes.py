"""What is inside a trained model: its mistakes, what its memory holds, how far the label's gradient reaches.

Functions of a network and data, in evaluation mode and in bounded memory. Knows nothing of runs or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from auxrnn.core.anchors import Segments
from auxrnn.core.batch import SequenceBatch
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.objectives import Reconstruction
from auxrnn.core.recurrent import Core, State, batch_dim, map_state, state_tensors
from auxrnn.core.truncation import encode_windows
from auxrnn.sources.dataset import SequenceData
from auxrnn.use.inference import evaluating

ROWS = 512
"""Segments recalled at once."""

STEPS = 64
"""Steps whose states are held at once."""


def confusion(answers: Tensor, labels: Tensor, classes: int) -> npt.NDArray[np.int64]:
    """Counts (classes, classes): row the true class, column the answer; answers and labels (N,)."""
    cells = labels.cpu() * classes + answers.cpu()
    return torch.bincount(cells, minlength=classes * classes).view(classes, classes).numpy()


@dataclass(frozen=True)
class MemoryProbe:
    """What the state still holds of a segment that ended `distances` steps before.

    errors, baseline: by distance, of the reproduced steps (the first one of a segment is given and not counted) and of
    the mean of the data at the same positions. Root of the mean squared error, pixels scaled to 0..1; for characters
    the share of wrong ones, against the most frequent character. recalled: (D, N, rows, columns) or with channels last,
    beside `originals`; asked: (D, rows, columns) bool, the pixels that have an anchor so far behind them. The latter
    three are None where sequences are no images.
    """

    distances: tuple[int, ...]
    errors: tuple[float, ...]
    baseline: tuple[float, ...]
    originals: npt.NDArray[Any] | None
    recalled: npt.NDArray[Any] | None
    asked: npt.NDArray[Any] | None


def memory_probe(
    network: SequenceClassifier,
    data: SequenceData,
    *,
    distances: Sequence[int] | None = None,
    sequences: int = 64,
    images: int = 6,
) -> MemoryProbe:
    """Cut the first `sequences` into segments, and reproduce each from the state d steps after its end, for all d.

    distances: 0, l, 2l, 4l, ... by default, as far as the sequences go. Sequences of unequal lengths count as far as
    the shortest of them. images: how many to give back to be drawn. A model without reconstruction: ValueError. Under a
    stem all steps and distances are tokens.
    """
    objective = dict(network.auxiliaries.items()).get("reconstruct")
    if not isinstance(objective, Reconstruction):
        raise ValueError("Expected a model with a reconstruction objective, got one without.")
    count = min(sequences, len(data))
    cut = network.encoder.cut(data.batch(range(count)))
    steps = int(cut.lengths.min())
    length = min(objective.segment_length, steps)
    if length < 2:
        raise ValueError(f"Expected segments of at least 2 steps, got {length}: nothing is left to reproduce.")
    ends = sorted({*range(length, steps, length), steps})
    chosen = _distances(length, steps) if distances is None else tuple(distances)
    if not chosen or not all(0 <= distance <= steps - length for distance in chosen):
        raise ValueError(f"Expected distances from 0 to {steps - length}, got {chosen}.")
    true = cut.steps[:, :steps]  # (N, T, ...)
    guess = _guess(true, data)  # (T, ...)
    drawn = data.image_shape is not None
    errors, baseline, recalled, asked = [], [], [], []
    with evaluating(network):
        for distance in chosen:
            reachable = [end for end in ends if end + distance <= steps]
            said = _recall(network, objective, data, count, reachable, length, distance)  # (N, n, l, ...)
            if objective.order == "reversed":
                said = said.flip(2)
            places = torch.tensor([range(end - length, end) for end in reachable])  # (n, l)
            told = slice(0, length - 1) if objective.order == "reversed" else slice(1, length)
            wanted = true[:, places]  # (N, n, l, ...)
            errors.append(_error(said[:, :, told], wanted[:, :, told], data))
            baseline.append(_error(guess[places][:, told].expand_as(wanted[:, :, told]), wanted[:, :, told], data))
            if drawn:
                whole, known = true[:images].clone(), torch.zeros_like(true[:1], dtype=torch.uint8)
                whole[:, places] = said[:images]
                known[:, places] = 1
                recalled.append(as_images(whole, data))
                asked.append(_first_channel(as_images(known, data)[0]).astype(bool))
    return MemoryProbe(
        chosen,
        tuple(errors),
        tuple(baseline),
        as_images(true[:images], data) if drawn else None,
        np.stack(recalled) if drawn else None,
        np.stack(asked) if drawn else None,
    )


def gradient_norms(network: SequenceClassifier, batch: SequenceBatch, reach: int | None = None) -> list[float]:
    """Norm of d(supervised loss) / d(state after T - d steps), for d = 1 .. reach, mean over the sequences.

    What full back-propagation would send there, whatever the network's own `bptt` lets through. The state is all that
    the core carries on (of an LSTM the hidden state and the cell). reach: the shortest sequence's length by default.
    No graph is longer than one step, so memory does not grow with `reach`. Under a stem steps are tokens. A readout of
    all steps, whose gradient comes to each of them directly: ValueError.
    """
    if network.supervised.reads_all:
        raise ValueError("Expected a readout of the last output, got one of all steps.")
    batch = network.encoder.cut(batch)
    if batch.labels is None:
        raise ValueError("Expected a batch with labels, got none.")
    shortest = int(batch.lengths.min())
    reach = shortest if reach is None else reach
    if not 1 <= reach <= shortest:
        raise ValueError(f"Expected a reach from 1 to the shortest sequence's {shortest} steps, got {reach}.")
    last_labels = batch.labels
    if network.target.per_step:  # what the last step is asked
        last_labels = last_labels.gather(1, (batch.lengths - 1).unsqueeze(1).to(last_labels.device)).squeeze(1)
    first = batch.lengths - reach  # (B,)
    at = (first.unsqueeze(1) + torch.arange(reach)).to(batch.inputs.device)
    inputs = batch.inputs[torch.arange(len(batch), device=at.device).unsqueeze(1), at]  # (B, reach, ...)
    norms: list[float] = []
    arriving: list[Tensor] | None = None
    with evaluating(network), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward pass in evaluation
        chunks = _states_before_chunks(network.encoder, batch, first, inputs)
        for chunk, start in reversed(chunks):
            for step, state in reversed(_states_before_steps(network.encoder, chunk, start)):
                leaf = map_state(lambda tensor: tensor.detach().requires_grad_(), state)
                outputs, following = network.encoder(step, leaf)
                if arriving is None:
                    said = network.supervised.head(outputs[:, -1])
                    reached, weights = [network.target.loss(said, last_labels).total], None
                else:
                    reached, weights = state_tensors(following), arriving
                leaves = state_tensors(leaf)
                arriving = list(
                    torch.autograd.grad(reached, leaves, weights, allow_unused=True, materialize_grads=True)
                )
                rows = [gradient.movedim(batch_dim(gradient), 0).flatten(1) for gradient in arriving]  # (B, F) each
                norms.append(float(torch.cat(rows, dim=1).norm(dim=1).mean()))
    return norms


def _first_channel(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(rows, columns) of an image with channels last or none."""
    return image[..., 0] if image.ndim == 3 else image


def _distances(length: int, steps: int) -> tuple[int, ...]:
    """0, l, 2l, 4l, ... as far as a segment of l steps fits before the anchor."""
    found, distance = [0], length
    while distance <= steps - length:
        found.append(distance)
        distance *= 2
    return tuple(found)


def _recall(
    network: SequenceClassifier,
    objective: Reconstruction,
    data: SequenceData,
    count: int,
    ends: Sequence[int],
    length: int,
    distance: int,
) -> Tensor:
    """(count, n, l, ...): the segments that end at `ends`, from the states `distance` steps later."""
    end = torch.tensor(ends)
    parts = []
    for rows in torch.arange(count).split(max(ROWS // len(ends), 1)):
        stop = end.expand(len(rows), -1)
        segments = Segments(stop + distance, stop - length, torch.full_like(stop, length))
        parts.append(
            objective.recall(network.encoder, network.encoder.cut(data.batch(rows)), segments).unflatten(0, stop.shape)
        )
    return torch.cat(parts)


def _guess(true: Tensor, data: SequenceData) -> Tensor:
    """What somebody says who knows the position and no sequence: the mean at it, or the most frequent character."""
    return true.mode(0).values if data.spec.kind == "characters" else true.double().mean(0)


def _error(said: Tensor, wanted: Tensor, data: SequenceData) -> float:
    if data.spec.kind == "characters":
        return float((said != wanted).double().mean())
    scale = data.spec.levels - 1 if data.spec.kind == "pixels" else 1
    return float(((said.double() - wanted.double()) / scale).square().mean().sqrt())


@torch.no_grad()
def _states_before_chunks(
    core: Core, batch: SequenceBatch, first: Tensor, inputs: Tensor
) -> list[tuple[Tensor, State]]:
    start = first.unsqueeze(1)
    state = encode_windows(core, batch.inputs, start, start).state
    found = []
    for chunk in inputs.split(STEPS, dim=1):
        found.append((chunk, state))
        _, state = core(chunk, state)
    return found


@torch.no_grad()
def _states_before_steps(core: Core, chunk: Tensor, state: State) -> list[tuple[Tensor, State]]:
    found = []
    for step in chunk.split(1, dim=1):
        found.append((step, state))
        _, state = core(step, state)
    return found


def as_images(steps: torch.Tensor, data: SequenceData) -> npt.NDArray[Any]:
    """Images (N, rows, columns) or with channels last from their steps (N, T, C), or their tokens' own steps
    (N, tokens, stride * C); a tail is left out.
    """
    assert data.image_shape is not None
    rows, columns = data.image_shape
    flat = steps.reshape(len(steps), -1, data.spec.size)[:, : rows * columns].numpy()
    if data.pixel_order is not None:
        flat = flat[:, np.argsort(data.pixel_order.numpy())]
    images = flat.reshape(len(flat), rows, columns, -1)
    return images[..., 0] if images.shape[-1] == 1 else images
