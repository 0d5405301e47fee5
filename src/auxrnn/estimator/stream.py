"""One endless sequence in a person's own form: preprocessed as in training, read in constant memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.errors import InputError
from auxrnn.sources.array_likes import as_numbers
from auxrnn.sources.preprocessing import by_name
from auxrnn.use.persistence import SavedModel
from auxrnn.use.plain_torch import plain_torch
from auxrnn.use.streaming import Stream

Array = npt.NDArray[Any]


class SequenceStream:
    """Read one sequence as it comes, and answer as the fitted estimator answers on the whole.

    Copies and pickles go on from where it stands. Made by `LongSequenceEstimator.stream`.

    Parameters
    ----------
    saved : SavedModel
        A recurrent network with its preprocessing.

    Raises
    ------
    InputError
        For a network that needs whole sequences or images.
    """

    def __init__(self, saved: SavedModel) -> None:
        if saved.pixel_order is not None:
            raise InputError("Expected a model that reads pixels row by row to stream to, got one that needs images.")
        self._stream, self._preprocessing = Stream(saved.network), saved.prepares

    @property
    def steps(self) -> int:
        """How many steps have been read since the beginning."""
        return self._stream.steps

    def push(self, chunk: Any) -> Array:
        """Read a chunk and answer on all that was read.

        Parameters
        ----------
        chunk : array or str
            (t, C), (1, t, C), (t,) of one channel, or a text.

        Returns
        -------
        array
            Probabilities (1, classes) or values (1, size), as `predict_proba` and `predict` give them for that one
            sequence; of a tagger those of each step of the chunk, (1, t, classes).

        Raises
        ------
        InputError
            For a chunk unlike the training data; the stream then stands where it stood.
        """
        with plain_torch():
            return self._stream.push(self._prepared(chunk)).double().numpy()

    def reset(self) -> None:
        """Begin anew, with a sequence of which nothing has been read."""
        self._stream.reset()

    def _prepared(self, chunk: Any) -> torch.Tensor:
        """The chunk (1, t, C), or (1, t) characters, as the network reads it."""
        learned = self._preprocessing
        if isinstance(chunk, str) != (learned.kind == "characters"):
            expected, got = ("a text", "numbers") if learned.kind == "characters" else ("numbers", "a text")
            raise InputError(f"chunk: expected {expected} as in training, got {got}.")
        if isinstance(chunk, str):
            return learned.sequence(chunk, "chunk").unsqueeze(0)
        try:
            steps = as_numbers(by_name(chunk, learned.channel_names, "chunk"), "chunk")
        except InputError:
            raise
        except (ValueError, TypeError) as error:
            raise InputError(f"chunk: expected steps of one width, got: {error}.") from error
        if steps.ndim == 3 and len(steps) == 1:
            steps = steps[0]
        if steps.ndim == 1 and learned.channels == 1:
            steps = steps[:, np.newaxis]
        if steps.ndim != 2 or steps.shape[1] != learned.channels or steps.dtype.kind not in "biuf":
            raise InputError(
                f"chunk: expected numbers of shape (t, {learned.channels}) as in training, got shape "
                f"{np.shape(chunk)} of {steps.dtype}."
            )
        if steps.dtype.kind == "f" and not np.isfinite(steps).all():
            raise InputError("chunk: expected finite numbers, got NaN or inf. Fill in or leave out missing values.")
        return learned.sequence(steps, "chunk").unsqueeze(0)
