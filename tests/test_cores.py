"""What holds for every core that `--cell` names: windows, streams, files, ONNX, decoders, and a run that was killed."""

from itertools import combinations
from typing import Any, get_args

import pytest
import torch
from torch import nn

from auxrnn.config import ModelConfig
from auxrnn.config.choices import Cell
from auxrnn.core.batch import InputSpec, as_batch
from auxrnn.core.build import build_model
from auxrnn.core.encoder import make_core
from auxrnn.core.truncation import encode_windows
from auxrnn.errors import InputError
from auxrnn.targets import ClassTarget
from auxrnn.use.card import described
from auxrnn.use.persistence import SavedModel, load_model, save_model
from auxrnn.use.streaming import Stream
from oracles import assert_same, gradients, slow_tensors, slow_window
from small_runs import KilledError, at_step, kill, model_bytes, resume_small, run_small

CELLS = get_args(Cell)
SPEC = InputSpec("values", 3)
NETWORKS: dict[str, dict[str, Any]] = {
    "last": {"num_layers": 2, "projection_size": 4},
    "stats-max": {"readout": "stats-max"},
    "stem": {"stem": "conv", "stride": 3, "kernel": 2, "readout": "stats", "num_layers": 2},
    "stem, last": {"stem": "conv", "stride": 3, "kernel": 2},
}


def saved_model(cell: str, **changes: Any) -> SavedModel:
    torch.manual_seed(0)
    options: dict[str, Any] = {"hidden_size": 6, "projection_size": None, "initialisation": "torch", "model": "rp-lstm"}
    config = ModelConfig(cell=cell, segment_length=3, bptt=4, **options | changes)
    network = build_model(config, SPEC, 3, 20).eval()
    with torch.no_grad():  # so that answers differ
        for name, weight in network.named_parameters():
            weight.mul_(3.0 if weight.dim() > 1 and "encoder.core" not in name else 1.0)
    return SavedModel(network, config, SPEC, ("a", "b", "c"))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_windows_are_those_of_the_slow_loop(cell: str, layers: int) -> None:
    core = make_core(cell, 3, 4, layers).double()
    inputs = torch.randn(2, 30, 3, dtype=torch.float64, requires_grad=True)
    start, stop = torch.tensor([[3, 0], [17, 30]]), torch.tensor([[13, 30], [20, 30]])
    found = encode_windows(core, inputs, start, stop)
    names = ["inputs", *(name for name, _ in core.named_parameters())]
    for row in range(4):
        first, end = int(start.flatten()[row]), int(stop.flatten()[row])
        outputs, state = slow_window(core, inputs[row // 2], first, end)
        one = [part[:, row] for part in slow_tensors(found.state)]
        other = [part[:, 0] for part in slow_tensors(state)]
        if outputs is not None:
            one, other = [found.outputs[row // 2, row % 2, : end - first], *one], [outputs, *other]
        assert_same(one, other)
        factors = [torch.randn_like(part) for part in one]
        totals = [sum((a * b).sum() for a, b in zip(parts, factors, strict=True)) for parts in (one, other)]
        assert_same(*(gradients(total, [inputs, *core.parameters()]) for total in totals), names=names)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_stream_and_a_file_say_what_the_model_says(cell: str, name: str, tmp_path: Any) -> None:
    saved = saved_model(cell, **NETWORKS[name])
    inputs = torch.randn(3, 41, 3)
    with torch.no_grad():
        expected = saved.network(as_batch(inputs)).softmax(-1)
    assert float(expected.std(0).max()) > 1e-4
    stream = Stream(saved.network, 3)
    for piece in inputs[:, :21].split([1, 4, 16], dim=1):
        stream.push(piece)
    stream.save(tmp_path / "state")
    other = Stream(saved.network, 3)
    other.load(tmp_path / "state")
    torch.testing.assert_close(other.push(inputs[:, 21:]), expected, rtol=0, atol=1e-6)
    save_model(tmp_path / "model", saved)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "model").network.eval()(as_batch(inputs)).softmax(-1), expected)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("cell", CELLS)
def test_onnx_says_what_the_model_says(cell: str, name: str, tmp_path: Any) -> None:
    pytest.importorskip("onnxruntime")
    from auxrnn.use.export.files import export_model

    assert export_model(saved_model(cell, **NETWORKS[name]), tmp_path).difference < 1e-5


@pytest.mark.parametrize("cell", CELLS)
def test_every_initialisation_begins(cell: str) -> None:
    made = {}
    for name in ("torch", "tensorflow", "forget", "chrono", "tensorflow-chrono", "log_uniform", "uniform_gate"):
        if cell == "rnn" and name not in ("torch", "tensorflow"):
            with pytest.raises(InputError, match=f"with initialisation {name}, got rnn: no gates"):
                saved_model(cell, initialisation=name)
            continue
        core = saved_model(cell, initialisation=name).network.encoder.core
        made[name] = torch.cat([weight.detach().flatten() for weight in core.parameters()])
        assert bool(made[name].isfinite().all())
    equal = {(a, b) for (a, one), (b, other) in combinations(made.items(), 2) if torch.equal(one, other)}
    assert equal == ({("torch", "tensorflow")} if cell == "lru" else set())


@pytest.mark.parametrize("cell", CELLS)
def test_decoders_have_the_cell_of_the_core_where_it_is_torchs(cell: str) -> None:
    network = saved_model(cell).network
    kind = {"gru": nn.GRU, "rnn": nn.RNN}.get(cell, nn.LSTM)
    assert all(isinstance(network.auxiliaries[name].decoder.core, kind) for name in network.auxiliaries)


def test_a_card_names_the_cell() -> None:
    two = ClassTarget(("a", "b"))
    told = {
        cell: described(ModelConfig(cell=cell, initialisation="torch"), two).partition(" with 128 ")[2]
        for cell in CELLS
    }
    named = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "lru": "LRU", "mingru": "minGRU", "ur-lstm": "UR-LSTM"}
    assert {cell: f"{name} cells" for cell, name in named.items()}.items() <= told.items()


@pytest.mark.parametrize("cell", ["lru", "mingru", "ur-lstm"])
def test_a_run_that_was_killed_and_resumed_has_the_same_bytes(cell: str, tmp_path: Any, monkeypatch: Any) -> None:
    run_small(tmp_path / "whole", cell=cell)
    with monkeypatch.context() as patched:
        at_step(patched, 4, kill)
        with pytest.raises(KilledError):
            run_small(tmp_path / "killed", cell=cell)
    resume_small(tmp_path / "killed")
    assert model_bytes(tmp_path / "killed") == model_bytes(tmp_path / "whole")
