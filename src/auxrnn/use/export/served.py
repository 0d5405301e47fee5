"""A trained model as another program calls it: raw steps and a state in, answers and the next state out.

`Served` is what every exported file is measured against; the parts below it are what the files are made of. Knows no
file format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from auxrnn.core.baselines.transformer import TransformerClassifier
from auxrnn.core.baselines.urnn import UnitaryRNN
from auxrnn.core.encoder import Encoder
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.recurrent import state_tensors
from auxrnn.core.running import Reader, Standing
from auxrnn.core.totals import Totals
from auxrnn.errors import InputError
from auxrnn.targets import ValueTarget
from auxrnn.targets.moments import is_far
from auxrnn.use.persistence import SavedModel

INPUTS = "inputs"
INPUT_TYPES = {"pixels": torch.uint8, "values": torch.float32, "characters": torch.int64}
"""By kind; values that lie far from zero come as float64 (`Served.input_type`)."""


@dataclass(frozen=True)
class StateTensor:
    """One tensor of the state: its name, and its value before the first step with the batch (of 1) at `batch_dim`."""

    name: str
    first: Tensor
    batch_dim: int = 0

    @property
    def next_name(self) -> str:
        """What it is called among the outputs."""
        return f"next_{self.name}"

    @property
    def shape(self) -> list[str | int]:
        """With a name in place of the batch."""
        return ["batch" if dim == self.batch_dim else size for dim, size in enumerate(self.first.shape)]

    def before(self, batch: int) -> Tensor:
        """The value before the first step of so many sequences."""
        shape = list(self.first.shape)
        shape[self.batch_dim] = batch
        return self.first.expand(shape).clone()


class Served(nn.Module):
    """inputs (B, T, C) or (B, T), state tensors -> answers (B, size), or (B, T, size) per step; next state tensors.

    The answers are what the target's `shares` are: probabilities, or values in their own units. answer: their name.
    inputs as `INPUT_TYPES` has it: pixel levels, values as they are measured (they are standardised here, as in
    training), or the numbers of characters. All sequences have T steps, at least one. A transformer has no state.
    input_type, answer_type: float64 for values that lie so far from zero that float32 does not hold what changes.

    The state is the core's; under a stem the last raw steps that a token may read; for a readout of all steps the sums
    over the finished tokens; and where tokens are to be counted the raw steps read.
    """

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.network = saved.network.eval().requires_grad_(False).float()
        self.spec, self.target = saved.spec, saved.target
        self.answer = saved.target.share_name
        learned = saved.preprocessing
        numbers = learned is not None and learned.mean
        self.mean: Tensor | None
        self.scale: Tensor | None
        self.register_buffer("mean", torch.tensor(learned.mean, dtype=torch.float64) if numbers and learned else None)
        self.register_buffer("scale", torch.tensor(learned.scale, dtype=torch.float64) if numbers and learned else None)
        self.input_type, self.answer_type = INPUT_TYPES[self.spec.kind], torch.float32
        if learned is not None and is_far(learned.mean, learned.scale):
            self.input_type = torch.float64
        if isinstance(self.target, ValueTarget) and is_far(self.target.mean, self.target.scale):
            self.answer_type = torch.float64
        if not isinstance(self.network, SequenceClassifier | TransformerClassifier):
            raise InputError(f"Expected a recurrent network or a transformer, got {type(self.network).__name__}.")
        self.reader: Reader | None = None
        self.state: tuple[StateTensor, ...] = ()
        if isinstance(self.network, SequenceClassifier):
            with torch.no_grad():
                self.reader = Reader(self.network.encoder, self.network.supervised)
                beginning = self.reader.beginning(1)
            self.core_state = core_state(beginning)
            self.state = (*self.core_state, *self._kept(beginning, 1))

    def forward(self, inputs: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        inputs = self.standardised(inputs)
        if isinstance(self.network, TransformerClassifier):
            return (self.told(whole(self.network, inputs)),)
        assert isinstance(self.network, SequenceClassifier)
        assert self.reader is not None
        outputs, after = self.reader.read(inputs, self._standing(state))
        found = self.network.supervised.head(outputs) if self.target.per_step else self.reader.answer(after)
        return (self.told(found), *state_tensors(after.state), *(part.first for part in self._kept(after, len(inputs))))

    def _standing(self, state: tuple[Tensor, ...]) -> Standing:
        """What the tensors of a state say."""
        given = {part.name: tensor for part, tensor in zip(self.state, state, strict=True)}
        core = [given[part.name] for part in self.core_state]
        steps = int(given["steps"][0, 0]) if "steps" in given else 0
        totals = None
        if "total" in given:
            count = torch.full((len(given["total"]),), steps // self.stride)
            totals = Totals(count, given["total"], given["squares"], given.get("greatest"))
        return Standing(steps, tuple(core) if len(core) > 1 else core[0], given.get("recent"), totals)

    def _kept(self, standing: Standing, batch: int) -> tuple[StateTensor, ...]:
        """What is kept of so many sequences beside the core's state."""
        found: list[tuple[str, Tensor | None]] = [("recent", standing.recent)]
        totals = standing.totals
        if self.stride > 1 or totals is not None:
            found.append(("steps", torch.full((batch, 1), standing.steps)))
        if totals is not None:
            found += [("total", totals.total), ("squares", totals.squares), ("greatest", totals.greatest)]
        return tuple(StateTensor(name, tensor) for name, tensor in found if tensor is not None)

    @property
    def stride(self) -> int:
        """Raw steps of a token."""
        assert isinstance(self.network, SequenceClassifier)
        return self.network.encoder.stride

    def told(self, outputs: Tensor) -> Tensor:
        """The answers from the head's outputs."""
        return self.target.shares(outputs).to(self.answer_type)

    def standardised(self, inputs: Tensor) -> Tensor:
        """Values less the mean and divided by the scale of training, in float64 as `Preprocessing` does it."""
        if self.mean is None or self.scale is None:
            return inputs
        return ((inputs.double() - self.mean) / self.scale).float()


