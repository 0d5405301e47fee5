"""One r-LSTM training step against the same step as one writes it straight in PyTorch: python benchmarks/step.py

Both have the same weights, the same pixels, the same anchor and so the same losses and gradients, which is checked
before anything is timed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measure import Spread, heading, store, threads, times_faster
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.config import AuxiliaryConfig, ModelConfig
from auxrnn.core.allocation import prepare_process
from auxrnn.core.anchors import Segments, step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.build import build_model
from auxrnn.core.heads import FeedForward
from auxrnn.core.kernels.lstm import use_backend
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.objectives import Draw, Loss, Reconstruction, losses_of_draws
from auxrnn.core.truncation import WindowPlan
from auxrnn.experiments.own_process import OwnProcess, free_memory
from auxrnn.report.figures import draw_lines
from auxrnn.report.tables import text_table

LONGEST = 600.0  # seconds that one step may take
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 1e-4
PLAIN, OURS, OWN_ANCHORS = "plain PyTorch", "auxrnn", "auxrnn, an anchor of its own for every sequence"


@dataclass(frozen=True)
class Sizes:
    """Of the step that is measured."""

    batch: int = 128
    steps: int = 784
    bptt: int = 300
    segment: int = 600
    hidden: int = 128


SMOKE = Sizes(batch=4, steps=24, bptt=6, segment=9, hidden=8)


def bench_step(
    out: Path | None = None, *, thread_count: int | None = None, rounds: int = 7, smoke: bool = False
) -> dict[str, Any]:
    """Print the differences and the times and return the figures; RuntimeError where the two do not agree.

    Each side runs in a process of its own, so that what one does to the process helps or harms nobody else.
    """
    sizes, rounds = (SMOKE, 2) if smoke else (Sizes(), rounds)
    with threads(thread_count or torch.get_num_threads()):
        print(heading("One r-LSTM training step", on_gpu=True, **vars(sizes)))
        agreement = compare(sizes)
        seconds: dict[str, list[float]] = {}
        with ExitStack() as processes:
            running = {
                name: processes.enter_context(
                    OwnProcess(make_step, (name, sizes), threads=torch.get_num_threads(), memory=free_memory())
                )
                for name in (PLAIN, OURS, OWN_ANCHORS)
            }
            for counted in range(rounds + 1):
                for name, process in running.items():
                    taken = process.call(LONGEST).seconds
                    if counted:
                        seconds.setdefault(name, []).append(taken)
        rows = [
            [name, *Spread.of(values).words(3), *times_faster(seconds[PLAIN], values).words()]
            for name, values in seconds.items()
        ]
        print(text_table(["seconds a step", "median", "min", "max", "times faster", "min", "max"], rows))
        figures = [{"name": name, "seconds": values} for name, values in seconds.items()]
        lines = {name: list(enumerate(values, 1)) for name, values in seconds.items()}
        drawing = draw_lines(
            lines, title="One r-LSTM training step", xlabel="round", ylabel="seconds", logarithmic=False
        )
        return store(out, "step", {**vars(sizes), **agreement}, figures, seconds=drawing)


def make_step(side: tuple[str, Sizes]) -> Callable[[], object]:
    """The forward and backward pass of one side."""
    name, sizes = side
    network, plain, batch, anchor = _both(sizes)
    if name == PLAIN:
        return lambda: plain_step(plain, batch, anchor, sizes)
    prepare_process()
    return lambda: our_step(network, batch, anchor if name == OURS else None)


def plain_step(plain: PlainReconstruction, batch: SequenceBatch, anchor: int, sizes: Sizes) -> float:
    """Losses and gradients of the plain program; returns the summed loss."""
    assert batch.labels is not None
    plain.zero_grad()
    pixels = batch.inputs[..., 0]
    return _backward(plain.losses(pixels, batch.labels, anchor=anchor, bptt=sizes.bptt, segment_length=sizes.segment))


def our_step(network: SequenceClassifier, batch: SequenceBatch, anchor: int | None) -> float:
    """Losses and gradients of ours; returns the summed loss."""
    network.zero_grad()
    return _backward([loss.mean for loss in our_losses(network, batch, anchor)])


def our_losses(network: SequenceClassifier, batch: SequenceBatch, anchor: int | None) -> list[Loss]:
    """The supervised and the auxiliary loss, all true inputs fed, at `anchor` in every sequence or at drawn ones."""
    reconstruction = _reconstruction(network)
    objectives = [network.supervised, reconstruction]
    generator = step_generator(0)
    draws = [objective.draw(batch.lengths, generator) for objective in objectives]
    if anchor is not None:
        length = torch.full((len(batch), 1), reconstruction.segment_length)
        at = torch.full_like(length, anchor)
        back = length.clamp(max=reconstruction.bptt)
        draws[1] = Draw(WindowPlan(at - back, at, outputs=False), Segments(at, at - length, length))
    return losses_of_draws(network.encoder, batch, objectives, draws, 1.0, generator)


def compare(sizes: Sizes) -> dict[str, float]:
    """The relative differences of loss and gradients; prints them; RuntimeError where they are beyond the tolerance."""
    network, plain, batch, anchor = _both(sizes)
    use_backend(network, "cudnn")
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # all digits, as the tolerance is for
        theirs, ours = plain_step(plain, batch, anchor, sizes), our_step(network, batch, anchor)
    loss = abs(ours - theirs) / abs(theirs)
    twins = list(twin_gradients(network, plain))
    gradients = {name: float((own - other).norm() / other.norm()) for name, own, other in twins}
    worst = max(gradients, key=lambda name: gradients[name])
    apart = math.dist([float((own - other).norm()) for _, own, other in twins], [0.0] * len(twins))
    gradient = apart / math.dist([float(other.norm()) for _, _, other in twins], [0.0] * len(twins))
    print(f"Loss {ours:.6f}, plain {theirs:.6f}: relative difference {loss:.1e}, at most {LOSS_TOLERANCE:.0e} wanted")
    print(f"Gradient of all weights: relative difference {gradient:.1e}, at most {GRADIENT_TOLERANCE:.0e} wanted")
    print(f"Of single weights the largest is {gradients[worst]:.1e}, of {worst}\n")
    if not (loss <= LOSS_TOLERANCE and gradient <= GRADIENT_TOLERANCE):
        raise RuntimeError("Expected the plain program and ours to agree, found that they do not.")
    return {"loss_difference": loss, "gradient_difference": gradient, "worst_weight_difference": gradients[worst]}


def _both(sizes: Sizes) -> tuple[SequenceClassifier, PlainReconstruction, SequenceBatch, int]:
    """The network, its plain twin, a batch, and the anchor of all its sequences."""
    torch.manual_seed(0)
    network = r_lstm(sizes)
    pixels = torch.randint(0, 256, (sizes.batch, sizes.steps, 1), dtype=torch.uint8)
    labels = torch.randint(0, 10, (sizes.batch,))
    batch = SequenceBatch(pixels, torch.full((sizes.batch,), sizes.steps), labels)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    anchor = sizes.segment + (sizes.steps - sizes.segment) // 2
    return network.to(device), plain_twin(network).to(device), batch.to(device), anchor


def plain_twin(network: SequenceClassifier) -> PlainReconstruction:
    """The plain program with the same weights.

    The network's decoder reads a pixel as a number in 0..1. The plain one embeds its level: a table whose first column
    holds that number and whose others hold zeros makes the two the same function.
    """
    main, decoder = network.encoder.core, _decoder(network)
    assert isinstance(main, nn.LSTM)
    assert isinstance(network.encoder.projection, nn.Linear)
    plain = PlainReconstruction(main.hidden_size, network.num_classes, projection_size=main.input_size)
    with torch.no_grad():
        for own, other in _twins(network, plain):
            other.copy_(own)
        plain.decoder.get_parameter("weight_ih_l0")[:, :1] = decoder.core.weight_ih_l0
        plain.embedding.weight.zero_()
        plain.embedding.weight[:, 0] = torch.arange(plain.levels) / (plain.levels - 1)
    return plain


def twin_gradients(network: SequenceClassifier, plain: PlainReconstruction) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Of each weight its name, its gradient in the network and that of its twin in the plain program."""
    names = {id(weight): name for name, weight in network.named_parameters()}
    for own, other in _twins(network, plain):
        assert own.grad is not None
        assert other.grad is not None
        yield names[id(own)], own.grad, other.grad
    inputs, whole = _decoder(network).core.weight_ih_l0, plain.decoder.get_parameter("weight_ih_l0").grad
    assert whole is not None
    yield names[id(inputs)], inputs.grad, whole[:, :1]


