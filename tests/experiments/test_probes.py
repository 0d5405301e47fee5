"""Probes against obvious loops, finite differences and memories that know everything or nothing."""

import numpy as np
import pytest
import torch

from auxrnn.config import AuxiliaryConfig, ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.core.recurrent import map_state, state_tensors
from auxrnn.experiments import probes
from auxrnn.experiments.probes import confusion, evaluating, gradient_norms, memory_probe
from auxrnn.sources.dataset import SequenceData
from remembered import remembered_images

GREY = InputSpec("pixels", 1, levels=7)


def network_for(spec=GREY, *, model="r-lstm", length=4, cell="lstm", layers=1, more=None, **aux):
    config = ModelConfig(
        model=model, cell=cell, hidden_size=4, projection_size=None, num_layers=layers, segment_length=length, bptt=2,
        aux=AuxiliaryConfig(**aux), **(more or {}),
    )  # fmt: skip
    return build_model(config, spec, 3)


def images(count=5, rows=3, columns=4, spec=GREY):
    steps = torch.randint(0, spec.levels, (count, rows * columns, spec.size), dtype=torch.uint8)
    return SequenceData("images", spec, steps, torch.arange(count) % 3, ("a", "b", "c"), image_shape=(rows, columns))


def test_confusion_by_hand():
    found = confusion(torch.tensor([0, 1, 2, 0, 2]), torch.tensor([0, 0, 1, 0, 1]), 3)
    assert found.tolist() == [[2, 1, 0], [0, 0, 2], [0, 0, 0]]


# The memory -----------------------------------------------------------------------------------------------------------


def answer_with(monkeypatch, objective, answer):
    """Let the decoder say `answer(segments)`, whatever the state is."""
    plain, seen = objective.segment, []
    monkeypatch.setattr(objective, "segment", lambda *given: seen.append(plain(*given)) or seen[-1])
    monkeypatch.setattr(objective.decoder, "generate", lambda first, state, steps: answer(seen[-1])[:, 1 : 1 + steps])


@pytest.mark.parametrize("order", ["forward", "reversed"])
@pytest.mark.parametrize("length", [2, 5, 12, 99])
def test_a_perfect_memory_has_no_error_at_any_distance(monkeypatch, order, length):
    network, data = network_for(length=length, order=order), images()
    answer_with(monkeypatch, network.auxiliaries["reconstruct"], lambda segments: segments)
    found = memory_probe(network, data, images=2)
    assert found.errors == (0.0,) * len(found.distances)
    originals = data.inputs[:2].reshape(2, 3, 4).numpy()
    assert np.array_equal(found.originals, originals)
    for recalled, asked in zip(found.recalled, found.asked, strict=True):
        assert np.array_equal(recalled[:, asked], originals[:, asked])


def test_the_distances_and_what_each_can_ask():
    """12 steps in segments of 4: anchors 4 steps on exist for two segments, 8 steps on for the first alone."""
    found = memory_probe(network_for(length=4), images())
    assert found.distances == (0, 4, 8)
    assert [int(asked.sum()) for asked in found.asked] == [12, 8, 4]
    assert found.asked[2][0].all()
    assert memory_probe(network_for(length=4), images(), distances=[1, 7]).distances == (1, 7)


def test_the_errors_against_a_loop_over_segments(monkeypatch):
    """A decoder that always answers level 3."""
    network, data = network_for(length=4), images(count=4)
    answer_with(monkeypatch, network.auxiliaries["reconstruct"], lambda segments: torch.full_like(segments, 3))
    found = memory_probe(network, data, sequences=3)
    pixels = data.inputs[:3, :, 0].double().numpy() / 6
    mean = pixels.mean(0)
    for distance, error, baseline in zip(found.distances, found.errors, found.baseline, strict=True):
        said, guessed = [], []
        for end in (4, 8, 12):
            for step in range(end - 3, end) if end + distance <= 12 else ():
                said += [(3 / 6 - row[step]) ** 2 for row in pixels]
                guessed += [(mean[step] - row[step]) ** 2 for row in pixels]
        assert error == pytest.approx(np.sqrt(np.mean(said)))
        assert baseline == pytest.approx(np.sqrt(np.mean(guessed)))


