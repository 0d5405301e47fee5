"""An image put together from what the state still knows at anchors along the way: an oracle of the memory's probe."""

import torch

from auxrnn.core.anchors import Segments
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.objectives import Reconstruction
from auxrnn.experiments.probes import as_images


def remembered_images(network, data, count):
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
