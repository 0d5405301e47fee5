"""Stems: a raw sequence cut into tokens, and each token turned into features. Knows nothing of cores or losses.

A stem turns `stride` raw steps into one token. Token t is a function of the `window` raw steps that end with step
`(t + 1) * stride - 1`: causal, with zeros before the beginning and behind the end of a sequence. So T raw steps have
ceil(T / stride) tokens. Everything above a stem counts tokens.

Cutting copies nothing but the padded raw steps, and nothing at all of a long batch, which is read lazily. Tokens are
views into them, in their compact type, and become floats only in the chunk or window at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.config.choices import StemNorm
from auxrnn.config.model import MEL_HOP
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.lazy_steps import LazySteps, TokenCut

NO_CHARACTER = -1
"""Stands before and behind a text; its embedding is zero."""


def no_step(spec: InputSpec) -> int:
    """What stands where there is no raw step."""
    return NO_CHARACTER if spec.kind == "characters" else 0


@dataclass(frozen=True)
class TokenGrid:
    """How raw steps are cut into tokens.

    Parameters
    ----------
    stride : int
        Raw steps a token, at least 1.
    window : int
        Raw steps that a token sees, the last of them its own `stride`; at least `stride`.
    """

    stride: int
    window: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise ValueError(f"Expected 1 <= stride <= window, got {self.stride} and {self.window}.")

    @property
    def context(self) -> int:
        """Raw steps before its own that a token sees."""
        return self.window - self.stride

    def count(self, lengths: Tensor) -> Tensor:
        """Count the tokens of sequences of so many raw steps."""
        return (lengths + self.stride - 1) // self.stride

    def cut(self, batch: SequenceBatch, spec: InputSpec) -> SequenceBatch:
        """Cut a batch into tokens.

        Returns
        -------
        SequenceBatch
            Inputs (B, N, C, window), or (B, N, window) characters; lengths in tokens. The raw steps of each token,
            which auxiliary losses reproduce, lie beside them as `batch.own`.
        """
        raw, empty, lengths = batch.inputs, no_step(spec), self.count(batch.lengths)
        own_of = partial(self._own, spec=spec)
        if isinstance(raw, LazySteps):
            tokens = raw.cut(TokenCut(self.stride, self.context, empty, self._tokens))
            return replace(batch, inputs=tokens, lengths=lengths, own=raw.cut(TokenCut(self.stride, 0, empty, own_of)))
        inside = torch.arange(raw.shape[1]) < batch.lengths.unsqueeze(1)
        if not bool(inside.all()):
            outside = ~inside.view(*inside.shape, *[1] * (raw.dim() - 2)).to(raw.device)
            raw = raw.masked_fill(outside, empty)
        behind = -raw.shape[1] % self.stride
        sides = (0, 0) * (raw.dim() - 2)
        padded = functional.pad(raw, (*sides, self.context, behind), value=empty)
        return replace(batch, inputs=self._tokens(padded), lengths=lengths, own=own_of(padded[:, self.context :]))

    def _tokens(self, padded: Tensor) -> Tensor:
        """Tokens (B, N, ..., window) of raw steps (B, context + N * stride, ...): views into them."""
        return padded.unfold(1, self.window, self.stride)

    def _own(self, raw: Tensor, spec: InputSpec) -> Tensor:
        """Each token's own raw steps, (B, N, stride * C) or (B, N, stride), of raw steps (B, N * stride, ...)."""
        own = raw.unflatten(1, (-1, self.stride))  # (B, N, stride, ...)
        return own.flatten(2) if spec.kind != "characters" or self.stride > 1 else own.squeeze(2)

    def before(self, token: Tensor, spec: InputSpec) -> Tensor:
        """Give what stands for the last `window - 1` raw steps before the beginning, (B, window - 1, ...).

        Of sequences with tokens like token (B, ..., window).
        """
        return token.new_full((len(token), self.window - 1, *token.shape[1:-1]), no_step(spec))

    def finished(self, raw: Tensor, begun: int) -> Tensor:
        """Give the tokens (B, n, ..., window) that raw steps finish.

        Parameters
        ----------
        raw : Tensor
            (B, window - 1 + t, ...): the last `window - 1` raw steps that were read before, and t new ones.
        begun : int
            How many of those before belong to an unfinished token.
        """
        number = (raw.shape[1] - self.window + 1 + begun) // self.stride
        if number == 0:
            return raw.new_empty(len(raw), 0, *raw.shape[2:], self.window)
        return raw[:, self.stride - 1 - begun :].unfold(1, self.window, self.stride)

    def completed(self, raw: Tensor, begun: int, spec: InputSpec) -> Tensor:
        """Complete the unfinished token (B, 1, ..., window) as if the sequence ended here.

        Parameters
        ----------
        raw : Tensor
            The last `window - 1` raw steps, (B, window - 1, ...).
        begun : int
            How many of them belong to the unfinished token.
        spec : InputSpec
            What a raw step is.
        """
        own = raw[:, self.stride - 1 - begun :]
        sides = (0, 0) * (raw.dim() - 2)
        return functional.pad(own, (*sides, 0, self.stride - begun), value=no_step(spec)).movedim(1, -1).unsqueeze(1)


