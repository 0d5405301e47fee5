"""Labels of every kind through the journal's state and their flat array to the target."""

import json
from array import array

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.own.keepers import KEEPERS
from auxrnn.own.rows import Form
from auxrnn.reading import ReadingOptions

LABELS = {
    "class": ["b", "a", "b"],
    "classes": [("b", "a"), (), ("c",)],
    "value": [(1.5, 2.0), (0.0, -1.0), (1e9, 3.0)],
    "tags": [("b", None), ("a",), ("b", "c", "b")],
}
EXPECTED = {
    "class": (("a", "b"), [1, 0, 1]),
    "classes": (("a", "b", "c"), [[1, 1, 0], [0, 0, 0], [0, 0, 1]]),
    "value": (("x", "y"), [[1.5, 2.0], [0.0, -1.0], [1e9, 3.0]]),
    "tags": (("a", "b", "c"), [1, -1, 0, 1, 2, 1]),
}


def make(kind, state=None, **options):
    names = ("x", "y") if kind == "value" else ()
    return KEEPERS[kind](Form("", "values", target=kind, labels=names), ReadingOptions(**options), state)


@pytest.mark.parametrize("kind", KEEPERS)
def test_from_rows_to_the_target_interrupted_in_between(kind):
    numbers = array(KEEPERS[kind].typecode)
    keeper = make(kind)
    for index, label in enumerate(LABELS[kind]):
        numbers.extend(keeper.numbers(label, f"row {index}", None))
        keeper = make(kind, json.loads(json.dumps(keeper.state())))
    target, labels = keeper.finished(np.array(numbers))
    names, expected = EXPECTED[kind]
    assert (target.kind, target.names) == (kind, names)
    assert labels.tolist() == expected
    assert labels.shape == KEEPERS[kind].shape(3, 6, len(names))
    assert KEEPERS[kind].valid(labels, len(names))
    assert np.array_equal(labels, labels.astype(KEEPERS[kind].dtype))


def test_tags_of_steps_that_were_left_out():
    keeper = make("tags")
    assert keeper.numbers(("a", "b", None, "a"), "row", np.array([1, 2])) == [0, -1]


def test_classes_named_by_columns_keep_their_order():
    keeper = KEEPERS["classes"](Form("", "values", target="classes", labels=("z", "a")), ReadingOptions(), None)
    numbers = [*keeper.numbers(("a",), "row", None), *keeper.numbers((), "row", None)]
    target, labels = keeper.finished(np.array(numbers))
    assert (target.names, labels.tolist()) == (("z", "a"), [[0, 1], [0, 0]])


def test_too_little_to_learn():
    keeper = make("tags")
    keeper.numbers(("a", "a", None), "row", None)
    with pytest.raises(InputError, match="at least 2 classes, got 1 class, 'a'"):
        keeper.check()
    with pytest.raises(InputError, match="at least one class under --target classes"):
        make("classes").check()


def test_tags_of_mixed_type():
    with pytest.raises(InputError, match=r"row: expected a number as label.*got the word 'a'"):
        make("tags").numbers(("1", "a"), "row", None)


@pytest.mark.parametrize(
    ("kind", "labels"), [("class", [0, 3]), ("classes", [[2, 0]]), ("value", [[np.nan, 0.0]]), ("tags", [-2, 0])]
)
def test_damaged_labels(kind, labels):
    assert not KEEPERS[kind].valid(np.array(labels), 2)
