"""Gradients through all steps against plain back-propagation through each whole sequence, in float64."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.config import ModelConfig, RunConfig, recipe_settings
from auxrnn.config.choices import Cell, Gradient
from auxrnn.config.model import TRACED
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.build import build_model
from auxrnn.core.encoder import Encoder
from auxrnn.core.gradients import GRADIENTS, checkpointed_loss, eligibility_loss, has_traces
from auxrnn.core.heads import FeedForward
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.stems import ConvStem
from auxrnn.core.truncation import encode_windows
from auxrnn.errors import InputError
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import TagsTarget
from auxrnn.targets.losses import Loss
from auxrnn.training.sensible import sensible_settings
from oracles import Counted, LearnedStartCore, NestedCore, assert_same, gradients
from small_runs import KilledError, at_step, kill, model_bytes, resume_small, run_small

SPEC, H = InputSpec("values", 2), 4
LENGTHS = torch.tensor([30, 1, 17, 26])
CORES: dict[str, Any] = {
    "lstm": "lstm",
    "gru": "gru",
    "lru": "lru",
    "mingru": "mingru",
    "ur-lstm": "ur-lstm",
    "learned start": lambda: LearnedStartCore(3, H),
    "nested state": lambda: NestedCore(3, H),
}
Way = Callable[..., Any]


def make(core: Any, readout: str = "last", *, layers: int = 1, stem: int = 0, projection: int | None = 3) -> Any:
    torch.manual_seed(0)
    own = ConvStem(SPEC, 3, stride=stem, kernel=2) if stem else None
    encoder = Encoder(
        SPEC,
        cell=core() if callable(core) else core,
        hidden_size=H,
        projection_size=projection,
        num_layers=layers,
        stem=own,
    )
    target = TagsTarget(("a", "b", "c")) if readout == "tags" else 3
    reads = "last" if readout == "tags" else readout
    return SequenceClassifier(encoder, target, readout=reads, bptt=None, regulariser="none").double()


def make_batch(network: Any) -> SequenceBatch:
    inputs = torch.randn(4, 30, 2, dtype=torch.float64)
    labels = torch.randint(-1, 3, (4, 30)) if network.target.per_step else torch.tensor([0, 2, 1, 1])
    for row, length in enumerate(LENGTHS.tolist()):
        inputs[row, length:] = torch.nan  # padding is never read
        if network.target.per_step:
            labels[row, length:] = -1
    weights = torch.rand(labels.shape, dtype=torch.float64)
    batch = SequenceBatch(inputs, LENGTHS, labels, weights)
    return network.encoder.cut(batch)


def slow_loss(network: Any, batch: SequenceBatch) -> Tensor:
    """Each sequence by itself, in one call with its whole graph."""
    total = torch.zeros((), dtype=torch.float64)
    supervised, rows = network.supervised, zip(batch.inputs, batch.lengths, batch.labels, batch.weights, strict=True)
    for inputs, length, label, weight in rows:
        outputs = network.encoder(inputs[None, : int(length)])[0][0]  # (T, H)
        if network.target.per_step:
            losses = functional.cross_entropy(
                supervised.head(outputs), label[: int(length)], reduction="none", ignore_index=-1
            )
            total = total + (losses * weight[: int(length)]).sum()
            continue
        read = outputs[-1]
        if supervised.reads_all:
            deviation = (outputs.square().mean(0) - outputs.mean(0).square()).clamp(min=1e-8).sqrt()
            greatest = [outputs.amax(0)] if supervised.readout.reads_greatest else []
            read = supervised.readout.norm(torch.cat([outputs.mean(0), deviation, *greatest]))
        total = total + weight * functional.cross_entropy(supervised.head(read)[None], label[None])
    return total


def compare(network: Any, way: Way, width: int | None, only: str = "") -> None:
    batch = make_batch(network)
    named = {name: weight for name, weight in network.named_parameters() if only in name}
    arguments = () if width is None else (width,)
    found, expected = way(network.encoder, batch, network.supervised, *arguments), slow_loss(network, batch)
    assert_same([found.total], [expected])
    assert_same(gradients(3 * found.total, named.values()), gradients(3 * expected, named.values()), named)


READOUTS = ("last", "stats", "stats-max", "tags")


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("core", CORES)
def test_checkpointed_is_plain_back_propagation(core: str, readout: str) -> None:
    compare(make(CORES[core], readout), checkpointed_loss, None)


@pytest.mark.parametrize("width", [1, 7, 29, 30, 100])
@pytest.mark.parametrize("readout", READOUTS)
def test_checkpointed_in_pieces_of_any_width(readout: str, width: int) -> None:
    compare(make("lstm", readout, layers=2), checkpointed_loss, width)


@pytest.mark.parametrize("readout", READOUTS[:3])
@pytest.mark.parametrize("core", ["lstm", "lru"])
def test_checkpointed_with_a_stem(core: str, readout: str) -> None:
    compare(make(core, readout, stem=3, layers=2), checkpointed_loss, None)


@pytest.mark.parametrize("width", [1, 7, 100])
@pytest.mark.parametrize("projection", [3, None])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("core", ["lru", "mingru"])
def test_traces_of_one_layer_are_exact(core: str, readout: str, projection: int | None, width: int) -> None:
    compare(make(core, readout, projection=projection), eligibility_loss, width)


@pytest.mark.parametrize("core", ["lru", "mingru"])
def test_traces_of_several_layers_are_exact_for_the_top_one_alone(core: str) -> None:
    network = make(core, "stats", layers=2)
    top = "layers.1" if core == "lru" else "maps.1"
    compare(network, eligibility_loss, 3, only=top)
    compare(network, eligibility_loss, 3, only="supervised")
    with pytest.raises(AssertionError, match="Tensor-likes are not close"):
        compare(network, eligibility_loss, 3)
    compare(network, eligibility_loss, 100)  # one piece is all of it


def test_traces_under_a_stem_are_exact_for_the_core() -> None:
    network = make("mingru", "stats", stem=3)
    compare(network, eligibility_loss, 2, only="core")
    with pytest.raises(AssertionError, match="features"):
        compare(network, eligibility_loss, 2)


# Memory ---------------------------------------------------------------------------------------------------------------


def held(way: Way, steps: int, core: str = "mingru") -> int:
    network = make(core, "stats")
    inputs, lengths = torch.randn(8, steps, 2, dtype=torch.float64), torch.full((8,), steps)
    batch = SequenceBatch(inputs, lengths, torch.arange(8) % 3)
    with Counted() as counted:
        way(network.encoder, batch, network.supervised).total.backward()
    return counted.most


def plain(core: nn.Module, batch: SequenceBatch, supervised: Any) -> Loss:
    start = torch.zeros(len(batch), 1, dtype=torch.int64)
    windows = encode_windows(core, batch.inputs, start, batch.lengths.unsqueeze(1))
    return Loss(windows.outputs.square().sum(), 1)


def test_memory_grows_with_the_root_or_not_at_all() -> None:
    """Bytes that graphs hold at 1,024 and at 4,096 steps."""
    assert held(plain, 4096) > 3.9 * held(plain, 1024)
    root = held(checkpointed_loss, 4096) / held(checkpointed_loss, 1024)
    assert 1.7 < root < 2.3
    assert held(checkpointed_loss, 4096) < held(plain, 4096) / 30
    assert held(eligibility_loss, 4096) == held(eligibility_loss, 1024)


def test_a_head_that_drops_weights_has_one_mask_for_all_pieces() -> None:
    torch.manual_seed(0)
    network = make("mingru", "tags")
    network.supervised.head = FeedForward(H, 3, regulariser="dropconnect", rate=0.5).double()
    batch = make_batch(network)
    found = []
    for width in (3, 100):
        torch.manual_seed(1)
        found.append(
            gradients(checkpointed_loss(network.encoder, batch, network.supervised, width).total, network.parameters())
        )
    assert_same(*found)


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "transformer"}, "gradient truncated with model transformer"),
        ({"bptt": 50}, "Expected bptt full with gradient checkpointed, .* got 50; leave bptt out"),
        (
            {"gradient": "exact"},
            "Expected cell lru or mingru with gradient exact, got lstm; take",
        ),
        ({"gradient": "exact", "model": "urnn"}, "with gradient exact, got urnn"),
        ({"gradient": "fully"}, "Expected gradient to be 'truncated' or"),
        ({"precision": "16-mixed"}, "got 16-mixed: single pieces are not scaled"),
    ],
)
def test_settings_that_it_cannot_serve(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunConfig(**{"gradient": "checkpointed", "bptt": "full", **changes})
    with pytest.raises(InputError, match="Expected a core with traces for gradient exact, got PersistentLSTM"):
        SequenceClassifier(Encoder(SPEC), 3, gradient="exact")


def test_names_of_config_and_cores_agree() -> None:
    assert {"truncated", *GRADIENTS} == set(get_args(Gradient))
    assert tuple(name for name in get_args(Cell) if has_traces(make(name).encoder)) == TRACED


@pytest.mark.parametrize("recipe", ["paper", "modern"])
def test_truncation_is_full_where_the_gradient_goes_through_all_steps(recipe: str) -> None:
    said = {"gradient": "checkpointed"}
    config = RunConfig(**recipe_settings(recipe, said), recipe=recipe, **said)
    data = SequenceData("some", SPEC, torch.randn(40, 900, 2), torch.arange(40) % 2, classes=("a", "b"))
    chosen, lines = sensible_settings(config, data, said)
    assert chosen.bptt == "full"
    assert not any("--bptt" in line for line in lines)
    network = build_model(chosen, SPEC, 2, 900)
    assert network.gradient == "checkpointed"
    few = replace(chosen, gradient="truncated", bptt=30)  # the pieces are of 30 steps
    if recipe == "paper":
        assert chosen.batch_size == sensible_settings(few, data, ["bptt"])[0].batch_size


@pytest.mark.parametrize(("gradient", "cell"), [("checkpointed", "gru"), ("exact", "mingru")])
def test_a_model_has_the_losses_of_full_back_propagation_beside_its_auxiliary_ones(gradient: str, cell: str) -> None:
    config = ModelConfig(
        model="rp-lstm", cell=cell, bptt="full", hidden_size=4, projection_size=3, segment_length=5, regulariser="none"
    )
    found = []
    for name in (gradient, "truncated"):
        torch.manual_seed(0)
        network = build_model(replace(config, gradient=name), SPEC, 3, 30).double()
        batch = SequenceBatch(torch.randn(3, 30, 2, dtype=torch.float64), torch.tensor([30, 9, 17]), torch.arange(3))
        losses = network.losses(batch, ["supervised", "reconstruct", "predict"], 0.5, torch.Generator().manual_seed(0))
        assert list(losses) == ["supervised", "reconstruct", "predict"]
        total = sum(loss.mean for loss in losses.values())
        found.append([*(loss.total for loss in losses.values()), *gradients(total, network.parameters())])
    assert_same(*found)


def test_the_label_at_the_end_of_all_steps_is_the_label_itself() -> None:
    """The one window of full back-propagation is the sequence: its label counts 1 + anchor_labels times."""
    found = []
    for gradient in ("checkpointed", "truncated"):
        torch.manual_seed(0)
        config = ModelConfig(model="lstm", bptt="full", readout="stats", anchor_labels=0.5, regulariser="none")
        network = build_model(replace(config, gradient=gradient), SPEC, 3, 30).double()
        batch = SequenceBatch(torch.randn(3, 30, 2, dtype=torch.float64), torch.tensor([30, 9, 17]), torch.arange(3))
        loss = network.losses(batch, ["supervised"], 0.0, torch.Generator())["supervised"]
        found.append([loss.total, *gradients(loss.total, network.parameters())])
    assert_same(*found)


@pytest.mark.parametrize(("gradient", "cell"), [("checkpointed", "lstm"), ("exact", "lru")])
def test_a_run_that_was_killed_and_resumed_has_the_same_bytes(
    gradient: str, cell: str, tmp_path: Any, monkeypatch: Any
) -> None:
    options = {"cell": cell, "gradient": gradient, "bptt": "full"}
    run_small(tmp_path / "whole", **options)
    with monkeypatch.context() as patched:
        at_step(patched, 4, kill)
        with pytest.raises(KilledError):
            run_small(tmp_path / "killed", **options)
    resume_small(tmp_path / "killed")
    assert model_bytes(tmp_path / "killed") == model_bytes(tmp_path / "whole")
    assert f"truncation none (gradient {gradient})" in (tmp_path / "whole" / "model" / "README.md").read_text()
