"""A set of sequences in memory, in their compact type, with a label each, or one for every step.

Letters: N sequences in the set, B in a batch, T steps, C channels. Knows nothing of files, networks or devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch

from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.lazy_steps import Inputs, LazySteps, Read
from auxrnn.errors import InputError
from auxrnn.sources.lazy import LazySequences
from auxrnn.sources.splits import stratified_split
from auxrnn.sources.vocabulary import vocabulary_size
from auxrnn.targets import UNLABELLED, ClassTarget, Labels, Target

Indices = Sequence[int] | torch.Tensor

LONG_BATCH = 2**20
"""Bytes of a batch, its values counted as float32, from which on it is read lazily where it may be."""

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@dataclass(frozen=True, eq=False)
class SequenceData:
    """N sequences that one model can read, checked once here and trusted from here on.

    A tensor over a memory-mapped file stays on the disk until it is read; `subset` copies what it takes.

    Parameters
    ----------
    name
        What messages call the set.
    spec
        What one step is.
    inputs
        (N, T, C) for sequences of one length ((N, T) characters), or N tensors (T_i, C) ((T_i,) characters), of at
        least
        one step. By `spec.kind`: pixels uint8 in 0..levels-1, values finite floating point, characters any integer type
        in 0..size-1. `LazySequences` are taken as checked.
    labels
        As the target has them: (N,) int64 in 0..len(classes)-1 by default; None where there are none.
    classes
        The name of each class, in the order of the labels; the target's own where none are given.
    note
        What a reader of results must know besides the name, e.g. `permutation seed 0`.
    image_shape
        (rows, columns) where a sequence is an image, so that it can be drawn again.
    pixel_order
        (T,) int64: step t shows pixel pixel_order[t] of the image; row by row where None.
    characters
        What the numbers of texts stand for: n is characters[n - 1], 0 any other.
    class_weights
        Of each class in the supervised loss, (classes,) float; all 1 where None.
    target
        What the labels say; one of `classes` for each sequence where none is given.
    rate
        Steps a second, in Hz, of sound; None for all else.

    Raises
    ------
    InputError
        Where any of this does not hold.
    """

    name: str
    spec: InputSpec
    inputs: torch.Tensor | Sequence[torch.Tensor]
    labels: Labels | None = None
    classes: tuple[str, ...] = ()
    note: str = ""
    image_shape: tuple[int, int] | None = None
    pixel_order: torch.Tensor | None = None
    characters: str = ""
    class_weights: torch.Tensor | None = None
    target: Target = None  # type: ignore[assignment]  # never None once made
    rate: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.inputs, torch.Tensor):
            steps = _shape_after("N", self.spec)
            if self.inputs.dim() != (2 if self.spec.kind == "characters" else 3):
                raise InputError(
                    f"{self.name}: expected {self.spec.kind} of shape {steps}, got {tuple(self.inputs.shape)}."
                )
            _check_sequence(self.inputs, self.spec, self.name, steps, length=self.inputs.shape[1])
        elif not isinstance(self.inputs, LazySequences):
            steps = _shape_after("", self.spec)
            for index, sequence in enumerate(self.inputs):
                where = f"{self.name}, sequence {index}"
                if not isinstance(sequence, torch.Tensor):
                    raise InputError(f"{where}: expected a tensor of shape {steps}, got {type(sequence).__name__}.")
                if sequence.dim() != (1 if self.spec.kind == "characters" else 2):
                    raise InputError(f"{where}: expected {self.spec.kind} {steps}, got {tuple(sequence.shape)}.")
                _check_sequence(sequence, self.spec, where, steps, length=sequence.shape[0])
                if sequence.dtype != self.inputs[0].dtype:
                    raise InputError(
                        f"{where}: expected the type of sequence 0, {self.inputs[0].dtype}, got {sequence.dtype}."
                    )
        target = ClassTarget(self.classes) if self.target is None else self.target
        if self.classes and self.classes != target.names:
            target = target.named(self.classes)
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "classes", target.names)
        if self.labels is not None and not isinstance(self.labels, LazySequences):
            target.check(self.labels, self.lengths, self.name)
        if self.characters and vocabulary_size(self.characters) != self.spec.size:
            raise InputError(
                f"{self.name}: expected {self.spec.size - 1} characters besides the unknown, "
                f"got {len(self.characters)}."
            )
        if self.image_shape is not None and len(self):
            steps_of_image = self.image_shape[0] * self.image_shape[1]
            if int(self.lengths.min()) < steps_of_image:
                raise InputError(
                    f"{self.name}: expected at least {steps_of_image} steps for images of {self.image_shape}, "
                    f"got a sequence of {int(self.lengths.min())}."
                )

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def lengths(self) -> torch.Tensor:
        """The number of steps of each sequence, (N,) int64."""
        if isinstance(self.inputs, torch.Tensor):
            return torch.full((len(self.inputs),), self.inputs.shape[1], dtype=torch.int64)
        if isinstance(self.inputs, LazySequences):
            return self.inputs.lengths
        return torch.tensor([len(sequence) for sequence in self.inputs], dtype=torch.int64)

    def subset(self, indices: Indices) -> SequenceData:
        """The sequences at `indices` in that order, as a set of its own (images are copied, lists are shared)."""
        chosen = self._checked(indices)
        labels = None if self.labels is None else _chosen(self.labels, chosen)
        return replace(self, inputs=_chosen(self.inputs, chosen), labels=labels)

    def split(self, fraction: float, seed: int) -> tuple[SequenceData, SequenceData]:
        """The set in two parts, for training and validation, drawn by class.

        Parameters
        ----------
        fraction : float
            Share of each class for validation, 0 to below 1.
        seed : int
            Of the draw.

        Returns
        -------
        (SequenceData, SequenceData)
            The sequences that are kept, and those that are held out.
        """
        assert self.labels is not None
        kept, held_out = stratified_split(self.target.strata(self.labels), fraction, seed)
        return self.subset(kept), self.subset(held_out)

    def batch(self, indices: Indices, *, lazy: bool = False) -> SequenceBatch:
        """The sequences at some indices side by side, shorter ones padded with zeros to the longest of them.

        Parameters
        ----------
        indices : sequence of int
            (B,) places in the set, at least one.
        lazy : bool
            Whether the steps of a long batch may stay where they are until they are asked for; see `LazySteps`.

        Returns
        -------
        SequenceBatch
            inputs (B, T, C) in the type of the set, characters (B, T) int64; lengths (B,) int64; labels (B, ...) or
            None, a label a step (B, T) padded with -1.

        Raises
        ------
        InputError
            For no index, or one out of range.
        """
        chosen = self._checked(indices)
        if not len(chosen):
            raise InputError(f"{self.name}: expected at least one sequence in a batch, got none.")
        inputs: Inputs
        if lazy and self._is_long(chosen):
            inputs = LazySteps([self._reading(index) for index in chosen.tolist()], self.lengths[chosen])
        else:
            inputs = _side_by_side(self.inputs, chosen, 0)
            inputs = inputs.long() if self.spec.kind == "characters" else inputs
        labels = None if self.labels is None else _side_by_side(self.labels, chosen, UNLABELLED)
        weights = None if self.class_weights is None or labels is None else self.class_weights[labels.clamp(min=0)]
        return SequenceBatch(inputs, self.lengths[chosen], labels, weights)

    def _is_long(self, chosen: torch.Tensor) -> bool:
        """Whether a batch of these sequences is long, and parts of them can be read."""
        if isinstance(self.inputs, LazySequences) and not self.inputs.has_parts:
            return False
        sizes = {"characters": 8, "pixels": self.spec.size, "values": 4 * self.spec.size}
        return len(chosen) * int(self.lengths[chosen].max()) * sizes[self.spec.kind] > LONG_BATCH

    def _reading(self, index: int) -> Read:
        """What reads some steps of a sequence."""
        if isinstance(self.inputs, LazySequences):
            read: Read = partial(self.inputs.part, index)
        else:
            whole = self.inputs[index]

            def read(first: int, stop: int) -> torch.Tensor:
                return whole[first:stop]

        if self.spec.kind != "characters":
            return read
        return lambda first, stop: read(first, stop).long()

    def balanced(self) -> SequenceData:
        """The same set with weights by which every class counts as much as any other in the supervised loss.

        The weights are N / (classes that occur * labels of the class), as scikit-learn's "balanced": their mean is 1.

        Raises
        ------
        InputError
            Where there are no labels, no classes, or several classes a sequence.
        """
        if self.labels is None:
            raise InputError(f"{self.name}: expected labels to balance the classes, got none.")
        return replace(self, class_weights=self.target.balanced(self.labels, self.name))

    def weighted(self, class_weights: object) -> SequenceData:
        """The same set as the setting `class_weights` has it: `balanced`, or as it is."""
        return self.balanced() if class_weights == "balanced" else self

    def _checked(self, indices: Indices) -> torch.Tensor:
        chosen = torch.as_tensor(indices)
        if chosen.numel() == 0:
            return chosen.reshape(0).long()
        if chosen.dim() != 1 or chosen.dtype not in _INTEGERS:
            raise InputError(
                f"{self.name}: expected a list of whole numbers as indices, "
                f"got shape {tuple(chosen.shape)} of {chosen.dtype}."
            )
        least, greatest = int(chosen.min()), int(chosen.max())
        if least < 0 or greatest >= len(self):
            wrong = least if least < 0 else greatest
            raise InputError(f"{self.name}: expected indices from 0 to {len(self) - 1}, got {wrong}.")
        return chosen.long()


@dataclass(frozen=True)
class TrainTest:
    """Sequences to learn from (validation is still to be cut from them) and sequences to be read once, at the end.

    remarks: lines that a person must read beside any result: what was cut, left out, or is not as published. drawn:
    whether the test sequences were drawn here, for files name none. whole: of such files all sequences, where they are
    others than a model was trained on.
    """

    train: SequenceData
    test: SequenceData
    remarks: tuple[str, ...] = ()
    drawn: bool = False
    whole: SequenceData | None = None


def _chosen(items: Labels, indices: torch.Tensor) -> Labels:
    """Those at `indices`, in the same form."""
    if isinstance(items, torch.Tensor):
        return items[indices]
    if isinstance(items, LazySequences):
        return items.subset(indices)
    return [items[index] for index in indices.tolist()]


def _side_by_side(items: Labels, indices: torch.Tensor, padding: int) -> torch.Tensor:
    """Those at `indices` in one tensor, shorter ones padded to the longest of them."""
    if isinstance(items, torch.Tensor):
        return items[indices]
    rows = indices.tolist()
    lengths = items.lengths[indices].tolist() if isinstance(items, LazySequences) else [len(items[row]) for row in rows]
    found = torch.empty(0)
    for row, index in enumerate(rows):  # one at a time, for long ones are large
        item = items[index]
        if row == 0:
            found = item.new_full((len(rows), max(lengths), *item.shape[1:]), padding)
        found[row, : len(item)] = item
    return found


def _shape_after(leading: str, spec: InputSpec) -> str:
    letters = [letter for letter in (leading, "T") if letter]
    if spec.kind != "characters":
        letters.append(f"C={spec.size}")
    return "(" + ", ".join(letters) + ("," if len(letters) == 1 else "") + ")"


def _check_sequence(inputs: torch.Tensor, spec: InputSpec, where: str, steps: str, *, length: int) -> None:
    """Type, width, length and range of one sequence or of a block of equally long ones."""
    if spec.kind != "characters" and inputs.shape[-1] != spec.size:
        raise InputError(f"{where}: expected {spec.kind} of shape {steps}, got {tuple(inputs.shape)}.")
    if length < 1:
        raise InputError(f"{where}: expected at least one step, got a sequence of length 0. Leave it out.")
    if spec.kind == "pixels":
        if inputs.dtype != torch.uint8:
            raise InputError(f"{where}: expected pixels of torch.uint8, got {inputs.dtype}.")
        if spec.levels < 256:  # uint8 holds no other level, and a mapped file is not read for nothing
            _check_range(inputs, spec.levels, where, "pixel levels")
    elif spec.kind == "characters":
        if inputs.dtype not in _INTEGERS:
            raise InputError(f"{where}: expected characters of a whole-number type, got {inputs.dtype}.")
        _check_range(inputs, spec.size, where, "characters")
    else:
        if not inputs.is_floating_point():
            raise InputError(f"{where}: expected values of a floating-point type, got {inputs.dtype}.")
        if inputs.numel() and not all(map(torch.isfinite, torch.aminmax(inputs))):  # without a copy of the data
            first = (~torch.isfinite(inputs)).nonzero()[0].tolist()
            raise InputError(
                f"{where}: expected finite values, got {float(inputs[tuple(first)])} at position {first}. "
                "Fill in or leave out missing values first."
            )


def _check_range(inputs: torch.Tensor, number: int, where: str, what: str) -> None:
    if not inputs.numel():
        return
    least, greatest = int(inputs.min()), int(inputs.max())
    if least < 0 or greatest >= number:
        raise InputError(f"{where}: expected {what} from 0 to {number - 1}, got {least if least < 0 else greatest}.")
