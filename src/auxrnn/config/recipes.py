"""Recipes: named sets of settings that belong together. What a person says beside a recipe counts more.

A recipe names every setting that it stands for; all others keep the defaults of `RunConfig`. Of `modern` the data
choose more, see `training.sensible`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAPER: dict[str, Any] = {
    "model": "r-lstm",
    "hidden_size": 128,
    "projection_size": 128,
    "stem": "none",
    "residual": False,
    "readout": "last",
    "initialisation": "tensorflow",
    "optimizer": "rmsprop_tf",
    "lr": 1e-3,
    "lr_schedule": "constant",
    "lr_warmup": None,
    "weight_decay": None,
    "augment": "none",
    "sort_batches": True,
    "keep": "best",
    "gradient_clip": 1.0,
    "regulariser": "dropconnect",
    "dropout": 0.5,
    "bptt": 300,
    "num_anchors": 1,
    "segment_length": 600,
    "pretrain_epochs": 5,
    "batch_size": 128,
}
"""The published architecture and training, as the authors' framework had them (Trinh et al. 2018, section 4, as a
reader restates it; TensorFlow 1's defaults where the paper is silent). Clipping and epochs are ours."""

MODERN: dict[str, Any] = {
    "model": "lstm",
    "hidden_size": 64,
    "projection_size": None,
    "stem": "conv",
    "kernel": 5,
    "residual": False,
    "readout": "stats",
    "num_windows": 5,
    "initialisation": "chrono",
    "optimizer": "adamw",
    "lr": 3e-3,
    "lr_schedule": "one_cycle",
    "lr_warmup": 0.1,
    "weight_decay": 0.05,
    "augment": "none",
    "sort_batches": False,
    "keep": "last",
    "gradient_clip": 1.0,
    "regulariser": "dropout",
    "dropout": 0.2,
    "bptt": 50,
    "num_anchors": 5,
    "segment_length": 50,
    "pretrain_epochs": 0,
    "batch_size": 16,
}
"""Ours: learns raw long sequences in seconds to minutes, at the same constant memory."""

RECIPES: dict[str, dict[str, Any]] = {"paper": PAPER, "modern": MODERN}

NO_STEM = {"stem": "none", "readout": "last"}


def recipe_settings(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a recipe, less those that what is `said` beside it rules out."""
    settings = dict(RECIPES[name])
    model = said.get("model", settings["model"])
    if model == "transformer":
        settings |= NO_STEM
    if (model in ("transformer", "irnn", "urnn") or said.get("cell") == "rnn") and settings[
        "initialisation"
    ] == "chrono":
        settings["initialisation"] = "tensorflow"
    if said.get("gradient") in ("checkpointed", "exact"):
        settings["bptt"] = "full"
    if said.get("optimizer", "adamw") != "adamw":
        settings["weight_decay"] = None
    if said.get("patience") is not None:
        settings["keep"] = "best"
    return settings
