"""A whole training step on random input: losses, backward, optimiser. Knows nothing of clocks or memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from auxrnn.config import ModelConfig
from auxrnn.core.allocation import prepare_process
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.core.kernels.lstm import use_backend
from auxrnn.sources.dataset import SequenceData

TRUTH_SHARE = 0.5  # the mean over a training


def model_step(
    config: ModelConfig,
    spec: InputSpec,
    *,
    batch_size: int,
    steps: int,
    classes: int = 10,
    lr: float = 1e-3,
    backend: str = "auto",
) -> Callable[[], None]:
    """A step of the network of `config`, on the GPU where there is one; sequences of `steps` steps each.

    backend: what runs its LSTMs, see `kernels.backend`.
    """
    prepare_process()
    device = the_device()
    inputs, labels = random_inputs(spec, batch_size, steps), torch.randint(0, classes, (batch_size,))
    data = SequenceData("random", spec, inputs, labels, tuple(map(str, range(classes))))
    batch = data.batch(range(batch_size), lazy=True).to(device)
    network = build_model(config, spec, classes, steps).to(device)
    use_backend(network, backend)
    names = ("supervised", *config.auxiliaries)

    def total() -> Tensor:
        losses = network.losses(batch, names, TRUTH_SHARE, step_generator(0))
        return torch.stack([loss.mean for loss in losses.values()]).sum()

    return whole_step(network, total, lr=lr)


def whole_step(network: nn.Module, total: Callable[[], Tensor], *, lr: float = 1e-3) -> Callable[[], None]:
    """A step of RMSProp on the loss that `total` gives; it has ended on the GPU too when the call returns."""
    optimizer = torch.optim.RMSprop(network.parameters(), lr=lr)

    def step() -> None:
        total().backward()
        optimizer.step()
        optimizer.zero_grad()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return step


def random_inputs(spec: InputSpec, batch_size: int, steps: int) -> Tensor:
    """Pixels (B, T, C) uint8, values (B, T, C) float32 or characters (B, T) int64."""
    if spec.kind == "values":
        return torch.randn(batch_size, steps, spec.size)
    if spec.kind == "characters":
        return torch.randint(0, spec.size, (batch_size, steps))
    return torch.randint(0, 256, (batch_size, steps, spec.size), dtype=torch.uint8)


def the_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
