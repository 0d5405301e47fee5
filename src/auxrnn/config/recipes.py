"""Recipes: named sets of settings that belong together. What a person says beside a recipe counts more.

A recipe names every setting that it stands for; all others keep the defaults of `RunConfig`.
"""

from __future__ import annotations

from typing import Any

PAPER: dict[str, Any] = {
    "hidden_size": 128,
    "projection_size": 128,
    "num_layers": 1,
    "initialisation": "tensorflow",
    "optimizer": "rmsprop_tf",
    "lr": 1e-3,
    "lr_schedule": "constant",
    "lr_warmup": None,
    "gradient_clip": 1.0,
    "regulariser": "dropconnect",
    "dropout": 0.5,
    "bptt": 300,
    "num_anchors": 1,
    "segment_length": 600,
    "batch_size": 128,
}
"""The published architecture and training, as the authors' framework had them (Trinh et al. 2018, section 4, as a
reader restates it; TensorFlow 1's defaults where the paper is silent). Clipping is our choice: the paper is silent."""

RECIPES: dict[str, dict[str, Any]] = {"paper": PAPER}
