"""Exported files say what the model says, and their example runs without anything of ours."""

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch

from auxrnn.config import ModelConfig, TransformerConfig
from auxrnn.core.batch import InputSpec, as_batch
from auxrnn.core.build import build_model
from auxrnn.core.stems import ConvStem
from auxrnn.errors import InputError
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.targets import ClassesTarget, TagsTarget, ValueTarget
from auxrnn.use.export import files
from auxrnn.use.export.files import export_model, largest_difference
from auxrnn.use.export.served import Served
from auxrnn.use.persistence import SavedModel
from auxrnn.use.streaming import Stream
from oracles import LearnedStartCore

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
    """{class: probability} as the example prints them, without this package."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(said):
        patched.setitem(sys.modules, "auxrnn", None)
        patched.setattr(sys, "argv", ["example.py", *words])
        runpy.run_path(str(folder / "example.py"))
    return answers_in(said.getvalue())


def answers_in(text):
    return {line.split(": ")[0]: float(line.split(": ")[1]) for line in text.splitlines()}


def run_example_alone(folder, *words):
    """The same in a process of its own."""
    paths = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "import sys, runpy; sys.modules['auxrnn'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", code, str(folder / "example.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=paths, timeout=300)
    assert done.returncode == 0, done.stderr
    return answers_in(done.stdout)


def test_the_onnx_example_reads_a_text(tmp_path):
    saved = saved_model(preprocessing=TEXT, num_layers=2)
    export_model(saved, tmp_path)
    text = "abécab?b"
    codes = torch.tensor([[1, 2, 4, 3, 1, 2, 0, 2]])
    expected = torch.softmax(saved.network.eval()(as_batch(codes)), 1)[0].tolist()
    assert run_example_alone(tmp_path, text) == pytest.approx(dict(zip("abc", expected, strict=True)), abs=2e-6)


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
    assert about["state"]["cell"] == {"shape": [1, "batch", 5], "type": "float32", "first": None}
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


@pytest.mark.parametrize(
    ("model", "target"), [("r-lstm", "classes"), ("r-lstm", "values"), ("r-lstm", "tags"), ("urnn", "tags"),
                          ("transformer", "tags")]
)  # fmt: skip
def test_every_target(tmp_path, model, target):
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


# Stems and readouts ---------------------------------------------------------------------------------------------------

READING = {
    "sums": {"readout": "stats"},
    "sums and greatest": {"readout": "stats-max", "cell": "gru", "num_layers": 2},
    "stem": {"stem": "conv", "stride": 4, "kernel": 3},
    "stem without context": {"stem": "conv", "stride": 3, "kernel": 1, "cell": "gru"},
    "stem of stride 1": {"stem": "conv", "kernel": 3, "readout": "stats-max"},
    "stem, sums": {"stem": "conv", "stride": 4, "kernel": 3, "readout": "stats", "num_layers": 2},
    "stem, sums and greatest": {"stem": "conv", "stride": 4, "kernel": 3, "readout": "stats-max"},
    "residual": {
        "stem": "conv",
        "stride": 4,
        "kernel": 3,
        "readout": "stats-max",
        "residual": True,
        "projection_size": None,
    },
    "without a norm": {"stem": "conv", "stride": 4, "kernel": 3, "readout": "stats-max", "stem_norm": "none"},
    "mel bands": {"stem": "logmel", "sample_rate": 400, "readout": "stats-max"},
    "rnn": {"stem": "conv", "stride": 4, "kernel": 2, "readout": "stats-max", "cell": "rnn"},
    "urnn": {"stem": "conv", "stride": 4, "kernel": 2, "readout": "stats-max", "model": "urnn"},
}
KINDS = {"pixels": None, "characters": TEXT, "values": VALUES}


def session_of(folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return session, json.loads(session.get_modelmeta().custom_metadata_map["auxrnn"])


def first_state(about, batch):
    state = {}
    for name, part in about["state"].items():
        shape = [batch if size == "batch" else size for size in part["shape"]]
        one = [1 if size == "batch" else size for size in part["shape"]]
        first = np.zeros(one) if part["first"] is None else np.reshape(part["first"], one)
        state[name] = np.broadcast_to(first, shape).astype(part["type"])
    return state


def raw_sequence(kind, steps, generator):
    """As a program has it, values as float64, and as the network reads it, both (1, T, ...)."""
    if kind == "characters":
        codes = torch.randint(0, TEXT.spec.size, (1, steps), generator=generator)
        return codes.numpy(), codes
    if kind == "pixels":
        levels = torch.randint(0, 9, (1, steps, 2), dtype=torch.uint8, generator=generator)
        return levels.numpy(), levels
    drawn = torch.randn(1, steps, 3, generator=generator)
    raw = (drawn.double() * torch.tensor(VALUES.scale).double() + torch.tensor(VALUES.mean).double()).numpy()
    return raw, VALUES.sequence(raw[0], "here").unsqueeze(0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in READING for kind in KINDS if kind == "values" or name.endswith(("1", "and greatest"))],
)
def test_sequences_in_odd_chunks_are_answered_as_on_the_whole(tmp_path, name, kind):
    saved = saved_model(preprocessing=KINDS[kind], **READING[name])
    export_model(saved, tmp_path)
    session, about = session_of(tmp_path)
    network = saved.network.eval()
    draw = torch.Generator().manual_seed(3)
    spread = 0.0
    for steps in (*range(1, 13), *range(16, 101, 7)):
        raw, inputs = raw_sequence(kind, steps, draw)
        state, first, found, ends = first_state(about, 1), 0, [], []
        while first < inputs.shape[1]:
            size = int(torch.randint(1, 30, (1,), generator=draw))
            answers, *after = session.run(None, {"inputs": raw[:, first : first + size], **state})
            state, first = dict(zip(state, after, strict=True)), min(first + size, inputs.shape[1])
            found.append(answers)
            ends.append(first)
        with torch.no_grad():
            said = network(as_batch(inputs.expand(len(ends), *[-1] * (inputs.dim() - 1)), torch.tensor(ends)))
        np.testing.assert_allclose(np.concatenate(found), torch.softmax(said, 1).numpy(), rtol=0, atol=1e-5)
        spread = max(spread, float(np.ptp(found[-1] - found[0])))
    assert spread > 1e-2


@pytest.mark.parametrize("name", READING)
def test_a_batch_step_by_step_is_a_stream(tmp_path, name):
    """Of one step each: some finish no token. Shapes of the state never change."""
    saved = saved_model(preprocessing=VALUES, **READING[name])
    export_model(saved, tmp_path)
    session, about = session_of(tmp_path)
    stream = Stream(saved.network, 3)
    sequences = [raw_sequence("values", 20, torch.Generator().manual_seed(seed)) for seed in range(3)]
    raw = np.concatenate([raw for raw, _ in sequences])
    inputs = torch.cat([inputs for _, inputs in sequences])
    state = first_state(about, 3)
    for step in range(20):
        answers, *after = session.run(None, {"inputs": raw[:, step : step + 1], **state})
        assert [(part.shape, part.dtype) for part in after] == [(part.shape, part.dtype) for part in state.values()]
        state = dict(zip(state, after, strict=True))
        np.testing.assert_allclose(answers, stream.push(inputs[:, step : step + 1]).numpy(), rtol=0, atol=1e-5)


def test_tags_under_a_stem_of_stride_1(tmp_path):
    config = ModelConfig(**{**SMALL, "model": "lstm", "stem": "conv", "kernel": 3})
    torch.manual_seed(1)
    network = build_model(config, VALUES.spec, TARGETS["tags"])
    export_model(SavedModel(network, config, VALUES.spec, ("a", "b"), preprocessing=VALUES), tmp_path)
    session, about = session_of(tmp_path)
    raw, inputs = raw_sequence("values", 21, torch.Generator().manual_seed(0))
    state, found = first_state(about, 1), []
    assert "steps" not in state
    for chunk in np.split(raw, [1, 4, 15], axis=1):
        answers, *after = session.run(None, {"inputs": chunk, **state})
        state = dict(zip(state, after, strict=True))
        found.append(answers)
    with torch.no_grad():
        expected = torch.softmax(network.eval()(as_batch(inputs)), 2).numpy()
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("target", ["classes", "values"])
def test_other_targets_under_a_stem_and_sums(tmp_path, target):
    config = ModelConfig(**{**SMALL, "model": "lstm", **READING["stem, sums and greatest"]})
    torch.manual_seed(1)
    network = build_model(config, VALUES.spec, TARGETS[target])
    saved = SavedModel(network, config, VALUES.spec, TARGETS[target].names, preprocessing=VALUES)
    assert export_model(saved, tmp_path).difference < 2e-6
    assert set(run_example(tmp_path)) == set(TARGETS[target].names)


def test_the_example_reads_a_text_under_a_stem(tmp_path):
    saved = saved_model(preprocessing=TEXT, stem="conv", stride=4, kernel=2, readout="stats-max")
    export_model(saved, tmp_path)
    text = "abécab?bcab"  # two tokens and three characters
    codes = torch.tensor([[1, 2, 4, 3, 1, 2, 0, 2, 3, 1, 2]])
    expected = torch.softmax(saved.network.eval()(as_batch(codes)), 1)[0].tolist()
    assert run_example(tmp_path, text) == pytest.approx(dict(zip("abc", expected, strict=True)), abs=2e-6)
    page = (tmp_path / "README.md").read_text()
    assert "`int64 (batch, 7)`, the first value is in the notes" in page
    assert "`float64 (batch, 5)`, zeros before the first step; `next_squares`" in page


def test_a_core_of_ones_own_is_refused_in_one_line(tmp_path):
    saved = saved_model(stem="conv", stride=4)
    saved.network.encoder.core = LearnedStartCore(4, 5)
    with pytest.raises(InputError, match="Expected a core that --cell names, got LearnedStartCore"):
        export_model(saved, tmp_path)


def test_a_stem_of_ones_own_is_refused_in_one_line(tmp_path):
    class Doubled(ConvStem):
        def numbers(self, tokens):
            return 2 * super().numbers(tokens)

    saved = saved_model(stem="conv", stride=4)
    saved.network.encoder.features.__class__ = Doubled
    with pytest.raises(InputError, match="Expected a stem of conv or logmel for ONNX, got Doubled"):
        export_model(saved, tmp_path)
