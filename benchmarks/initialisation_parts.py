"""Which part of TensorFlow's initialisation lets a truncated LSTM learn, and what it changes before the first step:

    python benchmarks/initialisation_parts.py --out results/laptop/initialisation-parts.jsonl

The LSTM of `reproduce table2 --scale laptop` on MNIST (14x14 pixels, K 75, 3,000 images, six epochs) under the recipe
`paper`, with torch's initialisation or TensorFlow's and single parts of it changed after the network is built. Each run
is a line of OUT, named VARIANT/seed-N; `environment.changed` says what its settings cannot. Recorded runs are skipped.
OUT with -start.json in place of .jsonl holds what the untrained networks of all seeds do on test images: the gates, the
lifetimes of states, the pixel's share in what is projected, and the gradient against distance.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.config import RunConfig
from auxrnn.core.build import build_model
from auxrnn.core.initialisation import forget_bias_, tensorflow_
from auxrnn.core.model import SequenceClassifier
from auxrnn.experiments.catalogue import find_experiment
from auxrnn.experiments.grids.records import Record, add_records, read_records
from auxrnn.experiments.probes import gradient_norms
from auxrnn.experiments.scales import find_scale, plan_runs
from auxrnn.runs.datasets import load_data
from auxrnn.runs.environment import describe_environment
from auxrnn.runs.run import split_data
from auxrnn.sources.dataset import SequenceData
from auxrnn.storage.files import check_place, write_atomically
from auxrnn.training.history import columns
from auxrnn.training.loop import fit
from auxrnn.use.inference import measure

ARM = "LSTM Truncate300"
SHOWN = 200  # test images that the untrained networks read

Change = Callable[[SequenceClassifier], object]


@dataclass(frozen=True)
class Variant:
    """A network as `initialisation` begins, with parts changed."""

    name: str
    initialisation: str
    changes: tuple[Change, ...] = ()


def core_of(network: SequenceClassifier) -> nn.LSTM:
    assert isinstance(network.encoder.core, nn.LSTM)
    return network.encoder.core


def projection_of(network: SequenceClassifier) -> nn.Linear:
    assert network.encoder.projection is not None
    return network.encoder.projection


def zero_biases(network: SequenceClassifier) -> None:
    for name, parameter in core_of(network).named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)


def kernels_as_tensorflow(network: SequenceClassifier) -> None:
    """Glorot uniform over the one matrix (inputs + H, 4 H); the biases stay."""
    core = core_of(network)
    biases = [core.bias_ih_l0.clone(), core.bias_hh_l0.clone()]
    tensorflow_(core)
    with torch.no_grad():
        core.bias_ih_l0.copy_(biases[0])
        core.bias_hh_l0.copy_(biases[1])


def projection_as_torch(network: SequenceClassifier) -> None:
    """Only its bias, U(-1, 1) for a projection of one pixel."""
    projection = projection_of(network)
    bound = 1 / math.sqrt(projection.in_features)
    nn.init.uniform_(projection.bias, -bound, bound)


def forget_open(network: SequenceClassifier) -> None:
    forget_bias_(core_of(network), 1.0)


def forget_half(network: SequenceClassifier) -> None:
    forget_bias_(core_of(network), 0.0)


def projection_as_tensorflow(network: SequenceClassifier) -> None:
    tensorflow_(projection_of(network))


def projection_unbiased(network: SequenceClassifier) -> None:
    nn.init.zeros_(projection_of(network).bias)


def head_as_tensorflow(network: SequenceClassifier) -> None:
    tensorflow_(network.supervised.head)


VARIANTS = (
    Variant("torch", "torch"),
    Variant("torch, LSTM biases zero", "torch", (zero_biases,)),
    Variant("torch, forget bias 1", "torch", (forget_open,)),
    Variant("torch, projection Glorot with zero bias", "torch", (projection_as_tensorflow,)),
    Variant("torch, projection bias zero", "torch", (projection_unbiased,)),
    Variant("torch, LSTM kernels Glorot", "torch", (kernels_as_tensorflow,)),
    Variant("torch, head Glorot with zero biases", "torch", (head_as_tensorflow,)),
    Variant("torch, forget bias 1 and projection bias zero", "torch", (forget_open, projection_unbiased)),
    Variant("tensorflow, forget bias 0", "tensorflow", (forget_half,)),
    Variant("tensorflow, projection bias as torch's", "tensorflow", (projection_as_torch,)),
    Variant("tensorflow", "tensorflow"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the record, a file of JSON lines (.jsonl)")
    parser.add_argument("--data_dir", help="folder of the data")
    parser.add_argument("--seeds", type=int, default=3)
    names = [variant.name for variant in VARIANTS]
    parser.add_argument("--variant", action="append", choices=names, help="this one alone; may be repeated")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that it works")
    options = parser.parse_args()
    if options.out.suffix != ".jsonl":
        parser.error(f"expected --out FILE.jsonl, got {options.out}")
    check_place(options.out)
    torch.set_num_threads(1)
    chosen = [variant for variant in VARIANTS if variant.name in (options.variant or names)]
    scale = find_scale("smoke" if options.smoke else "laptop")
    arms = plan_runs(find_experiment("table2"), scale, options.seeds, ["mnist"], [ARM])
    configs = [replace(run.config, data_dir=options.data_dir) for run in arms]
    data = [(config, *split_data(load_data(config).sequences, config)) for config in configs]
    test = load_data(configs[0]).sequences.test
    begins = {
        variant.name: at_the_start([begin(variant, config, train)[1] for config, train, _ in data], test)
        for variant in chosen
    }
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in begins.items())
    place = options.out.with_name(f"{options.out.stem}-start.json")
    write_atomically(place, lambda aside: aside.write_text(f"{{\n{text}\n}}\n", encoding="utf-8"))
    for config, train, validation in data:
        for variant in chosen:
            name = f"{variant.name}/seed-{config.seed}"
            if name not in read_records(options.out):
                record = run(name, variant, config, train, validation, test)
                add_records(options.out, [record])
                print(f"{name}: {100 * (record.result or {})['test_accuracy']:.1f} %", flush=True)
    return 0


def begin(variant: Variant, config: RunConfig, train: SequenceData) -> tuple[RunConfig, SequenceClassifier]:
    """The network as its run begins: what is drawn anew is drawn after all that the run itself would draw."""
    config = replace(config, initialisation=variant.initialisation)
    torch.manual_seed(config.seed)
    network = build_model(config, train.spec, train.target, int(train.lengths.max()))
    assert isinstance(network, SequenceClassifier)
    for change in variant.changes:
        change(network)
    return config, network


def run(
    name: str, variant: Variant, config: RunConfig, train: SequenceData, validation: SequenceData, test: SequenceData
) -> Record:
    """Train a variant and test it, as `auxrnn train` would."""
    config, network = begin(variant, config, train)
    fitted = fit(network, train, validation, config.model_config(), config, quiet=True)
    loss, scores, _ = measure(network, test)
    result = {
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch or None,
        "validation_accuracy": fitted.best_score,
        **{f"test_{score}": value for score, value in scores.items()},
        "test_loss": loss,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "seconds": round(fitted.seconds, 1),
    }
    changed = ", ".join(change.__name__ for change in variant.changes)  # type: ignore[attr-defined]
    curve = {column: [row.get(column) for row in fitted.history] for column in columns(train.target.score)}
    environment = {**describe_environment(), "changed": changed or "nothing"}
    return Record(name, replace(config, data_dir=None), environment, curve, result)


@torch.no_grad()
def gates(network: SequenceClassifier, test: SequenceData) -> tuple[Tensor, Tensor]:
    """Forget and input gates on images, (B, T, H) each: the LSTM's equations, for it does not tell them."""
    core, encoder = core_of(network), network.encoder
    inputs = projection_of(network)(encoder.features(test.batch(range(len(test))).inputs))  # (B, T, P)
    arriving = inputs @ core.weight_ih_l0.T + core.bias_ih_l0 + core.bias_hh_l0  # (B, T, 4 H)
    hidden = cell = inputs.new_zeros(len(inputs), core.hidden_size)
    told = []
    for step in arriving.unbind(1):
        write, keep, new, read = (step + hidden @ core.weight_hh_l0.T).chunk(4, 1)  # torch's order
        cell = keep.sigmoid() * cell + write.sigmoid() * new.tanh()
        hidden = read.sigmoid() * cell.tanh()
        told.append((keep.sigmoid(), write.sigmoid()))
    assert torch.allclose(hidden, encoder(test.batch(range(len(test))).inputs)[0][:, -1], atol=1e-4)
    forget, write = (torch.stack(one, 1) for one in zip(*told, strict=True))
    return forget, write


