"""Figures are whole PNG files and whole SVG, drawn without a display; a warning would be an error here."""

import os
import re
import struct
import subprocess
import sys
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from auxrnn.report.drawing import COLOURS
from auxrnn.report.figures import (
    LEGEND_ROW,
    Answers,
    Point,
    draw_bars,
    draw_confusion,
    draw_curves,
    draw_images,
    draw_lines,
    draw_points,
    draw_sequence,
)


def size_of(path):
    """(width, height) of a whole PNG file: every chunk's checksum is right and the last one is the end."""
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at, kinds = 8, []
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        assert zlib.crc32(content[at + 4 : at + 8 + length]) == struct.unpack(">I", content[at + 8 + length :][:4])[0]
        kinds.append(kind)
        at += 12 + length
    assert kinds[-1] == b"IEND"
    return struct.unpack(">2I", content[16:24])


def texts(drawing):
    """The texts of a drawing's SVG, which is one whole XML element."""
    root = ElementTree.fromstring(drawing.svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]


def check(drawing, tmp_path, *labels):
    drawing.save(tmp_path / "a.png")
    assert min(size_of(tmp_path / "a.png")) > 100
    found = texts(drawing)
    missing = [label for label in labels if label not in found]
    assert not missing, found


def test_curves(tmp_path):
    curves = {
        "LSTM": [[(1, 10.0), (2, 20.0)], [(1, 12.0), (2, 30.0), (3, 40.0)]],  # one was stopped early
        "one <run> & more": [[(2, 5.0)]],
    }
    check(draw_curves(curves, title="digits"), tmp_path, "LSTM", "one <run> & more", "digits", "validation accuracy, %")


def test_only_what_all_runs_have_is_drawn_with_its_mean_and_range(monkeypatch):
    from matplotlib.axes import Axes

    bands = []
    monkeypatch.setattr(Axes, "fill_between", lambda axes, xs, low, high, **_: bands.append((xs, [*low], [*high])))
    draw_curves({"a": [[(1, 10.0), (2, 20.0)], [(1, 12.0), (2, 30.0), (3, 40.0)]]}, title="")
    assert bands == [([1, 2], [10.0, 20.0], [12.0, 30.0])]


def test_more_curves_than_colours_are_all_drawn_and_told_apart(monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    plain = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda *given, **named: (drawn.append(named), plain(*given, **named))[1])
    names = [str(index) for index in range(3 * len(COLOURS))]
    draw_curves({name: [[(1, 1.0), (2, 2.0)]] for name in names}, title="many")
    assert [named["label"] for named in drawn] == names
    assert len({(named["marker"], str(named["linestyle"])) for named in drawn[: len(COLOURS)]}) == len(COLOURS)
    assert len({(named["marker"], str(named["linestyle"]), named["color"]) for named in drawn}) == len(names)


def test_a_name_keeps_its_look_in_every_figure(monkeypatch):
    from matplotlib.axes import Axes

    drawn = {}
    plain = Axes.plot
    monkeypatch.setattr(
        Axes, "plot", lambda *given, **n: (drawn.update({n["label"]: n["color"]}), plain(*given, **n))[1]
    )
    draw_curves({"b": [[(1, 1.0)]], "new": [[(1, 1.0)]]}, title="", order=["a", "b"])
    assert drawn == {"b": COLOURS[1], "new": COLOURS[2]}


def test_levels_are_named_lines_across(monkeypatch, tmp_path):
    from matplotlib.axes import Axes

    drawn, plain = [], Axes.axhline
    monkeypatch.setattr(Axes, "axhline", lambda *given, **n: (drawn.append(given[1]), plain(*given, **n))[1])
    drawing = draw_curves({"a": [[(1, 10.0), (2, 20.0)]]}, title="", levels={"majority class": 33.3, "floor": 45.0})
    check(drawing, tmp_path, "majority class", "floor")
    assert drawn == [33.3, 45.0]


@pytest.mark.parametrize("epochs", [2, 3, 7, 40])
def test_epochs_are_whole(epochs):
    found = texts(draw_curves({"a": [[(epoch, 0.1 * epoch) for epoch in range(1, epochs + 1)]]}, title=""))
    ticks = found[: found.index("epoch, pretraining included")]
    assert len(ticks) > 1
    assert all(tick.isdigit() for tick in ticks)


def test_long_names_are_whole_and_wrapped(tmp_path):
    name = "rp-LSTM (hidden_size 128, aux.weight 0.5, data /a/folder/of/measurements, lr 0.001, initialisation chrono)"
    drawing = draw_curves({name: [[(1, 10.0)]], "LSTM, costs $5 or $6": [[(1, 9.0)]]}, title=name)
    told = " ".join(texts(drawing))
    assert told.count(name) == 2
    assert "costs $5 or $6" in told
    drawing.save(tmp_path / "a.png")
    assert no_ink_at_the_sides(tmp_path / "a.png")


def no_ink_at_the_sides(path):
    image = pytest.importorskip("PIL.Image")
    with image.open(path) as opened:
        pixels = np.asarray(opened.convert("L"))
    return bool((pixels[:, [0, -1]] == 255).all())


