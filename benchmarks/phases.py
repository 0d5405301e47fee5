"""Where the phases of an LRU begin, on MNIST by pixels: python benchmarks/phases.py --data_dir DIR --out FILE.jsonl

The last state of one layer is one product of the pixels with the powers of lambda, so a training with the gradient
through all 784 steps takes seconds. Each setting is a line of FILE: accuracy on 6,000 validation images after each of
five epochs. Nothing is tested.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.core.cells.lru import LRU, LRULayer
from auxrnn.core.initialisation import chrono_
from auxrnn.runs.environment import describe_environment
from auxrnn.sources.idx import read_idx

SIZE, STEPS, BATCH, RATE = 128, 784, 64, 0.004
SETTINGS: list[dict[str, Any]] = [
    {"moduli": "ring", "max_phase": 2 * math.pi, "permuted": False},
    {"moduli": "chrono", "max_phase": 2 * math.pi, "permuted": False},
    {"moduli": "chrono", "max_phase": 1.0, "permuted": False},
    {"moduli": "chrono", "max_phase": 0.3, "permuted": False},
    {"moduli": "chrono", "max_phase": 2 * math.pi, "permuted": True},
    {"moduli": "chrono", "max_phase": 1.0, "permuted": True},
    {"moduli": "chrono", "max_phase": 0.3, "permuted": True},
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, required=True, help="the folder that holds mnist/")
    parser.add_argument("--out", type=Path, required=True, help="the record, lines of JSON")
    parser.add_argument("--epochs", type=int, default=5, help="default: 5")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.data_dir / "mnist"
    images = torch.tensor(read_idx(folder / "train-images-idx3-ubyte.gz", 3)).flatten(1).float() / 255
    labels = torch.tensor(read_idx(folder / "train-labels-idx1-ubyte.gz", 1)).long()
    for settings in SETTINGS:
        torch.manual_seed(0)
        order = torch.randperm(STEPS) if settings["permuted"] else torch.arange(STEPS)
        began = time.process_time()
        scores = train(images[:, order], labels, settings, options.epochs)
        line = {**settings, "validation": scores, "seconds": round(time.process_time() - began)}
        print(line, flush=True)
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "environment": describe_environment()}) + "\n")


def train(images: Tensor, labels: Tensor, settings: dict[str, Any], epochs: int) -> list[float]:
    """Give the validation accuracy after each epoch."""
    core, head = LRU(1, SIZE, max_phase=settings["max_phase"]), nn.Linear(SIZE, 10)
    if settings["moduli"] == "chrono":
        chrono_(core, STEPS)
    drawn = torch.randperm(len(images))
    known, other = drawn[6000:], drawn[:6000]
    weights = [*core.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01)
    number = len(known) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=number * epochs, pct_start=0.1)
    scores = []
    for _ in range(epochs):
        for rows in known[torch.randperm(len(known))].split(BATCH)[:number]:
            optimizer.zero_grad()
            functional.cross_entropy(head(last_output(core, images[rows])), labels[rows]).backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            right = head(last_output(core, images[other])).argmax(1) == labels[other]
        scores.append(round(float(right.float().mean()), 4))
    return scores


def last_output(core: LRU, values: Tensor) -> Tensor:
    """Give the last output (B, H) of one layer over values (B, T), as the core itself does."""
    layer = core.layers[0]
    assert isinstance(layer, LRULayer)
    behind = torch.arange(values.shape[1] - 1, -1, -1)
    shrink, turn = layer.nu.exp().unsqueeze(1), layer.theta.exp().unsqueeze(1)
    powers = torch.polar((-shrink * behind).exp(), turn * behind)  # (N, T)
    into = layer.input_map()
    weight, bias = (
        torch.view_as_complex((into @ part).view(-1, 2)) for part in (core.first.weight[:, 0], core.first.bias)
    )
    state = torch.complex(values @ powers.real.T, values @ powers.imag.T) * weight + bias * powers.sum(1)
    read = core.first(values[:, -1:])
    found = functional.gelu(layer.out_of(torch.view_as_real(state).flatten(-2)) + layer.skip * read)
    return layer.norm(read + functional.glu(layer.gate(found)))


if __name__ == "__main__":
    main()
