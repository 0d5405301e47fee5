"""Streams: the same answer as the whole, however it is cut; what they refuse; how they go on elsewhere."""

import copy
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from auxrnn.core.baselines.transformer import TransformerClassifier
from auxrnn.core.batch import InputSpec, as_batch
from auxrnn.core.encoder import Encoder
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.stems import ConvStem, LogMelStem
from auxrnn.errors import InputError
from auxrnn.targets import ClassesTarget, TagsTarget, ValueTarget
from auxrnn.use.streaming import Stream, _named
from oracles import LearnedStartCore, NestedCore

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
        (Stream(make_network(VALUES), 2), "of values as this model reads"),
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
        (spoiled("steps", lambda found: found + (2**63 - 4)), "beside a number of steps, got 9223372036854775807"),
        (spoiled("state.0", torch.Tensor.to_sparse), r"state of a stream, state\.0: expected dense numbers"),
        (spoiled("steps", lambda found: found.to("meta")), "device meta"),
        (sorted, "tensors by name, got list"),
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
        (VALUES, torch.ones(1, 2, 3).to_sparse(), "chunk: expected dense numbers"),
        (PIXELS, torch.zeros(1, 2, 2, dtype=torch.uint8, device="meta"), "chunk: expected numbers, .*device meta"),
        (VALUES, torch.ones(1, 2, 3).to(torch.float8_e4m3fn), "values as floats, got torch.float8_e4m3fn"),
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


# Stems and readouts ---------------------------------------------------------------------------------------------------

READOUTS = ("last", "stats", "stats-max")
CORES = {
    "lstm": lambda size: "lstm",
    "gru": lambda size: "gru",
    "rnn": lambda size: "rnn",
    "learned start": lambda size: LearnedStartCore(size, 6),
    "nested state": lambda size: NestedCore(size, 6),
}
PIECES = {
    "one by one": [1] * 41,
    "odd": [1, 4, 0, 7, 2, 13, 3, 11],
    "nothing first": [0, 5, 36],
    "whole": [41],
}


def reading_network(spec=VALUES, cell="lstm", *, stem="none", readout="last", stride=4, kernel=3, target=3, size=4):
    """With weights of a size that lets answers differ."""
    torch.manual_seed(0)
    own = None
    if stem == "conv":
        own = ConvStem(spec, size, stride=stride, kernel=kernel, embedding_size=3)
    if stem == "logmel":
        own = LogMelStem(spec, size, rate=400, bands=3)  # frames of 10 steps, every 4
    options = {"hidden_size": 6, "projection_size": size, "stem": own, "residual": size == 6 and own is not None}
    network = SequenceClassifier(Encoder(spec, cell=CORES[cell](size), **options), target, readout=readout)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0 if weight.dim() > 1 else 1.0)
    return network


def answers(network, inputs):
    network.eval()
    with torch.no_grad():
        return network.target.shares(network(as_batch(inputs)))


@pytest.mark.parametrize("cell", CORES)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("stem", ["none", "conv", "logmel"])
def test_at_any_moment_the_answer_is_that_of_what_has_been_read(stem, readout, cell):
    network = reading_network(cell=cell, stem=stem, readout=readout)
    inputs = random_inputs(VALUES, 2, 41)
    expected = [answers(network, inputs[:, :steps]) for steps in range(1, 42)]
    assert float((expected[-1] - expected[20]).abs().max()) > 1e-3
    for pieces in PIECES.values():
        stream = Stream(network, 2)
        for piece in inputs.split(pieces, dim=1):
            stream.advance(piece)
            if stream.steps:
                found = stream.probabilities()
                torch.testing.assert_close(found, expected[stream.steps - 1], rtol=0, atol=1e-6)
                assert torch.equal(stream.probabilities(), found)  # a question changes nothing
        assert stream.steps == 41


