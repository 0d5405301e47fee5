"""The setting to change first, by what is wrong with a trained model."""

from __future__ import annotations

from typing import Any

from auxrnn.config import OWN_CORE, RunConfig


def changed_setting(state: str, config: RunConfig, *, per_step: bool) -> dict[str, Any]:
    """One setting of `config` that is worth a change, or two that count as one.

    Parameters
    ----------
    state : str
        What the verdict found; see `verdict.judge.STATES`.
    config : RunConfig
        Of the training.
    per_step : bool
        Whether each step has a label of its own; then nothing but its own output answers it.

    Returns
    -------
    dict
        Settings by name; empty where no change of a setting would help.
    """
    match state:
        case "majority":
            return _where_nothing_was_learned(config, per_step)
        case "memorised" if config.model == "transformer":
            return {"transformer.feed_forward": max(config.transformer.feed_forward // 2, 1)}
        case "memorised":
            return {"hidden_size": max(config.hidden_size // 2, 1)}
        case "first":
            return {"lr": float(f"{config.lr / 3:.3g}")}
        case "rising":
            return _longer(config)
    return {}


def _where_nothing_was_learned(config: RunConfig, per_step: bool) -> dict[str, Any]:
    """Chrono gates; then a reading of all steps, which reaches farther than a longer window (results/reach.md)."""
    gated = config.cell != "rnn" and config.model not in OWN_CORE
    if gated and "chrono" not in config.initialisation:
        return {"initialisation": "tensorflow-chrono" if config.initialisation == "tensorflow" else "chrono"}
    if config.readout == "last" and not per_step and config.model != "transformer":
        return {"readout": "stats"}
    return _longer(config)


def _longer(config: RunConfig) -> dict[str, Any]:
    return {"max_epochs": 2 * max(config.max_epochs, 1)}
