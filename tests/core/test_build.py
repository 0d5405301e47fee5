import dataclasses
import math
import re
from typing import Any

import pytest
import torch
from torch import nn

from auxrnn.config import MODELS, OWN_CORE, AuxiliaryConfig, ModelConfig, TransformerConfig
from auxrnn.core.anchors import step_generator
from auxrnn.core.baselines.urnn import UnitaryRNN
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.build import _network, build_model
from auxrnn.core.objectives import Prediction, Reconstruction
from auxrnn.errors import InputError, is_full_memory

SPEC = InputSpec("pixels", 1)


def build(longest: int | None = 20, **settings: Any) -> Any:
    config = ModelConfig(**{"hidden_size": 8, "projection_size": 5, "segment_length": 7, **settings})
    return build_model(config, SPEC, 3, longest)


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        ("lstm", {}),
        ("r-lstm", {"reconstruct": Reconstruction}),
        ("p-lstm", {"predict": Prediction}),
        ("rp-lstm", {"reconstruct": Reconstruction, "predict": Prediction}),
        ("sa-lstm", {"reconstruct": Reconstruction}),
        ("lm-lstm", {"predict": Prediction}),
    ],
)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_every_model_by_name_with_every_cell_takes_a_step(model: str, kinds: dict[str, type], cell: str) -> None:
    net = build(model=model, cell=cell)
    assert {name: type(objective) for name, objective in net.auxiliaries.items()} == kinds
    batch = SequenceBatch(
        torch.randint(256, (2, 20, 1), dtype=torch.uint8), torch.tensor([20, 9]), torch.tensor([0, 2])
    )
    losses = net.losses(batch, ["supervised", *kinds], 0.5, step_generator(0))
    sum(loss.mean for loss in losses.values()).backward()
    assert all(weight.grad is not None for weight in net.parameters())


def test_the_papers_model_has_the_papers_sizes() -> None:
    """Projection 1 -> 128, LSTM 128, head 256 units, decoder LSTM of two layers from the state as it is."""
    net = build_model(ModelConfig(), SPEC, 10)
    sizes = {name: tuple(weight.shape) for name, weight in net.named_parameters()}
    assert sizes["encoder.projection.weight"] == (128, 1)
    assert sizes["encoder.core.weight_ih_l0"] == (4 * 128, 128)
    assert sizes["supervised.head.first.weight"] == (256, 128)
    assert sizes["supervised.head.second.weight"] == (10, 256)
    decoder = net.auxiliaries["reconstruct"].decoder
    assert (decoder.core.num_layers, decoder.core.hidden_size, decoder.state_map) == (2, 128, None)
    assert sizes["auxiliaries.reconstruct.decoder.head.net.second.weight"] == (256, 256)


def test_every_setting_arrives() -> None:
    aux = AuxiliaryConfig(
        bptt=3,
        placement="distant",
        order="reversed",
        reach="bptt",
        target="squared",
        unfed="blank",
        decoder_layers=3,
        decoder_hidden_size=6,
    )
    net = build(model="rp-lstm", bptt=4, num_layers=2, num_anchors=2, regulariser="dropout", dropout=0.3, aux=aux)
    again, ahead = net.auxiliaries["reconstruct"], net.auxiliaries["predict"]
    assert (net.supervised.bptt, again.bptt, ahead.bptt) == (4, 3, 3)
    assert (again.placement, again.order, again.reach) == ("distant", "reversed", "bptt")
    assert (again.num_anchors, again.segment_length, ahead.num_anchors, ahead.segment_length) == (2, 7, 2, 7)
    assert (again.decoder.unfed, again.decoder.core.num_layers) == ("blank", 3)
    assert (again.decoder.core.hidden_size, ahead.decoder.core.hidden_size) == (6, 6)
    assert (again.decoder.head.target, ahead.decoder.head.target) == ("squared", "squared")
    assert net.encoder.core.num_layers == 2
    for head in (net.supervised.head, again.decoder.head.net, ahead.decoder.head.net):
        assert head.dropout.p == 0.3
        assert type(head.second) is nn.Linear


