"""A stream says what `predict` says of the whole, wherever it was stopped, and forgets nothing."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from auxrnn.batch import InputSpec
from auxrnn.build import build_model
from auxrnn.config import ModelConfig
from auxrnn.errors import InputError
from auxrnn.persistence import SavedModel, save_model
from auxrnn.preprocessing import Preprocessing
from auxrnn.runs import live
from auxrnn.runs.live import Request, follow_sequence
from auxrnn.runs.use import predict_file

MODEL = ModelConfig(model="r-lstm", hidden_size=5, projection_size=4, segment_length=3, bptt=3)
VALUES = Preprocessing("values", 2, mean=(50.0, 0.0), scale=(10.0, 1.0))
TEXT = Preprocessing("characters", characters="abé")
GREY = InputSpec("pixels", 1, levels=9)
STEPS = 300


def saved_model(preprocessing=None, **changes):
    spec = preprocessing.spec if preprocessing else GREY
    config = replace(MODEL, **changes)
    torch.manual_seed(0)
    return SavedModel(build_model(config, spec, 3), config, spec, ("a", "b", "c"), preprocessing=preprocessing)


def said(saved, file=None, standard_input=b"", **options):
    """Rows (step, class, probabilities) of a stream."""
    out = io.StringIO()
    follow_sequence(saved, Request(file, **options), io.BytesIO(standard_input), out)
    rows = list(csv.reader(io.StringIO(out.getvalue())))
    assert rows[0] == ["step", "class", "probability", "p(a)", "p(b)", "p(c)"]
    return [(int(row[0]), row[1], [float(value) for value in row[3:]]) for row in rows[1:]]


def measured():
    steps = np.random.default_rng(0).normal((50, 0), (10, 1), (STEPS, 2)).round(4)
    return steps, "\n".join(f"{one},{two}" for one, two in steps).encode()


@pytest.mark.parametrize("config", [{}, {"cell": "gru"}, {"model": "urnn"}], ids=str)
def test_the_same_as_predict_on_the_whole(tmp_path, config):
    saved, (steps, content) = saved_model(VALUES, **config), measured()
    save_model(tmp_path, saved)
    found = said(saved, standard_input=content, every=70)
    assert [row[0] for row in found] == [70, 140, 210, 280, 300]
    for number, label, shares in found:
        np.save(tmp_path / "a.npy", steps[None, :number])
        (answer,) = predict_file(tmp_path, tmp_path / "a.npy")
        assert label == answer.entry["class"]
        assert shares == pytest.approx(list(answer.shares), abs=1e-6)


def test_characters_as_predict_has_them(tmp_path):
    saved = saved_model(TEXT)
    save_model(tmp_path, saved)
    text = "abéab?b" * 9
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (answer,) = predict_file(tmp_path, tmp_path / "a.txt")
    ((number, _, shares),) = said(saved, tmp_path / "a.txt")
    assert number == len(text)
    assert shares == pytest.approx(list(answer.shares), abs=1e-6)


def test_raw_pixels_are_lines_of_pixels():
    saved = saved_model()
    levels = np.random.default_rng(0).integers(0, 9, 50).astype(np.uint8)
    lines = "\n".join(map(str, levels)).encode()
    assert said(saved, standard_input=levels.tobytes(), binary=True, every=20) == said(
        saved, standard_input=lines, every=20
    )


def test_raw_values_that_float32_does_not_hold_are_refused():
    far = Preprocessing("values", 1, mean=(1.7e9,), scale=(3.0,))
    with pytest.raises(InputError, match="--binary, whose float32 does not hold what changes"):
        said(saved_model(far), standard_input=np.float32(1.7e9).tobytes(), binary=True)
    ((_, _, shares),) = said(saved_model(far), standard_input=b"1700000003\n1699999991")
    ((_, _, expected),) = said(saved_model(replace(far, mean=(0.0,))), standard_input=b"3\n-9")
    assert shares == pytest.approx(expected, abs=1e-7)


def test_json_lines():
    out = io.StringIO()
    follow_sequence(saved_model(), Request(form="jsonl", every=2), io.BytesIO(b"1\n2\n3"), out)
    first, last = map(json.loads, out.getvalue().splitlines())
    assert (first["step"], last["step"]) == (2, 3)
    assert first["probability"] == first["probabilities"][first["class"]] == max(first["probabilities"].values())


def test_a_file_in_two_sittings(tmp_path):
    saved, (_, content) = saved_model(VALUES), measured()
    lines = content.splitlines(keepends=True)
    path, state = tmp_path / "a.csv", tmp_path / "state"
    path.write_bytes(b"".join(lines[:130]))
    first = said(saved, path, every=50, state=state)
    assert [row[0] for row in first] == [50, 100, 130]
    path.write_bytes(content)
    second = said(saved, path, every=50, state=state)
    assert [row[0] for row in second] == [150, 200, 250, 300]
    assert said(saved, path, every=50, state=state) == second[-1:]
    whole = said(saved, standard_input=content, every=50)
    for (number, label, shares), (*expected, expected_shares) in zip(second, whole[2:], strict=True):
        assert [number, label] == expected
        assert shares == pytest.approx(expected_shares, abs=1e-6)


def test_standard_input_in_two_sittings_goes_on(tmp_path):
    saved, (_, content) = saved_model(VALUES), measured()
    lines = content.splitlines(keepends=True)
    said(saved, standard_input=b"".join(lines[:130]), state=tmp_path / "state")
    second = said(saved, standard_input=b"".join(lines[130:]), state=tmp_path / "state", every=300)
    (whole,) = said(saved, standard_input=content, every=300)
    assert second[0][2] == pytest.approx(whole[2], abs=1e-6)


def test_what_was_read_before_an_error_is_kept(tmp_path):
    saved, (_, content) = saved_model(VALUES), measured()
    path = tmp_path / "a.csv"
    path.write_bytes(content + b"\nbroken\n")
    with pytest.raises(InputError, match="line 301"):
        said(saved, path, state=tmp_path / "state", every=100)
    path.write_bytes(content + b"\n1,2")
    assert [row[0] for row in said(saved, path, state=tmp_path / "state", every=100)] == [301]


def test_a_growing_file(tmp_path, monkeypatch):
    saved, (_, content) = saved_model(VALUES), measured()
    path = tmp_path / "a.csv"
    path.write_bytes(content[:1000])
    rest = [content[1000:1007], content[1007:]]  # in the middle of a line

    def grows():
        if not rest:
            return False
        with path.open("ab") as end:
            end.write(rest.pop(0))
        return True

    monkeypatch.setattr(live, "look_again", grows)
    assert said(saved, path, follow=True) == said(saved, standard_input=content)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"pixel_order": (1, 0)}, {}, "row by row"),
        ({}, {"follow": True}, "Expected a file to follow"),
        ({}, {}, "at least one step, found none. A stream of numbers comes as one step a line"),
        ({}, {"binary": True}, "With --binary it comes as uint8, 1 a step"),
        ({}, {"state": Path(__file__) / "state"}, "a place that can be written to"),
    ],
)
def test_bad_use(changes, options, message):
    with pytest.raises(InputError, match=message):
        said(replace(saved_model(), **changes), **options)


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="found nothing"):
        said(saved_model(), tmp_path / "none")
    with pytest.raises(InputError, match="found a folder"):
        said(saved_model(), tmp_path)
    with pytest.raises(InputError, match="--binary"):
        said(saved_model(TEXT), standard_input=b"a", binary=True)
    with pytest.raises(InputError, match="whole sequences"):
        said(saved_model(model="transformer"), standard_input=b"1")
    saved = saved_model()
    said(saved, standard_input=b"1\n2\n3", state=tmp_path / "state")
    (tmp_path / "a.csv").write_bytes(b"1\n2")
    with pytest.raises(InputError, match="the 3 steps that the stream has read already, found 1 fewer"):
        said(saved, tmp_path / "a.csv", state=tmp_path / "state")
    with pytest.raises(InputError, match="state"):
        said(saved_model(VALUES), standard_input=b"1,2", state=tmp_path / "state")


def test_no_gradient_and_no_growth():
    saved = saved_model()
    said(saved, standard_input=b"1\n" * 5000, every=5000)
    assert all(weight.grad is None for weight in saved.network.parameters())
    assert torch.is_grad_enabled()
