"""A stream says what `predict` says of the whole, wherever it was stopped, and forgets nothing."""

import csv
import io
import json
import os
import signal
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from auxrnn.config import ModelConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError
from auxrnn.runs import live
from auxrnn.runs.intake import Stops
from auxrnn.runs.live import Request, follow_sequence
from auxrnn.runs.use import predict_file
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.sources.reader import Schema
from auxrnn.use.persistence import SavedModel, save_model
from auxrnn.use.streaming import Stream

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


def test_channels_in_another_order_are_refused(tmp_path):
    saved = saved_model(replace(VALUES, column_names=("heat", "speed")))
    assert said(saved, standard_input=b"heat,speed\n50,1\n") == said(saved, standard_input=b"50,1\n")
    with pytest.raises(InputError, match="expected the channels heat,speed in the order of training"):
        said(saved, standard_input=b"speed,heat\n1,50\n")


TOKENS = {"stem": "conv", "stride": 4, "kernel": 3, "readout": "stats-max"}


@pytest.mark.parametrize(
    "config",
    [{}, {"cell": "gru"}, {"model": "urnn"}, TOKENS, {**TOKENS, "readout": "last"}, {"readout": "stats"}],
    ids=str,
)
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


@pytest.mark.parametrize("config", [{}, TOKENS], ids=["steps", "tokens"])
def test_characters_as_predict_has_them(tmp_path, config):
    saved = saved_model(TEXT, **config)
    save_model(tmp_path, saved)
    text = "abéab?b" * 9
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    (answer,) = predict_file(tmp_path, tmp_path / "a.txt")
    ((number, _, shares),) = said(saved, tmp_path / "a.txt")
    assert number == len(text)
    assert shares == pytest.approx(list(answer.shares), abs=1e-6)


def test_texts_in_the_encoding_of_training(tmp_path):
    """`ab` in UTF-16 is UTF-8 too, of other characters."""
    options = ReadingOptions(encoding="utf-16-le").to_dict()
    own = {"own": {"form": asdict(Schema("text files", "characters", dtype="uint16")), "reading": options}}
    saved = replace(saved_model(TEXT), facts=own)
    assert said(saved, standard_input="ab\r\nb".encode("utf-16-le")) == said(saved_model(TEXT), standard_input=b"ab\nb")
    with pytest.raises(InputError, match="Expected a file with --state, for the model reads texts in utf-16-le"):
        said(saved, standard_input=b"", state=tmp_path / "state")


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


@pytest.mark.parametrize("config", [{}, TOKENS], ids=["steps", "tokens"])
def test_a_file_in_two_sittings(tmp_path, config):
    saved, (_, content) = saved_model(VALUES, **config), measured()
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


class Pipe:
    """Standard input as another program feeds it: what is written is there to be read, and the end is no end."""

    def __enter__(self):
        reading, self.writing = os.pipe()
        self.file = os.fdopen(reading, "rb")
        self.written = self.taken = 0
        return self

    def __exit__(self, *_):
        self.file.close()
        if self.writing is not None:
            os.close(self.writing)

    def fileno(self):
        return self.file.fileno()

    def read(self, size):
        found = self.file.read1(size)
        self.taken += len(found)
        return found

    def follow(self, saved, state, *moments, **options):
        """Write and do one thing after the other while the stream runs; what it said."""
        out, self.settled = io.StringIO(), None

        def act():
            for moment in moments:
                if isinstance(moment, bytes):
                    self.written += len(moment)
                    os.write(self.writing, moment)
                else:
                    moment(out)

        def waits(stops, file, seconds):
            self.settled = self.taken  # all of it has become steps, but for what is kept
            return wait(stops, file, seconds)

        wait, other = Stops.wait, threading.Thread(target=act)
        other.start()
        try:
            with patch.object(Stops, "wait", waits):
                follow_sequence(saved, Request(state=state, **options), self, out)
        finally:
            other.join()
        return out.getvalue().splitlines()

    def stop(self, number=signal.SIGTERM):
        """Once the stream waits for more than what was written."""

        def act(out):
            until = time.monotonic() + 60
            while self.settled != self.written and time.monotonic() < until:
                time.sleep(0.005)
            os.kill(os.getpid(), number)

        return act

    def end(self, out):
        os.close(self.writing)
        self.writing = None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("cut", [0, 1, 5, 1000, 1003])
