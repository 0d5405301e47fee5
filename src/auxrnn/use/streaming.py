"""Constant-memory inference: read a sequence as it comes, in pieces of any size, and answer at any moment.

A stream keeps the state of the network and the few raw steps that the next token reads. Memory does not grow with what
was read, and an answer is that of the network on the whole. The stream keeps a copy of the weights as they are when it
is made. Knows nothing of files of input, labels or preprocessing.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from auxrnn.core.batch import InputSpec
from auxrnn.core.encoder import Encoder
from auxrnn.core.model import Classifier, SequenceClassifier
from auxrnn.core.objectives import Supervised, SupervisedSteps
from auxrnn.core.recurrent import map_state, state_tensors
from auxrnn.core.running import Reader, Standing
from auxrnn.core.stems import no_step
from auxrnn.core.totals import Totals
from auxrnn.errors import InputError
from auxrnn.sources.array_likes import KNOWN_FLOATS, check_dense
from auxrnn.storage.files import named_in_utf8, write_atomically
from auxrnn.storage.fingerprint import fingerprint

FORMAT = "auxrnn-stream"
MAX_PIECE = 128
"""Tokens read at once, so that a long piece takes no more memory than a short one."""

MOST_STEPS = 2**62
"""Most steps of a stream, which are counted in 64 bits: 146 years at a billion a second."""

FLOATS = (*KNOWN_FLOATS, torch.bfloat16)

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)

TOLD = {
    "last": "last output",
    "recent": "tensor of the last steps",
    "total": "sum",
    "squares": "sum of squares",
    "greatest": "greatest output",
}
"""What the tensors of a stream are called, beside those of the network's state."""


