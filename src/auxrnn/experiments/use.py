"""Using a trained model from its folder alone: evaluate it on a test set, predict a file of one's own."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import torch

from auxrnn.batch import InputSpec
from auxrnn.data.catalogue import load
from auxrnn.data.dataset import SequenceData
from auxrnn.data.inputs import read_inputs, read_texts
from auxrnn.data.options import DataOptions
from auxrnn.errors import InputError
from auxrnn.inference import accuracy, predict_logits
from auxrnn.persistence import CONFIG, SavedModel, load_model
from auxrnn.preprocessing import RawSequences


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

    The set is loaded with the options that the model was trained with (image size, classes, limits).
    """
    saved = open_model(path)
    name = data or saved.facts.get("data")
    if name is None:
        raise InputError(f"{path}: expected --data, for the model does not say what it was trained on.")
    try:
        options, seed = DataOptions.from_dict(saved.facts.get("data_options", {})), int(saved.facts.get("seed", 0))
    except (InputError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: expected the data options that the model was trained with: {error}") from error
    loaded = load(name, data_dir, options, seed=seed)
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
    return {
        "data": name,
        "sequences": len(test),
        "accuracy": round(accuracy(logits, test.labels), 6),
        "loss": round(float(loss), 6),
        **({"note": "; ".join(loaded.remarks)} if loaded.remarks else {}),
    }


def _described(spec: InputSpec) -> str:
    levels = f" of {spec.levels} levels" if spec.kind == "pixels" else ""
    return f"{spec.size} {spec.kind}{levels}"


def predict_file(path: Path, file: Path) -> Iterator[Answer]:
    """The answers for each sequence in a file."""
    saved = open_model(path)
    if saved.spec.kind == "characters":
        named = read_texts(file, "" if saved.preprocessing is None else saved.preprocessing.characters)
    else:
        named = read_inputs(file, saved.spec, image_shape=saved.image_shape, order=saved.pixel_order)
    data = named.data
    if saved.spec.kind != "characters" and saved.preprocessing is not None:
        assert isinstance(data.inputs, torch.Tensor)
        raw = RawSequences(data.inputs.numpy())
        data = SequenceData(data.name, saved.spec, saved.preprocessing.apply(raw, str(file)))
    probabilities = torch.softmax(predict_logits(saved.network, data).double(), dim=1)
    for name, row in zip(named.names, probabilities.tolist(), strict=True):
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
