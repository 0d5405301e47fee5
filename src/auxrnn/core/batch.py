"""What a batch of sequences is, and the letters used in every shape comment of the package.

B sequences, T steps (the longest of the batch), C channels of one step, F features of one step as the core reads them,
H hidden units, W windows a sequence, L steps of the longest window, R = B * W rows of a batched pass, n anchors,
V vocabulary. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from auxrnn.core.lazy_steps import Inputs, LazySteps
from auxrnn.errors import InputError

InputKind = Literal["pixels", "values", "characters"]

MOST_CHANNELS = 2**24  # or characters: beyond any memory


@dataclass(frozen=True)
class InputSpec:
    """What one step of a sequence is.

    Parameters
    ----------
    kind : {"pixels", "values", "characters"}
        uint8 levels `0..levels-1`; floats; or integers `0..size-1`.
    size : int
        Channels of a step, or the size of the vocabulary; 1 to 2**24.
    levels : int
        Levels of a pixel, 2 to 256.
    group : int
        Characters in one step, at least 1; 1 for pixels and values.

    Raises
    ------
    InputError
        For a value outside these ranges.
    """

    kind: InputKind
    size: int
    levels: int = 256
    group: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(InputKind):
            raise InputError(f"Expected an input kind of {', '.join(get_args(InputKind))}, got {self.kind!r}.")
        if not 1 <= self.size <= MOST_CHANNELS:
            raise InputError(f"Expected 1 to {MOST_CHANNELS:,} channels or characters, got size {self.size}.")
        if not 2 <= self.levels <= 256:
            raise InputError(f"Expected 2 to 256 pixel levels, got {self.levels}.")
        if self.group < 1 or (self.group > 1 and self.kind != "characters"):
            raise InputError(f"Expected a group of 1, of characters of at least 1, got {self.group} {self.kind}.")

    def of_tokens(self, stride: int) -> InputSpec:
        """Describe `stride` raw steps as one step."""
        if self.kind == "characters":
            return replace(self, group=stride)
        return replace(self, size=self.size * stride)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class SequenceBatch:
    """A batch of sequences, padded to a common length.

    Lists and arrays of numbers become tensors. What lies past a sequence's own length never changes a value or a
    gradient.

    Parameters
    ----------
    inputs : Tensor or LazySteps
        (B, T, C) uint8 pixels or float values, or (B, T) int64 characters; of long sequences read where needed.
    lengths : Tensor
        Steps of each sequence, (B,) int64 in 1..T, on the CPU.
    labels : Tensor, optional
        As the target has them: (B,), (B, size), or (B, T) where every step has a label.
    weights : Tensor, optional
        Weight of each label in the supervised loss, (B,) or (B, T); all 1 where None.
    own : Tensor or LazySteps, optional
        The raw steps that are each token's own, (B, T, ...), in a batch that was cut into tokens (see `stems`). There T
        counts tokens, and inputs have one more dimension: the raw steps that a token sees.

    Raises
    ------
    ValueError
        For shapes or types that do not fit each other.
    """

    inputs: Inputs
    lengths: Tensor
    labels: Tensor | None = None
    weights: Tensor | None = None
    own: Inputs | None = None

    def __post_init__(self) -> None:
        for name in ("inputs", "lengths", "labels", "weights"):
            object.__setattr__(self, name, as_tensor(name, getattr(self, name)))
        if self.inputs.dim() not in (2, 3, 4) or 0 in self.inputs.shape:
            raise ValueError(
                f"Expected inputs of shape (B, T, C) or (B, T), none of them 0, got {_shape(self.inputs)}."
            )
        if self.lengths.shape != self.inputs.shape[:1] or self.lengths.dtype != torch.int64:
            raise ValueError(
                f"Expected lengths of shape ({len(self.inputs)},) and type int64, "
                f"got {_shape(self.lengths)} {self.lengths.dtype}."
            )
        shortest, longest = int(self.lengths.min()), int(self.lengths.max())
        if shortest < 1 or longest > self.inputs.shape[1]:
            raise ValueError(f"Expected lengths in 1..{self.inputs.shape[1]}, got {shortest}..{longest}.")
        if self.labels is not None and len(self.labels) != len(self.inputs):
            raise ValueError(f"Expected one label a sequence ({len(self.inputs)}), got {_shape(self.labels)}.")

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def steps(self) -> Inputs:
        """The raw steps that auxiliary losses reproduce, (B, T, ...): the inputs, or of tokens their own raw steps."""
        return self.inputs if self.own is None else self.own

    def of(self, sequences: slice) -> SequenceBatch:
        """Some of the sequences."""
        labels, weights, own = (
            None if part is None else part[sequences] for part in (self.labels, self.weights, self.own)
        )
        return SequenceBatch(self.inputs[sequences], self.lengths[sequences], labels, weights, own)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> SequenceBatch:
        """Move inputs and labels to `device`; lengths stay on the CPU, where windows are planned."""
        labels, weights = (
            None if part is None else part.to(device, non_blocking=non_blocking) for part in (self.labels, self.weights)
        )
        inputs = self.inputs.to(device, non_blocking=non_blocking)
        own = None if self.own is None else self.own.to(device, non_blocking=non_blocking)
        return SequenceBatch(inputs, self.lengths, labels, weights, own)


def as_tensor(name: str, value: Any) -> Any:
    """A tensor or None as it is, lists and arrays of numbers as tensors; ValueError for anything else."""
    if value is None or isinstance(value, Tensor | LazySteps):
        return value
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"Expected {name} as a tensor, got {type(value).__name__}: {error}") from error


def as_batch(inputs: Tensor | SequenceBatch, lengths: Tensor | None = None) -> SequenceBatch:
    """Make a batch of inputs (B, T, ...); without `lengths` every sequence has all T steps."""
    if isinstance(inputs, SequenceBatch):
        return inputs
    steps: Tensor = as_tensor("inputs", inputs)
    each: Tensor | None = as_tensor("lengths", lengths)
    if each is None:
        each = torch.full(steps.shape[:1], steps.shape[1] if steps.dim() > 1 else 0, dtype=torch.int64)
    return SequenceBatch(steps, each.cpu())


def _shape(tensor: Inputs) -> str:
    return str(tuple(tensor.shape))


def batches_by_length(lengths: Tensor, batch_size: int, most_steps: int | None = None) -> list[Tensor]:
    """Group sequences of like length into batches, so that padding stays low.

    Parameters
    ----------
    lengths : Tensor
        (N,) steps of each sequence.
    batch_size : int
        Sequences a batch, at least 1.
    most_steps : int, optional
        Padded steps a batch, where it holds more than one sequence; as many as come where None.

    Returns
    -------
    list of Tensor
        Indices (b,) of each batch.
    """
    batches = torch.argsort(lengths, stable=True).split(batch_size)
    if most_steps is None:
        return list(batches)
    fitting = [max(most_steps // max([1, *lengths[batch].tolist()]), 1) for batch in batches]
    return [part for batch, size in zip(batches, fitting, strict=True) for part in batch.split(size)]
