"""A trained model wherever it lies: in a model folder, in the folder of the run that trained it, or on a hub."""

from __future__ import annotations

from pathlib import Path

from auxrnn.errors import InputError
from auxrnn.use.hub import NAME, fetch_model
from auxrnn.use.persistence import CONFIG, SavedModel, load_model


def open_model(place: str | Path) -> SavedModel:
    """The model in a run folder or a model folder; InputError where there is none, or one that cannot be read.

    A text like user/name that is no path here is the name of a model on the hub. A Path never is, so a misspelt folder
    of a command asks no network.
    """
    path = Path(place)
    if isinstance(place, str) and NAME.fullmatch(place) and not path.exists():
        return load_model(fetch_model(place))
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
