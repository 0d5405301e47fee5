"""The batched decoders against one segment at a time, one step at a time (`oracles`), in float64."""

from typing import Any

import pytest
import torch
from torch import Tensor

from auxrnn.core.batch import InputSpec
from auxrnn.core.decoders import PredictionDecoder, ReconstructionDecoder
from auxrnn.core.recurrent import select_rows
from oracles import assert_same, gradients, slow_generate, slow_reconstruction, slow_start, slow_tensors

H = 4
SPECS = {
    "pixels": InputSpec("pixels", 2, levels=5),
    "values": InputSpec("values", 2),
    "characters": InputSpec("characters", 6),
}


def make(kind: str = "pixels", state_sizes: tuple[int, ...] = (H, H), **options: Any) -> ReconstructionDecoder:
    options = {"hidden_size": H, "regulariser": "none", **options}
    return ReconstructionDecoder(SPECS[kind], list(state_sizes), **options).double()


def random_segment(kind: str, rows: int = 3, steps: int = 8) -> Tensor:
    spec = SPECS[kind]
    if kind == "values":
        return torch.randn(rows, steps, spec.size, dtype=torch.float64)
    if kind == "pixels":
        return torch.randint(spec.levels, (rows, steps, spec.size), dtype=torch.uint8)
    return torch.randint(spec.size, (rows, steps))


def random_state(cell: str = "lstm", layers: int = 1, rows: int = 3, size: int = H) -> Any:
    def one() -> Tensor:
        return torch.randn(layers, rows, size, dtype=torch.float64, requires_grad=True)

    return (one(), one()) if cell == "lstm" else one()