def test_a_signal_loses_no_byte_of_standard_input(tmp_path, cut, number):
    """A number, and a line, that was cut in two by the end of a process is whole in the next."""
    saved, (_, content) = saved_model(VALUES), measured()
    with Pipe() as pipe:
        with pytest.raises(KeyboardInterrupt):
            pipe.follow(saved, tmp_path / "state", content[:cut], pipe.stop(number), every=2)
        found = pipe.follow(saved, tmp_path / "state", content[cut:], pipe.end, every=2)
    whole = said(saved, standard_input=content, every=2)
    rows = [line.split(",") for line in found[1:]]  # the first is a header
    assert [(int(row[0]), row[1]) for row in rows] == [row[:2] for row in whole][-len(rows) :]
    for row, expected in zip(reversed(rows), reversed(whole), strict=False):
        assert [float(cell) for cell in row[3:]] == pytest.approx(expected[2], abs=1e-6)


def test_a_signal_in_the_middle_of_a_character(tmp_path):
    saved, text = saved_model(TEXT), "abé".encode()
    with Pipe() as pipe:
        with pytest.raises(KeyboardInterrupt):
            pipe.follow(saved, tmp_path / "state", text[:3], pipe.stop())
        found = pipe.follow(saved, tmp_path / "state", text[3:], pipe.end)
    ((number, _, shares),) = said(saved, standard_input=text)
    assert found[-1].startswith(f"{number},")
    assert [float(cell) for cell in found[-1].split(",")[3:]] == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize("text", [b"a\r\nb", b"a\rb"])
def test_a_signal_in_the_middle_of_an_end_of_line(tmp_path, text):
    saved = saved_model(TEXT)
    with Pipe() as pipe:
        with pytest.raises(KeyboardInterrupt):
            pipe.follow(saved, tmp_path / "state", text[:2], pipe.stop())
        assert steps_in(tmp_path / "state", saved) == 1
        found = pipe.follow(saved, tmp_path / "state", text[2:], pipe.end)
    ((number, _, shares),) = said(saved, standard_input=b"a\nb")
    assert found[-1].startswith(f"{number},")
    assert [float(cell) for cell in found[-1].split(",")[3:]] == pytest.approx(shares, abs=1e-6)


def steps_in(state, saved):
    stream = Stream(saved.network)
    stream.load(state)
    return stream.steps


def test_the_state_is_at_most_a_second_behind_without_answers_and_while_nothing_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "SECONDS_BETWEEN_SAVES", 0.2)
    saved, state, seen = saved_model(VALUES), tmp_path / "state", []

    def look(out):
        until = time.monotonic() + 20
        while not state.exists() and time.monotonic() < until:
            time.sleep(0.02)
        seen.append((steps_in(state, saved), out.getvalue()))

    with Pipe() as pipe:
        pipe.follow(saved, state, b"50,0\n51,1\n5", look, b"2,0\n", pipe.end, every=1000)
    assert seen == [(2, "")]


def test_an_interrupted_answer_is_given_again(tmp_path):
    """What was read behind the last saved moment is kept; the reader of the answers went away in the middle."""
    saved, (_, content) = saved_model(VALUES), measured()

    class Closed(io.StringIO):
        def write(self, text):
            if text.startswith("150,"):
                raise BrokenPipeError
            return super().write(text)

    with pytest.raises(BrokenPipeError):
        follow_sequence(saved, Request(every=50, state=tmp_path / "state"), io.BytesIO(content[:4000]), Closed())
    rest = said(saved, standard_input=content[4000:], every=300, state=tmp_path / "state")
    (whole,) = said(saved, standard_input=content, every=300)
    assert rest[-1][:2] == whole[:2]
    assert rest[-1][2] == pytest.approx(whole[2], abs=1e-6)


