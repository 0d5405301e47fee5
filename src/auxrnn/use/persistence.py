"""A trained model as a folder: config.json, model.safetensors and README.md. Nothing in it is ever executed.

The layout is the one that model hubs use. Reading needs these files alone; pickles are not read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from auxrnn.config import ModelConfig, with_groups
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.core.model import Classifier
from auxrnn.errors import InputError, check_printable, is_full_memory
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.storage.files import named_in_utf8, read_description
from auxrnn.storage.fingerprint import fingerprint
from auxrnn.storage.folders import write_folder
from auxrnn.targets import Target, target_of
from auxrnn.use.card import model_card
from auxrnn.use.plain_torch import plain_torch

FORMAT = "auxrnn-sequence-classifier"
VERSION = 1
LONGEST_REASON = 300  # characters
LONGEST_SHOWN = 100  # characters of an entry
ENTRIES = {
    "model": "a group of settings",
    "input": "a group of kind, size and levels",
    "target": "a group of kind and what belongs to it, or null",
    "image_shape": "[rows, columns] or null",
    "pixel_order": "a list of the number of each pixel, or null",
    "facts": "a group of entries",
    "preprocessing": "a group of entries, or null",
}
"""What the entries of config.json hold."""
USED = ("data", "data_options", "own", "seed")
"""The facts by which the model's own data are read again: the test set of `evaluate` follows from them."""
READ = re.compile(f"{'|'.join(USED)}|best_epoch|floors|verdict|(test|validation)_.*")
"""All facts that are read. None may be added later, for what is told of a model comes from them."""
COVERED = "covered"
"""The entry with the names of the facts that were saved. Older versions have none: their digest covers USED alone."""

DIGEST = "facts:"
"""What a digest begins with that covers the facts in use."""

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"


class UnfitError(InputError):
    """Weights that are not those which the configuration describes."""


@dataclass(frozen=True)
class SavedModel:
    """A network with what is needed to use it on raw input.

    Attributes
    ----------
    network : Classifier
        The trained network.
    config : ModelConfig
        What it was built from.
    spec : InputSpec
        What a raw step is.
    classes : tuple of str
        The name of each output.
    image_shape : tuple of int, optional
        (rows, columns) where a sequence is an image.
    pixel_order : tuple of int, optional
        Step t reads pixel `pixel_order[t]`; row by row where None.
    facts : dict
        What the model card tells: data, scores, settings of training.
    preprocessing : Preprocessing, optional
        What is done to raw sequences first; nothing where None.
    label_type : str
        What a class name stands for: a text ("str", or "object" in numpy's sense), or a whole number of that numpy
        type.
    """

    network: Classifier
    config: ModelConfig
    spec: InputSpec
    classes: tuple[str, ...]
    image_shape: tuple[int, int] | None = None
    pixel_order: tuple[int, ...] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    label_type: str = "str"

    @property
    def prepares(self) -> Preprocessing:
        """`preprocessing`, or one that changes nothing and refuses other steps than the network's."""
        return self.preprocessing or Preprocessing(self.spec.kind, self.spec.size)

    @property
    def target(self) -> Target:
        """What the outputs stand for."""
        return self.network.target.named(self.classes)


