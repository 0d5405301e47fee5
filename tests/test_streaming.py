"""Streams: the same answer as the whole, however it is cut; what they refuse; how they go on elsewhere."""

import pytest
import torch
from torch import nn

from auxrnn.baselines.transformer import TransformerClassifier
from auxrnn.batch import InputSpec, as_batch
from auxrnn.encoder import Encoder
from auxrnn.errors import InputError
from auxrnn.model import SequenceClassifier
from auxrnn.streaming import Stream
from oracles import LearnedStartCore

PIXELS, CHARACTERS, VALUES = InputSpec("pixels", 2), InputSpec("characters", 5), InputSpec("values", 3)


def random_inputs(spec, batch, steps):
    generator = torch.Generator().manual_seed(1)
    if spec.kind == "characters":
        return torch.randint(0, spec.size, (batch, steps), generator=generator)
    if spec.kind == "pixels":
        return torch.randint(0, 256, (batch, steps, spec.size), dtype=torch.uint8, generator=generator)
    return torch.randn(batch, steps, spec.size, generator=generator)


def make_network(spec=PIXELS, cell="lstm", **options):
    torch.manual_seed(0)
    return SequenceClassifier(Encoder(spec, cell=cell, hidden_size=6, projection_size=4, **options), 3)


def whole(network, inputs):
    network.eval()
    with torch.no_grad():
        return torch.softmax(network(as_batch(inputs)), 1)


@pytest.mark.parametrize("spec", [PIXELS, CHARACTERS, VALUES], ids=lambda spec: spec.kind)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("layers", [1, 2])
def test_however_it_is_cut_the_answer_is_that_of_the_whole(spec, cell, layers):
    network = make_network(spec, cell, num_layers=layers)
    inputs = random_inputs(spec, 2, 300)
    stream = Stream(network.train(), 2)
    for piece in inputs.split([1, 1, 5, 0, 1, 140, 1, 151], dim=1):
        found = stream.push(piece)
        assert stream.steps > 0
        torch.testing.assert_close(found, whole(network, inputs[:, : stream.steps]), rtol=0, atol=1e-6)
    assert stream.steps == 300
    assert found.sum(1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("projection_size", [3, None])
def test_cores_of_ones_own_stream_too(projection_size):
    spec = InputSpec("values", 3)
    torch.manual_seed(0)
    network = SequenceClassifier(Encoder(spec, cell=LearnedStartCore(3, 5), projection_size=projection_size), 3)
    inputs = random_inputs(spec, 2, 9)
    stream = Stream(network, 2)
    for step in inputs.split(1, dim=1):
        found = stream.push(step)
    torch.testing.assert_close(found, whole(network, inputs), rtol=0, atol=1e-6)


def test_an_unanswered_advance_is_the_same_and_reset_begins_anew():
    network, inputs = make_network(), random_inputs(PIXELS, 1, 7)
    stream = Stream(network)
    stream.advance(inputs[:, :4])
    first = stream.push(inputs[:, 4:])
    stream.reset()
    assert stream.steps == 0
    with pytest.raises(InputError, match="at least one step before a question"):
        stream.push(inputs[:, :0])
    torch.testing.assert_close(stream.push(inputs), first)


def test_later_training_does_not_reach_into_a_stream():
    network, inputs = make_network(), random_inputs(PIXELS, 1, 5)
    before = Stream(network).push(inputs)
    stream = Stream(network)
    nn.init.zeros_(network.encoder.core.weight_hh_l0)
    assert torch.equal(stream.push(inputs), before)
    assert all(weight.requires_grad for weight in network.parameters())
    assert network.training


def test_goes_on_from_a_file(tmp_path):
    network, inputs = make_network(), random_inputs(PIXELS, 2, 9)
    first, second = Stream(network, 2), Stream(network, 2)
    first.save(tmp_path / "fresh.safetensors")
    first.advance(inputs[:, :4])
    first.save(tmp_path / "stream.safetensors")
    second.load(tmp_path / "stream.safetensors")
    assert second.steps == 4
    assert torch.equal(second.probabilities(), first.probabilities())
    assert torch.equal(second.push(inputs[:, 4:]), first.push(inputs[:, 4:]))
    second.load(tmp_path / "fresh.safetensors")
    assert second.steps == 0


def test_refuses_states_of_others(tmp_path):
    stream = Stream(make_network(), 2)
    stream.push(random_inputs(PIXELS, 2, 3))
    path = tmp_path / "stream.safetensors"
    stream.save(path)
    retrained = make_network()
    with torch.no_grad():
        next(retrained.parameters()).add_(1e-3)
    for other, message in (
        (Stream(make_network(), 1), "batch of 1"),
        (Stream(make_network(cell="gru"), 2), "that of another"),
        (Stream(retrained, 2), "of other weights"),
        (Stream(make_network(VALUES), 2), "of InputSpec"),
    ):
        with pytest.raises(InputError, match=message):
            other.load(path)
    with pytest.raises(InputError, match="found nothing"):
        stream.load(tmp_path / "none")
    path.write_bytes(b"no such thing")
    with pytest.raises(InputError, match="found something else"):
        stream.load(path)
    content = stream.state_dict()
    with pytest.raises(InputError, match=r"got .*state\.1"):
        Stream(make_network(cell="gru"), 2).load_state_dict(content)
    with pytest.raises(InputError, match="last output beside"):
        stream.load_state_dict({**content, "steps": torch.tensor(0)})
    with pytest.raises(InputError, match=r"last output of shape \(2, 6\)"):
        stream.load_state_dict({**content, "last": content["last"][:1]})


def test_refuses_what_it_cannot_read():
    stream = Stream(make_network(), 2)
    for chunk, message in (
        (torch.zeros(2, 5, dtype=torch.uint8), r"shape \(2, t, 2\), got \(2, 5\)"),
        (torch.zeros(1, 5, 2, dtype=torch.uint8), r"got \(1, 5, 2\)"),
        (torch.zeros(2, 5, 2), "whole numbers, got torch.float32"),
    ):
        with pytest.raises(InputError, match=message):
            stream.push(chunk)
    with pytest.raises(InputError, match="as floats"):
        Stream(make_network(VALUES)).push(torch.zeros(1, 2, 3, dtype=torch.int64))
    with pytest.raises(InputError, match="batch of 0"):
        Stream(make_network(), 0)
    with pytest.raises(InputError, match="recurrent network to stream to, got TransformerClassifier"):
        Stream(TransformerClassifier(PIXELS, 3, width=4, heads=2, layers=1))