def at_the_start(networks: Sequence[SequenceClassifier], test: SequenceData) -> dict[str, Any]:
    """What untrained networks do on test images, over all of them.

    lifetime: steps after which a state has decayed to 1 / e, -1 / log of a cell's mean forget gate. pixel_share: of the
    variance of a projected pixel over images, steps and directions; the rest is its bias.
    gradient: norm of d loss / d (hidden state and cell), so many steps before the loss; from distance 1 on.
    """
    shown = test.subset(torch.arange(min(SHOWN, len(test))))
    batch = shown.batch(range(min(16, len(shown))))
    forget, write, lifetimes, shares, norms = [], [], [], [], []
    for network in networks:
        network.eval()
        keep, writes = gates(network, shown)
        forget.append(keep)
        write.append(writes)
        lifetimes.append(-1 / keep.mean((0, 1)).log())  # (H,)
        projection = projection_of(network)
        with torch.no_grad():
            pixels = network.encoder.features(shown.batch(range(len(shown))).inputs) @ projection.weight.T  # (B, T, P)
            moved, fixed = float(pixels.var()), float(projection.bias.var())
        shares.append(moved / (moved + fixed))
        norms.append(gradient_norms(network, batch))
    lives = torch.cat(lifetimes)
    mean_norms = torch.tensor(norms).mean(0)
    return {
        "forget_gate": _moments(torch.stack(forget)),
        "input_gate": _moments(torch.stack(write)),
        "lifetime": {name: _short(float(lives.quantile(share))) for name, share in
                     (("least", 0.0), ("median", 0.5), ("most", 1.0))},
        "pixel_share": _short(sum(shares) / len(shares)),
        "gradient": [_short(float(norm)) for norm in mean_norms],
    }  # fmt: skip


def _moments(values: Tensor) -> dict[str, float]:
    return {"mean": _short(float(values.mean())), "deviation": _short(float(values.std()))}


def _short(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    sys.exit(main())