def save_model(folder: Path, saved: SavedModel) -> None:
    """Write a model folder, all three files at once where the system can do that, else each file whole.

    Parameters
    ----------
    folder : Path
        Made where it is missing; an older model in it is replaced.
    saved : SavedModel
        What is written.

    Raises
    ------
    OSError
        Where the folder cannot be written.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": asdict(saved.config),
        "input": saved.spec.to_dict(),
        "classes": list(saved.classes),
        "target": saved.target.to_dict(),
        "image_shape": saved.image_shape and list(saved.image_shape),
        "pixel_order": saved.pixel_order and list(saved.pixel_order),
        "facts": saved.facts,
        "preprocessing": saved.preprocessing and saved.preprocessing.to_dict(),
        "label_type": saved.label_type,
        "longest": saved.network.longest,
        COVERED: sorted(saved.facts),
    }
    weights = {name: weight.detach().cpu().contiguous() for name, weight in saved.network.state_dict().items()}
    content["digest"] = _digest(content, weights)
    text = json.dumps(content, indent=2) + "\n"
    card = model_card(saved.config, saved.spec, saved.target, saved.facts)
    write_folder(
        folder,
        {
            WEIGHTS: lambda aside: safetensors.torch.save_file(weights, aside, {"format": "pt"}),
            CONFIG: lambda aside: aside.write_text(text, encoding="utf-8"),
            CARD: lambda aside: aside.write_text(card, encoding="utf-8"),
        },
    )


def load_model(folder: Path) -> SavedModel:
    """Read a model folder. A folder that is replaced meanwhile is read again.

    Parameters
    ----------
    folder : Path
        A folder of `save_model`.

    Returns
    -------
    SavedModel
        The network in evaluation mode, on the CPU.

    Raises
    ------
    InputError
        Where a file is missing, damaged, of another format, or does not fit the others.
    """
    while True:
        with ExitStack() as opened:  # while a file is open, its number belongs to no other
            before = _identity(folder, opened)
            try:
                with plain_torch():
                    return _load(folder)
            except InputError:
                if _identity(folder, opened) == before:
                    raise


def _identity(folder: Path, opened: ExitStack) -> tuple[int, ...]:
    """Identify the files of a model, held open until `opened` is closed; empty where there is no model."""
    try:
        files = [opened.enter_context((folder / name).open("rb")) for name in (CONFIG, WEIGHTS)]
    except OSError:
        return ()
    return tuple(os.fstat(file.fileno()).st_ino for file in files)


def _load(folder: Path) -> SavedModel:
    content = _read_config(folder / CONFIG)
    where = folder / CONFIG
    try:
        with _entry("model", content["model"]) as found:
            config = _model_config(found)
        with _entry("input", content["input"]) as found:
            spec = InputSpec(**found)
        classes = _class_names(content["classes"])
        with _entry("image_shape", content["image_shape"]) as found:
            shape = None if found is None else (int(found[0]), int(found[1]))
        with _entry("pixel_order", content["pixel_order"]) as found:
            order = None if found is None else tuple(int(index) for index in found)
            if order is not None and sorted(order) != list(range(len(order))):
                raise InputError("pixel_order is not an order of the pixels")
        with _entry("preprocessing", content.get("preprocessing")) as found:
            preprocessing = None if found is None else Preprocessing.from_dict(found)
        if preprocessing is not None and preprocessing.spec != spec:
            raise InputError(f"the network reads {spec}, its preprocessing gives {preprocessing.spec}")
        with _entry("target", content.get("target")) as found:
            target = target_of(classes, found)
        with _entry("facts", content["facts"]) as found:
            facts = dict(found)
        longest = _longest(content.get("longest"))
        weights = _read_weights(folder / WEIGHTS)
        with torch.device("meta"):  # sizes alone, which may be enormous, before any memory is taken
            _check_weights(folder / WEIGHTS, weights, build_model(config, spec, target, longest))
        saved = SavedModel(
            build_model(config, spec, target, longest),
            config,
            spec,
            classes,
            shape,
            order,
            facts,
            preprocessing,
            str(content.get("label_type", "str")),
        )
        digest = content.get("digest")
        of_facts = not isinstance(digest, str) or digest.startswith(DIGEST)
        if "digest" in content and digest != _digest(content, weights, of_facts=of_facts):
            raise UnfitError(
                f"{folder}: expected {CONFIG} and {WEIGHTS} as they were saved together, found another digest: one of "
                "them was changed or comes from another model; copy the folder anew."
            )
    except UnfitError:
        raise
    except KeyError as error:
        raise InputError(f"{where}: expected an entry {error}, found none; the file is not whole.") from error
    except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RuntimeError) as error:
        if is_full_memory(error):
            raise
        told = str(error)[:LONGEST_REASON]  # torch adds pages to sizes out of reach
        raise InputError(f"{where}: expected a model configuration, found one that does not fit: {told}") from error
    saved.network.load_state_dict(weights)
    saved.network.eval()
    return saved


def _digest(content: dict[str, Any], weights: dict[str, torch.Tensor], *, of_facts: bool = True) -> str:
    """Digest the weights, all that says how they are used, and the facts that were saved. A person may add other facts.

    `of_facts=False` gives the digest of older versions, which left out all facts.
    """
    told = {name: entry for name, entry in content.items() if name not in ("digest", "facts")}
    if not of_facts:
        return fingerprint(weights, json.dumps(told, sort_keys=True))
    saved, facts = content.get(COVERED), content["facts"]
    names = USED if saved is None else [name for name in facts if name in saved or READ.fullmatch(name)]
    told["facts"] = {name: facts[name] for name in names if name in facts}
    return DIGEST + fingerprint(weights, json.dumps(told, sort_keys=True))


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: expected the configuration of a trained model, found nothing.")
    try:
        content = json.loads(read_description(path))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, found something else: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: expected a model of format {FORMAT!r}, found another file.")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path}: expected version {VERSION}, found {content.get('version')!r}; use the auxrnn that wrote it."
        )
    return content


@contextmanager
def _entry(name: str, value: Any) -> Iterator[Any]:
    """The value of an entry; InputError with what was expected and what came where it cannot be read."""
    try:
        yield value
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        shown = repr(value)
        shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]} ..."
        raise InputError(f"expected {name} to be {ENTRIES[name]}, found {shown}") from error


def _class_names(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not found:
        raise InputError(f"expected classes to be a list of at least one class, found {found!r}")
    if not all(isinstance(name, str) for name in found) or len(set(found)) < len(found):
        raise InputError(f"expected classes as distinct texts, got {found[:10]}")
    return tuple(check_printable(name, "classes") for name in found)


def _model_config(content: dict[str, Any]) -> ModelConfig:
    if not isinstance(content, dict):
        raise TypeError
    known = {item.name for item in fields(ModelConfig)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise InputError(f"unknown model settings {', '.join(unknown)}")
    return ModelConfig(**with_groups(content))


def _longest(found: Any) -> int | None:
    if found is None or (isinstance(found, int) and not isinstance(found, bool) and found >= 1):
        return found
    raise InputError(f"expected longest to be a number of steps or null, got {found!r}")


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise UnfitError(f"{path}: expected the weights of a trained model, found nothing.")
    try:
        with named_in_utf8(path) as name:
            return safetensors.torch.load_file(name)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise UnfitError(f"{path}: expected weights in safetensors form, found something else: {error}") from error


def _check_weights(path: Path, weights: dict[str, torch.Tensor], network: Classifier) -> None:
    """UnfitError unless they are those of the network, finite and of its shapes."""
    expected = network.state_dict()
    for name in sorted(expected.keys() ^ weights.keys()):
        raise UnfitError(
            f"{path}: expected the weights that {CONFIG} describes, "
            f"found {'none' if name in expected else 'one too many'} called {name}."
        )
    for name, weight in expected.items():
        found = weights[name]
        if found.shape != weight.shape or found.dtype != weight.dtype:
            raise UnfitError(
                f"{path}: expected {name} of shape {tuple(weight.shape)} {weight.dtype} as {CONFIG} describes, "
                f"found {tuple(found.shape)} {found.dtype}."
            )
        if not bool(torch.isfinite(found).all()):
            raise UnfitError(f"{path}: expected finite weights, found NaN or infinity in {name}.")
