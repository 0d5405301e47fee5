"""Models on a hub, by `huggingface_hub`: its three files fetched by name, and laid there. Handles no token itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from auxrnn.errors import InputError
from auxrnn.use.persistence import CARD, CONFIG, LONGEST_REASON, WEIGHTS, load_model

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""user/name, which no path of ours is that begins with a dot or a slash, or has two slashes."""


def fetch_model(name: str) -> Path:
    """Download a model into the hub's cache, or find it there; the folder it lies in.

    Raises
    ------
    InputError
        Where `huggingface_hub` is missing, the hub has no such model, or it cannot be asked.
    """
    hub = _library(f"{name}: expected a model folder or a run folder, found neither; to look for it on the hub")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS, CARD]))
    except (hub.errors.RepositoryNotFoundError, hub.errors.HFValidationError) as error:
        raise InputError(
            f"{name}: expected a model folder, a run folder or a model on the hub, found none of them. Is the name "
            "right? A private model asks for hf auth login first."
        ) from error
    except Exception as error:  # of the hub's client and of the library below it, which changed between versions
        raise InputError(f"{name}: found no such folder, and the hub gave no model: {_told(error)}") from error


def push_model(folder: Path, name: str, *, private: bool = False) -> str:
    """Lay a model folder on the hub, with a card that names it; make its place there where it is missing.

    Parameters
    ----------
    folder : Path
        A folder of `save_model`. Its three files are uploaded, and nothing else.
    name : str
        user/name.
    private : bool
        Whether a new place is visible to its owner alone; an old one stays as it is.

    Returns
    -------
    str
        The address of the model.

    Raises
    ------
    InputError
        For a folder without a model, a name of another form, and where the hub refuses.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"Expected the name on the hub as user/name, got {name!r}.")
    load_model(folder)
    hub = _library(f"{name}: to upload")
    card = (
        (folder / CARD).read_text(encoding="utf-8").replace('from_pretrained("FOLDER")', f'from_pretrained("{name}")')
    )
    files = {CONFIG: folder / CONFIG, WEIGHTS: folder / WEIGHTS, CARD: card.encode()}
    added = [hub.CommitOperationAdd(path_in_repo=path, path_or_fileobj=file) for path, file in files.items()]
    try:
        place = hub.create_repo(name, private=private, exist_ok=True)
        hub.create_commit(name, added, commit_message="Add the model")
    except Exception as error:  # as above
        raise InputError(f"{name}: the hub did not take the model: {_told(error)}") from error
    return str(place)


def _library(purpose: str) -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise InputError(f"{purpose}, install: pip install 'auxrnn[hub]'") from error
    return huggingface_hub


def _told(error: Exception) -> str:
    return str(error)[:LONGEST_REASON] or type(error).__name__
