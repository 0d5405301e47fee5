"""Constant-memory inference: feed a sequence as it comes, in pieces of any size, and ask what it looks like so far.

A stream keeps the state of the network and nothing of what it has read, so it never ends for want of memory; its answer
is that of the network on the whole. It keeps a copy of the weights as they are when it is made. Knows nothing of files
of input, labels or preprocessing.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from auxrnn.batch import InputSpec
from auxrnn.encoder import Encoder
from auxrnn.errors import InputError
from auxrnn.files import write_atomically
from auxrnn.fingerprint import fingerprint
from auxrnn.model import Classifier, SequenceClassifier
from auxrnn.recurrent import State, map_state, state_tensors

FORMAT = "auxrnn-stream"
MAX_PIECE = 128
"""Steps read at once, so that a long piece takes no more memory than a short one."""

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)

CELLS: dict[str, Callable[..., Any]] = {
    "LSTM": torch.lstm_cell,
    "GRU": torch.gru_cell,
    "RNN_TANH": torch.rnn_tanh_cell,
    "RNN_RELU": torch.rnn_relu_cell,
}


class Stream:
    """`batch_size` sequences that are read side by side, each step once.

    network: a recurrent classifier; InputError for one that has to see a sequence as a whole. Its training mode does
    not matter: nothing is dropped here.
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
        self._encoder = _frozen(network.encoder)
        self._head = _frozen(network.supervised.head)
        with torch.inference_mode():
            self._one_step = _one_step(self._encoder)
        self.reset()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_one_step"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with torch.inference_mode():
            self._one_step = _one_step(self._encoder)

    @property
    def steps(self) -> int:
        """How many steps have been read since the beginning."""
        return self._steps

    def reset(self) -> None:
        """Begin anew, with sequences of which nothing has been read."""
        self._steps = 0
        with torch.inference_mode():
            example = self._encoder.example().expand(self.batch_size, *[-1] * (1 + self.spec.step_dims))
            self._state: State = map_state(Tensor.clone, self._encoder.initial_state(example))
            self._last: Tensor | None = None  # the last output (B, H)

    def push(self, chunk: Tensor) -> Tensor:
        """Read a chunk (B, t, C), or (B, t) characters, and say what the network says so far, (B, size).

        Probabilities or values, as `target.shares` has them. Of a label a step, of each of the chunk: (B, t, size).
        t may be 0. In the compact type of the inputs: uint8 pixels, finite float values, integers for characters.
        InputError for anything else, and for a question before the first step; the stream then stands where it stood.
        """
        self._check(chunk)
        with torch.inference_mode(), self._whole_or_not_at_all():
            if not self.target.per_step:
                for _ in self._read(chunk):
                    pass
                return self.probabilities()
            parts = [self.target.shares(self._head(outputs)) for outputs in self._read(chunk)]
            return torch.cat(parts, dim=1) if parts else torch.empty(self.batch_size, 0, self.target.size)

    def advance(self, chunk: Tensor) -> None:
        """Read a chunk without asking for an answer."""
        self._check(chunk)
        with torch.inference_mode(), self._whole_or_not_at_all():
            for _ in self._read(chunk):
                pass

    @contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        """Where something is raised, the stream stands where it stood."""
        before = self._state, self._last, self._steps
        try:
            yield
        except BaseException:
            self._state, self._last, self._steps = before
            raise

    def _read(self, chunk: Tensor) -> Iterator[Tensor]:
        """The outputs (B, t, H) of the pieces of a chunk, one after the other."""
        if chunk.shape[1] == 1 and self._one_step is not None:
            self._last, self._state = self._one_step(self._encoder.features(chunk)[:, 0], self._state)
            self._steps += 1
            yield self._last.unsqueeze(1)
            return
        for piece in chunk.split(MAX_PIECE, dim=1) if chunk.shape[1] else ():
            outputs, self._state = self._encoder(piece, self._state)
            self._last = outputs[:, -1]
            self._steps += piece.shape[1]
            yield outputs

    def probabilities(self) -> Tensor:
        """After what has been read, (B, size): of each class, where each row sums to 1; or the values. Of the last step
        where every step has a label.
        """
        if self._last is None:
            raise InputError("Expected at least one step before a question, got none since the stream began.")
        with torch.inference_mode():
            return self.target.shares(self._head(self._last))

    def state_dict(self) -> dict[str, Tensor]:
        """Where the stream stands, as tensors: to go on from there in another process with the same network."""
        found = {f"state.{index}": tensor.clone() for index, tensor in enumerate(state_tensors(self._state))}
        found["steps"] = torch.tensor(self._steps)
        if self._last is not None:
            found["last"] = self._last.clone()
        return found

    def load_state_dict(self, content: Mapping[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken; InputError for that of another network or batch."""
        own = state_tensors(self._state)
        for name, tensor in content.items():
            if not isinstance(tensor, Tensor):
                raise InputError(f"Expected the state of a stream as tensors, got {type(tensor).__name__} as {name}.")
        expected = {f"state.{index}" for index in range(len(own))} | {"steps"}
        if set(content) - {"last"} != expected:
            raise InputError(f"Expected the state of a stream with {sorted(expected)}, got {sorted(content)}.")
        for index, tensor in enumerate(own):
            self._check_like("state", content[f"state.{index}"], tensor)
        number = content["steps"]
        if number.shape != () or number.dtype != torch.int64:
            raise InputError(f"Expected steps as one whole number, got {tuple(number.shape)} {number.dtype}.")
        steps = int(number)
        if steps < 0 or (steps > 0) != ("last" in content):
            raise InputError(f"Expected the last output beside a number of steps, got {steps} steps.")
        if "last" in content:
            self._check_like("last output", content["last"], self._example_output)
        device = own[0].device
        parts = iter([content[f"state.{index}"].clone().to(device) for index in range(len(own))])
        self._state = map_state(lambda _: next(parts), self._state)
        self._last = content["last"].clone().to(device) if "last" in content else None
        self._steps = steps

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
            example = self._encoder.example().expand(self.batch_size, *[-1] * (1 + self.spec.step_dims))
            return self._encoder(example, self._encoder.initial_state(example))[0][:, -1]

    def save(self, path: str | Path, notes: Mapping[str, str] | None = None) -> None:
        """Write where the stream stands to a safetensors file, whole or as it was; no pickle. notes: kept beside it."""
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
        """Go on from where a file of `save` stands, and return its notes; InputError where it is missing, damaged,
        changed, or of another network.
        """
        if not Path(path).is_file():
            raise InputError(f"{path}: expected the state of a stream, found nothing.")
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise InputError(f"{path}: expected the state of a stream, found something else: {error}") from error
        if about.get("format") != FORMAT or about.get("input") != json.dumps(self.spec.to_dict()):
            raise InputError(f"{path}: expected the state of a stream of {self.spec}, found another file.")
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
        """Of the weights, which stay as they are."""
        return fingerprint(nn.ModuleDict({"encoder": self._encoder, "head": self._head}).state_dict())

    def _check(self, chunk: Tensor) -> None:
        if not isinstance(chunk, Tensor):
            raise InputError(f"Expected a chunk as a tensor, got {type(chunk).__name__}.")
        size = () if self.spec.kind == "characters" else (self.spec.size,)
        if chunk.dim() != 2 + len(size) or len(chunk) != self.batch_size or chunk.shape[2:] != size:
            shape = ", ".join(map(str, (self.batch_size, "t", *size)))
            raise InputError(f"Expected a chunk of shape ({shape}), got {tuple(chunk.shape)}.")
        if self.spec.kind == "values":
            if not chunk.is_floating_point():
                raise InputError(f"Expected values as floats, got {chunk.dtype}.")
            if not math.isfinite(chunk.sum()) and not bool(torch.isfinite(chunk).all()):  # one sum is the faster look
                raise InputError("Expected finite values, got NaN or infinity. Fill in or leave out missing values.")
            return
        if chunk.dtype not in INTEGERS:
            raise InputError(f"Expected {self.spec.kind} as whole numbers, got {chunk.dtype}.")
        number = self.spec.size if self.spec.kind == "characters" else self.spec.levels
        least, greatest = map(int, chunk.aminmax()) if chunk.numel() else (0, 0)
        if least < 0 or greatest >= number:
            raise InputError(
                f"Expected {self.spec.kind} from 0 to {number - 1}, got {least if least < 0 else greatest}."
            )


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    """Of a state and all that is kept beside it."""
    return fingerprint(tensors, json.dumps({k: v for k, v in about.items() if k != "digest"}, sort_keys=True))


OneStep = Callable[[Tensor, State], tuple[Tensor, State]]


def _frozen(module: nn.Module) -> Any:
    return copy.deepcopy(module).eval().requires_grad_(False)


def _one_step(encoder: Encoder) -> OneStep | None:
    """Features (B, F) of one step and a state -> the output (B, H) and the new state; None for a core of one's own.

    One call of torch's cell a layer: a fifth of the time that a call of the whole module takes for one step and row.
    """
    core = encoder.core
    if not isinstance(core, nn.RNNBase) or core.proj_size or not core.bias:
        return None
    layers: list[tuple[Tensor, ...]] = [tuple(weight.clone() for weight in layer) for layer in core.all_weights]
    if encoder.projection is not None:
        own, hidden_map, bias, hidden_bias = layers[0]
        layers[0] = (
            own @ encoder.projection.weight,
            hidden_map,
            bias + own @ encoder.projection.bias,
            hidden_bias,
        )
    cell = CELLS[core.mode]

    def lstm(features: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, memory = state
        hiddens, memories = [], []
        for index, weights in enumerate(layers):
            features, kept = cell(features, (hidden[index], memory[index]), *weights)
            hiddens.append(features)
            memories.append(kept)
        return features, (_stacked(hiddens), _stacked(memories))

    def plain(features: Tensor, state: State) -> tuple[Tensor, State]:
        hiddens = []
        for index, weights in enumerate(layers):
            features = cell(features, state[index], *weights)
            hiddens.append(features)
        return features, _stacked(hiddens)

    return lstm if core.mode == "LSTM" else plain


def _stacked(layers: list[Tensor]) -> Tensor:
    """(layers, B, H); one layer is not copied."""
    return torch.stack(layers) if len(layers) > 1 else layers[0].unsqueeze(0)