@pytest.mark.parametrize(
    ("bptt", "aux", "expected"),
    [
        (4, None, (4, 4)),
        ("full", None, (None, None)),
        (4, "full", (4, None)),
        ("full", 4, (None, 4)),
        (4, 0, (4, 0)),
        (0, 9, (0, 9)),
    ],
)
def test_the_auxiliary_truncation_is_the_models_own_unless_it_is_given(bptt: Any, aux: Any, expected: tuple) -> None:
    net = build(bptt=bptt, aux=AuxiliaryConfig(bptt=aux))
    assert (net.supervised.bptt, net.auxiliaries["reconstruct"].bptt) == expected


def test_no_projection() -> None:
    net = build(projection_size=None)
    assert net.encoder.projection is None
    assert net.encoder.core.input_size == 1


def test_chrono_initialisation_over_the_longest_sequence() -> None:
    net = build(longest=50, initialisation="chrono", hidden_size=400)
    forget = net.encoder.core.bias_ih_l0[400:800]
    assert float(forget.detach().min()) >= 0
    assert 3.5 < float(forget.detach().exp().max().log()) <= torch.tensor(49.0).log() + 1e-5
    build(longest=1, initialisation="chrono")  # the shortest data: never an error


def test_forget_bias_of_one() -> None:
    core = build(initialisation="forget").encoder.core
    assert (core.bias_ih_l0 + core.bias_hh_l0)[8:16].tolist() == [1.0] * 8


def test_torchs_own_initialisation_is_left_alone() -> None:
    bound = 8**-0.5  # torch's LSTM: uniform within 1 / sqrt(hidden_size)
    assert build(longest=50, initialisation="torch").encoder.core.bias_ih_l0.abs().max() <= bound


def test_the_seed_matters_and_repeats() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build(model="rp-lstm").parameters())

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_every_field_of_the_config_is_read() -> None:
    """A setting that changes nothing is a lie: each one, changed, changes the network or what it does.

    A gradient through all steps changes what a step holds; its value is compared in tests/core/gradients.
    """
    changed = {
        "model": "p-lstm", "bptt": 2, "cell": "gru", "hidden_size": 9, "projection_size": 4, "num_layers": 2,
        "initialisation": "forget", "num_anchors": 2, "segment_length": 3, "regulariser": "none", "dropout": 0.1,
    }  # fmt: skip
    tokens = {"stem": "conv", "stride": 4, "kernel": 2, "stem_norm": "none"}  # and sample_rate, of sound alone
    windows = {"readout": "stats", "num_windows": 1, "top_windows": 1, "anchor_labels": 0.5}
    of_one_model = {"identity_scale", "max_phase", "transformer"}
    names = {item.name for item in dataclasses.fields(ModelConfig)}
    assert {*changed, *tokens, *windows, "residual"} == names - of_one_model - {"aux", "sample_rate", "gradient"}
    batch = SequenceBatch(
        torch.arange(40, dtype=torch.uint8).view(2, 20, 1), torch.tensor([20, 9]), torch.tensor([0, 2])
    )

    def outcome(**settings: Any) -> list[float]:
        torch.manual_seed(0)
        net = build(**settings)
        names = ["supervised", *ModelConfig(model=settings.get("model", "r-lstm")).auxiliaries]
        losses = net.losses(batch, names, 0.5, step_generator(0))
        sum(loss.mean for loss in losses.values()).backward()
        return [loss.total.item() for loss in losses.values()] + [
            w.grad.sum().item() for w in net.parameters() if w.grad is not None
        ]

    def sized(**sizes: Any) -> list[float]:
        return outcome(model="transformer", transformer=TransformerConfig(**sizes))

    assert outcome(cell="lru", max_phase=0.5) != outcome(cell="lru")
    assert outcome(model="irnn", identity_scale=0.5) != outcome(model="irnn")
    sizes = {
        "layers": 2, "width": 32, "heads": 2, "feed_forward": 9, "positions": "learned", "causal": True, "dropout": 0.5,
    }  # fmt: skip
    assert set(sizes) == {item.name for item in dataclasses.fields(TransformerConfig)}
    for name, value in sizes.items():
        assert sized(**{name: value}) != sized(), name
    plain = outcome()
    assert outcome() == plain
    for name, value in changed.items():
        assert outcome(**{name: value}) != plain, name
    stem = {"stem": "conv", "stride": 3}
    assert len({str(outcome(**{**stem, name: value})) for name, value in tokens.items()} | {str(plain)}) == 5
    like_tokens = {**stem, "readout": "stats", "projection_size": None}
    assert outcome(**like_tokens, residual=True) != outcome(**like_tokens)
    readout = {"readout": "stats-max", "bptt": 3}
    found = [outcome(**readout), *(outcome(**{**readout, name: value}) for name, value in windows.items())]
    assert len({str(one) for one in [*found, plain]}) == 6


