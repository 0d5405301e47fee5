"""Everything of one run, and its settings that are groups of settings."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from auxrnn.config.auxiliary import AuxiliaryConfig
from auxrnn.config.checks import at_least, check_types
from auxrnn.config.choices import Recipe
from auxrnn.config.model import ModelConfig, TransformerConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.config.training import TrainingConfig
from auxrnn.errors import InputError, did_you_mean, is_text


@dataclass(frozen=True)
class RunConfig(TrainingConfig, ModelConfig):
    """Everything of one run: the data, the network, the training.

    Parameters
    ----------
    recipe
        the named set of settings that stands where nothing else is said: "paper", the published network and
        training, for the presets; "modern", for files of one's own. `--print_config` shows it whole.
    candidates
        of the recipe modern: so many sets of settings are tried shortly and compared on validation data
        before training; 1 takes the first. Left out: 5, or 1 where max_epochs is said.
    budget
        train for about so long ("90s", "10m", "1h"), by the time that a step takes here; the recipe's own
        number of steps when left out.
    data
        a preset, as `auxrnn data list` shows them, or the path of a file, a folder or an imported set.
    data_dir
        folder of the data; else $AUXRNN_DATA_DIR, else the user's cache folder.
    unlabelled
        files or a folder of further sequences like those of `data`, which the auxiliary losses alone learn
        from; labels in them are not looked at. The model is p-lstm then where none is said.
    limit_train
        use only so many training sequences, stratified and seeded.
    out
        the run folder; runs/DATA-MODEL-SEED when left out.
    limit_test
        test on so many sequences only, stratified and seeded.
    limit_classes
        the first so many classes only, to train and to test.
    image_size
        side of square images in pixels, made by area averaging; as they are when null.
    grey
        colour images as one channel of luminance.
    max_length
        texts: cut longer ones at so many characters (the run says how many it touches).
    max_vocabulary
        texts: know the most frequent so many characters of the training texts; all when null.
    distance
        latching: steps of noise behind those that decide; 200 when null.
    reading
        how files of one's own are read; `--text NAME` is short for `--reading.text NAME`, and so for all.
    """

    recipe: Recipe = "paper"
    candidates: int | None = None
    budget: str | None = None
    data: str = "digits"
    data_dir: str | None = None
    unlabelled: str | None = None
    limit_train: int | None = None
    out: str | None = None
    limit_test: int | None = None
    limit_classes: int | None = None
    image_size: int | None = None
    grey: bool = False
    max_length: int | None = None
    max_vocabulary: int | None = None
    distance: int | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)

    def __post_init__(self) -> None:
        check_types(self, RunConfig)
        ModelConfig.__post_init__(self)
        TrainingConfig.__post_init__(self)
        if self.gradient != "truncated" and self.precision == "16-mixed":
            raise InputError(
                f"Expected precision 32-true or bf16-mixed with gradient {self.gradient}, got 16-mixed: single pieces "
                "are not scaled."
            )
        if self.gradient == "fptt" and self.devices * self.num_nodes > 1:
            raise InputError(
                f"Expected one device with gradient fptt, which was not tried over several, got {self.devices} on "
                f"{self.num_nodes} machines."
            )
        for name in ("limit_train", "limit_test", "image_size", "max_length", "max_vocabulary", "distance"):
            at_least(name, getattr(self, name), 1)
        at_least("limit_classes", self.limit_classes, 2)
        at_least("candidates", self.candidates, 1)
        if self.budget is not None:
            seconds_of(self.budget)
            if self.recipe != "modern" or self.devices * self.num_nodes > 1:
                raise InputError(
                    f"Expected recipe modern on one device with budget, got {self.recipe} on "
                    f"{self.devices * self.num_nodes}; say max_epochs in place of budget."
                )
        for name in ("data", "data_dir", "out", "unlabelled"):
            place = getattr(self, name)
            if place is not None and (not place or "\0" in place):
                raise InputError(f"Expected {name} to be the name of a place, got {place!r}.")
            if place is not None and not is_text(place):
                raise InputError(f"Expected {name} to be a name in UTF-8, got {place!r}; rename it.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def seconds_of(budget: str) -> float:
    """The seconds of a budget like "90s", "10m" or "1.5h"; InputError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    seconds = 0.0 if found is None else float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
    if not 0 < seconds < math.inf:
        raise InputError(f'Expected budget like 90s, 10m or 1h, got "{budget}".')
    return seconds


GROUPS: dict[str, type] = {"aux": AuxiliaryConfig, "transformer": TransformerConfig, "reading": ReadingOptions}
"""The settings that are groups of settings."""


def with_groups(settings: dict[str, Any]) -> dict[str, Any]:
    """Plain settings, as files hold them, with their groups as what the configs take; a group may be left out.

    Raises InputError for a group that is none, or that has an option which there is not.
    """
    return settings | {name: _group(name, kind, settings[name]) for name, kind in GROUPS.items() if name in settings}


def _group(name: str, kind: type[Any], options: Any) -> Any:
    if not isinstance(options, dict):
        raise InputError(f"Expected {name} to be a group of options, got {options!r}.")
    allowed = [item.name for item in fields(kind)]
    for option in options:
        if option not in allowed:
            raise InputError(
                f"Expected {name} of {', '.join(allowed)}, got {option!r}.{did_you_mean(str(option), allowed)}"
            )
    return kind(**options)
