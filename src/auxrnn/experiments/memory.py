"""What the memory holds: an image put together from what the state still knows at anchors along the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.anchors import Segments
from auxrnn.model import Classifier, SequenceClassifier
from auxrnn.objectives import Reconstruction
from auxrnn.sources.dataset import SequenceData


def remembered_images(network: Classifier, data: SequenceData, count: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The first `count` images and what was remembered of them, both (count, rows, columns) or with channels last.

    An anchor stands at the end of every stretch of `segment_length` steps (under a stem tokens); from its state the
    decoder reproduces the stretch, of which it is given the first step alone. What is left at the end is reproduced
    from the last anchor.
    """
    assert data.image_shape is not None
    assert isinstance(network, SequenceClassifier)
    objective = network.auxiliaries["reconstruct"]
    assert isinstance(objective, Reconstruction)
    batch = network.encoder.cut(data.batch(range(min(count, len(data)))))
    steps = batch.steps.shape[1]
    length = min(objective.segment_length, steps)
    anchors = sorted({*range(length, steps, length), steps})
    anchor = torch.tensor(anchors).expand(len(batch), -1)
    segments = Segments(anchor, anchor - length, torch.full_like(anchor, length))
    network.eval()
    said = objective.recall(network.encoder, batch, segments).unflatten(0, anchor.shape)  # (B, n, l, C)
    if objective.order == "reversed":
        said = said.flip(2)
    whole = batch.steps.clone()
    for index, end in enumerate(anchors):
        whole[:, end - length : end] = said[:, index]
    return as_images(batch.steps, data), as_images(whole, data)


def as_images(steps: torch.Tensor, data: SequenceData) -> npt.NDArray[Any]:
    """Images (N, rows, columns) or with channels last from their steps (N, T, C), or their tokens' own steps
    (N, tokens, stride * C); a tail is left out.
    """
    assert data.image_shape is not None
    rows, columns = data.image_shape
    flat = steps.reshape(len(steps), -1, data.spec.size)[:, : rows * columns].numpy()
    if data.pixel_order is not None:
        flat = flat[:, np.argsort(data.pixel_order.numpy())]
    images = flat.reshape(len(flat), rows, columns, -1)
    return images[..., 0] if images.shape[-1] == 1 else images
