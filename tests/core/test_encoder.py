import pytest
import torch
from torch import Tensor, nn

from auxrnn.core.batch import InputSpec
from auxrnn.core.encoder import CELLS, Encoder, StepFeatures, core_sizes, top_state
from auxrnn.core.recurrent import state_tensors
from oracles import LearnedStartCore, NestedCore, assert_same, gradients

VALUES = InputSpec("values", 3)


def random_values() -> Tensor:
    return torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("given", [False, True], ids=["from zeros", "from a state"])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_folded_projection_equals_projection_and_core(cell: str, num_layers: int, given: bool) -> None:
    encoder = Encoder(VALUES, cell=cell, hidden_size=4, projection_size=5, num_layers=num_layers).double()
    inputs = random_values()
    assert encoder.projection is not None
    state = None
    if given:
        hidden = torch.randn(num_layers, 2, 4, dtype=torch.float64)
        state = (hidden, torch.randn_like(hidden)) if cell == "lstm" else hidden
    found, last = encoder(inputs, state)
    expected, expected_last = encoder.core(encoder.projection(inputs), state)
    assert type(last) is type(expected_last)
    assert_same([found, *state_tensors(last)], [expected, *state_tensors(expected_last)])
    factor, tensors = torch.randn_like(found), [inputs, *encoder.parameters()]
    names = ["inputs", *(name for name, _ in encoder.named_parameters())]
    fast = gradients((found * factor).sum() + state_tensors(last)[0].sum(), tensors)
    slow = gradients((expected * factor).sum() + state_tensors(expected_last)[0].sum(), tensors)
    assert_same(fast, slow, names)
    assert all(gradient.any() for gradient in fast)


@pytest.mark.parametrize("projection_size", [None, 5])
@pytest.mark.parametrize("cell", CELLS)
def test_settled_is_the_same_without_gradient(cell: str, projection_size: int | None) -> None:
    encoder = Encoder(VALUES, cell=cell, hidden_size=4, projection_size=projection_size).double()
    inputs, fixed = random_values().detach(), encoder.settled()
    (expected, state), (found, other) = encoder(inputs), fixed(inputs, None)
    assert_same([found, *state_tensors(other)], [expected, *state_tensors(state)])
    with torch.no_grad():
        assert_same([fixed(inputs, state)[0]], [encoder(inputs, state)[0]])
        if projection_size is not None:
            encoder.projection.weight.zero_()  # what was settled stays
            assert_same([fixed(inputs, None)[0]], [expected])


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(
    "core",
    [
        nn.LSTM(5, 4, batch_first=True, bias=False),
        nn.LSTM(5, 4, 2, batch_first=True, proj_size=3),
        nn.RNN(5, 4, batch_first=True, nonlinearity="relu"),
        nn.LSTM(5, 4, 2, batch_first=True, dropout=0.5).eval(),
        NestedCore(5, 4),
        LearnedStartCore(5, 4),
    ],
    ids=["no bias", "hidden projection", "relu", "dropout", "own", "own start"],
)
def test_a_core_of_your_own(core: nn.Module) -> None:
    encoder = Encoder(VALUES, cell=core, projection_size=5).double()
    inputs = random_values()
    assert encoder.projection is not None
    (found, last), (expected, expected_last) = encoder(inputs), core(encoder.projection(inputs))
    assert_same([found, *state_tensors(last)], [expected, *state_tensors(expected_last)])
    tensors = [inputs, *encoder.projection.parameters()]
    assert_same(gradients(found.sum(), tensors), gradients(expected.sum(), tensors))
    start = encoder.initial_state(inputs)
    assert_same([encoder(inputs, start)[0]], [found])  # None means the core's own start


def test_dropout_between_layers_is_on_in_training_alone() -> None:
    encoder = Encoder(VALUES, cell=nn.LSTM(5, 4, 2, batch_first=True, dropout=0.5), projection_size=5)
    inputs = torch.randn(2, 6, 3)
    assert not torch.equal(encoder(inputs)[0], encoder(inputs)[0])
    encoder.eval()
    assert torch.equal(encoder(inputs)[0], encoder(inputs)[0])


