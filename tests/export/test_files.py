"""Exported files say what the model says, and their example runs without anything of ours."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from auxrnn.batch import InputSpec, as_batch
from auxrnn.build import build_model
from auxrnn.config import ModelConfig, TransformerConfig
from auxrnn.errors import InputError
from auxrnn.export import files
from auxrnn.export.files import export_model, largest_difference
from auxrnn.export.served import Served
from auxrnn.persistence import SavedModel
from auxrnn.preprocessing import Preprocessing
from auxrnn.targets import ClassesTarget, TagsTarget, ValueTarget

pytest.importorskip("onnxruntime")

GREY = InputSpec("pixels", 2, levels=9)
TEXT = Preprocessing("characters", characters="abcé")
NEAR = Preprocessing("values", 2, mean=(37.2, 0.0), scale=(0.5, 1.0))
VALUES = Preprocessing("values", 3, mean=(1e6, 0.0, -5.0), scale=(100.0, 1.0, 0.01))
SMALL = {
    "hidden_size": 5,
    "projection_size": 4,
    "segment_length": 3,
    "bptt": 2,
    "dropout": 0.5,
    "initialisation": "torch",  # larger maps would let a urnn double its rounding in 150 steps
}
TINY = TransformerConfig(layers=2, width=8, heads=2, feed_forward=8)


def saved_model(config=None, spec=GREY, preprocessing=None, longest=None, **changes):
    config = config or ModelConfig(**{"model": "lstm", **SMALL, **changes})
    spec = preprocessing.spec if preprocessing else spec
    torch.manual_seed(1)
    network = build_model(config, spec, 3, longest)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.0 if config.model == "irnn" else 1.5)  # so that classes differ; an irnn must not explode
    return SavedModel(network, config, spec, ("a", "b", "c"), preprocessing=preprocessing)


RECURRENT = {
    "lstm": {"model": "lstm"},
    "two layers": {"model": "r-lstm", "num_layers": 2},
    "gru": {"model": "p-lstm", "cell": "gru", "num_layers": 2},
    "rnn": {"model": "rp-lstm", "cell": "rnn"},
    "no projection": {"model": "sa-lstm", "projection_size": None},
    "lm": {"model": "lm-lstm", "bptt": "full"},
    "irnn": {"model": "irnn"},
    "urnn": {"model": "urnn"},
    "classifier alone": {"model": "lstm", "bptt": 0},
}


@pytest.mark.parametrize("name", RECURRENT)
def test_onnx_of_every_recurrent_model(tmp_path, name):
    exported = export_model(saved_model(**RECURRENT[name]), tmp_path)
    assert exported.difference < 2e-6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "example.py", "model.onnx"]
    assert f"{exported.difference:.2g}" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("preprocessing", [TEXT, VALUES], ids=["characters", "values"])
def test_onnx_of_other_inputs(tmp_path, preprocessing):
    assert export_model(saved_model(preprocessing=preprocessing), tmp_path).difference < 2e-6


def run_example(folder, *words):
    """{class: probability} as the example prints them, in a process without this package."""
    paths = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "import sys, runpy; sys.modules['auxrnn'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", code, str(folder / "example.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=paths, timeout=300)
    assert done.returncode == 0, done.stderr
    return {line.split(": ")[0]: float(line.split(": ")[1]) for line in done.stdout.splitlines()}


def test_the_onnx_example_reads_a_text(tmp_path):
    saved = saved_model(preprocessing=TEXT, num_layers=2)
    export_model(saved, tmp_path)
    text = "abécab?b"
    codes = torch.tensor([[1, 2, 4, 3, 1, 2, 0, 2]])
    expected = torch.softmax(saved.network.eval()(as_batch(codes)), 1)[0].tolist()
    assert run_example(tmp_path, text) == pytest.approx(dict(zip("abc", expected, strict=True)), abs=2e-6)


def test_the_onnx_example_of_a_learned_first_state_and_an_order_of_pixels(tmp_path):
    from dataclasses import replace

    order = (5, 0, 4, 1, 3, 2)
    saved = replace(saved_model(model="urnn"), pixel_order=order)
    export_model(saved, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 9, (6, 2)).astype(np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    steps = torch.from_numpy(pixels[None, list(order)])
    expected = torch.softmax(saved.network.eval()(as_batch(steps)), 1)[0].tolist()
    assert run_example(tmp_path, str(tmp_path / "a.npy")) == pytest.approx(
        dict(zip("abc", expected, strict=True)), abs=2e-6
    )


def test_the_notes_of_the_file(tmp_path):
    import onnxruntime

    export_model(saved_model(preprocessing=VALUES), tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    about = json.loads(session.get_modelmeta().custom_metadata_map["auxrnn"])
    assert about["classes"] == ["a", "b", "c"]
    assert about["state"]["cell"] == {"shape": [1, "batch", 5], "first": None}
    assert [part.name for part in session.get_inputs()] == ["inputs", "hidden", "cell"]
    assert [part.name for part in session.get_outputs()] == ["probabilities", "next_hidden", "next_cell"]
    assert session.get_inputs()[0].shape == ["batch", "steps", 3]


def test_exporting_leaves_the_model_as_it_was(tmp_path):
    saved = saved_model()
    saved.network.train()
    before = {name: weight.clone() for name, weight in saved.network.state_dict().items()}
    export_model(saved, tmp_path)
    assert saved.network.training
    assert all(weight.requires_grad for weight in saved.network.parameters())
    assert all(torch.equal(weight, before[name]) for name, weight in saved.network.state_dict().items())


def test_the_comparison_sees_a_wrong_file():
    served = Served(saved_model())

    def other(inputs, *state):
        probabilities, hidden, cell = served(inputs, *state)
        return [probabilities, hidden, cell + 0.25]

    assert largest_difference(other, served) == pytest.approx(0.25, abs=1e-6)
    assert largest_difference(lambda *given: [part * np.nan for part in served(*given)], served) == np.inf


def test_nothing_is_written_where_the_file_differs(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "largest_difference", lambda run, served: 0.01)
    with pytest.raises(InputError, match="nothing was written"):
        export_model(saved_model(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_use(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="model: expected a folder without a model, whose card would be lost"):
        export_model(saved_model(), tmp_path / "model")
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"auxrnn\[export\]"):
        export_model(saved_model(), tmp_path)


TARGETS = {
    "classes": ClassesTarget(("a", "b", "c")),
    "values": ValueTarget(("x", "y"), (1e4, -3.0), (250.0, 0.01)),
    "tags": TagsTarget(("a", "b")),
}

FAR = Preprocessing("values", 2, mean=(1.7e9, 37.2), scale=(3.0, 0.5))
"""A clock in seconds: float32 knows 1.7e9 in steps of 128."""

HEIGHT = ValueTarget(("x",), (1.7e9,), (3.0,))


@pytest.mark.parametrize(
    ("target", "reading"),
    [
        ("tags", {"model": "lstm"}),
        ("tags", {"model": "lstm", "stem": "conv", "kernel": 3}),
        ("tags", {"model": "transformer"}),
        ("value", {"model": "lstm"}),
        ("value", {"model": "lstm", "stem": "conv", "stride": 3, "kernel": 2, "readout": "stats-max"}),
        ("value", {"model": "lstm", "stem": "logmel", "sample_rate": 400, "readout": "stats"}),
        ("value", {"model": "transformer"}),
    ],
)
def test_channels_and_answers_far_from_zero_are_those_of_predict(tmp_path, target, reading):
    """The file, fed with what was measured, says what the network says of values standardised in float64."""
    target = {"tags": TARGETS["tags"], "value": HEIGHT}[target]
    config = ModelConfig(**{**SMALL, **reading}, transformer=TINY)
    torch.manual_seed(1)
    network = build_model(config, FAR.spec, target).eval()
    saved = SavedModel(network, config, FAR.spec, target.names, preprocessing=FAR)
    assert export_model(saved, tmp_path).difference < 2e-6
    steps = np.random.default_rng(0).normal(FAR.mean, FAR.scale, (40, 2))
    np.save(tmp_path / "a.npy", steps)
    with torch.no_grad():
        outputs = network(as_batch(FAR.sequence(steps, "a").unsqueeze(0)))
    expected = target.shares(outputs).double().flatten()[-target.size :].tolist()
    found = run_example(tmp_path, str(tmp_path / "a.npy"))
    assert [found[name] for name in target.names] == pytest.approx(expected, rel=0, abs=2e-5)


def test_values_near_zero_stay_float32(tmp_path):
    import onnxruntime

    for preprocessing, kind in ((VALUES, "double"), (FAR, "double"), (NEAR, "float")):
        export_model(saved_model(preprocessing=preprocessing), tmp_path)
        session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
        assert session.get_inputs()[0].type == f"tensor({kind})"
        words = {"double": "`float64 (batch, steps", "float": "`float32 (batch, steps"}
        assert words[kind] in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("reading", [{}, {"stem": "conv", "stride": 3, "kernel": 2, "readout": "stats-max"}])
def test_the_comparison_is_made_where_the_training_data_lie(reading):
    """A file that reads float32 differs by what float32 loses there."""
    saved = saved_model(preprocessing=FAR, **reading)
    served = Served(saved)

    def rounded(inputs, *state):
        return list(served(inputs.float(), *state))

    assert largest_difference(rounded, served) > files.LARGEST_DIFFERENCE


@pytest.mark.slow
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_transformer(tmp_path, positions):
    from dataclasses import replace

    config = ModelConfig(model="transformer", transformer=replace(TINY, positions=positions, causal=positions > "m"))
    saved = saved_model(config, longest=40 if positions == "learned" else None)
    assert export_model(saved, tmp_path).difference < 2e-6
    assert set(run_example(tmp_path)) == {"a", "b", "c"}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", ["r-lstm", "urnn", "transformer"])
def test_every_target(tmp_path, target, model):
    config = ModelConfig(**{**SMALL, "model": model}, transformer=TINY)
    torch.manual_seed(1)
    network = build_model(config, VALUES.spec, TARGETS[target])
    saved = SavedModel(network, config, VALUES.spec, TARGETS[target].names, preprocessing=VALUES)
    exported = export_model(saved, tmp_path)
    assert exported.difference < 2e-6
    page = (tmp_path / "README.md").read_text()
    assert ("batch, steps, 2)`, of each class at every step" in page) == (target == "tags")
    assert ("`values`" in page) == (target == "values")
    assert set(run_example(tmp_path)) == set(TARGETS[target].names)
