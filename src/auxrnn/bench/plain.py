"""The same training steps as one writes them straight in PyTorch: what the benches compare with.

They use nothing of the package. Each takes pixels (B, T) uint8 and labels (B,) int64 and gives its losses.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


class PlainLSTM(nn.Module):
    """Projection, LSTM, head: full back-propagation in one call of `nn.LSTM`.

    chunk: with it, activations are kept at every `chunk` steps alone and computed again on the way back.
    """

    def __init__(self, hidden_size: int = 128, classes: int = 10, *, chunk: int | None = None) -> None:
        super().__init__()
        self.chunk = chunk
        self.projection = nn.Linear(1, hidden_size)
        self.main = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.classifier = _head(hidden_size, classes)

    def read(self, pixels: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, ...]:
        """The last output (B, H), and the state (hidden, cell) after it."""
        outputs, (hidden, cell) = self.main(
            self.projection(pixels.unsqueeze(-1).to(self.projection.weight.dtype) / 255), state
        )
        return outputs[:, -1], hidden, cell

    def losses(self, pixels: Tensor, labels: Tensor) -> list[Tensor]:
        if self.chunk is None:
            last = self.read(pixels)[0]
        else:
            zeros = torch.zeros(1, len(pixels), self.main.hidden_size, device=pixels.device)
            hidden, cell = zeros, zeros
            for piece in pixels.split(self.chunk, dim=1):
                last, hidden, cell = checkpoint(self.read, piece, (hidden, cell), use_reentrant=False)
        return [functional.cross_entropy(self.classifier(last), labels)]


class PlainReconstruction(nn.Module):
    """r-LSTM in three separate passes: the main network, the main network to the anchor, the decoder.

    As in the public re-implementation: one anchor for the whole batch, levels embedded for the decoder, a decoder of
    one layer, softmax over the levels.
    """

    def __init__(
        self, hidden_size: int = 128, classes: int = 10, *, projection_size: int = 128, levels: int = 256
    ) -> None:
        super().__init__()
        self.levels = levels
        self.projection = nn.Linear(1, projection_size)
        self.main = nn.LSTM(projection_size, hidden_size, batch_first=True)
        self.classifier = _head(hidden_size, classes)
        self.embedding = nn.Embedding(levels, hidden_size)
        self.decoder = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.output = _head(hidden_size, levels)

    def losses(self, pixels: Tensor, labels: Tensor, *, anchor: int, bptt: int, segment_length: int) -> list[Tensor]:
        """The supervised loss and the auxiliary one, means over labels and over tokens."""
        steps, reach = pixels.shape[1], min(bptt, segment_length)
        features = self.projection(
            pixels.unsqueeze(-1).to(self.projection.weight.dtype) / (self.levels - 1)
        )  # (B, T, P)

        outputs, _ = self.run(features, steps - bptt, steps)
        supervised = functional.cross_entropy(self.classifier(outputs[:, -1]), labels)

        _, state = self.run(features, anchor - reach, anchor)
        segment = pixels[:, anchor - segment_length : anchor].long()  # (B, l)
        decoded, _ = self.decoder(self.embedding(segment[:, :-1]), state)
        logits = self.output(decoded)  # (B, l - 1, levels)
        auxiliary = functional.cross_entropy(logits.flatten(0, 1), segment[:, 1:].flatten())
        return [supervised, auxiliary]

    def run(self, features: Tensor, start: int, stop: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The main network over `[0, stop)`, with gradient from `start` on."""
        state = None
        if start > 0:
            with torch.no_grad():
                _, state = self.main(features[:, :start])
        outputs, state = self.main(features[:, start:stop], state)
        return outputs, state


def _head(in_features: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_features, 256), nn.ReLU(), nn.Linear(256, out_features))
