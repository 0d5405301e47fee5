"""What to take of a data set: how many sequences, which classes, how large the images, how long the texts.

The options make small runs possible; the paper uses none of them. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from auxrnn.config import RunConfig, checked_setting
from auxrnn.errors import InputError
from auxrnn.sources.presets import Preset, PublishedSplit

LARGEST_IMAGE = 1024

OF_IMAGES, OF_TEXTS = ("image_size", "grey"), ("max_length", "max_vocabulary")


@dataclass(frozen=True)
class DataOptions:
    """What to take of a published set; everything off by default.

    Parameters
    ----------
    limit_train, limit_test : int, optional
        Keep so many sequences, by class and drawn with a seed.
    limit_classes : int, optional
        The first so many classes, at least 2, in training and test set.
    image_size : int, optional
        Side of square images in pixels, by area averaging: at most the published side (any up to 1,024 for dogs).
    grey : bool
        Colour images as one channel, ITU-R 601 luminance as Pillow computes it.
    max_length : int, optional
        Characters at which longer texts are cut.
    max_vocabulary : int, optional
        Characters to know, the most frequent of the training texts; the others share the number 0.
    distance : int, optional
        Steps of noise behind what decides, of made sequences.

    Raises
    ------
    InputError
        For a wrong type or a number out of range.
    """

    limit_train: int | None = None
    limit_test: int | None = None
    limit_classes: int | None = None
    image_size: int | None = None
    grey: bool = False
    max_length: int | None = None
    max_vocabulary: int | None = None
    distance: int | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = checked_setting(DataOptions, item.name, getattr(self, item.name))
            object.__setattr__(self, item.name, value)
            least = 2 if item.name == "limit_classes" else 1
            if isinstance(value, int) and not isinstance(value, bool) and value < least:
                raise InputError(f"Expected {item.name} of at least {least}, got {value}.")
        if self.image_size is not None and self.image_size > LARGEST_IMAGE:
            raise InputError(f"Expected image_size of at most {LARGEST_IMAGE}, got {self.image_size}.")

    @classmethod
    def of_run(cls, config: RunConfig) -> Self:
        """The options of a run."""
        return cls(**{item.name: getattr(config, item.name) for item in fields(cls)})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The reverse of `to_dict`; InputError for an unknown option."""
        known = {item.name for item in fields(cls)}
        for name in content:
            if name not in known:
                raise InputError(f"Expected data options among {', '.join(sorted(known))}, got {name!r}.")
        return cls(**content)

    def limit(self, split: PublishedSplit) -> int | None:
        """Sequences to keep of a split; None for all."""
        return self.limit_train if split == "train" else self.limit_test

    def to_dict(self) -> dict[str, Any]:
        """The options that are on."""
        return {name: value for name, value in asdict(self).items() if value is not None and value is not False}

    def check_for(self, preset: Preset) -> None:
        """InputError for an option that means nothing for this data set."""
        wrong = {
            "grey images": {"grey": "its images are grey already", **dict.fromkeys((*OF_TEXTS, "distance"), "")},
            "colour images": dict.fromkeys((*OF_TEXTS, "distance"), ""),
            "texts": dict.fromkeys((*OF_IMAGES, "distance"), ""),
            "made values": dict.fromkeys((*OF_IMAGES, *OF_TEXTS), ""),
        }[preset.kind]
        for name, reason in wrong.items():
            if name in self.to_dict():
                raise InputError(
                    f"{preset.name}: expected no {name}, for {reason or f'it has {preset.kind}'}; leave {name} out."
                )
        if self.limit_classes is not None and self.limit_classes > preset.classes:
            raise InputError(
                f"{preset.name}: expected limit_classes of at most {preset.classes}, got {self.limit_classes}."
            )
