"""Peak memory of one training step as sequences grow: with gradient in windows, and with full back-propagation.

Every step runs in a process of its own, so that no other's memory is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.experiments.own_process import OwnProcess, StoppedWorkError, free_memory
from auxrnn.experiments.random_step import model_step

SHARE = 0.6  # of the free memory, which a step may take
LONGEST = 120.0  # seconds that it may take

Peaks = dict[str, list[tuple[int, float]]]
"""(steps, MiB) by the name of what was measured."""


@dataclass(frozen=True)
class Case:
    """A step of a network at one length."""

    model: ModelConfig
    spec: InputSpec
    classes: int
    batch_size: int
    steps: int


def case_step(case: Case) -> Callable[[], None]:
    """The step that is measured, on random input."""
    return model_step(case.model, case.spec, batch_size=case.batch_size, steps=case.steps, classes=case.classes)


def step_peaks(base: Case, lengths: Mapping[str, Sequence[int]], say: Callable[[str], None]) -> Peaks:
    """The peak of one step at each length; those that cannot be measured are left out, and said.

    base: the network whose gradient goes through windows; its `steps` are not used. lengths: "windows" and "full".
    """
    models = {"windows": base.model, "full": replace(base.model, bptt="full")}
    limit = int(SHARE * free_memory())
    found: Peaks = {}
    for name, at in lengths.items():
        for steps in at:
            case = replace(base, model=models[name], steps=steps)
            try:
                with OwnProcess(case_step, case, threads=1, memory=limit, give_back=True) as own:
                    peak = own.call(LONGEST).peak
            except StoppedWorkError as error:
                say(f"Memory at {steps:,} steps ({name}): {error}.")
                break
            if peak is not None:
                found.setdefault(name, []).append((steps, peak / 2**20))
    return found
