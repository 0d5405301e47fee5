"""What the memory holds is drawn where it belongs; the decoder that says it is the one that was trained."""

import numpy as np
import pytest
import torch

from auxrnn.config import AuxiliaryConfig, ModelConfig
from auxrnn.core.anchors import Segments
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.core.decoders import ReconstructionDecoder
from auxrnn.core.objectives import Reconstruction
from auxrnn.sources.dataset import SequenceData
from remembered import remembered_images

GREY = InputSpec("pixels", 1, levels=7)
COLOUR = InputSpec("pixels", 3, levels=7)


def image_set(spec, *, permuted=False, rows=3, columns=4, tail=0):
    """(the set, its images (5, rows, columns) or with channels last)."""
    images = torch.randint(0, spec.levels, (5, rows, columns, spec.size), dtype=torch.uint8)
    steps = images.reshape(5, rows * columns, spec.size)
    order = torch.randperm(rows * columns) if permuted else None
    steps = steps if order is None else steps[:, order]
    steps = torch.cat([steps, torch.zeros(5, tail, spec.size, dtype=torch.uint8)], dim=1)
    data = SequenceData("images", spec, steps, image_shape=(rows, columns), pixel_order=order)
    return data, (images[..., 0] if spec.size == 1 else images).numpy()


def network_for(spec, *, length=4, **aux):
    config = ModelConfig(
        model="r-lstm", hidden_size=4, projection_size=None, segment_length=length, aux=AuxiliaryConfig(**aux)
    )
    return build_model(config, spec, 2)


def make_perfect(objective, monkeypatch):
    """A decoder that knows what is asked of it."""
    plain, seen = objective.segment, []

    def segment(batch, draw):
        seen.append(plain(batch, draw))
        return seen[-1]

    monkeypatch.setattr(objective, "segment", segment)
    monkeypatch.setattr(objective.decoder, "generate", lambda first, state, steps: seen[-1][:, 1 : 1 + steps])


@pytest.mark.parametrize("spec", [GREY, COLOUR])
@pytest.mark.parametrize("permuted", [False, True])
@pytest.mark.parametrize("order", ["forward", "reversed"])
@pytest.mark.parametrize("length", [4, 5, 12, 99])
def test_a_perfect_memory_gives_the_image(monkeypatch, spec, permuted, order, length):
    network = network_for(spec, length=length, order=order)
    make_perfect(network.auxiliaries["reconstruct"], monkeypatch)
    data, images = image_set(spec, permuted=permuted)
    shown, remembered = remembered_images(network, data, 3)
    assert np.array_equal(shown, images[:3])
    assert np.array_equal(remembered, images[:3])


def test_a_tail_is_no_part_of_the_picture(monkeypatch):
    network = network_for(GREY)
    make_perfect(network.auxiliaries["reconstruct"], monkeypatch)
    data, images = image_set(GREY, tail=3)
    shown, remembered = remembered_images(network, data, 99)
    assert np.array_equal(shown, images)
    assert np.array_equal(remembered, images)


@pytest.mark.parametrize("length", [2, 3, 5])
def test_an_untrained_memory_gives_levels_and_the_first_step_of_each_stretch(length):
    data, images = image_set(GREY)
    shown, remembered = remembered_images(network_for(GREY, length=length), data, 2)
    assert remembered.dtype == np.uint8
    assert remembered.shape == shown.shape == (2, 3, 4)
    assert remembered.max() < GREY.levels
    flat, true = remembered.reshape(2, 12), images[:2].reshape(2, 12)
    starts = list(range(0, 12, length)) if 12 % length == 0 else [*range(0, 12 - length, length), 12 - length]
    assert np.array_equal(flat[:, starts], true[:, starts])


def decoder_and_state(spec, unfed, cell="lstm", layers=2):
    sizes = [4, 4] if cell == "lstm" else [4]
    decoder = ReconstructionDecoder(spec, sizes, cell=cell, hidden_size=5, num_layers=layers, unfed=unfed).double()
    decoder.eval()
    state = tuple(torch.randn(1, 3, 4, dtype=torch.float64) for _ in sizes)
    return decoder, state if cell == "lstm" else state[0]


def some_segment(spec, steps):
    if spec.kind == "characters":
        return torch.randint(0, spec.size, (3, steps))
    if spec.kind == "values":
        return torch.randn(3, steps, spec.size, dtype=torch.float64)
    return torch.randint(0, spec.levels, (3, steps, spec.size), dtype=torch.uint8)


SPECS = [GREY, COLOUR, InputSpec("characters", 9), InputSpec("values", 2)]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}{spec.size}")
@pytest.mark.parametrize(("cell", "layers"), [("lstm", 2), ("gru", 1)])
def test_generating_blank_is_the_trained_pass_without_true_inputs(spec, cell, layers):
    decoder, state = decoder_and_state(spec, "blank", cell, layers)
    segment = some_segment(spec, 7)
    expected = decoder.head.best(decoder(segment, state, 0.0))
    found = decoder.generate(segment[:, :1], state, 6)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}{spec.size}")
def test_generating_from_its_own_steps_is_one_pass_over_them(spec):
    """Each step is what a full pass says after being fed all steps said before."""
    decoder, state = decoder_and_state(spec, "model")
    segment = some_segment(spec, 7)
    found = decoder.generate(segment[:, :1], state, 6)
    given = torch.cat([segment[:, :1], found], dim=1)
    torch.testing.assert_close(found, decoder.head.best(decoder(given, state, 1.0)))


def test_generating_nothing():
    decoder, state = decoder_and_state(GREY, "model")
    assert decoder.generate(some_segment(GREY, 1), state, 0).shape == (3, 0, 1)


@pytest.mark.parametrize("order", ["forward", "reversed"])
def test_recall_says_what_the_decoder_says_from_the_state_at_the_anchor(order):
    """Against the encoder run by hand up to each anchor."""
    network = network_for(GREY, order=order, unfed="blank").double().eval()
    objective = network.auxiliaries["reconstruct"]
    assert isinstance(objective, Reconstruction)
    data, _ = image_set(GREY)
    batch = data.batch([0, 1, 2])
    anchor = torch.tensor([[5, 12], [7, 9], [4, 11]])
    segments = Segments(anchor, anchor - 4, torch.full_like(anchor, 4))
    found = objective.recall(network.encoder, batch, segments)
    for row, (sequence, end) in enumerate((b, int(a)) for b in range(3) for a in anchor[b]):
        with torch.no_grad():
            _, state = network.encoder(batch.inputs[sequence : sequence + 1, :end])
        true = batch.inputs[sequence : sequence + 1, end - 4 : end]
        true = true.flip(1) if order == "reversed" else true
        assert torch.equal(found[row, :1], true[0, :1])
        assert torch.equal(found[row, 1:], objective.decoder.generate(true[:, :1], state, 3)[0])