def test_another_file_in_the_place_of_the_first_is_refused(tmp_path):
    saved, (_, content) = saved_model(VALUES), measured()
    lines = content.splitlines(keepends=True)
    path, state = tmp_path / "a.csv", tmp_path / "state"
    path.write_bytes(b"".join(lines[:100]))
    said(saved, path, state=state)
    before = state.read_bytes()
    for other in (b"".join(lines[100:]), b"9" + b"".join(lines), b"".join(lines[:50])):
        path.write_bytes(other)
        with pytest.raises(
            InputError, match=r"found another file than that of which it has read .* rotated or rewritten"
        ):
            said(saved, path, state=state)
    assert state.read_bytes() == before
    rest = said(saved, standard_input=b"".join(lines[100:]), state=state, every=300)
    (whole,) = said(saved, standard_input=content, every=300)
    assert rest[-1][2] == pytest.approx(whole[2], abs=1e-6)
    path.write_bytes(content)
    with pytest.raises(InputError, match="found one that has gone on with standard input since"):
        said(saved, path, state=state)


def test_each_file_that_is_followed_has_a_header_and_ends_of_its_own(tmp_path, monkeypatch):
    """The last line of the old one has no end of line, as the last of any file may."""
    saved, (_, content) = saved_model(VALUES), measured()
    lines = content.splitlines(keepends=True)
    path = tmp_path / "a.csv"
    header = b"x,y\n"
    path.write_bytes(header + b"".join(lines[:100]).rstrip())

    def rotates():
        if (tmp_path / "a.csv.1").exists():
            return False
        path.rename(tmp_path / "a.csv.1")
        path.write_bytes(header + b"".join(lines[100:]))
        return True

    monkeypatch.setattr(live, "look_again", rotates)
    found = said(saved, path, follow=True, state=tmp_path / "state", every=50)
    monkeypatch.undo()
    assert said(saved, path, state=tmp_path / "state", every=50) == found[-1:]  # the state knows the new file
    whole = said(saved, standard_input=content, every=50)
    assert [row[0] for row in found] == [row[0] for row in whole]
    for own, expected in zip(found, whole, strict=True):
        assert own[2] == pytest.approx(expected[2], abs=1e-6)


def test_a_file_that_is_rotated_while_it_is_followed(tmp_path, monkeypatch):
    """As `tail -F` does: the old one to its end, then the new one; and on in the new one another time."""
    saved, (_, content) = saved_model(VALUES), measured()
    lines = content.splitlines(keepends=True)
    path, state = tmp_path / "a.csv", tmp_path / "state"
    path.write_bytes(b"".join(lines[:100]))

    def append(part, to=path):
        with to.open("ab") as file:
            file.write(b"".join(part))

    def moved():
        path.rename(tmp_path / "a.csv.1")

    moments = [
        lambda: append(lines[100:120]),
        moved,
        lambda: append(lines[120:130], tmp_path / "a.csv.1"),
        lambda: append(lines[130:140]),
        lambda: append(lines[140:200]),
    ]

    def grows():
        if moments:
            moments.pop(0)()
            return True
        return False

    monkeypatch.setattr(live, "look_again", grows)
    first = said(saved, path, follow=True, state=state, every=50)
    assert [row[0] for row in first] == [50, 100, 150, 200]
    append(lines[200:])
    second = said(saved, path, state=state, every=50)
    assert [row[0] for row in second] == [250, 300]
    whole = said(saved, standard_input=content, every=50)
    for found, expected in zip(first + second, whole, strict=True):
        assert found[2] == pytest.approx(expected[2], abs=1e-6)