@pytest.mark.parametrize("order", ["forward", "reversed"])
def test_at_distance_0_it_is_what_is_put_together_at_the_anchors(order, monkeypatch):
    network, data = network_for(length=5, order=order, unfed="blank"), images()
    shown, remembered = remembered_images(network, data, 3)
    monkeypatch.setattr(probes, "ROWS", 4)  # a few sequences at a time
    found = memory_probe(network, data, images=3)
    assert np.array_equal(found.originals, shown)
    assert np.array_equal(found.recalled[0][:, 0], remembered[:, 0])  # the last stretch overlaps the one before


def test_the_state_is_the_one_at_the_distance():
    """Steps between a segment and its anchor change what is said; steps after the anchor do not."""
    torch.manual_seed(3)
    network, data = network_for(length=4, unfed="blank", target="squared"), images(count=3)
    spoken = []
    decoder = network.auxiliaries["reconstruct"].decoder
    plain = decoder.generate
    decoder.generate = lambda first, state, steps: spoken.append(state[0].clone()) or plain(first, state, steps)
    memory_probe(network, data, distances=[4])
    with torch.no_grad(), evaluating(network):
        for row, stop in enumerate((8, 12)):
            _, state = network.encoder(data.inputs[:, :stop])
            torch.testing.assert_close(spoken[0][:, row::2], state[0])


def test_characters_and_values():
    text = SequenceData("text", InputSpec("characters", 5), [torch.randint(0, 5, (n,)) for n in (9, 12, 10)])
    found = memory_probe(network_for(text.spec, length=3), text)
    assert found.distances == (0, 3, 6)
    assert all(0 <= error <= 1 for error in (*found.errors, *found.baseline))
    assert found.originals is found.recalled is found.asked is None
    values = SequenceData("values", InputSpec("values", 2), torch.randn(3, 8, 2))
    assert memory_probe(network_for(values.spec, length=3), values).distances == (0, 3)


def test_what_cannot_be_probed():
    with pytest.raises(ValueError, match="reconstruction objective"):
        memory_probe(network_for(model="p-lstm"), images())
    with pytest.raises(ValueError, match="at least 2 steps"):
        memory_probe(network_for(), images(rows=1, columns=1))
    with pytest.raises(ValueError, match="distances from 0 to 8"):
        memory_probe(network_for(length=4), images(), distances=[9])


# The gradient ---------------------------------------------------------------------------------------------------------


def loss_from(network, inputs, label, state):
    outputs, _ = network.encoder(inputs, state)
    return torch.nn.functional.cross_entropy(network.supervised.head(outputs[:, -1]), label)


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 1), ("lstm", 2), ("gru", 1)])
@pytest.mark.parametrize("chunk", [3, 64])
def test_norms_against_a_loop_over_sequences_and_distances(monkeypatch, cell, layers, chunk):
    monkeypatch.setattr(probes, "STEPS", chunk)
    network = network_for(cell=cell, layers=layers).double()
    sequences = [torch.randint(0, 7, (steps, 1), dtype=torch.uint8) for steps in (8, 11, 9)]
    batch = SequenceData("x", GREY, sequences, torch.tensor([0, 1, 2]), ("a", "b", "c")).batch([0, 1, 2])
    found = gradient_norms(network, batch, 8)
    network.eval()
    expected = np.zeros(8)
    for row, steps in enumerate(sequences):
        for distance in range(1, 9):
            before, after = steps[None, : len(steps) - distance], steps[None, len(steps) - distance :]
            state = network.encoder(before)[1] if before.shape[1] else network.encoder.initial_state(after)
            leaf = map_state(lambda tensor: tensor.detach().requires_grad_(), state)
            gradients = torch.autograd.grad(
                loss_from(network, after, batch.labels[row : row + 1], leaf), state_tensors(leaf)
            )
            expected[distance - 1] += float(torch.cat([g.flatten() for g in gradients]).norm()) / 3
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_norm_against_finite_differences():
    network = network_for().double()
    batch = images(count=1).batch([0])
    (found,) = gradient_norms(network, batch, 4)[3:]
    network.eval()
    with torch.no_grad():
        _, state = network.encoder(batch.inputs[:, :8])
        slopes = []
        for part in range(2):
            for unit in range(4):
                sides = []
                for change in (1e-5, -1e-5):
                    moved = tuple(tensor.clone() for tensor in state)
                    moved[part][0, 0, unit] += change
                    sides.append(float(loss_from(network, batch.inputs[:, 8:], batch.labels, moved)))
                slopes.append((sides[0] - sides[1]) / 2e-5)
    assert found == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