def test_models_with_a_core_of_their_own_take_a_step() -> None:
    batch = SequenceBatch(
        torch.randint(256, (2, 20, 1), dtype=torch.uint8), torch.tensor([20, 9]), torch.tensor([0, 2])
    )
    for model in OWN_CORE:
        net = build(model=model, bptt="full")
        losses = net.losses(batch, ["supervised"], 0.5, step_generator(0))
        losses["supervised"].mean.backward()
        assert all(weight.grad is not None for weight in net.parameters()), model
    assert isinstance(build(model="irnn").encoder.core, nn.RNN)
    assert build(model="irnn").encoder.core.nonlinearity == "relu"
    assert isinstance(build(model="urnn").encoder.core, UnitaryRNN)


@pytest.mark.parametrize("model", ["irnn", "urnn"])
@pytest.mark.parametrize("projection_size", [None, 5])
def test_an_own_core_reads_every_kind_of_input(model: str, projection_size: int | None) -> None:
    config = ModelConfig(model=model, hidden_size=4, projection_size=projection_size)
    for spec in (SPEC, InputSpec("characters", 7), InputSpec("values", 3)):
        net = build_model(config, spec, 3)
        shape = (2, 6) if spec.kind == "characters" else (2, 6, spec.size)
        inputs = torch.zeros(shape, dtype=torch.float32 if spec.kind == "values" else torch.uint8)
        assert net(SequenceBatch(inputs, torch.tensor([6, 3]))).shape == (2, 3)


def test_the_ablations_options_arrive() -> None:
    aux = AuxiliaryConfig(direction="future", anchors="late", reach="shared", prediction_layers=2)
    net = build(model="rp-lstm", aux=aux)
    again, ahead = net.auxiliaries["reconstruct"], net.auxiliaries["predict"]
    assert (again.direction, again.anchors, again.reach) == ("future", "late", "shared")
    assert (ahead.anchors, ahead.decoder.core.num_layers) == ("late", 2)
    autoencoder = build(model="sa-lstm").auxiliaries["reconstruct"]
    assert (autoencoder.anchors, autoencoder.reach, autoencoder.decoder.core.num_layers) == ("end", "bptt", 1)
    assert build(model="lm-lstm").auxiliaries["predict"].decoder.core is None


def test_weights_of_prediction_leave_the_decoders_out() -> None:
    plain = build(model="lstm")
    own = sum(weight.numel() for weight in plain.parameters())
    for model in ("lstm", "r-lstm", "rp-lstm", "sa-lstm", "lm-lstm"):
        assert build(model=model).classifier_parameters() == own
    net = build(model="transformer")
    assert net.classifier_parameters() == sum(weight.numel() for weight in net.parameters())