class Stem(nn.Module):
    """Turn the numbers of a token into `size` features: a linear map, layer norm unless told otherwise, GELU.

    Layer norm, because batch norm misleads where batches are made of sequences of like length. It takes the amplitude
    of a token away: where an event stands out by its height alone, "none" finds it many times sooner.
    """

    divisible = True  # each row by itself

    def __init__(self, spec: InputSpec, grid: TokenGrid, numbers: int, size: int, norm: StemNorm) -> None:
        super().__init__()
        self.spec, self.grid, self.size = spec, grid, size
        self.convolution = nn.Linear(numbers, size)
        self.norm = nn.LayerNorm(size) if norm == "layer" else nn.Identity()

    def numbers(self, tokens: Tensor) -> Tensor:
        """Turn tokens (B, N, C, window), or (B, N, window) characters, into what the linear map reads."""
        raise NotImplementedError

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, N, C, window), or (B, N, window) characters, to features (B, N, size)."""
        return functional.gelu(self.norm(self.convolution(self.numbers(tokens))))

    def _as_float(self, tokens: Tensor) -> Tensor:
        """Values as they are, pixels scaled to 0..1."""
        raw = tokens.to(self.convolution.weight.dtype)
        return raw / (self.spec.levels - 1) if self.spec.kind == "pixels" else raw


class ConvStem(Stem):
    """A strided convolution over raw steps, `kernel` strides wide. Characters are embedded first.

    Parameters
    ----------
    spec : InputSpec
        What a raw step is. Pixels are scaled to 0..1.
    size : int
        Features of a token, at least 1.
    stride : int
        Raw steps a token, at least 1.
    kernel : int
        Width of the convolution in strides, at least 1: a token sees `kernel * stride` raw steps.
    embedding_size : int
        Features of an embedded character, at least 1.
    norm : {"layer", "none"}
        How the features of a token are normalised.
    """

    def __init__(
        self,
        spec: InputSpec,
        size: int,
        *,
        stride: int,
        kernel: int = 4,
        embedding_size: int = 16,
        norm: StemNorm = "layer",
    ) -> None:
        grid = TokenGrid(stride, kernel * stride)
        channels = embedding_size if spec.kind == "characters" else spec.size
        super().__init__(spec, grid, channels * grid.window, size, norm)
        self.embedding = nn.Embedding(spec.size, embedding_size) if spec.kind == "characters" else None

    def numbers(self, tokens: Tensor) -> Tensor:
        if self.embedding is None:
            return self._as_float(tokens).flatten(2)
        known = (tokens != NO_CHARACTER).unsqueeze(-1)
        return (self.embedding(tokens.clamp(min=0).long()) * known).transpose(-1, -2).flatten(2)


class LogMelStem(Stem):
    """The logarithm of the power in bands of the mel scale, a frame a token, as speech recognisers read sound.

    Every `hop` seconds a frame holds the last `frame` seconds of sound under a Hann window. The bands are triangles on
    Slaney's mel scale, each of unit area, as `librosa.filters.mel` has them by default. The bands are fixed; the linear
    map behind them learns.

    Parameters
    ----------
    spec : InputSpec
        Values; each channel has bands of its own.
    size : int
        Features of a token, at least 1.
    rate : int
        Sampling rate: raw steps a second, in Hz.
    bands : int
        Mel bands of a channel, at least 1.
    frame, hop : float
        Seconds of a frame, and from one frame to the next.
    norm : {"layer", "none"}
        How the features of a token are normalised.

    Raises
    ------
    ValueError
        For pixels or characters.

    References
    ----------
    Slaney (1998), Auditory Toolbox, technical report 1998-010, Interval Research.
    """

    def __init__(
        self,
        spec: InputSpec,
        size: int,
        *,
        rate: int,
        bands: int = 40,
        frame: float = 0.025,
        hop: float = MEL_HOP,
        norm: StemNorm = "layer",
    ) -> None:
        if spec.kind != "values":
            raise ValueError(f"Expected values for a stem of mel bands, got {spec.kind}.")
        stride = max(round(rate * hop), 1)
        grid = TokenGrid(stride, max(round(rate * frame), stride))
        super().__init__(spec, grid, spec.size * bands, size, norm)
        self.window: Tensor  # both follow the module's type and device
        self.filters: Tensor
        self.register_buffer("window", torch.hann_window(grid.window), persistent=False)
        self.register_buffer("filters", mel_filters(rate, grid.window, bands).float(), persistent=False)

    def numbers(self, tokens: Tensor) -> Tensor:
        power = torch.fft.rfft(self._as_float(tokens) * self.window).abs().square()  # (B, N, C, bins)
        return (power @ self.filters.T + QUIET).log().flatten(2)


QUIET = 1e-6
"""Power beside which silence is not minus infinity, where sound has a variance of 1."""


def mel_filters(rate: int, frame: int, bands: int) -> Tensor:
    """Triangles (bands, frame // 2 + 1) float64 on Slaney's mel scale from 0 to rate / 2 Hz, each of area 1 in Hz.

    The scale is linear up to 1,000 Hz (66.7 Hz a mel) and logarithmic above (27 mels from 1,000 to 6,400 Hz), as in
    Slaney's Auditory Toolbox (1998) and librosa's default.
    """
    step, knee = 200 / 3, 1000.0
    growth = math.log(6.4) / 27

    def mel(hertz: float) -> float:
        return hertz / step if hertz < knee else knee / step + math.log(hertz / knee) / growth

    points = torch.linspace(0, mel(rate / 2), bands + 2, dtype=torch.float64)
    edges = torch.where(points < knee / step, points * step, knee * torch.exp(growth * (points - knee / step)))
    low, middle, high = (edges[first : first + bands].unsqueeze(1) for first in range(3))
    hertz = torch.arange(frame // 2 + 1, dtype=torch.float64) * rate / frame
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)