def test_the_whole_length_by_default_and_the_mode_is_kept():
    network = network_for()
    network.train()
    assert len(gradient_norms(network, images().batch([0, 1]))) == 12
    assert network.training
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("reach", [0, 13])
def test_a_reach_that_is_none(reach):
    with pytest.raises(ValueError, match="from 1 to the shortest sequence's 12"):
        gradient_norms(network_for(), images().batch([0]), reach)


def test_gradients_need_labels():
    data = SequenceData("x", GREY, torch.zeros(1, 3, 1, dtype=torch.uint8))
    with pytest.raises(ValueError, match="labels"):
        gradient_norms(network_for(), data.batch([0]))


# Tokens ---------------------------------------------------------------------------------------------------------------

STEM = {"stem": "conv", "stride": 3, "kernel": 2}


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("length", [2, 99])
def test_a_perfect_memory_of_tokens_gives_the_image(monkeypatch, length, size):
    """12 pixels are 4 tokens, 14 are 5, of which the last is cut where the image ends."""
    spec = InputSpec("pixels", size, levels=7)
    for columns in (4, 5):
        network, data = network_for(spec, length=length, more=STEM), images(spec=spec, columns=columns)
        answer_with(monkeypatch, network.auxiliaries["reconstruct"], lambda segments: segments)
        found = memory_probe(network, data, images=2)
        originals = data.inputs[:2].reshape(2, 3, columns, size).squeeze(-1).numpy()
        assert found.errors == (0.0,) * len(found.distances)
        assert np.array_equal(found.originals, originals)
        assert np.array_equal(found.recalled[0][:, found.asked[0]], originals[:, found.asked[0]])
        assert found.asked[0].all()
        assert found.asked[0].shape == (3, columns)
        if length == 2 and columns == 4:
            assert found.distances == (0, 2)  # tokens
            assert [int(asked.sum()) for asked in found.asked] == [12, 6]
        shown, remembered = remembered_images(network, data, 2)
        assert np.array_equal(shown, originals)
        assert np.array_equal(remembered, originals)


def test_tokens_of_characters():
    text = SequenceData("text", InputSpec("characters", 5), [torch.randint(0, 5, (n,)) for n in (19, 22, 20)])
    found = memory_probe(network_for(text.spec, length=3, more=STEM), text)
    assert found.distances == (0, 3)
    assert all(0 <= error <= 1 for error in (*found.errors, *found.baseline))


def test_norms_over_tokens_against_a_loop():
    network = network_for(more=STEM).double()
    batch = SequenceData("x", GREY, images(count=3).inputs, torch.tensor([0, 1, 2]), ("a", "b", "c")).batch([0, 1, 2])
    found = gradient_norms(network, batch)
    network.eval()
    tokens = network.encoder.cut(batch).inputs
    expected = np.zeros(4)
    for row in range(3):
        for distance in range(1, 5):
            before, after = tokens[row : row + 1, : 4 - distance], tokens[row : row + 1, 4 - distance :]
            state = network.encoder(before)[1] if before.shape[1] else network.encoder.initial_state(after)
            leaf = map_state(lambda tensor: tensor.detach().requires_grad_(), state)
            gradients = torch.autograd.grad(
                loss_from(network, after, batch.labels[row : row + 1], leaf), state_tensors(leaf)
            )
            expected[distance - 1] += float(torch.cat([g.flatten() for g in gradients]).norm()) / 3
    assert found == pytest.approx(expected, rel=1e-9)


def test_no_norms_where_all_steps_are_read():
    with pytest.raises(ValueError, match="readout of the last output, got one of all steps"):
        gradient_norms(network_for(more={"readout": "stats"}), images().batch([0]))
