"""Damaged files are read or refused in one line, a few of each format each time; and what is no such answer is found.

`PYTHONPATH=tests python -m fuzz --inputs 1000` feeds more; docs/robustness.md says what was found.
"""

import os
import signal
import time
import warnings
from random import Random

import pytest

from auxrnn.errors import InputError
from fuzz import campaign as campaigns
from fuzz.campaign import READ, REFUSED, campaign, campaign_alone, spoilt_files
from fuzz.formats import FORMATS, Format

FEWER = {"gif": 15, "options": 15, "finished": 15, "stopped": 10, "stopped-checkpoint": 10}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name):
    number = FEWER.get(name, 60)
    outcome = campaign(name, number, seed=0)
    assert outcome.findings == {}
    assert outcome.inputs == number


def test_spoilt_files_are_a_function_of_their_number():
    form = FORMATS["csv"]
    sources = form.files()
    one, again, other = (spoilt_files(form, sources, Random(f"csv 0 {number}")) for number in (7, 7, 8))
    assert one == again != other
    assert one not in sources


def reading(monkeypatch, read):
    """A format whose reader is `read`, from the second file on."""
    calls = iter(range(10**6))
    plain = Format(lambda: [{"a": b"abc"}], lambda folder: read(next(calls), folder), lambda folder: None)
    monkeypatch.setitem(FORMATS, "planted", plain)


def refuse(message):
    raise InputError(message)


def test_wrong_answers_are_found_and_kept(monkeypatch, tmp_path):
    def read(call, folder):
        monkeypatch.setattr(campaigns, "SLOW", 0.05 if call == 2 else 20.0)  # of the next, which alone is to be late
        answers = {
            0: lambda: None,
            1: lambda: refuse("no"),
            2: lambda: {}["missing"],
            3: lambda: time.sleep(5),
            4: lambda: refuse("x" * 3000),
            5: lambda: warnings.warn("odd", stacklevel=1),
            6: lambda: bytearray(2**33),
        }
        answers[call]()

    reading(monkeypatch, read)
    outcome = campaign("planted", 7, kept=tmp_path)
    assert (outcome.verdicts[READ], outcome.verdicts[REFUSED]) == (1, 1)
    kinds = sorted(what.split()[0] for what in outcome.findings)
    assert kinds == ["KeyError", "MemoryError", "SlowError", "UserWarning", "message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"planted-0-{number}" for number in range(2, 7)]
    assert "KeyError: 'missing'" in (tmp_path / "planted-0-2" / "finding.txt").read_text()
    assert (tmp_path / "planted-0-2" / "a").is_file()


def test_the_end_of_the_process_is_a_finding_and_the_rest_goes_on(monkeypatch, tmp_path):
    def read(call, folder):
        if (folder / "a").read_bytes() == worst:
            os.kill(os.getpid(), signal.SIGKILL)

    form = Format(lambda: [{"a": b"abc"}], lambda folder: None, lambda folder: None)
    worst = spoilt_files(form, form.files(), Random("planted 0 3"))["a"]
    reading(monkeypatch, read)
    outcome = campaign_alone("planted", 6, kept=tmp_path)
    assert outcome.findings == {"ended with -9": 1}
    assert outcome.inputs == 6
    assert (tmp_path / "planted-0-3" / "a").read_bytes() == worst
