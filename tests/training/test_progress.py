"""A bar on a terminal, plain lines elsewhere."""

import fcntl
import os
import re
import struct
import termios
from dataclasses import replace
from types import SimpleNamespace

import pytest

from auxrnn.training import progress as progress_module
from auxrnn.training.loop import fit
from auxrnn.training.progress import ProgressReport, _clock
from tiny_runs import MODEL, TRAINING, child_reports, make_data, make_model, start_child

NUMBER = r"[\d.e+-]+"


def train_aloud(capsys, **options):
    fit(make_model(), make_data(), make_data("validation", 7), MODEL, replace(TRAINING, **options))
    return capsys.readouterr().out


def test_one_plain_line_an_epoch(capsys):
    text = train_aloud(capsys)
    assert "\x1b" not in text
    assert "\r" not in text
    lines = text.splitlines()
    assert len(lines) == 5
    aux = f"reconstruct {NUMBER}  predict {NUMBER}"
    speed = rf"{NUMBER} steps/s  \d+:\d\d left"
    for epoch, line in enumerate(lines[:2], start=1):
        assert re.fullmatch(f"pretrain epoch {epoch}/2  {aux}  {speed}", line)
    for epoch, line in enumerate(lines[2:], start=1):
        accuracy = f"train accuracy {NUMBER}  validation accuracy {NUMBER}"
        assert re.fullmatch(f"train epoch {epoch}/3  supervised {NUMBER}  {aux}  {accuracy}  {speed}", line)


def test_a_line_every_half_minute_within_an_epoch(capsys, monkeypatch):
    # The clock moves with the steps: 12 s each.
    seen = {}
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: 12.0 * seen["step"].number))
    plain = ProgressReport.phase_begins

    def started(self, step, *given):
        seen["step"] = step
        plain(self, step, *given)

    monkeypatch.setattr(ProgressReport, "phase_begins", started)
    lines = train_aloud(capsys, batch_size=2, pretrain_epochs=0, max_epochs=1).splitlines()
    # Steps 3, 6 and 9 are the first at least 30 s after the line before; 10 steps end the epoch.
    assert [line.split("  ")[0] for line in lines] == [
        "train step 3/10",
        "train step 6/10",
        "train step 9/10",
        "train epoch 1/1",
    ]
    assert [line.split("  ")[-2:] for line in lines[:3]] == [
        ["0.0833 steps/s", f"{left} left"] for left in ("1:24", "0:48", "0:12")
    ]
    assert all("accuracy" in line for line in lines)


def test_quiet_says_nothing(capsys):
    fit(make_model(), make_data(), None, MODEL, TRAINING, quiet=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_bar_on_a_terminal(tmp_path, columns):
    parent, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    child = start_child(child_reports, os.ttyname(terminal), str(tmp_path))
    os.set_blocking(parent, False)
    shown = b""
    running = True
    while running:
        child.join(0.05)
        running = child.is_alive()  # what it has written last is read after its end
        try:
            shown += os.read(parent, 1 << 20)
        except BlockingIOError:
            continue
    os.close(terminal)
    os.close(parent)
    text = shown.decode(errors="replace")
    assert child.exitcode == 0, text
    assert "\x1b[" in text
    assert "━" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    bars = [line for line in re.split(r"[\r\n]+", plain) if line.startswith("train ━") and "steps/s" in line]
    form = rf"train [━╸╺]{{8}} (\d:\d\d:\d\d|-:--:--) {NUMBER} steps/s loss {NUMBER}  accuracy {NUMBER}  reconstruct.*"
    assert bars
    assert all(re.fullmatch(form, bar) for bar in bars), bars
    if columns == 120:  # two auxiliary losses are one too many for 80
        assert re.search(f"predict {NUMBER}$", bars[0])
    assert "train epoch 2/2  supervised" in plain  # the lines of the epochs stay above the bar
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back


def test_the_bar_is_closed_after_an_error():
    closed = []
    report = ProgressReport()
    report.bar = SimpleNamespace(stop=lambda: closed.append(True))
    report.close()
    report.close()
    assert closed == [True]


def test_clock():
    assert [_clock(seconds) for seconds in (0, 59.6, 61, 3600, 36_061)] == [
        "0:00",
        "1:00",
        "1:01",
        "1:00:00",
        "10:01:01",
    ]
