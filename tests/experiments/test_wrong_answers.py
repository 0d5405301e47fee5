"""What is drawn of a sequence that was answered wrong is what the model says of its beginning, and without a part."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.experiments import wrong_answers as module
from auxrnn.experiments.mistakes import Asked, mistakes, worst_first
from auxrnn.experiments.wrong_answers import moments, over_time, without_stretches, wrong_answers
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.targets import ClassesTarget, ClassTarget, TagsTarget, ValueTarget
from auxrnn.use.inference import predict_logits, predict_steps
from auxrnn.use.persistence import SavedModel

SPEC = InputSpec("values", 2)
CONFIG = ModelConfig(model="lstm", hidden_size=4, projection_size=None, bptt="full")
STEM = {"stem": "conv", "stride": 4, "kernel": 2, "readout": "stats-max"}
TARGETS = {
    "class": (ClassTarget(("a", "b", "c")), torch.tensor([0, 1, 2, 1, 0])),
    "classes": (ClassesTarget(("a", "b")), torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]])),
    "value": (ValueTarget(("mass", "age"), (70.0, 40.0), (9.0, 12.0)), torch.rand(5, 2, dtype=torch.float64)),
    "tags": (TagsTarget(("u", "v")), torch.arange(5 * 22).view(5, 22) % 3 - 1),
}


def make(kind="class", spec=SPEC, inputs=None, more=None, **changes):
    target, labels = TARGETS[kind]
    torch.manual_seed(2)
    config = replace(CONFIG, **changes)
    network = build_model(config, spec, target, 40)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.5)  # so that answers differ
    inputs = torch.randn(5, 22, 2) if inputs is None else inputs
    labels = [labels[row, : len(one)] for row, one in enumerate(inputs)] if kind == "tags" else labels
    data = SequenceData("test", spec, inputs, labels, target=target, **(more or {}))
    return SavedModel(network, config, spec, target.names), data


@pytest.mark.parametrize(
    ("kind", "tokens"), [*((kind, {}) for kind in TARGETS), *((kind, STEM) for kind in ("class", "classes", "value"))]
)
def test_the_curve_is_what_predict_says_of_each_beginning(kind, tokens):
    saved, data = make(kind, **tokens)
    one = data.subset([3])
    ends, shares = over_time(saved.network, one)
    assert ends == ([4, 8, 12, 16, 20, 22] if tokens else [*range(1, 23)])
    for end, found in zip(ends, shares, strict=True):
        begun = SequenceData("begun", SPEC, one.inputs[:, :end], target=data.target)
        if kind == "tags":
            expected = predict_steps(saved.network, begun, data.target.shares)[0][-1]
        else:
            expected = data.target.shares(predict_logits(saved.network, begun))[0]
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.ptp(shares, axis=0).max() > 0.01


def test_a_stretch_is_left_out_as_zeros_in_its_place():
    saved, data = make()
    edges, found = without_stretches(saved.network, data.subset([1]), 4)
    assert edges == [0, 5, 11, 16, 22]
    for row, (start, end) in enumerate([(0, 5), (5, 11), (11, 16), (16, 22)]):
        array = data.inputs[1:2].numpy().copy()
        array[:, start:end] = 0
        blank = SequenceData("blank", SPEC, torch.from_numpy(array), target=data.target)
        assert np.allclose(found[row], predict_logits(saved.network, blank)[0].softmax(-1), atol=1e-6)
    assert np.ptp(found, axis=0).max() > 1e-3


def test_no_more_stretches_than_steps():
    saved, data = make(inputs=[torch.randn(3, 2)] * 5)
    edges, found = without_stretches(saved.network, data.subset([0]))
    assert edges == [0, 1, 2, 3]
    assert len(found) == 3


def test_moments_are_ends_of_tokens():
    assert moments(10, 4) == [4, 8, 10]
    found = moments(100_003, 16)
    assert len(found) == 200
    assert found[-1] == 100_003
    assert all(end % 16 == 0 for end in found[:-1])
    assert np.ptp(np.diff(found[:-1])) <= 16


def test_the_worst_come_first():
    outputs = torch.tensor([[3.0, 0], [0, 3], [0, 1], [2, 0]])
    assert worst_first(ClassTarget(("a", "b")), outputs, torch.tensor([0, 0, 0, 0])) == ([1, 2, 3, 0], 2)
    several = torch.tensor([[1, 1], [0, 1], [0, 1], [1, 0]])
    assert worst_first(ClassesTarget(("a", "b")), outputs - 0.5, several) == ([0, 2, 3, 1], 1)
    values = ValueTarget(("x", "y"), (0.0, 0.0), (1.0, 1.0))
    assert worst_first(values, outputs, outputs.double() + torch.tensor([[1], [0], [3], [2]])) == ([2, 3, 0, 1], 4)
    tags = [torch.tensor([0, 1, 1]), torch.tensor([0, 0]), torch.tensor([1])]
    true = [torch.tensor([0, 0, 1]), torch.tensor([1, -1]), torch.tensor([-1])]
    assert worst_first(TagsTarget(("u", "v")), tags, true) == ([1, 0, 2], 2)


def drawn(monkeypatch, saved, data, most=6):
    """(what is said, the figures, what each was drawn of)."""
    calls, plain = [], module.draw_sequence

    def keep(*given, **named):
        calls.append((*given, named))
        return plain(*given, **named)

    monkeypatch.setattr(module, "draw_sequence", keep)
    asked = Asked(0, "LSTM", saved, data, "the whole test set", torch.arange(len(data)) * 10)
    return (*wrong_answers(asked, mistakes(asked), most), calls)


def test_channels_are_drawn_in_their_units_by_their_names(monkeypatch):
    saved, data = make()
    learned = Preprocessing("values", 2, (50.0, -1.0), (10.0, 0.5), column_names=("speed [m/s]", "heat [K]"))
    told, figures, calls = drawn(monkeypatch, replace(saved, preprocessing=learned), data)
    wrong = (predict_logits(saved.network, data).argmax(1) != data.labels).sum()
    assert 0 < wrong == len(figures)
    assert told == f"LSTM: {wrong} of 5 answers on the whole test set wrong; drawn are those with the greatest loss."
    channels, answers, named = calls[0]
    place = (int(named["title"].split(":")[0].removeprefix("Test sequence ")) - 1) // 10
    assert list(channels) == ["speed [m/s]", "heat [K]"]
    assert np.allclose(channels["speed [m/s]"], 50 + 10 * data.inputs[place, :, 0].numpy())
    logits = predict_logits(saved.network, data)[place]
    true, said = data.classes[data.labels[place]], data.classes[logits.argmax()]
    assert named["title"].endswith(f": true {true}, answered {said} ({logits.softmax(0).max():.2f})")
    over, without = answers
    assert np.allclose([shares[-1] for shares in over.shares.values()], logits.softmax(0), atol=1e-6)
    assert len(without.ends) == len(without.shares["a"]) + 1


def test_where_all_is_right_the_least_sure_answer_is_drawn(monkeypatch):
    saved, data = make()
    logits = predict_logits(saved.network, data)
    told, (figure,), _ = drawn(monkeypatch, saved, replace(data, labels=logits.argmax(1)))
    assert "no answer on the whole test set is wrong" in told
    assert f"Test sequence {10 * int(logits.softmax(1).amax(1).argmin()) + 1}:" in figure.caption


def test_long_sequences_are_few(monkeypatch):
    saved, data = make()
    monkeypatch.setattr(module, "BLANKED_STEPS", 2 * module.STRETCHES * 22)
    assert len(drawn(monkeypatch, saved, data)[1]) == 2


@pytest.mark.parametrize("kind", TARGETS)
def test_every_kind_of_target(monkeypatch, kind):
    told, figures, calls = drawn(monkeypatch, *make(kind))
    assert figures
    for _, answers, named in calls:
        assert [len(part.ends) - len(next(iter(part.shares.values()))) for part in answers] == (
            [0] if kind == "tags" else [0, 1]
        )
        assert named["bounded"] == (kind != "value")
    assert ("greatest errors" in told) == (kind == "value")


def test_images_texts_and_sound(monkeypatch):
    pixels = torch.randint(0, 256, (5, 12, 1), dtype=torch.uint8)
    _, _, calls = drawn(monkeypatch, *make(spec=InputSpec("pixels", 1), inputs=pixels, more={"image_shape": (3, 4)}))
    place = (int(calls[0][2]["title"].split(":")[0].removeprefix("Test sequence ")) - 1) // 10
    assert np.array_equal(calls[0][2]["image"] * 255, pixels[place].reshape(3, 4).numpy())
    texts = [torch.tensor([1, 2, 0, 3] * 80)] * 5
    _, figures, calls = drawn(
        monkeypatch, *make(spec=InputSpec("characters", 4), inputs=texts, more={"characters": "\nbc"})
    )
    assert calls[0][0] == {}
    assert figures[0].caption.endswith(" It begins: " + r"\nb�c" * 50 + "…")
    _, _, calls = drawn(monkeypatch, *make(spec=InputSpec("values", 1), inputs=torch.randn(5, 40, 1), more={"rate": 8}))
    assert list(calls[0][0]) == ["sound"]
    assert calls[0][2]["xlabel"] == "seconds"
    assert calls[0][1][0].ends[-1] == 5.0


def test_a_model_of_whole_sequences_says_nothing_on_the_way(monkeypatch):
    _, _, calls = drawn(monkeypatch, *make(model="transformer"))
    assert [part.label for part in calls[0][1]] == ["probability without this part"]
