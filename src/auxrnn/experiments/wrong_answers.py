"""The test sequences that a model got wrong, drawn: what it said while it read them, and which stretch it rests on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from auxrnn.core.model import Classifier, SequenceClassifier
from auxrnn.errors import printable
from auxrnn.experiments.diagnosis import blanked, stretch
from auxrnn.experiments.mistakes import Asked, Mistakes
from auxrnn.experiments.probes import as_images
from auxrnn.report.figures import Answers, draw_sequence
from auxrnn.report.page import Figure
from auxrnn.report.sheets import MOST_CHANNELS
from auxrnn.runs.datasets import channel_names
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import Target
from auxrnn.use.inference import predict_logits, predict_steps
from auxrnn.use.persistence import SavedModel
from auxrnn.use.streaming import Stream

MOST = 6
"""Sequences drawn of one model, and classes or values drawn of one sequence."""

MOMENTS = 200
"""Ends of tokens at which a stream is asked, at most."""

STRETCHES = 20
"""Parts of a sequence that are blanked, one after the other."""

BLANKED_STEPS = 2_000_000
"""Steps that are read for the answers without a stretch, at most, but for one sequence."""

SHOWN_LETTERS = 200

Array = npt.NDArray[Any]


def moments(length: int, stride: int, most: int = MOMENTS) -> list[int]:
    """Steps after which a stream is asked: the end of every token, or of so many at even distances."""
    tokens = -(-length // stride)
    chosen = np.unique(np.linspace(1, tokens, min(tokens, most)).round().astype(int))
    return [min(int(token) * stride, length) for token in chosen]


def over_time(network: Classifier, one: SequenceData) -> tuple[list[int], Array]:
    """Steps read (M,), and what is answered then, (M, size), of a set of one sequence.

    Nothing for a network that reads a sequence as a whole.
    """
    if not isinstance(network, SequenceClassifier):
        return [], np.empty((0, network.target.size))
    ends = moments(int(one.lengths[0]), network.encoder.stride)
    if network.target.per_step:
        shares = predict_steps(network, one, network.target.shares)[0][torch.tensor(ends) - 1]
        return ends, shares.numpy()
    stream, steps = Stream(network), one.batch([0]).inputs
    return ends, np.stack([stream.push(steps[:, start:end])[0].numpy() for start, end in pairwise([0, *ends])])


def without_stretches(network: Classifier, one: SequenceData, stretches: int = STRETCHES) -> tuple[list[int], Array]:
    """Ends of the stretches (n + 1,), and what is answered where that one alone is blanked, (n, size)."""
    length = int(one.lengths[0])
    parts = [stretch(index, min(stretches, length), length) for index in range(min(stretches, length))]
    outputs = predict_logits(network, blanked(one.subset([0] * len(parts)), parts))
    return [0, *(part.stop for part in parts)], network.target.shares(outputs).numpy()


def wrong_answers(asked: Asked, found: Mistakes, most: int) -> tuple[str, list[Figure]]:
    """What is drawn, in words, and a figure for each of at most `most` sequences; of one where none is wrong."""
    part, target = asked.part, asked.saved.target
    most = min(most, max(BLANKED_STEPS // (STRETCHES * int(part.lengths.max())), 1), max(found.wrong, 1))
    figures = [
        _figure(asked, place, f"wrong-{asked.index + 1}-{number}") for number, place in enumerate(found.worst[:most], 1)
    ]
    if not target.has_classes:
        return f"{asked.name}: the greatest errors on {asked.whole}.", figures
    if not found.wrong:
        return f"{asked.name}: no answer on {asked.whole} is wrong; drawn is the one with the greatest loss.", figures
    number = f"{found.wrong:,} of {len(part):,} answers" if not target.per_step else f"{found.wrong:,} sequences"
    return f"{asked.name}: {number} on {asked.whole} wrong; drawn are those with the greatest loss.", figures


def _figure(asked: Asked, place: int, file: str) -> Figure:
    saved, one, target = asked.saved, asked.part.subset([place]), asked.saved.target
    network = saved.network
    ends, shares = over_time(network, one)
    scale, xlabel = (1.0, "step") if one.rate is None else (1 / one.rate, "seconds")
    final = target.shares(predict_logits(network, one))[0].numpy() if not target.per_step else shares[-1]
    shown = _shown(target, one.labels, final)
    what = "answer" if not target.has_classes else "probability"
    answers = []
    if ends:
        drawn = {target.names[place]: shares[:, place] for place in shown}
        answers.append(Answers([scale * end for end in ends], drawn, f"{what} so far"))
    if not target.per_step:
        edges, without = without_stretches(network, one)
        drawn = {target.names[place]: without[:, place] for place in shown}
        answers.append(Answers([scale * edge for edge in edges], drawn, f"{what} without this part"))
    title = f"Test sequence {int(asked.places[place]) + 1}: {_told(target, one, final)}"
    drawing = draw_sequence(
        _channels(saved, one),
        answers,
        title=title,
        xlabel=xlabel,
        scale=scale,
        image=_image(one),
        order=target.names,
        bounded=target.has_classes,
    )
    return Figure(f"{asked.name}. {title}.{_excerpt(one)}", drawing, file)


def _told(target: Target, one: SequenceData, final: Array) -> str:
    """The true label and the answer in words."""
    assert one.labels is not None
    label = np.asarray(one.labels[0])
    if target.per_step:
        return f"true tags {target.words(label)}"
    if target.one_class:
        best = int(final.argmax())
        return f"true {target.words(label)}, answered {target.names[best]} ({final[best]:.2f})"
    answered = (final > 0.5).astype(label.dtype) if target.has_classes else final
    return f"true {target.words(label)}, answered {target.words(answered)}"


def _shown(target: Target, labels: Any, final: Array) -> list[int]:
    """Places of what is drawn, in their order: what is true, and the most probable others."""
    if not target.has_classes:
        return list(range(min(target.size, MOST)))
    label = np.asarray(labels[0])
    true = np.unique(label[label >= 0]) if target.one_class or target.per_step else np.flatnonzero(label)
    wanted = dict.fromkeys([*true.tolist(), *np.argsort(-final, kind="stable").tolist()])
    return sorted(list(wanted)[:MOST])


def _channels(saved: SavedModel, one: SequenceData) -> dict[str, Array]:
    """Each channel (T,) by its name and in the units of the data, of at most eight; none of texts."""
    if one.spec.kind == "characters":
        return {}
    raw, learned = one.inputs[0].double().numpy(), saved.preprocessing
    if learned is not None and learned.mean:
        raw = raw * np.array(learned.scale) + np.array(learned.mean)
    single = "sound" if one.rate else "pixel" if one.spec.kind == "pixels" else "value"
    numbered = [single] if one.spec.size == 1 else [f"channel {index + 1}" for index in range(one.spec.size)]
    names = [printable(name) for name in channel_names(saved.facts, learned)] or numbered
    return dict(zip(names, raw.T[:MOST_CHANNELS], strict=False))


def _image(one: SequenceData) -> Array | None:
    """The image that a sequence is, in 0..1; None where it is none."""
    if one.image_shape is None:
        return None
    image = one.batch([0]).inputs
    assert isinstance(image, torch.Tensor)
    return as_images(image, one)[0] / (one.spec.levels - 1)


def _excerpt(one: SequenceData) -> str:
    """The beginning of a text."""
    if one.spec.kind != "characters" or not one.characters:
        return ""
    letters = "".join(one.characters[number - 1] if number else "\N{REPLACEMENT CHARACTER}"
                      for number in one.inputs[0][:SHOWN_LETTERS].tolist())  # fmt: skip
    return f" It begins: {printable(letters)}{'…' if len(one.inputs[0]) > SHOWN_LETTERS else ''}"
