"""Using a trained model from its folder alone: evaluate it on a test set, predict a file of one's own."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import torch

from auxrnn.core.batch import InputSpec
from auxrnn.core.model import Classifier
from auxrnn.errors import InputError
from auxrnn.runs.datasets import load_again, source_of
from auxrnn.runs.judging import judge_stored, score_interval
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.inputs import read_inputs
from auxrnn.sources.lazy import LazySequences
from auxrnn.sources.reader import Array, Example
from auxrnn.sources.unlabelled import read_unlabelled
from auxrnn.targets import SCORES, Target
from auxrnn.use.card import wilson_interval
from auxrnn.use.inference import measure, predict_logits, predict_steps
from auxrnn.use.opening import open_model
from auxrnn.use.persistence import SavedModel

BLOCK = 256  # sequences of one's own that are held at once
GROUP_STEPS = 2**18  # steps of several sequences whose answers are held at once
PIECE = 2**12  # steps of one sequence that become numbers of Python at once
DIGITS = 6  # of a probability

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Answer:
    """What a model says of one sequence, or of one of its steps (counted from 1).

    shares: of each of the target's names, the probability or the value.
    """

    name: str
    target: Target
    shares: tuple[float, ...]
    step: int | None = None

    @property
    def entry(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"name": self.name, **self._place, **self.target.entry(self.shares, DIGITS)}

    @property
    def row(self) -> dict[str, Any]:
        """As a row of a table, by column."""
        return {"name": self.name, **self._place, **self.target.row(self.shares, DIGITS)}

    @property
    def _place(self) -> dict[str, int]:
        return {} if self.step is None else {"step": self.step}


def evaluate(
    path: Path, data: str | None = None, data_dir: str | None = None, *, early: bool = False
) -> dict[str, Any]:
    """The scores on a test set, by default that of the set that the model was trained on.

    The set is loaded with the options that the model was trained with (image size, classes, limits).

    Parameters
    ----------
    path : Path
        A run folder or model folder.
    data : str, optional
        A preset or a path.
    data_dir : str, optional
        The folder of all data sets.
    early : bool
        Also score by the share of each sequence that was read.

    Returns
    -------
    dict
        `interval` is for the drawing of the test sequences alone, as in the model card. `verdict` holds lines: what
        the run said where data and score are the same, else anew, with floors that are trained on the training
        sequences of `data`.

    Raises
    ------
    InputError
        For a set of other steps or labels than the model's.
    """
    saved = open_model(path)
    name = data or saved.facts.get("data")
    if not isinstance(name, str):
        raise InputError(f"{path}: expected --data, for the model does not say what it was trained on.")
    loaded = load_again(name, saved.facts, data_dir, saved.preprocessing, saved.target)
    test = loaded.test if loaded.whole is None else loaded.whole
    _check_like(saved, test, name)
    loss, scores, tallies = measure(saved.network, test)
    told = list(loaded.remarks)
    if loaded.whole is not None:
        told.append(f"all {len(test):,} sequences, for they name no test split")
    interval = {}
    if "accuracy" in scores:
        low, high = wilson_interval(scores["accuracy"], len(test))
        interval = {"interval": f"{low:.4f} to {high:.4f} (95 %, Wilson)"}
    elif (found := score_interval(saved.target, tallies)) is not None:
        of = SCORES[saved.target.score].words
        interval = {"interval": f"{found[0]:.4f} to {found[1]:.4f} (95 %, of {of}, bootstrap over sequences)"}
    return {
        "data": name,
        "sequences": len(test),
        **{
            name: float(f"{value:.{DIGITS}f}" if SCORES[name].percent else f"{value:.8g}")
            for name, value in scores.items()
        },
        **interval,
        "loss": round(loss, 6),
        **({"note": "; ".join(told)} if told else {}),
        **({"early": early_scores(saved.network, test)} if early else {}),
        "verdict": judge_stored(saved, path, name, loaded, scores, tallies),
    }


def _check_like(saved: SavedModel, test: SequenceData, name: str) -> None:
    """InputError for test sequences that are not as those of training."""
    if test.spec != saved.spec or test.target != saved.target:
        raise InputError(
            f"{name}: expected steps of {_described(saved.spec)} and {_labels(saved.target)}, "
            f"got {_described(test.spec)} and {_labels(test.target)}."
        )
    if saved.image_shape is not None and test.image_shape != saved.image_shape:
        raise InputError(
            f"{name}: expected images of {saved.image_shape} as in training, got {test.image_shape} rows and columns."
        )
    if test.characters and (saved.preprocessing is None or saved.preprocessing.characters != test.characters):
        raise InputError(f"{name}: expected the training texts that the model was trained on, got others.")
    order = None if test.pixel_order is None else tuple(test.pixel_order.tolist())
    if order != saved.pixel_order:
        raise InputError(f"{name}: expected pixels in the order that the model was trained on, got another.")


def _labels(target: Target) -> str:
    return f"{target.described()} ({', '.join(target.names)})"


def _described(spec: InputSpec) -> str:
    levels = f" of {spec.levels} levels" if spec.kind == "pixels" else ""
    return f"{spec.size} {spec.kind}{levels}"


def predict_file(path: Path, file: Path, said: Mapping[str, Any] | None = None) -> Iterator[Answer]:
    """The answers for each sequence in a file.

    said: reading options by name, where the file is to be read otherwise than those of training.
    """
    saved = open_model(path)
    rows = _rows(saved, file, said or {})
    while block := list(islice(rows, BLOCK)):
        inputs = [saved.prepares.sequence(row.sequence, row.where) for row in block]
        data = SequenceData(str(file), saved.spec, inputs)
        yield from answer_each(saved, data, [row.where for row in block], [row.kept for row in block])


def _rows(saved: SavedModel, file: Path, said: Mapping[str, Any]) -> Iterator[Example]:
    """The sequences of a file, read as the model's own training files were, or as its steps ask where it knows none."""
    source = source_of(saved.facts)
    if source is not None:
        schema, options = source
        columns = {name: said.get(name, column) for name, column in schema.columns.items()}
        return read_unlabelled(file, replace(schema, columns=columns), replace(options, **said))
    if said:
        names = ", ".join(f"--{name}" for name in said)
        raise InputError(f"{file}: expected no {names} for a model that was not trained on files; leave it out.")
    return read_inputs(file, saved.spec, image_shape=saved.image_shape, order=saved.pixel_order)


