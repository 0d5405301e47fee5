"""A trained model as a service has it: answers on whole sequences, and streams by id, whose state is kept between.

Knows no HTTP. One stream of the network serves all ids: what is kept of each is its state alone, which does not grow.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NoReturn

import torch
from torch import Tensor

from auxrnn.errors import InputError
from auxrnn.runs.live import DIGITS
from auxrnn.runs.use import answer_each
from auxrnn.sources.array_likes import as_numbers
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.preprocessing import read_sequences
from auxrnn.use.persistence import SavedModel
from auxrnn.use.plain_torch import plain_torch
from auxrnn.use.streaming import Stream

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
NAME_WORDS = "1 to 64 letters, digits, dots, dashes or underscores"


class RefusalError(InputError):
    """A request that cannot be served, with the status that HTTP has for it; a plain `InputError` is 400."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What a service holds: streams at once, seconds that a stream is kept when nobody asks, bytes of a request."""

    streams: int = 100
    idle: float = 600.0
    body: int = 2**24


@dataclass
class _Kept:
    """Where a stream stands (None before the first step), and when it was asked about last."""

    state: dict[str, Tensor] | None
    steps: int
    used: float


class Service:
    """The answers of one model. To be used by one thread at a time.

    Parameters
    ----------
    saved : SavedModel
        The model and what its inputs were like.
    limits : Limits, optional
        Of requests and streams; the defaults where None.
    clock : callable
        Gives seconds, by which streams grow old.
    """

    def __init__(
        self, saved: SavedModel, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.saved, self.limits, self._clock = saved, limits or Limits(), clock
        self._kept: dict[str, _Kept] = {}
        self._stream: Stream | None = None
        self._why = ""
        try:
            if saved.pixel_order is not None:
                raise InputError("Expected a model that reads pixels row by row to stream to, got one of whole images.")
            self._stream = Stream(saved.network)
        except InputError as error:
            self._why = str(error)

    def about(self) -> dict[str, Any]:
        """What the model reads and answers, and how many streams there are."""
        return {
            "status": "ok",
            "input": self.saved.spec.to_dict(),
            "target": self.saved.target.kind,
            "names": list(self.saved.target.names),
            "streams": len(self._kept),
            "most_streams": self.limits.streams if self._stream is not None else 0,
        }

    def predict(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Answer on one whole sequence, `{"sequence": ...}`, as `auxrnn predict` does."""
        steps = self._prepared(_only(content, "sequence"), "sequence")
        order = self.saved.pixel_order
        if order is not None:
            if len(steps) != len(order):
                raise InputError(f"sequence: expected {len(order)} steps, got {len(steps)}.")
            steps = steps[list(order)]
        data = SequenceData("sequence", self.saved.spec, [steps])
        found = [answer.entry for answer in answer_each(self.saved, data, [""], [None])]
        for entry in found:
            del entry["name"]
        return {"steps": len(steps), **({"answers": found} if self.saved.target.per_step else found[0])}

    def open_stream(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a stream, `{}` or `{"id": ...}`."""
        if self._stream is None:
            raise InputError(self._why)
        name = _only({"id": None, **content}, "id")
        name = secrets.token_urlsafe(12) if name is None else name
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise InputError(f"id: expected {NAME_WORDS}, got {str(name)[:80]!r}.")
        self._forget_idle()
        if name in self._kept:
            raise RefusalError(409, f"Expected an id of no stream, got {name!r}, which there is; delete it first.")
        if len(self._kept) >= self.limits.streams:
            raise RefusalError(
                429, f"Expected at most {self.limits.streams} streams at once, got one more; delete one."
            )
        self._kept[name] = _Kept(None, 0, self._clock())
        return {"id": name, "steps": 0}

    def push(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Read a chunk, `{"chunk": ...}`, and answer on all that was read; of a label a step, on each of the chunk."""
        kept, stream = self._found(name)
        chunk = self._prepared(_only(content, "chunk"), "chunk")
        with plain_torch():
            shares = stream.push(chunk.unsqueeze(0))[0]
        before, kept.steps, kept.state = kept.steps, stream.steps, stream.state_dict()
        target = self.saved.target
        if not target.per_step:
            return {"id": name, "steps": kept.steps, **target.entry(shares.double().tolist(), DIGITS)}
        rows = enumerate(shares.double().tolist(), before + 1)
        return {
            "id": name,
            "steps": kept.steps,
            "answers": [{"step": n, **target.entry(row, DIGITS)} for n, row in rows],
        }

    def look(self, name: str) -> dict[str, Any]:
        """Answer on what a stream has read so far."""
        kept, stream = self._found(name)
        if not kept.steps:
            return {"id": name, "steps": 0}
        shares = stream.probabilities()[0].double().tolist()
        return {"id": name, "steps": kept.steps, **self.saved.target.entry(shares, DIGITS)}

    def close_stream(self, name: str) -> dict[str, Any]:
        """Forget a stream."""
        kept, _ = self._found(name)
        del self._kept[name]
        return {"id": name, "steps": kept.steps}

    def _found(self, name: str) -> tuple[_Kept, Stream]:
        """What is kept of a stream, and the network's stream where it stands."""
        self._forget_idle()
        kept = self._kept.get(name)
        if kept is None or self._stream is None:
            raise RefusalError(
                404, f"Expected the id of a stream, got {name[:80]!r}, of which there is none (any more)."
            )
        kept.used = self._clock()
        if kept.state is None:
            self._stream.reset()
        else:
            self._stream.load_state_dict(kept.state)
        return kept, self._stream

    def _forget_idle(self) -> None:
        latest = self._clock() - self.limits.idle
        self._kept = {name: kept for name, kept in self._kept.items() if kept.used >= latest}

    def _prepared(self, item: Any, what: str) -> torch.Tensor:
        """(T, C), or (T,) characters, as the network reads them."""
        if not isinstance(item, list | str) or not item:
            raise InputError(f"{what}: expected a list of steps or a text, at least one step, got {str(item)[:40]!r}.")
        try:
            item = item if isinstance(item, str) else as_numbers(item, what)
        except (ValueError, TypeError) as error:
            told = (
                str(error) if isinstance(error, InputError) else f"{what}: expected steps of one width, got: {error}."
            )
            raise InputError(told) from error
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of layouts; whoever asks does not see it
            raw = read_sequences([item], what)
        (found,) = self.saved.prepares.apply(raw, what)
        return found


def read_json(body: bytes | bytearray) -> Mapping[str, Any]:
    """The object of a request; InputError for anything else, numbers that JSON has not among them."""
    try:
        content = json.loads(body, parse_constant=_no_number)
    except RecursionError as error:
        raise InputError("Expected JSON, got lists within lists within lists.") from error
    except ValueError as error:  # of bytes, of JSON, of a number with thousands of digits
        raise InputError(f"Expected JSON, got something else: {str(error)[:90]}.") from error
    if not isinstance(content, dict):
        raise InputError(f"Expected a JSON object, got {type(content).__name__}.")
    return content


def check_installed() -> None:
    """InputError where the packages of the extra `serve` are missing."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"Expected {', '.join(missing)} for a service, found none; install with: pip install 'auxrnn[serve]'"
        )


def _only(content: Mapping[str, Any], name: str) -> Any:
    """The one entry that an object may have."""
    if set(content) != {name}:
        raise InputError(f'Expected an object with the one entry "{name}", got {str(sorted(content))[:80]}.')
    return content[name]


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
