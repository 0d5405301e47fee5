"""Sequences that are easily told apart, and the recipe modern."""

from dataclasses import replace

import torch

from auxrnn.config import RECIPES
from auxrnn.core.batch import InputSpec
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import TagsTarget

MODERN = {"recipe": "modern", **RECIPES["modern"]}


def make_data(number=40, steps=30, classes=2, seed=0):
    """The label is the sign of the mean: easy."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(number) % classes
    inputs = torch.randn(number, steps, 1, generator=generator) * 0.1 + (2.0 * labels.view(-1, 1, 1) - 1)
    names = tuple(map(str, range(classes)))
    return SequenceData("x", InputSpec("values", 1), inputs, labels, names)


def make_tags(steps, number=40):
    """A label a step, all the first of two."""
    labels = [torch.zeros(steps, dtype=torch.int64)] * number
    return replace(make_data(number, steps), labels=labels, target=TagsTarget(("a", "b")), classes=())
