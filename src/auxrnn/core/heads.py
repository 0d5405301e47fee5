"""Feed-forward nets on hidden states: the classifier's and the decoders' outputs. Know nothing of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.config.choices import Regulariser, StepTarget
from auxrnn.core.batch import InputSpec
from auxrnn.targets.losses import pixel_loss, softmax_loss, squared_loss


class DropConnectLinear(nn.Linear):
    """A linear layer whose single weights are dropped in training, one mask a call.

    Kept weights are scaled by 1 / (1 - rate), so evaluation uses all weights as they are. The bias is never dropped.
    `one_mask` holds one mask for several calls.

    Parameters
    ----------
    in_features, out_features : int
        Sizes, at least 1.
    rate : float
        Share of weights that is dropped, in [0, 1).

    References
    ----------
    Wan, Zeiler, Zhang, LeCun & Fergus (2013), DropConnect.
    """

    def __init__(self, in_features: int, out_features: int, rate: float) -> None:
        super().__init__(in_features, out_features)
        self.rate = rate
        self.mask: Tensor | None = None  # of weights kept, already scaled

    def forward(self, inputs: Tensor) -> Tensor:
        if self.mask is None:
            weight = functional.dropout(self.weight, self.rate, self.training)
        else:
            weight = self.weight * self.mask
        return functional.linear(inputs, weight, self.bias)


@contextmanager
def one_mask(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Hold one DropConnect mask, drawn at the beginning, for all calls of these modules within the context."""
    layers = [layer for module in modules for layer in module.modules() if isinstance(layer, DropConnectLinear)]
    for layer in layers:
        if layer.training and layer.rate > 0:
            layer.mask = functional.dropout(torch.ones_like(layer.weight, requires_grad=False), layer.rate)
    try:
        yield
    finally:
        for layer in layers:
            layer.mask = None


class FeedForward(nn.Module):
    """Map a hidden state (..., F) to outputs (..., outputs) through one layer of ReLU units.

    Parameters
    ----------
    in_features, out_features : int
        Sizes, at least 1.
    hidden_units : int
        ReLU units, at least 1.
    regulariser : {"dropconnect", "dropout", "none"}
        What is dropped on the second layer: its weights, its inputs, or nothing.
    rate : float
        Share that is dropped, in [0, 1).

    Raises
    ------
    ValueError
        For another regulariser or rate.

    References
    ----------
    Trinh, Dai, Luong & Le (2018): 256 units and a rate of 0.5 on the second layer. Sources differ on dropout or
    DropConnect; we chose DropConnect.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden_units: int = 256,
        regulariser: Regulariser = "dropconnect",
        rate: float = 0.5,
    ) -> None:
        super().__init__()
        if regulariser not in get_args(Regulariser):
            raise ValueError(f"Expected a regulariser of {', '.join(get_args(Regulariser))}, got {regulariser!r}.")
        if not 0 <= rate < 1:
            raise ValueError(f"Expected a rate in [0, 1), got {rate}.")
        self.first = nn.Linear(in_features, hidden_units)
        self.dropout = nn.Dropout(rate if regulariser == "dropout" else 0.0)
        self.second: nn.Linear = (
            DropConnectLinear(hidden_units, out_features, rate)
            if regulariser == "dropconnect"
            else nn.Linear(hidden_units, out_features)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return self.second(self.dropout(functional.relu(self.first(inputs))))


class StepHead(nn.Module):
    """The output net of a decoder: levels of each pixel channel, real values, or a character.

    Parameters
    ----------
    in_features : int
        Size of a hidden state (H).
    spec : InputSpec
        What a raw step is.
    target : {"softmax", "squared"}, optional
        Softmax over the levels of each channel or over the vocabulary, or squared error on pixels scaled to 0..1 and on
        values as they are. None picks softmax where it is defined.
    regulariser, rate
        As for `FeedForward`.

    Raises
    ------
    ValueError
        For softmax over values, or squared error on characters.

    References
    ----------
    The paper is silent on the target of pixels; we chose softmax.
    """

    def __init__(
        self,
        in_features: int,
        spec: InputSpec,
        *,
        target: StepTarget | None = None,
        regulariser: Regulariser = "dropconnect",
        rate: float = 0.5,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.target: StepTarget = target or ("squared" if spec.kind == "values" else "softmax")
        if (spec.kind == "values" and self.target == "softmax") or (
            spec.kind == "characters" and self.target == "squared"
        ):
            raise ValueError(f"Expected a target that fits {spec.kind}, got {self.target!r}; leave it out to choose.")
        size = spec.size * spec.group
        if spec.kind == "pixels" and self.target == "softmax":
            size *= spec.levels
        self.net = FeedForward(in_features, size, regulariser=regulariser, rate=rate)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map hidden (..., H) to outputs (..., C, levels), (..., C), (..., V), or (..., group, V)."""
        outputs = self.net(hidden)
        if self.spec.kind == "pixels" and self.target == "softmax":
            return outputs.unflatten(-1, (self.spec.size, self.spec.levels))
        if self.spec.group > 1:
            return outputs.unflatten(-1, (self.spec.group, self.spec.size))
        return outputs

    def loss(self, outputs: Tensor, steps: Tensor) -> Tensor:
        """Give the loss of each step in nats, or squared error: outputs of `forward` and raw steps (..., C) or (...) ->
        (...).
        """
        if self.spec.kind != "values" and steps.is_floating_point():
            raise ValueError(
                f"Expected {self.spec.kind} as whole numbers, got {steps.dtype}; wrap the core in an Encoder, which "
                f"reads them as they are, or call them InputSpec('values', {self.spec.size})."
            )
        if self.target == "squared":
            scale = self.spec.levels - 1 if self.spec.kind == "pixels" else 1
            return squared_loss(outputs, steps.to(outputs.dtype) / scale)
        if self.spec.kind == "pixels":
            return pixel_loss(outputs, steps)
        if self.spec.group == 1:
            return softmax_loss(outputs, steps)
        said = softmax_loss(outputs, steps.clamp(min=0)) * (steps >= 0)  # nothing is said behind the end of a text
        return said.sum(-1)

    def best(self, outputs: Tensor) -> Tensor:
        """Give the most likely raw step in the inputs' own type, (..., C) or (...)."""
        if self.target == "softmax":
            return outputs.argmax(-1).to(torch.uint8 if self.spec.kind == "pixels" else torch.int64)
        if self.spec.kind == "pixels":
            top = self.spec.levels - 1
            return (outputs * top).round().clamp(0, top).to(torch.uint8)
        return outputs