def test_without_projection_the_core_reads_the_features() -> None:
    encoder = Encoder(VALUES, hidden_size=4, projection_size=None)
    inputs = torch.randn(2, 6, 3)
    assert encoder.projection is None
    assert torch.equal(encoder(inputs)[0], encoder.core(inputs)[0])


@pytest.mark.parametrize("projection_size", [5, None])
def test_characters_are_embedded(projection_size: int | None) -> None:
    encoder = Encoder(InputSpec("characters", 7), hidden_size=4, projection_size=projection_size)
    inputs = torch.randint(7, (2, 6))
    table = encoder.features.embedding
    assert table is not None
    assert table.weight.shape == (7, projection_size or 4)
    assert encoder.projection is None
    outputs, _ = encoder(inputs)
    assert torch.equal(outputs, encoder.core(table.weight[inputs])[0])
    outputs.sum().backward()
    assert table.weight.grad is not None
    assert set(table.weight.grad.any(1).nonzero().flatten().tolist()) == set(inputs.flatten().tolist())


def test_all_256_grey_levels_are_distinct_features_from_0_to_1() -> None:
    features = StepFeatures(InputSpec("pixels", 1), 9)
    found = features(torch.arange(256, dtype=torch.uint8).view(1, 256, 1)).flatten()
    assert features.size == 1
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.arange(256, dtype=torch.float32) / 255)
    assert len(found.unique()) == 256
    assert (found[0], found[-1]) == (0, 1)


def test_fewer_levels_fill_the_same_range() -> None:
    features = StepFeatures(InputSpec("pixels", 2, levels=17), 9)
    found = features(torch.tensor([[[0, 16]]], dtype=torch.uint8))
    assert found.tolist() == [[[0, 1]]]


@pytest.mark.parametrize("kind", ["pixels", "values"])
def test_features_follow_the_type_of_the_weights_and_leave_no_trace_in_a_saved_model(kind: str) -> None:
    encoder = Encoder(InputSpec(kind, 2), hidden_size=4, projection_size=3)  # type: ignore[arg-type]
    assert set(encoder.state_dict()) == {name for name, _ in encoder.named_parameters()}
    assert encoder(encoder.example())[0].dtype == torch.float32
    encoder.double()
    assert encoder(encoder.example())[0].dtype == torch.float64


def test_top_state_gives_the_last_layer_of_each_tensor() -> None:
    hidden, cell, flat, scalar = torch.randn(2, 5, 3), torch.randn(1, 5, 4), torch.randn(5, 6), torch.randn(5)
    found = top_state(((hidden, cell), flat, scalar))
    for one, expected in zip(found, [hidden[1], cell[0], flat, scalar.unsqueeze(1)], strict=True):
        assert torch.equal(one, expected)
    outputs, state = nn.LSTM(3, 4, 2, batch_first=True)(torch.randn(5, 2, 3))
    torch.testing.assert_close(top_state(state)[0], outputs[:, -1])  # of torch's LSTM the top is the output


@pytest.mark.parametrize("kind", ["pixels", "values", "characters"])
def test_core_sizes(kind: str) -> None:
    encoder = Encoder(InputSpec(kind, 3), hidden_size=4, num_layers=2)  # type: ignore[arg-type]
    assert core_sizes(encoder, encoder.example()) == (4, [4, 4])
    assert core_sizes(NestedCore(3, 4), torch.zeros(1, 1, 3)) == (4, [4, 4, 3])


def test_refuses_unknown_cells_and_modules_that_are_no_cores() -> None:
    with pytest.raises(ValueError, match="cell of lstm, gru, rnn, lru, mingru, ur-lstm, got 'lsmt'"):
        Encoder(VALUES, cell="lsmt")
    with pytest.raises(ValueError, match="batch_first=True"):
        Encoder(VALUES, cell=nn.LSTM(128, 4))