class Stream:
    """Several sequences that are read side by side, each step once.

    Parameters
    ----------
    network : Classifier
        A recurrent network. Its training mode does not matter: nothing is dropped here.
    batch_size : int
        Sequences (B), at least 1.

    Raises
    ------
    InputError
        For a network that has to see a sequence as a whole.
    """

    def __init__(self, network: Classifier, batch_size: int = 1) -> None:
        if not isinstance(network, SequenceClassifier):
            raise InputError(
                f"Expected a recurrent network to stream to, got {type(network).__name__}, which reads whole sequences."
            )
        if batch_size < 1:
            raise InputError(f"Expected at least one sequence, got a batch of {batch_size}.")
        self.batch_size = batch_size
        self.spec: InputSpec = network.encoder.spec
        self.target = network.target
        self._encoder: Encoder = _frozen(network.encoder)
        self._supervised: Supervised | SupervisedSteps = _frozen(network.supervised)
        with torch.inference_mode():
            self._reader = Reader(self._encoder, self._supervised)
        self.reset()

    @property
    def steps(self) -> int:
        """How many steps have been read since the beginning."""
        return self._standing.steps

    def reset(self) -> None:
        """Begin anew, with sequences of which nothing has been read."""
        with torch.inference_mode():
            beginning = self._reader.beginning(self.batch_size)
            self._standing = replace(beginning, state=map_state(Tensor.clone, beginning.state))

    def push(self, chunk: Tensor) -> Tensor:
        """Read a chunk and answer on all that was read.

        Parameters
        ----------
        chunk : Tensor
            (B, t, C), or (B, t) characters, t at least 0, in the compact type of the inputs: uint8 pixels, finite
            floats, integers for characters.

        Returns
        -------
        Tensor
            Probabilities or values, (B, size); of a label a step those of each step of the chunk, (B, t, size).

        Raises
        ------
        InputError
            For another chunk, or a question before the first step. The stream then stands where it stood.
        """
        self._check(chunk)
        with torch.inference_mode(), self._whole_or_not_at_all():
            if not self.target.per_step:
                for _ in self._read(chunk):
                    pass
                return self.probabilities()
            parts = [self.target.shares(self._supervised.head(outputs)) for outputs in self._read(chunk)]
            return torch.cat(parts, dim=1) if parts else torch.empty(self.batch_size, 0, self.target.size)

    def advance(self, chunk: Tensor) -> None:
        """Read a chunk without an answer; see `push`."""
        self._check(chunk)
        with torch.inference_mode(), self._whole_or_not_at_all():
            for _ in self._read(chunk):
                pass

    @contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        """Where something is raised, the stream stands where it stood."""
        before = self._standing
        try:
            yield
        except BaseException:
            self._standing = before
            raise

    def _read(self, chunk: Tensor) -> Iterator[Tensor]:
        """Yield the outputs (B, t, H) of the pieces of a chunk, one after the other."""
        for piece in chunk.split(MAX_PIECE * self._encoder.stride, dim=1) if chunk.shape[1] else ():
            outputs, self._standing = self._reader.read(piece, self._standing)
            if outputs is not None:
                yield outputs

    def probabilities(self) -> Tensor:
        """Answer on what has been read.

        Returns
        -------
        Tensor
            (B, size): probabilities, where each row sums to 1 for one class a sequence; or values. Of the last step
            where every step has a label.

        Raises
        ------
        InputError
            Before the first step.
        """
        if self.steps == 0:
            raise InputError("Expected at least one step before a question, got none since the stream began.")
        with torch.inference_mode():
            return self.target.shares(self._reader.answer(self._standing))

    def state_dict(self) -> dict[str, Tensor]:
        """Give where the stream stands, as tensors, to go on in another process with the same network.

        Returns
        -------
        dict of str to Tensor
            Copies; `steps` is how many steps have been read.
        """
        found = {name: tensor.clone() for name, tensor in _named(self._standing).items()}
        found["steps"] = torch.tensor(self.steps)
        return found

    def load_state_dict(self, content: Mapping[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken.

        Parameters
        ----------
        content : mapping of str to Tensor
            As `state_dict` gave it.

        Raises
        ------
        InputError
            For the state of another network or batch, or one that is not finite.
        """
        if not isinstance(content, Mapping):
            raise InputError(f"Expected the state of a stream as tensors by name, got {type(content).__name__}.")
        for name, tensor in content.items():
            if not isinstance(tensor, Tensor):
                raise InputError(f"Expected the state of a stream as tensors, got {type(tensor).__name__} as {name}.")
            check_dense(tensor, f"state of a stream, {name}")
        own = {"last": self._example_output} | _named(self._standing)
        if self._standing.totals is not None:
            del own["last"]
        expected = {*own, "steps"}
        if set(content) - {"last"} != expected - {"last"}:
            raise InputError(f"Expected the state of a stream with {sorted(expected)}, got {sorted(content)}.")
        number = content["steps"]
        if number.shape != () or number.dtype != torch.int64:
            raise InputError(f"Expected steps as one whole number, got {tuple(number.shape)} {number.dtype}.")
        steps = int(number)
        tokens = steps // self._encoder.stride
        if not 0 <= steps <= MOST_STEPS or ("last" in content) != ("last" in own and tokens > 0):
            raise InputError(f"Expected the last output beside a number of steps, got {steps} steps.")
        moved = {}
        for name, tensor in own.items():
            if name in content:
                self._check_like(TOLD.get(name, "state"), content[name], tensor)
                if name == "recent" and self.spec.kind != "values":
                    self._check_range("last steps", content[name], no_step(self.spec))
                moved[name] = content[name].clone().to(tensor.device)
        parts = iter([moved[name] for name in own if name.startswith("state.")])
        state = map_state(lambda _: next(parts), self._standing.state)
        totals = self._standing.totals
        if totals is not None:
            count = torch.full_like(totals.count, tokens)
            totals = Totals(count, moved["total"], moved["squares"], moved.get("greatest"))
        self._standing = Standing(steps, state, moved.get("recent"), totals, moved.get("last"))

    def _check_like(self, what: str, found: Tensor, own: Tensor) -> None:
        if found.shape != own.shape or found.dtype != own.dtype:
            raise InputError(
                f"Expected a {what} of shape {tuple(own.shape)} and type {own.dtype}, as this network and a batch of "
                f"{self.batch_size} have, got {tuple(found.shape)} {found.dtype}."
            )
        if not bool(torch.isfinite(found).all()):
            raise InputError(f"Expected a {what} of finite numbers, got NaN or infinity.")

    @cached_property
    def _example_output(self) -> Tensor:
        """An output (B, H) of the network."""
        with torch.inference_mode():
            example = self._encoder.example()
            example = example.expand(self.batch_size, *example.shape[1:])
            return self._encoder(example, self._encoder.initial_state(example))[0][:, -1]

    def save(self, path: str | Path, notes: Mapping[str, str] | None = None) -> None:
        """Write where the stream stands to a safetensors file, whole or not at all; no pickle.

        Parameters
        ----------
        path : str or Path
            The file; an older one is replaced.
        notes : mapping of str to str, optional
            Kept beside the state; `load` gives them back.

        Raises
        ------
        OSError
            Where the file cannot be written.
        """
        about = {
            "format": FORMAT,
            "input": json.dumps(self.spec.to_dict()),
            "batch_size": str(self.batch_size),
            "network": self._fingerprint,
            "notes": json.dumps(dict(notes or {})),
        }
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.state_dict().items()}
        about["digest"] = _digest(tensors, about)
        write_atomically(Path(path), lambda aside: safetensors.torch.save_file(tensors, aside, about))

    def load(self, path: str | Path) -> dict[str, str]:
        """Go on from where a file of `save` stands.

        Parameters
        ----------
        path : str or Path
            A file of `save`.

        Returns
        -------
        dict of str to str
            Its notes.

        Raises
        ------
        InputError
            Where the file is missing, damaged, changed, or of another network.
        """
        if not Path(path).is_file():
            raise InputError(f"{path}: expected the state of a stream, found nothing.")
        try:
            with named_in_utf8(Path(path)) as name, safetensors.safe_open(name, framework="pt") as file:
                about = file.metadata() or {}
                content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise InputError(f"{path}: expected the state of a stream, found something else: {error}") from error
        if about.get("format") != FORMAT or about.get("input") != json.dumps(self.spec.to_dict()):
            raise InputError(
                f"{path}: expected the state of a stream of {self.spec.kind} as this model reads, found another file."
            )
        if about.get("network") != self._fingerprint:
            raise InputError(
                f"{path}: expected a state left by this model, found that of another or of other weights; begin anew "
                "with another file."
            )
        if about.get("digest") != _digest(content, about):
            raise InputError(
                f"{path}: expected the state of a stream as it was saved, found another digest: it was changed, or "
                "saved by an older version; begin anew with another file."
            )
        try:
            self.load_state_dict(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return dict(json.loads(about["notes"]))

    @cached_property
    def _fingerprint(self) -> str:
        """The fingerprint of the weights, which stay as they are."""
        parts: dict[str, nn.Module] = {"encoder": self._encoder, "head": self._supervised.head}
        if isinstance(self._supervised, Supervised) and self._supervised.readout is not None:
            parts["readout"] = self._supervised.readout
        return fingerprint(nn.ModuleDict(parts).state_dict())

    def _check(self, chunk: Tensor) -> None:
        if not isinstance(chunk, Tensor):
            raise InputError(f"Expected a chunk as a tensor, got {type(chunk).__name__}.")
        check_dense(chunk, "chunk")
        size = () if self.spec.kind == "characters" else (self.spec.size,)
        if chunk.dim() != 2 + len(size) or len(chunk) != self.batch_size or chunk.shape[2:] != size:
            shape = ", ".join(map(str, (self.batch_size, "t", *size)))
            raise InputError(f"Expected a chunk of shape ({shape}), got {tuple(chunk.shape)}.")
        if self.spec.kind == "values":
            if chunk.dtype not in FLOATS:
                raise InputError(f"Expected values as floats, got {chunk.dtype}.")
            if not math.isfinite(chunk.sum()) and not bool(torch.isfinite(chunk).all()):  # one sum is the faster look
                raise InputError("Expected finite values, got NaN or infinity. Fill in or leave out missing values.")
            return
        if chunk.dtype not in INTEGERS:
            raise InputError(f"Expected {self.spec.kind} as whole numbers, got {chunk.dtype}.")
        self._check_range(self.spec.kind, chunk, 0)

    def _check_range(self, what: str, found: Tensor, first: int) -> None:
        """InputError where pixels or characters lie below `first` or above the last that there is."""
        top = (self.spec.size if self.spec.kind == "characters" else self.spec.levels) - 1
        least, greatest = map(int, found.aminmax()) if found.numel() else (first, first)
        if least < first or greatest > top:
            raise InputError(f"Expected {what} from {first} to {top}, got {least if least < first else greatest}.")


def _named(standing: Standing) -> dict[str, Tensor]:
    """Name the tensors of where a stream stands."""
    found: dict[str, Tensor | None] = {
        f"state.{index}": tensor for index, tensor in enumerate(state_tensors(standing.state))
    }
    found |= {"recent": standing.recent, "last": standing.last}
    if standing.totals is not None:
        found |= {name: getattr(standing.totals, name) for name in ("total", "squares", "greatest")}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    """Digest a state and all that is kept beside it."""
    return fingerprint(tensors, json.dumps({k: v for k, v in about.items() if k != "digest"}, sort_keys=True))


def _frozen(module: nn.Module) -> Any:
    return copy.deepcopy(module).eval().requires_grad_(False)
