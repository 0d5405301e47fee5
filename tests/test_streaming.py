"""Streams: the same answer as the whole, however it is cut; what they refuse; how they go on elsewhere."""

import numpy as np
import pytest
import safetensors.torch
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
FEW = InputSpec("pixels", 1, levels=9)


def random_inputs(spec, batch, steps):
    generator = torch.Generator().manual_seed(1)
    if spec.kind == "characters":
        return torch.randint(0, spec.size, (batch, steps), generator=generator)
    if spec.kind == "pixels":
        return torch.randint(0, spec.levels, (batch, steps, spec.size), dtype=torch.uint8, generator=generator)
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


def spoiled(name, value):
    """A change of the state of a stream."""
    return lambda content: {**content, name: value(content[name])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoiled("state.0", lambda found: found * torch.nan), "a state of finite numbers"),
        (spoiled("state.1", lambda found: found + torch.inf), "a state of finite numbers"),
        (spoiled("state.0", lambda found: found[:, :1]), r"a state of shape \(1, 2, 6\)"),
        (spoiled("state.0", lambda found: found.double()), "type torch.float32, .*float64"),
        (spoiled("state.0", lambda found: found.tolist()), r"as tensors, got list as state\.0"),
        (spoiled("last", lambda found: found * torch.nan), "a last output of finite numbers"),
        (spoiled("last", lambda found: found[:, :2]), r"a last output of shape \(2, 6\)"),
        (spoiled("last", lambda found: found.half()), "type torch.float32, .*float16"),
        (spoiled("steps", lambda found: found + torch.inf), "steps as one whole number, .*float32"),
        (spoiled("steps", lambda found: found.repeat(2)), r"steps as one whole number, got \(2,\)"),
        (spoiled("steps", lambda found: -found), "beside a number of steps, got -3"),
    ],
)
def test_states_that_are_none_are_refused_and_change_nothing(tmp_path, change, message):
    stream = Stream(make_network(), 2)
    said = stream.push(random_inputs(PIXELS, 2, 3))
    with pytest.raises(InputError, match=message):
        stream.load_state_dict(change(stream.state_dict()))
    assert stream.steps == 3
    assert torch.equal(stream.probabilities(), said)


def rewritten(path, change, **notes):
    """Put changed tensors or notes into the file of a stream, as another program would."""
    with safetensors.safe_open(path, framework="pt") as file:
        about = file.metadata() | notes
        content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    safetensors.torch.save_file(change(content), path, about)


def test_a_file_that_was_changed_is_refused(tmp_path):
    stream = Stream(make_network(), 2)
    stream.push(random_inputs(PIXELS, 2, 3))
    path = tmp_path / "stream"
    stream.save(path, {"left": "1,2"})
    assert stream.load(path) == {"left": "1,2"}
    for change, notes in (
        (spoiled("state.0", lambda found: found + 1), {}),
        (spoiled("steps", lambda found: found + 1), {}),
        (dict, {"notes": '{"left": ""}'}),
        (dict, {"digest": ""}),
    ):
        stream.save(path, {"left": "1,2"})
        rewritten(path, change, **notes)
        with pytest.raises(InputError, match="expected the state of a stream as it was saved, found another digest"):
            stream.load(path)


@pytest.mark.parametrize(
    ("spec", "chunk", "message"),
    [
        (VALUES, torch.tensor([[[1.0, 0, 0], [torch.nan, 0, 0]]]), "finite values, got NaN or infinity"),
        (VALUES, torch.tensor([[[1.0, 0, 0], [torch.inf, 0, -torch.inf]]]), "finite values, got NaN or infinity"),
        (PIXELS, torch.tensor([[[1, 2], [8, 1000]]]), "pixels from 0 to 255, got 1000"),
        (PIXELS, torch.tensor([[[1, 2], [-1, 0]]]), "pixels from 0 to 255, got -1"),
        (FEW, torch.tensor([[[1], [9]]], dtype=torch.uint8), "pixels from 0 to 8, got 9"),
        (PIXELS, torch.ones(1, 2, 2, dtype=torch.complex64), "whole numbers, got torch.complex64"),
        (CHARACTERS, torch.tensor([[1, 5]]), "characters from 0 to 4, got 5"),
        (VALUES, np.zeros((1, 2, 3)), "a chunk as a tensor, got ndarray"),
    ],
)
def test_chunks_are_refused_whole(spec, chunk, message):
    network = make_network(spec)
    stream, inputs = Stream(network), random_inputs(spec, 1, 6)
    stream.advance(inputs[:, :3])
    for push in (stream.push, stream.advance):
        with pytest.raises(InputError, match=message):
            push(chunk)
    assert stream.steps == 3
    torch.testing.assert_close(stream.push(inputs[:, 3:]), whole(network, inputs), rtol=0, atol=1e-6)


def test_large_finite_values_are_no_infinity():
    Stream(make_network(VALUES)).advance(torch.full((1, 3, 3), 3e38))


def test_a_chunk_that_is_interrupted_leaves_the_stream_where_it_stood(monkeypatch):
    network, inputs = make_network(), random_inputs(PIXELS, 1, 300)
    stream, calls = Stream(network), []
    stream.advance(inputs[:, :2])
    plain = stream._encoder.forward

    def second_call_fails(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(*given)

    monkeypatch.setattr(stream._encoder, "forward", second_call_fails)
    with pytest.raises(KeyboardInterrupt):
        stream.advance(inputs[:, 2:])
    assert stream.steps == 2
    torch.testing.assert_close(stream.push(inputs[:, 2:]), whole(network, inputs), rtol=0, atol=1e-6)
