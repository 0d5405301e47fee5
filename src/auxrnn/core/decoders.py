"""What an auxiliary loss reads a hidden state with. Knows nothing of anchors, windows or truncation."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from auxrnn.config.choices import Regulariser, StepTarget, Unfed
from auxrnn.core.batch import InputSpec
from auxrnn.core.encoder import StepFeatures, check_cell, make_cell, top_state
from auxrnn.core.heads import StepHead
from auxrnn.core.recurrent import State


class ReconstructionDecoder(nn.Module):
    """A recurrent net that reproduces a segment from the state at an anchor.

    The bottom layer starts from the state at the anchor (its top layer where it has several), through a learned linear
    map where sizes or kinds differ; upper layers start from zeros. The first step of the segment is given, and the
    decoder outputs the second. Later inputs are the true steps or withheld, as scheduled sampling decides.

    Parameters
    ----------
    spec : InputSpec
        What a raw step is.
    state_sizes : list of int
        Sizes of the anchor state's tensors, as `encoder.core_sizes` gives them.
    cell : {"lstm", "gru", "rnn"}
        Cell of the decoder.
    hidden_size, num_layers : int
        Units and layers of the decoder, at least 1.
    unfed : {"model", "blank"}
        What stands where the true input is withheld: the decoder's own most likely step, or zeros, with a flag among
        the inputs that tells them from a true zero.
    target, regulariser, rate
        As for `StepHead`.

    Raises
    ------
    ValueError
        For values outside these ranges or names.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), figure 1 and section 3: two layers. The paper says "optionally fed"; we chose
    "model", the two-pass parallel form of scheduled sampling of Mihaylova & Martins (2019): a first pass over the true
    inputs, without gradient, gives the steps that replace withheld ones in the second.
    """

    def __init__(
        self,
        spec: InputSpec,
        state_sizes: list[int],
        *,
        cell: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 2,
        unfed: Unfed = "model",
        target: StepTarget | None = None,
        regulariser: Regulariser = "dropconnect",
        rate: float = 0.5,
    ) -> None:
        super().__init__()
        if unfed not in get_args(Unfed):
            raise ValueError(f"Expected unfed of {', '.join(get_args(Unfed))}, got {unfed!r}.")
        if num_layers < 1:
            raise ValueError(f"Expected at least one decoder layer, got {num_layers}.")
        self.unfed = unfed
        self.features = StepFeatures(spec, hidden_size)
        inputs = self.features.size + (unfed == "blank")
        self.core = make_cell(cell, inputs, hidden_size, num_layers)
        own_sizes = [hidden_size] * (2 if cell == "lstm" else 1)
        self.state_map = None if state_sizes == own_sizes else nn.Linear(sum(state_sizes), sum(own_sizes))
        self.head = StepHead(hidden_size, spec, target=target, regulariser=regulariser, rate=rate)

    def forward(
        self,
        segment: Tensor,
        anchor_state: State,
        truth_share: float,
        generator: torch.Generator | None = None,
        *,
        chances: Tensor | None = None,
    ) -> Tensor:
        """Give the decoder's outputs for the steps 1..l-1 of each segment.

        Parameters
        ----------
        segment : Tensor
            Raw steps (R, l, ...), l at least 2.
        anchor_state : State
            The state at each anchor, R rows.
        truth_share : float
            Share of inputs after the first that are fed as they are, in [0, 1].
        generator : torch.Generator, optional
            On the CPU; torch's global generator where None.
        chances : Tensor, optional
            Uniform numbers (R, l - 1) that decide which inputs are fed, where they were drawn beforehand.

        Returns
        -------
        Tensor
            The head's outputs, (R, l - 1, ...).
        """
        state = self.start_state(anchor_state)
        given = segment[:, :-1]  # (R, l - 1, ...)
        if chances is None:
            chances = torch.rand(given.shape[:2], generator=generator)
        withheld = chances >= truth_share  # (R, l - 1)
        withheld[:, 0] = False
        fed = ~withheld.to(given.device)
        if self.unfed == "blank":
            return self.head(self.core(self._flagged(self.features(given), fed), state)[0])
        if withheld.any():
            own = self._own_steps(given, withheld, state)
            given = torch.where(fed.view(*fed.shape, *[1] * (given.dim() - 2)), given, own)
        return self.head(self.core(self.features(given), state)[0])

    @torch.no_grad()
    def _own_steps(self, given: Tensor, withheld: Tensor, state: State) -> Tensor:
        """Replace `withheld` (R, l - 1) inputs (R, l - 1, ...) by the decoder's own most likely steps.

        The head runs on those steps alone, and the core no farther than to the last of them.
        """
        row, step = withheld.cpu().nonzero(as_tuple=True)  # found on the CPU, so that a GPU never waits
        hidden = self.core(self.features(given[:, : int(step.max())]), state)[0]  # what step s - 1 says stands at s
        row, step = row.to(given.device), step.to(given.device)
        own = given.clone()
        own[row, step] = self.head.best(self.head(hidden[row, step - 1])).to(given.dtype)
        torch.clear_autocast_cache()  # weights cast without gradient here must not serve the pass with gradient
        return own

    @torch.no_grad()
    def generate(self, first: Tensor, anchor_state: State, steps: int) -> Tensor:
        """Reproduce a segment step by step, given its first step alone.

        Parameters
        ----------
        first : Tensor
            The first step of each segment, (R, 1, ...). Every later input is what `unfed` says.
        anchor_state : State
            The state at each anchor, R rows.
        steps : int
            How many steps follow.

        Returns
        -------
        Tensor
            (R, steps, ...).
        """
        state, given, said = self.start_state(anchor_state), first, []
        for index in range(steps):
            features = self.features(given)
            if self.unfed == "blank":
                features = self._flagged(features, torch.full(given.shape[:2], index == 0, device=given.device))
            hidden, state = self.core(features, state)
            given = self.head.best(self.head(hidden))
            said.append(given)
        return torch.cat(said, dim=1) if said else first[:, :0]

    @staticmethod
    def _flagged(features: Tensor, fed: Tensor) -> Tensor:
        """Features (R, l, F), zero where they are not fed, with the flag `fed` (R, l) behind them: (R, l, F + 1)."""
        flag = fed.unsqueeze(-1).to(features.dtype)
        return torch.cat([features * flag, flag], dim=-1)

    def start_state(self, anchor_state: State) -> State:
        """Give the decoder's first state: the anchor's at the bottom, zeros above."""
        parts = top_state(anchor_state)  # each (R, F)
        if self.state_map is not None:
            parts = list(self.state_map(torch.cat(parts, dim=1)).split(self.core.hidden_size, dim=1))
        above = parts[0].new_zeros(self.core.num_layers - 1, *parts[0].shape)
        layers = tuple(torch.cat([part.unsqueeze(0), above]) for part in parts)  # each (layers, R, H)
        return layers if isinstance(self.core, nn.LSTM) else layers[0]


class PredictionDecoder(nn.Module):
    """A recurrent net on the main network's outputs that predicts the next step.

    It starts from zeros at the anchor; the main network below it carries the anchor's state.

    Parameters
    ----------
    spec : InputSpec
        What a raw step is.
    in_features : int
        Units of the main network (H).
    cell : {"lstm", "gru", "rnn"}
        Cell of the decoder.
    hidden_size : int
        Units of the decoder, at least 1.
    num_layers : int
        Layers, at least 0. With none the head reads the main network's outputs, which makes that network a language
        model.
    target, regulariser, rate
        As for `StepHead`.

    Raises
    ------
    ValueError
        For values outside these ranges or names.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), figure 1 and section 3. The paper is silent on the number of layers; we chose 1. With
    none: Dai & Le (2015).
    """

    def __init__(
        self,
        spec: InputSpec,
        in_features: int,
        *,
        cell: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 1,
        target: StepTarget | None = None,
        regulariser: Regulariser = "dropconnect",
        rate: float = 0.5,
    ) -> None:
        super().__init__()
        if num_layers < 0:
            raise ValueError(f"Expected at least 0 decoder layers, got {num_layers}.")
        check_cell(cell)
        self.core = make_cell(cell, in_features, hidden_size, num_layers) if num_layers else None
        self.head = StepHead(
            hidden_size if num_layers else in_features, spec, target=target, regulariser=regulariser, rate=rate
        )

    def forward(self, outputs: Tensor) -> Tensor:
        """Map the main network's outputs on a segment (R, l, H) to predictions of each next step, (R, l, ...)."""
        return self.head(outputs if self.core is None else self.core(outputs)[0])