def answer_each(
    saved: SavedModel, data: SequenceData, names: Sequence[str], kept: Sequence[Array | None]
) -> Iterator[Answer]:
    """The answers for each sequence of a set, or for each of its steps.

    Parameters
    ----------
    saved : SavedModel
    data : SequenceData
        N sequences.
    names : sequence of str
        (N,) what the answers call them.
    kept : sequence of array or None
        (N,) the places that the steps had in order of time, where some were left out.
    """
    target = saved.target
    if target.per_step:
        for group in _groups(data.lengths.tolist()):
            found = predict_steps(saved.network, data.subset(group), target.shares)
            for index, steps in zip(group, found, strict=True):
                places = kept[index]
                by_step = (shares for part in steps.split(PIECE) for shares in part.double().tolist())
                for step, shares in enumerate(by_step):
                    yield Answer(
                        names[index], target, tuple(shares), 1 + (step if places is None else int(places[step]))
                    )
        return
    for name, shares in zip(names, target.shares(predict_logits(saved.network, data).double()).tolist(), strict=True):
        yield Answer(name, target, tuple(shares))


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Sequences whose steps are answered at once: as many as have GROUP_STEPS padded ones, at least one."""
    group: list[int] = []
    longest = 0
    for index, length in enumerate(lengths):
        longest = max(longest, length)
        if group and longest * (len(group) + 1) > GROUP_STEPS:
            yield group
            group, longest = [], length
        group.append(index)
    yield group


def write_predictions(answers: Iterator[Answer], form: str, stream: TextIO) -> None:
    """One line a sequence, or a step where every step has a label, as CSV with a header or as JSON lines."""
    writer = csv.writer(stream, lineterminator="\n")
    for index, answer in enumerate(answers):
        if form == "jsonl":
            stream.write(json.dumps(answer.entry) + "\n")
            continue
        row = answer.row
        if index == 0:
            writer.writerow(row)
        writer.writerow(row.values())


class FirstParts(LazySequences):
    """The first steps of sequences that are made when they are asked for, so many of each, (N,)."""

    def __init__(self, whole: LazySequences, lengths: torch.Tensor) -> None:
        self._whole, self.lengths, self.has_parts = whole, lengths, whole.has_parts

    def at(self, index: int) -> torch.Tensor:
        return self._whole.part(index, 0, int(self.lengths[index]))

    def part(self, index: int, first: int, stop: int) -> torch.Tensor:
        return self._whole.part(index, first, stop)

    def subset(self, indices: torch.Tensor) -> FirstParts:
        return FirstParts(self._whole.subset(indices), self.lengths[indices])


def first_part(data: SequenceData, share: float) -> SequenceData:
    """The first `share` of the steps of each sequence, at least one step. Nothing is read or copied."""
    lengths = torch.tensor([max(math.ceil(share * length), 1) for length in data.lengths.tolist()])
    inputs = (
        FirstParts(data.inputs, lengths)
        if isinstance(data.inputs, LazySequences)
        else [one[:length] for one, length in zip(data.inputs, lengths.tolist(), strict=True)]
    )
    return replace(data, inputs=inputs, image_shape=None, pixel_order=None)


def early_scores(network: Classifier, data: SequenceData, shares: Sequence[float] = SHARES) -> dict[float, float]:
    """The target's score on labelled data by the share of each sequence that was read.

    InputError for a label a step, each of which is answered when its step is read.
    """
    if data.target.per_step:
        raise InputError("Expected a label a sequence to ask early, got one for every step.")
    return {share: measure(network, first_part(data, share))[1][data.target.score] for share in shares}
