"""A trained model wherever it lies: in a model folder, or in the folder of the run that trained it."""

from __future__ import annotations

from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.use.persistence import CONFIG, SavedModel, load_model


def open_model(path: Path) -> SavedModel:
    """The model in a run folder or a model folder; InputError where there is none, or one that cannot be read."""
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file():
            return load_model(folder)
    from auxrnn.storage.lock import holder  # locks of the kernel, which a finished model needs none of

    who = holder(path)
    if who is not None:
        raise InputError(
            f"{path}: expected a finished run, found one that is still training: {who} has it. Wait for it."
        )
    if (path / "config.yaml").is_file():
        raise InputError(
            f"{path}: expected a finished run, found one without a model, still in training or stopped: "
            f"auxrnn resume {path} says which, and goes on."
        )
    raise InputError(
        f"{path}: expected a run folder or a model folder, found {'none' if path.exists() else 'nothing'}."
    )