def test_a_sequence_with_what_is_said_of_it(monkeypatch, tmp_path):
    from matplotlib.axes import Axes

    lines, stairs = {}, []
    plot, plain = Axes.plot, Axes.stairs

    def keep_line(axes, x, y, **named):
        lines[named.get("label")] = (list(x), list(y))
        return plot(axes, x, y, **named)

    def keep_stairs(axes, heights, edges, **named):
        stairs.append((list(edges), list(heights), named["color"]))
        return plain(axes, heights, edges, **named)

    monkeypatch.setattr(Axes, "plot", keep_line)
    monkeypatch.setattr(Axes, "stairs", keep_stairs)
    channels = {"speed [m/s]": np.arange(4.0), "heat [K]": np.ones(4)}
    over = Answers([1, 2], {"a": np.array([0.2, 0.7]), "b": np.array([0.8, 0.3])}, "probability so far")
    without = Answers([0, 1, 2], {"b": np.array([0.1, 0.9])}, "probability without this part")
    drawing = draw_sequence(channels, [over, without], title="Test sequence 1", xlabel="seconds", scale=0.5, order="ab")
    check(drawing, tmp_path, "speed [m/s]", "heat [K]", "so far", "seconds", "a", "b", "Test sequence 1")
    assert lines == {None: ([0, 0.5, 1, 1.5], [1] * 4), "a": ([1, 2], [0.2, 0.7]), "b": ([1, 2], [0.8, 0.3])}
    assert stairs == [([0, 1, 2], [0.1, 0.9], COLOURS[1])]


def test_an_image_in_place_of_channels(tmp_path):
    without = Answers([0, 6, 12], {"a": np.array([0.1, 0.9])}, "probability without this part")
    drawing = draw_sequence({"pixel": np.ones(12)}, [without], title="", image=np.eye(3, 4))
    check(drawing, tmp_path, "step")
    assert "pixel" not in texts(drawing)


def test_lines_have_logarithmic_axes_with_plain_numbers(tmp_path):
    lines = {"r-LSTM": [(1024, 2.0), (16384, 16.0)], "LSTM": [(1024, 4.0)]}
    drawing = draw_lines(lines, title="Time", xlabel="steps", ylabel="seconds a batch")
    check(drawing, tmp_path, "r-LSTM", "LSTM", "steps", "seconds a batch", "1,000", "10,000", "10")


def test_points_with_intervals_and_a_mark(tmp_path):
    lines = {"a": [Point(100, 60, 55, 66), Point(400, 50)], "b": [Point(100, 1e-9)]}
    drawing = draw_points(lines, title="", xlabel="x", ylabel="y", log_y=True, mark={"K = 300": 300})
    check(drawing, tmp_path, "a", "b", "K = 300", "x", "y")


def test_a_span_is_shaded_and_named(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    shaded, plain = [], Axes.axvspan
    monkeypatch.setattr(Axes, "axvspan", lambda *given, **n: (shaded.append(given[1:]), plain(*given, **n))[1])
    drawing = draw_points({"a": [Point(0, 1), Point(9, 2)]}, title="", xlabel="x", ylabel="y", span={"event": (3, 5)})
    check(drawing, tmp_path, "a", "event", "x", "y")
    assert shaded == [(3, 5)]


def test_bars(tmp_path):
    bars = {"joint training": Point(0, -3.6, -4.0, -3.1), "distant past": Point(0, 1.7), "none": Point(0, 0.0)}
    check(draw_bars(bars, title="Ablation"), tmp_path, *bars, "−3.6", "+1.7", "+0.0", "Ablation")


def test_confusion(tmp_path):
    counts = [[5, 1, 0], [0, 0, 0], [2, 0, 7]]  # a class that never came
    drawing = draw_confusion(counts, ["cat", "a long name", "dog"], title="Mistakes")
    check(drawing, tmp_path, "cat", "a long name", "dog", "5", "1", "2", "7", "answered", "true class")
    assert "80.0 % of 15 lie on the diagonal" in drawing.svg
    assert "0" not in texts(drawing)
    many = draw_confusion(np.eye(120, dtype=int), [f"breed {index}" for index in range(120)], title="Dogs")
    check(many, tmp_path, "Dogs")
    assert "breed 3" not in texts(many)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 2, 5), (2, 4, 4, 3)])
def test_images(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 17, shape).astype(np.uint8)
    missing = np.zeros((2, *shape[1:3]), dtype=bool)
    missing[1, 1:] = True
    drawing = draw_images({"shown": images, "12 later": images[::-1]}, title="left", levels=17, missing=missing)
    check(drawing, tmp_path, "shown", "12 later", "left")
    check(draw_images({"a": images, "b": images[:1]}, title="", levels=17), tmp_path, "a", "b")
    assert draw_images({"shown": images}, title="", levels=17).svg.count("data:image/png") == shape[0]


def test_neither_torch_nor_a_display_is_needed(tmp_path):
    code = (
        "import sys, pathlib; from auxrnn.report.figures import draw_curves; "
        f"draw_curves({{'a': [[(1, 2.0)]]}}, title='a').save(pathlib.Path({str(tmp_path / 'a.png')!r})); "
        "print(sorted({'torch', 'lightning', 'matplotlib.pyplot', 'tkinter'} & set(sys.modules)))"
    )
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in gone}
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == "[]"
    assert size_of(tmp_path / "a.png")


def test_a_long_legend_makes_room_for_itself():
    """Thirty names of a line each; were there no room, matplotlib would warn and draw them over the axes."""
    few, many = (
        draw_curves({f"{'a long name ' * 3} {n}": [[(1, n), (2, n + 1)]] for n in range(number)}, title="t")
        for number in (4, 30)
    )
    (short, tall) = (float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawn.svg)[1]) for drawn in (few, many))
    assert tall - short == pytest.approx(26 * LEGEND_ROW * 72)
