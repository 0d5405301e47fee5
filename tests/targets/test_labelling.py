"""Labels: one kind, an order that people expect, nothing that is no class."""

import pytest

from auxrnn.errors import InputError
from auxrnn.targets import labelling
from auxrnn.targets.labelling import Labelling


def number(labels, kind="auto"):
    found = Labelling(kind)
    return found, [found.place(label, f"row {row}") for row, label in enumerate(labels)]


def test_places_counts_and_order():
    found, places = number(["10", "9", "10", "-1"])
    assert places == [0, 1, 0, 2]
    assert found.counts == [2, 1, 1]
    assert [found.classes[place] for place in found.order()] == ["-1", "9", "10"]
    found, _ = number(["b", "a", "C"])
    assert [found.classes[place] for place in found.order()] == ["C", "a", "b"]


def test_whole_numbers_written_in_two_ways_are_one_class():
    found, places = number(["1.0", "1", "1.", "2.00"])
    assert found.classes == ["1", "2"]
    assert places == [0, 0, 0, 1]
    found, places = number(["0", "-0", "+0.0", "+7", "7", "-7", "007"])
    assert places == [0, 0, 0, 1, 1, 2, 3]
    assert found.classes == ["0", "7", "-7", "007"]
    assert number(["+-5", "a"])[0].classes == ["+-5", "a"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["1", "2", "cat"], "row 2: expected a number as label.*'1'.*got the word 'cat'.*--label_type text"),
        (["cat", "2"], "row 1: expected a word"),
        (["0.5"], "row 0: expected a class as label, got 0.5: these look like measured values"),
        (["a", "1e-3"], "row 1: .*measured values"),
    ],
)
def test_mixed_and_measured_labels(labels, told):
    with pytest.raises(InputError, match=told):
        number(labels)
    assert number(labels, "text")[0].classes == labels


@pytest.mark.parametrize("kind", ["auto", "text"])
def test_a_name_that_a_terminal_obeys(kind):
    with pytest.raises(InputError, match=r"row 1: expected a name .*without control characters, got '\\x1b\[2J'"):
        number(["cat", "\x1b[2J"], kind)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([], "at least 2 classes, got none"),
        (["a", "a"], "at least 2 classes, got 1 class, 'a'"),
        (["a", "a", "b"], "row 2: expected at least 2 sequences of class 'b'"),
        (["a", "b", "c"], "row 0: .*and so 2 other classes.*--label"),
    ],
)
def test_too_few(labels, told):
    with pytest.raises(InputError, match=told):
        number(labels)[0].check()


def test_too_many(monkeypatch):
    monkeypatch.setattr(labelling, "MOST_CLASSES", 3)
    with pytest.raises(InputError, match="row 3: expected at most 3 classes"):
        number(["a", "b", "c", "d"])