def key(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("truth_share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("unfed", ["model", "blank"])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("kind", SPECS)
def test_equals_the_slow_loop(kind: str, num_layers: int, unfed: str, truth_share: float) -> None:
    decoder = make(kind, unfed=unfed, num_layers=num_layers)
    segment, state = random_segment(kind), random_state()
    found = decoder(segment, state, truth_share, key())
    fed = torch.rand(3, 7, generator=key()) < truth_share
    fed[:, 0] = True  # the first step is given
    rows = [
        slow_reconstruction(decoder, segment[r], select_rows(state, torch.tensor([r])), fed[r].tolist())
        for r in range(3)
    ]
    expected = torch.stack(rows)
    assert_same([found], [expected])
    factor, tensors = torch.randn_like(found), [*state, *decoder.parameters()]
    assert_same(gradients((found * factor).sum(), tensors), gradients((expected * factor).sum(), tensors))


@pytest.mark.parametrize("cell", ["gru", "rnn"])
@pytest.mark.parametrize("truth_share", [0.3, 1.0])
def test_other_cells_equal_the_slow_loop(cell: str, truth_share: float) -> None:
    decoder, segment, state = make(state_sizes=(H,), cell=cell), random_segment("pixels"), random_state(cell)
    assert decoder.state_map is None
    fed = torch.rand(3, 7, generator=key()) < truth_share
    fed[:, 0] = True
    rows = [slow_reconstruction(decoder, segment[r], state[:, r : r + 1], fed[r].tolist()) for r in range(3)]
    assert_same([decoder(segment, state, truth_share, key())], [torch.stack(rows)])


def test_bottom_layer_starts_from_the_anchor_and_upper_ones_from_zeros() -> None:
    hidden, cell = random_state()
    for found, given in zip(make(num_layers=3).start_state((hidden, cell)), (hidden, cell), strict=True):
        assert torch.equal(found[0], given[0])
        assert not found[1:].any()
        assert found.shape == (3, 3, H)


def test_a_deep_encoder_hands_over_its_top_layer() -> None:
    state = random_state(layers=2)
    for found, given in zip(make().start_state(state), state, strict=True):
        assert torch.equal(found[0], given[1])


@pytest.mark.parametrize(
    ("cell", "state_sizes"), [("lstm", (3, 3)), ("lstm", (H,)), ("gru", (H, H)), ("lstm", (H, H, 2)), ("rnn", (7,))]
)
def test_states_of_other_sizes_go_through_a_learned_map(cell: str, state_sizes: tuple[int, ...]) -> None:
    decoder = make(state_sizes=state_sizes, cell=cell)
    assert decoder.state_map is not None
    state = tuple(torch.randn(1, 3, size, dtype=torch.float64, requires_grad=True) for size in state_sizes)
    for r in range(3):
        found = slow_tensors(select_rows(decoder.start_state(state), torch.tensor([r])))
        assert_same(found, slow_tensors(slow_start(decoder, select_rows(state, torch.tensor([r])))))
    outputs = decoder(random_segment("pixels"), state, 1.0)
    tensors = [*state, decoder.state_map.weight, decoder.state_map.bias]
    assert all(gradient.any() for gradient in gradients(outputs.square().sum(), tensors))


# Gradient paths -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unfed", ["model", "blank"])
@pytest.mark.parametrize("truth_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_every_output_position_reaches_the_anchor(unfed: str, truth_share: float, num_layers: int) -> None:
    """The whole decoder is connected to the encoder: position by position, in the first half and in the second."""
    decoder, state = make(unfed=unfed, num_layers=num_layers), random_state()
    outputs = decoder(random_segment("pixels", steps=13), state, truth_share, key())
    assert outputs.shape[1] == 12
    for position in range(12):
        for part in gradients(outputs[:, position].square().sum(), state):
            assert (part != 0).all(), f"output {position} does not reach the anchor's state"


def test_each_row_reaches_its_own_anchor_alone() -> None:
    decoder, state = make(), random_state()
    outputs = decoder(random_segment("pixels"), state, 0.5, key())
    for part in gradients(outputs[1].square().sum(), state):
        assert part[0].any(-1).tolist() == [False, True, False]


@pytest.mark.parametrize("kind", SPECS)
def test_every_parameter_gets_a_gradient_the_output_bias_at_every_element(kind: str) -> None:
    decoder, segment = make(kind, state_sizes=(3,)), random_segment(kind)
    outputs = decoder(segment, torch.randn(1, 3, 3, dtype=torch.float64), 0.5, key())
    decoder.head.loss(outputs, segment[:, 1:]).sum().backward()
    for name, weight in decoder.named_parameters():
        assert weight.requires_grad, name
        assert weight.grad is not None, name
        assert weight.grad.any(), name
    assert (decoder.head.net.second.bias.grad != 0).all()


def test_outputs_do_not_see_what_they_are_to_say() -> None:
    """Output t speaks of step t + 1: it depends on the steps up to t and on none behind it."""
    decoder, state, segment = make("values"), random_state(), random_segment("values").requires_grad_()
    for truth_share in (1.0, 0.5):
        outputs = decoder(segment, state, truth_share, key(1))
        for t in range(7):
            (back,) = gradients(outputs[:, t].sum(), [segment])
            assert not back[:, t + 1 :].any()
            assert back[:, 0].any()


# Feeding --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unfed", ["model", "blank"])
def test_with_share_one_all_true_inputs_count(unfed: str) -> None:
    decoder, state, segment = make(unfed=unfed), random_state(), random_segment("pixels")
    first = decoder(segment, state, 1.0, key())
    assert torch.equal(first, decoder(segment, state, 1.0, key(1)))
    for t in range(1, 7):
        other = segment.clone()
        other[:, t] = (other[:, t] + 1) % 5
        assert not torch.equal(decoder(other, state, 1.0)[:, t], first[:, t])


@pytest.mark.parametrize("unfed", ["model", "blank"])
def test_with_share_zero_the_first_step_is_given(unfed: str) -> None:
    decoder, state, segment = make(unfed=unfed), random_state(), random_segment("pixels")
    first = decoder(segment, state, 0.0, key())
    other = segment.clone()
    other[:, 0] = (other[:, 0] + 1) % 5
    assert not torch.equal(decoder(other, state, 0.0, key())[:, 0], first[:, 0])


def test_with_share_zero_and_blanks_no_later_input_counts() -> None:
    decoder, state, segment = make(unfed="blank"), random_state(), random_segment("pixels")
    other = segment.clone()
    other[:, 1:] = (other[:, 1:] + 1) % 5
    assert torch.equal(decoder(segment, state, 0.0, key()), decoder(other, state, 0.0, key()))


@pytest.mark.parametrize("unfed", ["model", "blank"])
def test_the_share_and_the_seed_matter(unfed: str) -> None:
    decoder, state, segment = make(unfed=unfed), random_state(), random_segment("pixels", steps=40)

    def run(truth_share: float, seed: int) -> Tensor:
        return decoder(segment, state, truth_share, key(seed))

    assert torch.equal(run(0.5, 0), run(0.5, 0))
    assert not torch.equal(run(0.5, 0), run(0.5, 1))
    assert torch.equal(run(0.0, 0), run(0.0, 1))
    assert not torch.equal(run(0.0, 0), run(0.5, 0))
    assert not torch.equal(run(0.5, 0), run(1.0, 0))


def test_the_share_of_true_inputs_is_the_one_asked_for() -> None:
    decoder, segment = make("values", unfed="blank"), torch.ones(50, 101, 2, dtype=torch.float64)
    fed: list[Tensor] = []
    decoder.core.register_forward_pre_hook(lambda _, args: fed.append(args[0][..., 0]))
    decoder(segment, random_state(rows=50), 0.3, key())  # features and flag alike, for inputs of 1
    assert set(fed[0].unique().tolist()) == {0.0, 1.0}
    assert fed[0][:, 0].all()
    assert float(fed[0][:, 1:].mean()) == pytest.approx(0.3, abs=0.03)  # 4,950 draws: standard deviation 0.0065


def test_a_blank_differs_from_a_true_zero() -> None:
    decoder, state, zeros = make("values", unfed="blank"), random_state(), torch.zeros(3, 8, 2, dtype=torch.float64)
    assert not torch.equal(decoder(zeros, state, 0.0, key())[:, 1:], decoder(zeros, state, 1.0, key())[:, 1:])


def test_the_share_changes_nothing_of_what_is_drawn_later() -> None:
    """One generator serves several losses of a step, so it moves on by the same numbers at every share."""
    states = []
    for truth_share in (0.0, 0.5, 1.0):
        for unfed in ("model", "blank"):
            generator = key()
            make(unfed=unfed)(random_segment("pixels"), random_state(), truth_share, generator)
            states.append(generator.get_state())
    assert all(torch.equal(state, states[0]) for state in states)


@pytest.mark.parametrize("unfed", ["model", "blank"])
@pytest.mark.parametrize("kind", SPECS)
def test_what_is_remembered_equals_the_slow_loop(kind: str, unfed: str) -> None:
    decoder, state, segment = make(kind, unfed=unfed), random_state(), random_segment(kind)
    found = decoder.generate(segment[:, :1], state, 7)
    rows = [slow_generate(decoder, segment[r, 0], select_rows(state, torch.tensor([r])), 7) for r in range(3)]
    assert not found.requires_grad
    assert found.shape == segment[:, 1:].shape
    assert_same([found], [torch.stack(rows).detach()])
    if unfed == "blank":  # nothing said is heard, so it is what the training pass says with no true inputs
        assert_same([found], [decoder.head.best(decoder(segment, state, 0.0, key())).detach()])


def test_the_first_of_two_passes_leaves_no_graph() -> None:
    decoder = make("values", unfed="model")
    carried: list[bool] = []
    decoder.core.register_forward_pre_hook(lambda *_: carried.append(torch.is_grad_enabled()))
    decoder(random_segment("values"), random_state(), 0.5, key())
    assert carried == [False, True]


def test_the_first_pass_says_no_more_than_is_withheld() -> None:
    decoder, segment = make("pixels"), random_segment("pixels")  # three rows of eight steps, seven of them given
    steps: list[int] = []
    rows: list[int] = []
    decoder.core.register_forward_pre_hook(lambda _, given: steps.append(given[0].shape[1]))
    decoder.head.register_forward_pre_hook(lambda _, given: rows.append(given[0].shape[:-1].numel()))
    chances = torch.zeros(3, 7)
    chances[0, 2] = chances[2, 3] = chances[1, 0] = 0.9  # the first step is given whatever its number says
    decoder(segment, random_state(), 0.5, chances=chances)
    assert (steps, rows) == ([3, 7], [2, 21])
    steps.clear()
    decoder(segment, random_state(), 0.95, chances=chances)
    assert steps == [7]  # all are fed: one pass


@pytest.mark.parametrize("unfed", ["model", "blank"])
@pytest.mark.parametrize("truth_share", [0.0, 1.0])
def test_a_segment_of_two_steps_has_one_token(unfed: str, truth_share: float) -> None:
    segment = random_segment("pixels", steps=2)
    assert make(unfed=unfed)(segment, random_state(), truth_share, key()).shape == (3, 1, 2, 5)


def test_half_precision_leaves_no_parameter_without_gradient() -> None:
    """Weights cast without gradient in the first of the two passes must not serve the second."""
    decoder = make(state_sizes=(3,), cell="lstm").float()
    try:
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            decoder(random_segment("pixels"), torch.randn(1, 3, 3), 1.0)
    except RuntimeError as error:
        pytest.skip(f"no bfloat16 LSTM on this CPU: {error}")
    with torch.autocast("cpu", torch.bfloat16):
        outputs = decoder(random_segment("pixels"), torch.randn(1, 3, 3), 0.5, key())
    outputs.float().square().sum().backward()
    assert {
        name for name, weight in decoder.named_parameters() if weight.grad is None or not weight.grad.any()
    } == set()


def test_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="unfed of model, blank, got 'zeros'"):
        make(unfed="zeros")
    with pytest.raises(ValueError, match="at least one decoder layer"):
        make(num_layers=0)


# Prediction -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_prediction_equals_a_stacked_net_from_zeros_step_by_step(cell: str, num_layers: int) -> None:
    decoder = PredictionDecoder(
        SPECS["pixels"], 3, cell=cell, hidden_size=H, num_layers=num_layers, regulariser="none"
    ).double()
    outputs = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    rows = []
    for row in outputs:
        state, said = None, []
        for step in row:
            hidden, state = decoder.core(step.view(1, 1, -1), state)
            said.append(decoder.head(hidden[0, 0]))
        rows.append(torch.stack(said))
    found, expected = decoder(outputs), torch.stack(rows)
    assert found.shape == (2, 6, 2, 5)
    tensors, factor = [outputs, *decoder.parameters()], torch.randn_like(found)
    assert_same([found], [expected])
    assert_same(gradients((found * factor).sum(), tensors), gradients((expected * factor).sum(), tensors))


def test_prediction_reaches_every_step_up_to_its_own() -> None:
    decoder = PredictionDecoder(SPECS["values"], 3, hidden_size=H, regulariser="none").double()
    outputs = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    said = decoder(outputs)
    for t in range(6):
        (back,) = gradients(said[:, t].square().sum(), [outputs])
        assert back[:, : t + 1].any(-1).all()
        assert not back[:, t + 1 :].any()


def test_prediction_refuses_fewer_than_no_layers() -> None:
    with pytest.raises(ValueError, match="at least 0 decoder layers"):
        PredictionDecoder(SPECS["values"], 3, num_layers=-1)


def test_refuse_a_cell_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"cell of lstm, gru, rnn, got 'ltsm'\. Did you mean 'lstm'"):
        ReconstructionDecoder(SPECS["values"], [3], cell="ltsm")
    with pytest.raises(ValueError, match="cell of lstm, gru, rnn, got 'cnn'"):
        PredictionDecoder(SPECS["values"], 3, cell="cnn")
