"""Figures are whole PNG files, drawn without a display; a warning would be an error here."""

import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from auxrnn.report.figures import COLOURS, draw_curves, draw_lines, draw_memory


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


def test_curves(tmp_path):
    curves = {
        "LSTM": [[(1, 10.0), (2, 20.0)], [(1, 12.0), (2, 30.0), (3, 40.0)]],  # one was stopped early
        "one run": [[(2, 5.0)]],
    }
    draw_curves(tmp_path / "a.png", curves, title="digits")
    assert min(size_of(tmp_path / "a.png")) > 300


def test_more_curves_than_colours_are_all_drawn(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    plain = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda *given, **named: (drawn.append(named["label"]), plain(*given, **named))[1])
    names = [str(index) for index in range(len(COLOURS) + 2)]
    draw_curves(tmp_path / "a.png", {name: [[(1, 1.0), (2, 2.0)]] for name in names}, title="many")
    assert drawn == names
    drawn.clear()
    draw_lines(tmp_path / "b.png", {name: [(1, 1), (2, 3)] for name in names}, title="", xlabel="T", ylabel="MiB")
    assert drawn == names
    assert size_of(tmp_path / "b.png")


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 2, 5), (2, 4, 4, 3)])
def test_memory(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 17, shape).astype(np.uint8)
    draw_memory(tmp_path / "a.png", images, images[::-1], title="what is left", levels=17)
    assert size_of(tmp_path / "a.png")


def test_neither_torch_nor_a_display_is_needed(tmp_path):
    code = (
        "import sys, pathlib; from auxrnn.report.figures import draw_curves; "
        f"draw_curves(pathlib.Path({str(tmp_path / 'a.png')!r}), {{'a': [[(1, 2.0)]]}}, title='a'); "
        "print(sorted({'torch', 'lightning', 'matplotlib.pyplot', 'tkinter'} & set(sys.modules)))"
    )
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in gone}
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == "[]"
    assert size_of(tmp_path / "a.png")