def _twins(network: SequenceClassifier, plain: PlainReconstruction) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    decoder = _decoder(network)
    assert isinstance(network.encoder.projection, nn.Linear)
    assert isinstance(network.supervised.head, FeedForward)
    pairs: list[tuple[nn.Module, nn.Module]] = [
        (network.encoder.projection, plain.projection),
        (network.encoder.core, plain.main),
        (network.supervised.head.first, plain.classifier[0]),
        (network.supervised.head.second, plain.classifier[2]),
        (decoder.head.net.first, plain.output[0]),
        (decoder.head.net.second, plain.output[2]),
    ]
    for own, other in pairs:
        yield from zip(own.parameters(), other.parameters(), strict=True)
    for name in ("weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        yield getattr(decoder.core, name), getattr(plain.decoder, name)


def _reconstruction(network: SequenceClassifier) -> Reconstruction:
    found = network.auxiliaries["reconstruct"]
    assert isinstance(found, Reconstruction)
    return found


def _decoder(network: SequenceClassifier) -> Any:
    return _reconstruction(network).decoder


def config_of(sizes: Sizes) -> ModelConfig:
    """An r-LSTM as the plain program has it: a decoder of one layer, nothing dropped."""
    return ModelConfig(
        model="r-lstm",
        bptt=sizes.bptt,
        hidden_size=sizes.hidden,
        projection_size=sizes.hidden,
        segment_length=sizes.segment,
        regulariser="none",
        aux=AuxiliaryConfig(decoder_layers=1),
    )


def r_lstm(sizes: Sizes) -> SequenceClassifier:
    """The network of that configuration."""
    found = build_model(config_of(sizes), InputSpec("pixels", 1), 10)
    assert isinstance(found, SequenceClassifier)
    return found


def _backward(losses: list[Tensor]) -> float:
    total = torch.stack(losses).sum()
    total.backward()
    return float(total.detach())


class PlainReconstruction(nn.Module):
    """r-LSTM in three separate passes: the main network, the main network to the anchor, the decoder.

    As in the public re-implementation: one anchor for the whole batch, levels embedded for the decoder, a decoder of
    one layer, softmax over the levels.
    """

    def __init__(
        self, hidden_size: int = 128, classes: int = 10, *, projection_size: int = 128, levels: int = 256
    ) -> None:
        super().__init__()
        self.levels = levels
        self.projection = nn.Linear(1, projection_size)
        self.main = nn.LSTM(projection_size, hidden_size, batch_first=True)
        self.classifier = _head(hidden_size, classes)
        self.embedding = nn.Embedding(levels, hidden_size)
        self.decoder = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.output = _head(hidden_size, levels)

    def losses(self, pixels: Tensor, labels: Tensor, *, anchor: int, bptt: int, segment_length: int) -> list[Tensor]:
        """The supervised loss and the auxiliary one, means over labels and over tokens."""
        steps, reach = pixels.shape[1], min(bptt, segment_length)
        features = self.projection(
            pixels.unsqueeze(-1).to(self.projection.weight.dtype) / (self.levels - 1)
        )  # (B, T, P)

        outputs, _ = self.run(features, steps - bptt, steps)
        supervised = functional.cross_entropy(self.classifier(outputs[:, -1]), labels)

        _, state = self.run(features, anchor - reach, anchor)
        segment = pixels[:, anchor - segment_length : anchor].long()  # (B, l)
        decoded, _ = self.decoder(self.embedding(segment[:, :-1]), state)
        logits = self.output(decoded)  # (B, l - 1, levels)
        auxiliary = functional.cross_entropy(logits.flatten(0, 1), segment[:, 1:].flatten())
        return [supervised, auxiliary]

    def run(self, features: Tensor, start: int, stop: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The main network over `[0, stop)`, with gradient from `start` on."""
        state = None
        if start > 0:
            with torch.no_grad():
                _, state = self.main(features[:, :start])
        outputs, state = self.main(features[:, start:stop], state)
        return outputs, state


def _head(in_features: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_features, 256), nn.ReLU(), nn.Linear(256, out_features))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file, a picture beside it")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that it works")
    options = parser.parse_args()
    bench_step(options.out, thread_count=options.threads, smoke=options.smoke)
