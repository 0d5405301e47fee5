"""Rows written flat, one after the other."""

from io import BytesIO

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.collect import Collection
from auxrnn.sources.reader import Example, Schema

VALUES = Schema("values", "values", 2, "float32", ("u", "v"))
TEXTS = Schema("texts", "characters", dtype="uint16")


def test_values_ends_labels_splits():
    file = BytesIO()
    found = Collection(VALUES, ReadingOptions(), file)
    found.add(Example("1", np.array([[1, 2], [3, 4]]), "b", "train"))
    found.add(Example("2", np.array([[5, 6]]), "a"))
    assert np.frombuffer(file.getvalue(), np.float32).tolist() == [1, 2, 3, 4, 5, 6]
    assert (found.ends.tolist(), found.labels.tolist(), found.splits.tolist()) == ([2, 3], [0, 1], [1, 0])


def test_rows_without_a_class_among_several():
    """The target that would take them is named, even where no row so far has several."""
    found = Collection(TEXTS, ReadingOptions(), BytesIO())
    with pytest.raises(InputError) as told:
        found.add(Example("1", "bab"))
    assert str(told.value) == (
        "1: expected a label, got none. --missing drop leaves such rows out, --no_label learn lets the auxiliary "
        "losses have them. "
        "If a row may have several classes, or none, say --target classes."
    )


def test_texts_by_first_appearance():
    file = BytesIO()
    found = Collection(TEXTS, ReadingOptions(), file)
    found.add(Example("1", "bab", "x"))
    found.add(Example("2", "c😀a", "x"))
    codes = np.frombuffer(file.getvalue(), np.uint16)
    assert "".join(found.characters[code] for code in codes) == "babc😀a"


@pytest.mark.parametrize(
    ("schema", "row", "told"),
    [
        (TEXTS, Example("row 7", "", "x"), "row 7: expected a text of at least one character.*--missing drop"),
        (TEXTS, Example("row 7", "a", None), "row 7: expected a label"),
        (VALUES, Example("row 7", np.zeros((0, 2)), "x"), "row 7: expected at least one step"),
        (VALUES, Example("row 7", np.zeros((3, 1)), "x"), "row 7: expected steps of 2 channels"),
        (VALUES, Example("row 7", np.array([[1, np.nan]]), "x"), "row 7: expected a value at step 0, v"),
        (VALUES, Example("row 7", "a", "x"), "row 7: expected numbers, got a text"),
    ],
)
def test_refused_with_the_row(schema, row, told):
    with pytest.raises(InputError, match=told):
        Collection(schema, ReadingOptions(), BytesIO()).add(row)


def test_what_drop_leaves_out_is_counted():
    found = Collection(VALUES, ReadingOptions(missing="drop"), BytesIO())
    found.add(Example("1", np.array([[1, np.nan], [1, 1]]), "x"))
    found.add(Example("2", np.array([[np.nan, 1]]), "x"))
    found.add(Example("3", np.array([[1, 1]]), None))
    assert (found.rows, len(found.ends), found.left_out, found.missing, found.with_missing) == (3, 1, 2, 2, 2)


def test_too_many_characters(monkeypatch):
    monkeypatch.setattr("auxrnn.sources.collect.MOST_CHARACTERS", 3)
    with pytest.raises(InputError, match="row 1: expected at most 3 different characters"):
        Collection(TEXTS, ReadingOptions(), BytesIO()).add(Example("row 1", "abcd", "x"))
