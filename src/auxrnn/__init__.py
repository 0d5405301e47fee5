"""Recurrent networks on sequences too long to back-propagate through.

Truncated back-propagation through time at constant memory, with the auxiliary losses of Trinh, Dai, Luong and Le (ICML
2018). Names load when they are first used: torch at the first torch-level name, and nothing heavier until an estimator
is asked for.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as typing has it, whose import takes as long as all else here
if TYPE_CHECKING:
    from typing import Any

    from auxrnn.core.batch import InputSpec as InputSpec
    from auxrnn.core.batch import SequenceBatch as SequenceBatch
    from auxrnn.core.encoder import Encoder as Encoder
    from auxrnn.core.model import SequenceClassifier as SequenceClassifier
    from auxrnn.core.objectives import Objective as Objective
    from auxrnn.core.objectives import Prediction as Prediction
    from auxrnn.core.objectives import Reconstruction as Reconstruction
    from auxrnn.core.objectives import Supervised as Supervised
    from auxrnn.core.objectives import objective_losses as objective_losses
    from auxrnn.core.truncation import Windows as Windows
    from auxrnn.core.truncation import encode_windows as encode_windows
    from auxrnn.errors import FloorWarning as FloorWarning
    from auxrnn.errors import InputError as InputError
    from auxrnn.estimator import LongSequenceClassifier as LongSequenceClassifier
    from auxrnn.estimator import LongSequenceRegressor as LongSequenceRegressor
    from auxrnn.estimator import LongSequenceTagger as LongSequenceTagger

__version__ = "0.2.0"

_HOMES = {
    "FloorWarning": "errors",
    "InputError": "errors",
    "InputSpec": "core.batch",
    "SequenceBatch": "core.batch",
    "Encoder": "core.encoder",
    "SequenceClassifier": "core.model",
    "Objective": "core.objectives",
    "Prediction": "core.objectives",
    "Reconstruction": "core.objectives",
    "Supervised": "core.objectives",
    "objective_losses": "core.objectives",
    "Windows": "core.truncation",
    "encode_windows": "core.truncation",
    "LongSequenceClassifier": "estimator",
    "LongSequenceRegressor": "estimator",
    "LongSequenceTagger": "estimator",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 (the keys are strings)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'auxrnn' has no attribute {name!r}")
    value = getattr(import_module(f"auxrnn.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