def core_state(beginning: Standing) -> tuple[StateTensor, ...]:
    """The state of a core, tensor by tensor."""
    first = [tensor.detach().clone() for tensor in state_tensors(beginning.state)]
    names = ["hidden", "cell"] if len(first) == 2 else ["hidden"]
    return tuple(
        StateTensor(name, tensor, 1 if tensor.dim() == 3 else 0) for name, tensor in zip(names, first, strict=True)
    )


def whole(network: TransformerClassifier, inputs: Tensor) -> Tensor:
    """Outputs on sequences that all have T steps, without the plan for unequal ones that `forward` makes."""
    steps = inputs.shape[1]
    hidden = network.projection(network.features(inputs)) * network.scale + network.positions(steps)
    later = nn.Transformer.generate_square_subsequent_mask(steps, hidden.device, torch.bool) if network.causal else None
    hidden = network.layers(hidden, later, None, is_causal=network.causal)
    if network.target.per_step:
        return network.head(hidden)
    return network.head(hidden[:, -1] if network.causal else hidden.mean(1))


@dataclass(frozen=True)
class Layer:
    """One layer of torch's recurrent cells, (gates * H, F), (gates * H, H) and two biases (gates * H,), gates in
    torch's order.
    """

    inputs: Tensor
    hidden: Tensor
    inputs_bias: Tensor
    hidden_bias: Tensor


def layers_of(encoder: Encoder) -> list[Layer]:
    """The layers of a core of torch's own; the projection is multiplied into the first, in float64."""
    core = encoder.core
    if not isinstance(core, nn.RNNBase) or core.proj_size or not core.bias:
        raise InputError(f"Expected a core that --cell names, got {type(core).__name__}.")
    layers = [Layer(*(weight.detach() for weight in weights)) for weights in core.all_weights]
    if encoder.projection is not None:
        own, projection = layers[0], encoder.projection
        weight = own.inputs.double() @ projection.weight.detach().double()
        bias = own.inputs_bias.double() + own.inputs.double() @ projection.bias.detach().double()
        layers[0] = Layer(weight.float(), own.hidden, bias.float(), own.hidden_bias)
    return layers


@dataclass(frozen=True)
class Unitary:
    """A uRNN's weights as its steps use them: input map (F, 2H) and its bias (2H,), W (2H, 2H), bias of the moduli
    (H,).
    """

    input_map: Tensor
    input_bias: Tensor
    matrix: Tensor
    bias: Tensor


def unitary_of(encoder: Encoder) -> Unitary:
    """The weights of a uRNN; the projection is multiplied into its input map, in float64."""
    core = encoder.core
    assert isinstance(core, UnitaryRNN)
    weight = core.input_map.detach()
    bias = torch.zeros(weight.shape[1])
    if encoder.projection is not None:
        bias = (encoder.projection.bias.detach().double() @ weight.double()).float()
        weight = (encoder.projection.weight.detach().double().T @ weight.double()).float()
    return Unitary(weight, bias, core.matrix().detach().float(), core.bias.detach())


def type_name(dtype: torch.dtype) -> str:
    """As numpy calls it."""
    return str(dtype).removeprefix("torch.")


def description(saved: SavedModel, served: Served) -> dict[str, Any]:
    """What a program must know besides shapes: the input, the classes, the state, and what is done to raw data."""
    preprocessing = saved.preprocessing
    return {
        "model": saved.config.model,
        "input": {**saved.spec.to_dict(), "type": type_name(served.input_type)},
        "classes": list(saved.classes),
        "target": saved.target.kind,
        "per_step": saved.target.per_step,
        "output": served.answer,
        "characters": "" if preprocessing is None else preprocessing.characters,
        "pixel_order": None if saved.pixel_order is None else list(saved.pixel_order),
        "state": {
            part.name: {
                "shape": part.shape,
                "type": type_name(part.first.dtype),
                "first": None if not part.first.any() else part.first.flatten().tolist(),
            }
            for part in served.state
        },
        "longest": saved.network.longest,
    }
