"""The setting to change first, by what is wrong with a trained model."""

from __future__ import annotations

from typing import Any

from auxrnn.config import RunConfig
from auxrnn.sources.dataset import SequenceData


def changed_setting(state: str, config: RunConfig, train: SequenceData) -> dict[str, Any]:
    """One setting of `config` that is worth a change, or two that must be alike.

    Parameters
    ----------
    state : str
        What the verdict found; see `verdict.judge.STATES`.
    config : RunConfig
        Of the training.
    train : SequenceData
        What it was trained on.

    Returns
    -------
    dict
        Settings by name; empty where no change of a setting would help.
    """
    match state:
        case "majority":
            return _where_nothing_was_learned(config, train)
        case "memorised":
            return _half_as_large(config)
        case "first" | "fell":
            return {"lr": float(f"{config.lr / 3:.3g}")}
        case "rising":
            return _longer(config)
    return {}


def _where_nothing_was_learned(config: RunConfig, train: SequenceData) -> dict[str, Any]:
    """Chrono gates first. Then of one label a sequence a reading of all steps, which reaches farther than a longer
    window does in all cells but the LRU (results/reach.md); of a label a step, which has but its own output, the longer
    window.
    """
    if config.has_gates and "chrono" not in config.initialisation:
        return {"initialisation": "tensorflow-chrono" if config.initialisation == "tensorflow" else "chrono"}
    if config.model != "transformer":
        if config.readout == "last" and not train.target.per_step:
            return {"readout": "stats"}
        longest = -(-int(train.lengths.max()) // config.token_steps)
        if train.target.per_step and config.bptt not in ("full", 0) and int(config.bptt) < longest:
            return {"bptt": 2 * int(config.bptt)}
    return _longer(config)


def _half_as_large(config: RunConfig) -> dict[str, Any]:
    if config.model == "transformer":
        size = config.transformer.feed_forward
        return {"transformer.feed_forward": size // 2} if size > 1 else {}
    if config.hidden_size == 1:
        return {}
    half = config.hidden_size // 2
    alike = config.residual and config.projection_size == config.hidden_size
    return {"hidden_size": half, **({"projection_size": half} if alike else {})}


def _longer(config: RunConfig) -> dict[str, Any]:
    return {"max_epochs": 2 * max(config.max_epochs, 1)}