def test_an_answer_at_any_moment_with_a_residual():
    network = reading_network(stem="conv", readout="stats-max", size=6)
    assert network.encoder.residual
    inputs = random_inputs(VALUES, 2, 41)
    for pieces in (1, 7):  # one finished token a piece, and several
        stream = Stream(network, 2)
        for piece in inputs.split(pieces, dim=1):
            stream.advance(piece)
            expected = answers(network, inputs[:, : stream.steps])
            torch.testing.assert_close(stream.probabilities(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("stride", [1, 3, 8])
@pytest.mark.parametrize("kernel", [1, 4])
@pytest.mark.parametrize("spec", [PIXELS, CHARACTERS, VALUES], ids=lambda spec: spec.kind)
def test_tokens_of_every_kind_and_size(spec, kernel, stride):
    network = reading_network(spec, stem="conv", readout="stats-max", stride=stride, kernel=kernel)
    inputs = random_inputs(spec, 2, 41)
    stream = Stream(network, 2)
    for piece in inputs.split(PIECES["odd"], dim=1):
        found = stream.push(piece)
        torch.testing.assert_close(found, answers(network, inputs[:, : stream.steps]), rtol=0, atol=1e-6)
        recent = stream.state_dict()["recent"]
        assert recent.shape[1] == kernel * stride - 1
        assert recent.dtype == inputs.dtype


@pytest.mark.parametrize("readout", READOUTS)
def test_pieces_longer_than_what_is_read_at_once(readout):
    network = reading_network(stem="conv", readout=readout)
    inputs = random_inputs(VALUES, 1, 1351)
    stream = Stream(network)
    for piece in inputs.split([3, 1203, 145], dim=1):
        found = stream.push(piece)
        torch.testing.assert_close(found, answers(network, inputs[:, : stream.steps]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("target", [ClassesTarget(("a", "b", "c")), ValueTarget(("x", "y"), (3.0, -1.0), (2.0, 0.5))])
@pytest.mark.parametrize("readout", READOUTS)
def test_several_classes_and_values(readout, target):
    network = reading_network(stem="conv", readout=readout, target=target)
    inputs = random_inputs(VALUES, 2, 41)
    stream = Stream(network, 2)
    for piece in inputs.split(PIECES["odd"], dim=1):
        found = stream.push(piece)
        torch.testing.assert_close(found, answers(network, inputs[:, : stream.steps]), rtol=0, atol=1e-6)


def test_a_tag_a_step_with_a_stem_of_stride_1():
    network = reading_network(stem="conv", stride=1, target=TagsTarget(("a", "b")))
    inputs = random_inputs(VALUES, 2, 300)
    stream = Stream(network, 2)
    found = torch.cat([stream.push(piece) for piece in inputs.split([1, 0, 7, 290, 2], dim=1)], dim=1)
    torch.testing.assert_close(found, answers(network, inputs), rtol=0, atol=1e-6)
    torch.testing.assert_close(stream.probabilities(), found[:, -1])


@pytest.mark.parametrize("cell", ["lstm", "nested state"])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("stem", ["none", "conv"])
def test_every_stand_goes_on_from_a_file(tmp_path, stem, readout, cell):
    network = reading_network(cell=cell, stem=stem, readout=readout)
    inputs = random_inputs(VALUES, 2, 11)
    for steps in range(12):  # before the first token, within one, and at its end
        first, second = Stream(network, 2), Stream(network, 2)
        second.advance(inputs[:, :5])  # of another length of what is kept
        first.advance(inputs[:, :steps])
        first.save(tmp_path / "stream.safetensors")
        second.load(tmp_path / "stream.safetensors")
        assert second.steps == steps
        rest = torch.cat([inputs[:, steps:], inputs], dim=1)
        assert torch.equal(second.push(rest), first.push(rest))
        torch.testing.assert_close(
            second.probabilities(), answers(network, torch.cat([inputs, inputs], dim=1)), rtol=0, atol=1e-6
        )


def test_a_state_of_another_readout_or_stem_is_refused():
    inputs = random_inputs(VALUES, 1, 6)
    contents = {}
    for stem in ("none", "conv"):
        for readout in READOUTS:
            stream = Stream(reading_network(stem=stem, readout=readout))
            stream.advance(inputs)
            contents[stem, readout] = stream.state_dict()
    for own, mine in contents.items():
        stream = Stream(reading_network(stem=own[0], readout=own[1]))
        for other, content in contents.items():
            if other != own:
                with pytest.raises(InputError, match=r"Expected the (state of a stream with|last output)"):
                    stream.load_state_dict(content)
        stream.load_state_dict(mine)
        assert stream.steps == 6
    content = contents["conv", "stats-max"]
    for name, message in (
        ("recent", r"tensor of the last steps of shape \(1, 11, 3\)"),
        ("squares", r"sum of squares of shape \(1, 6\) and type torch.float64"),
    ):
        with pytest.raises(InputError, match=message):
            stream.load_state_dict({**content, name: content[name][:, 1:]})
    for name, message in (
        ("recent", "a tensor of the last steps of finite numbers"),
        ("total", "a sum of finite numbers"),
        ("squares", "a sum of squares of finite numbers"),
        ("greatest", "a greatest output of finite numbers"),
    ):
        with pytest.raises(InputError, match=message):
            stream.load_state_dict({**content, name: content[name] * torch.nan})
    assert stream.steps == 6


@pytest.mark.parametrize(
    ("spec", "change", "message"),
    [
        (CHARACTERS, 5, "last steps from -1 to 4, got 5"),
        (CHARACTERS, -2, "last steps from -1 to 4, got -2"),
        (FEW, 9, "last steps from 0 to 8, got 9"),
    ],
)
def test_last_steps_that_are_none_are_refused(spec, change, message):
    stream = Stream(reading_network(spec, stem="conv"))
    content = stream.state_dict()
    stream.load_state_dict(content)
    with pytest.raises(InputError, match=message):
        stream.load_state_dict({**content, "recent": torch.full_like(content["recent"], change)})


def test_outputs_that_hardly_change_have_the_same_deviation_as_on_the_whole():
    """A variance is a small difference of large numbers: in float32 the deviation of such outputs would be noise."""
    network = reading_network(cell="rnn", readout="stats")
    with torch.no_grad():
        network.encoder.core.weight_ih_l0.mul_(1e-4)
        network.encoder.core.weight_hh_l0.zero_()
        network.encoder.core.bias_ih_l0.fill_(1.0)
        network.supervised.head.second.weight.mul_(30.0)
    inputs = random_inputs(VALUES, 2, 300)
    exact = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        outputs, _ = exact.encoder(inputs.double())
        read = torch.cat([outputs.mean(1), outputs.std(1, correction=0).clamp(min=1e-4)], dim=1)
        expected = torch.softmax(exact.supervised.head(exact.supervised.readout.norm(read)), 1)
    stream = Stream(network, 2)
    for piece in inputs.split([1] * 50 + [250], dim=1):
        found = stream.push(piece)
    torch.testing.assert_close(found, answers(network, inputs), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


def test_a_stream_is_pickled_with_where_it_stands():
    network, inputs = reading_network(stem="conv", readout="stats-max"), random_inputs(VALUES, 1, 11)
    stream = Stream(network)
    stream.advance(inputs[:, :6])
    other = pickle.loads(pickle.dumps(stream))
    torch.testing.assert_close(other.push(inputs[:, 6:]), answers(network, inputs), rtol=0, atol=1e-6)


def test_a_chunk_of_tokens_that_is_interrupted_leaves_the_stream_where_it_stood(monkeypatch):
    network, inputs = reading_network(stem="conv", readout="stats-max"), random_inputs(VALUES, 1, 1200)
    stream, calls = Stream(network), []
    stream.advance(inputs[:, :6])
    plain = stream._encoder.forward

    def second_call_fails(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(*given)

    monkeypatch.setattr(stream._encoder, "forward", second_call_fails)
    with pytest.raises(KeyboardInterrupt):
        stream.push(inputs[:, 6:])
    assert stream.steps == 6
    torch.testing.assert_close(stream.push(inputs[:, 6:]), answers(network, inputs), rtol=0, atol=1e-6)


def test_what_is_kept_does_not_grow():
    stream = Stream(reading_network(stem="conv", readout="stats-max"))
    sizes = []
    for _ in range(3):
        stream.advance(random_inputs(VALUES, 1, 400))
        kept = _named(stream._standing).values()
        sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in kept))
    assert sizes[0] == sizes[1] == sizes[2] < 2000