def test_default_sizes_are_comparable() -> None:
    """By hand, for MNIST: LSTM 128 on a projection to 128 and a head of 256 units, against the transformer."""
    counts = {name: build_model(ModelConfig(model=name), SPEC, 10, 784).classifier_parameters() for name in MODELS}
    head = 256 * 128 + 256 + 10 * 256 + 10
    assert counts["lstm"] == 2 * 128 + 4 * (2 * 128 * 128 + 2 * 128) + head
    layer = 3 * 64 * 64 + 3 * 64 + 64 * 64 + 64 + 2 * 64 * 256 + 256 + 64 + 4 * 64
    assert counts["transformer"] == 2 * 64 + 3 * layer + 2 * 64 + 256 * 64 + 256 + 10 * 256 + 10
    assert abs(counts["transformer"] / counts["lstm"] - 1) < 0.02


def test_learned_positions_need_a_length() -> None:
    with pytest.raises(InputError, match="longest sequence for learned positions"):
        build(longest=None, model="transformer", transformer=TransformerConfig(positions="learned"))


# TensorFlow's initialisation, in the whole network --------------------------------------------------------------------


def test_tensorflows_initialisation_is_the_default_and_reaches_every_part() -> None:
    torch.manual_seed(0)
    net = build(model="rp-lstm", hidden_size=40, projection_size=30)
    core = net.encoder.core
    assert core.weight_ih_l0.abs().max() <= math.sqrt(6 / (30 + 40 + 160))
    assert (core.bias_ih_l0 + core.bias_hh_l0).tolist() == [0.0] * 40 + [1.0] * 40 + [0.0] * 80
    linears = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    assert len(linears) >= 7  # projection, two in each of three output nets
    for layer in linears:
        bound = math.sqrt(6 / (layer.in_features + layer.out_features))
        assert 0.9 * bound < layer.weight.abs().max() <= bound
        assert not layer.bias.any()
    decoder = net.auxiliaries["reconstruct"].decoder.core
    assert (decoder.bias_ih_l1 + decoder.bias_hh_l1)[40:80].tolist() == [1.0] * 40


def test_a_projection_with_tensorflows_initialisation_is_folded_exactly() -> None:
    net = build(hidden_size=8, projection_size=5).double()
    encoder = net.encoder
    inputs = torch.randint(0, 256, (3, 6, 1), dtype=torch.uint8)
    projected = encoder.projection(inputs.double() / 255)
    torch.testing.assert_close(encoder(inputs)[0], encoder.core(projected)[0], rtol=1e-12, atol=1e-14)
    assert torch.equal(encoder.projection.bias, torch.zeros(5, dtype=torch.float64))


def test_chrono_gates_over_tensorflows_weights() -> None:
    core = build(longest=50, initialisation="tensorflow-chrono", hidden_size=40).encoder.core
    assert core.weight_hh_l0.abs().max() <= math.sqrt(6 / (5 + 40 + 160))
    forget = (core.bias_ih_l0 + core.bias_hh_l0)[40:80]
    assert forget.max() <= math.log(49) + 1e-6
    assert len(set(forget.tolist())) > 30
    assert not core.bias_ih_l0[80:].any()


def test_own_cores_keep_what_their_paper_gives() -> None:
    core = build(model="irnn", hidden_size=6).encoder.core
    assert torch.equal(core.weight_hh_l0, torch.eye(6))
    net = build(model="urnn", hidden_size=6)
    assert not net.supervised.head.first.bias.any()


@pytest.mark.parametrize(
    "said", ["[enforce fail] DefaultCPUAllocator: can't allocate memory", "could not create a primitive"]
)
def test_a_full_memory_is_no_fault_of_a_modest_network(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> None:
        if torch.get_default_device().type != "meta":
            raise RuntimeError(said)
        return _network(*given)

    monkeypatch.setattr("auxrnn.core.build._network", full)
    with pytest.raises(RuntimeError, match=re.escape(said)) as told:
        build_model(ModelConfig(model="lstm"), InputSpec("values", 2), 2)
    assert is_full_memory(told.value)
    with pytest.raises(InputError, match="a network that fits into memory, got hidden_size 10000"):
        build_model(ModelConfig(model="lstm", hidden_size=10_000), InputSpec("values", 2), 2)
