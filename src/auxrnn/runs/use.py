"""Using a trained model from its folder alone: evaluate it on a test set, predict a file of one's own."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import torch

from auxrnn.batch import InputSpec
from auxrnn.card import wilson_interval
from auxrnn.data.dataset import SequenceData
from auxrnn.data.inputs import read_inputs, read_texts
from auxrnn.errors import InputError
from auxrnn.inference import accuracy, predict_logits
from auxrnn.own.rows import Form
from auxrnn.own.unlabelled import read_unlabelled
from auxrnn.persistence import CONFIG, SavedModel, load_model
from auxrnn.preprocessing import RawSequences
from auxrnn.reading import ReadingOptions
from auxrnn.runs.datasets import load_again, source_of

BLOCK = 256  # sequences of one's own that are held at once


@dataclass(frozen=True)
class Answer:
    """What a model says of one sequence: its class and the probability of each."""

    name: str
    label: str
    probabilities: dict[str, float]


def open_model(path: Path) -> SavedModel:
    """The model in a run folder or a model folder."""
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file():
            return load_model(folder)
    if (path / "config.yaml").is_file():
        raise InputError(f"{path}: expected a finished run, found one without a model; auxrnn resume {path} goes on.")
    raise InputError(
        f"{path}: expected a run folder or a model folder, found {'none' if path.exists() else 'nothing'}."
    )


def evaluate(path: Path, data: str | None = None, data_dir: str | None = None) -> dict[str, Any]:
    """Accuracy on the test set of `data`, by default the set that the model was trained on.

    The set is loaded with the options that the model was trained with (image size, classes, limits). `interval` is for
    the drawing of the test sequences alone, as in the model card.
    """
    saved = open_model(path)
    name = data or saved.facts.get("data")
    if name is None:
        raise InputError(f"{path}: expected --data, for the model does not say what it was trained on.")
    loaded = load_again(name, saved.facts, data_dir, saved.preprocessing)
    test = loaded.test
    if test.spec != saved.spec or test.classes != saved.classes:
        raise InputError(
            f"{name}: expected steps of {_described(saved.spec)} and classes {', '.join(saved.classes)}, "
            f"got {_described(test.spec)} and classes {', '.join(test.classes)}."
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
    assert test.labels is not None
    logits = predict_logits(saved.network, test)
    loss = torch.nn.functional.cross_entropy(logits, test.labels)
    share = accuracy(logits, test.labels)
    low, high = wilson_interval(share, len(test))
    return {
        "data": name,
        "sequences": len(test),
        "accuracy": round(share, 6),
        "interval": f"{low:.4f} to {high:.4f} (95 %, Wilson)",
        "loss": round(float(loss), 6),
        **({"note": "; ".join(loaded.remarks)} if loaded.remarks else {}),
    }


def _described(spec: InputSpec) -> str:
    levels = f" of {spec.levels} levels" if spec.kind == "pixels" else ""
    return f"{spec.size} {spec.kind}{levels}"


def predict_file(path: Path, file: Path) -> Iterator[Answer]:
    """The answers for each sequence in a file."""
    saved = open_model(path)
    source = source_of(saved.facts)
    if source is not None:
        yield from _predict_own(saved, file, *source)
        return
    if saved.spec.kind == "characters":
        named = read_texts(file, "" if saved.preprocessing is None else saved.preprocessing.characters)
    else:
        named = read_inputs(file, saved.spec, image_shape=saved.image_shape, order=saved.pixel_order)
    data = named.data
    if saved.spec.kind != "characters" and saved.preprocessing is not None:
        assert isinstance(data.inputs, torch.Tensor)
        raw = RawSequences(data.inputs.numpy())
        data = SequenceData(data.name, saved.spec, saved.preprocessing.apply(raw, str(file)))
    yield from _answers(saved, data, named.names)


def _predict_own(saved: SavedModel, path: Path, form: Form, options: ReadingOptions) -> Iterator[Answer]:
    """The answers for files like those of training, read a few at a time."""
    preprocessing = saved.preprocessing
    assert preprocessing is not None
    rows = read_unlabelled(path, form, options)
    while block := list(islice(rows, BLOCK)):
        inputs = [preprocessing.sequence(row.sequence, row.where) for row in block]
        yield from _answers(saved, SequenceData(str(path), saved.spec, inputs), [row.where for row in block])


def _answers(saved: SavedModel, data: SequenceData, names: Sequence[str]) -> Iterator[Answer]:
    probabilities = torch.softmax(predict_logits(saved.network, data).double(), dim=1)
    for name, row in zip(names, probabilities.tolist(), strict=True):
        best = max(range(len(row)), key=row.__getitem__)
        yield Answer(name, saved.classes[best], dict(zip(saved.classes, row, strict=True)))


def write_predictions(answers: Iterator[Answer], form: str, stream: TextIO) -> None:
    """One line a sequence, as CSV with a header or as JSON lines."""
    writer = csv.writer(stream, lineterminator="\n")
    for index, answer in enumerate(answers):
        share = answer.probabilities[answer.label]
        if form == "jsonl":
            stream.write(
                json.dumps(
                    {
                        "name": answer.name,
                        "class": answer.label,
                        "probability": round(share, 6),
                        "probabilities": {name: round(value, 6) for name, value in answer.probabilities.items()},
                    }
                )
                + "\n"
            )
            continue
        if index == 0:
            writer.writerow(["name", "class", "probability", *(f"p({name})" for name in answer.probabilities)])
        writer.writerow(
            [answer.name, answer.label, f"{share:.6f}", *(f"{v:.6f}" for v in answer.probabilities.values())]
        )
