"""`auxrnn bench step`: one r-LSTM training step against the same step as one writes it straight in PyTorch.

Both have the same weights, the same pixels, the same anchor and so the same losses and gradients, which is checked
before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.anchors import Segments, step_generator
from auxrnn.batch import InputSpec, SequenceBatch
from auxrnn.build import build_model
from auxrnn.config import AuxiliaryConfig, ModelConfig
from auxrnn.experiments.bench.measure import Spread, heading, in_turn, store, threads, times_faster
from auxrnn.experiments.bench.plain import PlainReconstruction
from auxrnn.heads import FeedForward
from auxrnn.model import SequenceClassifier
from auxrnn.objectives import Draw, Loss, Reconstruction, losses_of_draws
from auxrnn.report.figures import draw_lines
from auxrnn.report.tables import text_table
from auxrnn.truncation import WindowPlan

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
    """Print the differences and the times and return the figures; RuntimeError where the two do not agree."""
    sizes = SMOKE if smoke else Sizes()
    rounds = 2 if smoke else rounds
    with threads(thread_count or torch.get_num_threads()):
        print(heading("One r-LSTM training step", **vars(sizes)))
        torch.manual_seed(0)
        network = r_lstm(sizes)
        plain = plain_twin(network)
        pixels = torch.randint(0, 256, (sizes.batch, sizes.steps), dtype=torch.uint8)
        labels = torch.randint(0, 10, (sizes.batch,))
        anchor = sizes.segment + (sizes.steps - sizes.segment) // 2
        batch = SequenceBatch(pixels.unsqueeze(-1), torch.full((sizes.batch,), sizes.steps), labels)

        def plain_step() -> Tensor:
            plain.zero_grad()
            losses = plain.losses(pixels, labels, anchor=anchor, bptt=sizes.bptt, segment_length=sizes.segment)
            return _backward(losses)

        def our_step(anchor: int | None = anchor) -> Tensor:
            network.zero_grad()
            return _backward([loss.mean for loss in our_losses(network, batch, anchor)])

        agreement = compare(plain_step, our_step, network, plain)
        work: dict[str, Callable[[], object]] = {
            PLAIN: plain_step,
            OURS: our_step,
            OWN_ANCHORS: lambda: our_step(None),
        }
        seconds = in_turn(work, rounds)
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


def compare(
    plain_step: Callable[[], Tensor],
    our_step: Callable[[], Tensor],
    network: SequenceClassifier,
    plain: PlainReconstruction,
) -> dict[str, float]:
    """The relative differences of loss and gradients; prints them; RuntimeError where they are beyond the tolerance."""
    theirs, ours = float(plain_step()), float(our_step())
    loss = abs(ours - theirs) / abs(theirs)
    gradients = {
        name: float((own - other).norm() / other.norm()) for name, own, other in twin_gradients(network, plain)
    }
    worst = max(gradients, key=lambda name: gradients[name])
    print(f"Loss {ours:.6f}, plain {theirs:.6f}: relative difference {loss:.1e} (at most {LOSS_TOLERANCE:.0e})")
    print(f"Gradients: largest relative difference {gradients[worst]:.1e}, of {worst}, "
          f"at most {GRADIENT_TOLERANCE:.0e} wanted\n")  # fmt: skip
    if not (loss <= LOSS_TOLERANCE and gradients[worst] <= GRADIENT_TOLERANCE):
        raise RuntimeError("Expected the plain program and ours to agree, found that they do not.")
    return {"loss_difference": loss, "gradient_difference": gradients[worst]}


def plain_twin(network: SequenceClassifier) -> PlainReconstruction:
    """The plain program with the same weights.

    The network's decoder reads a pixel as a number in 0..1. The plain one embeds its level: a table whose first column
    holds that number and whose others hold zeros makes the two the same function.
    """
    main, decoder = network.encoder.core, _reconstruction(network).decoder
    assert isinstance(main, nn.LSTM)
    assert isinstance(network.encoder.projection, nn.Linear)
    plain = PlainReconstruction(main.hidden_size, network.num_classes, projection_size=main.input_size)
    with torch.no_grad():
        for own, other in _twins(network, plain):
            other.copy_(own)
        plain.decoder.weight_ih_l0[:, :1] = decoder.core.weight_ih_l0
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
    own = _reconstruction(network).decoder.core.weight_ih_l0
    other = plain.decoder.weight_ih_l0
    assert own.grad is not None
    assert other.grad is not None
    yield names[id(own)], own.grad, other.grad[:, :1]


def _twins(network: SequenceClassifier, plain: PlainReconstruction) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    decoder = _reconstruction(network).decoder
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


def _backward(losses: list[Tensor]) -> Tensor:
    total = torch.stack(losses).sum()
    total.backward()
    return total.detach()
