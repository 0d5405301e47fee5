"""The folder that keeps a set: what is damaged is refused before anything is trained."""

import json

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.filed import FiledArray
from auxrnn.sources.importing import import_source, read_source
from auxrnn.sources.stored import ENDS, LABELS, META, SPLITS, VALUES, is_set, open_set, verify_values
from own_files import write_csv, write_long_form


@pytest.fixture
def folder(tmp_path):
    import_source(write_long_form(tmp_path), tmp_path / "set", ReadingOptions(), lambda _: None)
    return tmp_path / "set"


def test_the_same_as_the_source(folder):
    mapped, read = open_set(folder), read_source(folder.parent / "steps.csv", ReadingOptions())
    assert is_set(folder)
    assert isinstance(mapped.values, FiledArray)
    assert (mapped.schema, mapped.classes, mapped.options) == (read.schema, read.classes, read.options)
    assert mapped.classes == ("even", "odd")
    for index in range(len(read)):
        assert np.array_equal(mapped.sequence(index), read.sequence(index))
    assert mapped.sequence(1).tolist() == [[1.0, -1.0], [1.1, -1.1], [1.2, -1.2]]
    assert np.array_equal(mapped.labels, read.labels)
    assert mapped.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert mapped.lengths.tolist() == [2, 3, 4, 2, 3, 4]


@pytest.mark.parametrize("name", [VALUES, ENDS, LABELS, SPLITS])
def test_files_cut_short_or_gone(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(InputError, match=f"{name}: expected {len(content):,} bytes"):
        open_set(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: expected a file"):
        open_set(folder)


@pytest.mark.parametrize(
    ("name", "dtype", "place", "value", "told"),
    [
        (ENDS, "<i8", 1, 0, "expected rising ends"),
        (ENDS, "<i8", -1, 99, "expected rising ends"),
        (LABELS, "<i4", 0, 2, "expected labels of 2 classes"),
        (LABELS, "<i4", 0, -1, "expected labels of 2 classes"),
        (SPLITS, "i1", 0, 4, "expected labels"),
    ],
)
def test_numbers_that_do_not_fit(folder, name, dtype, place, value, told):
    numbers = np.fromfile(folder / name, dtype)
    numbers[place] = value
    numbers.tofile(folder / name)
    with pytest.raises(InputError, match=told):
        open_set(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, "format 'auxrnn-sequences'"),
        ({"version": 99}, "version 1, found 99"),
        ({"sequences": 0}, "0 sequences"),
        ({"sequences": 10**9}, "1000000000 sequences of 18 steps"),
        ({"steps": 10**30}, "expected 16,000"),
        ({"classes": None}, "does not fit"),
        ({"classes": ["a"]}, "1 classes"),
        ({"classes": ["a", "b", "c"]}, "expected labels of 3 classes"),
        ({"missing": 3}, "3 missing values that would have been refused"),
        ({"left_out": float("inf")}, "does not fit"),
        ({"form": {}}, "does not fit"),
        ({"options": {"missing": "pray"}}, "does not fit"),
        ({"options": {"os.system": "x"}}, "unknown reading options"),
    ],
)
def test_descriptions_that_do_not_fit(folder, change, told):
    content = json.loads((folder / META).read_text())
    (folder / META).write_text(json.dumps(content | change))
    with pytest.raises(InputError, match=told):
        open_set(folder)


@pytest.mark.parametrize(
    "change", [{"dtype": "object"}, {"dtype": "float63"}, {"kind": "images"}, {"channels": 0}, {"image_shape": [2]}]
)
def test_forms_that_do_not_fit(folder, change):
    content = json.loads((folder / META).read_text())
    content["form"] |= change
    (folder / META).write_text(json.dumps(content))
    with pytest.raises(InputError, match="does not fit"):
        open_set(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\ud800"])
def test_broken_descriptions(folder, text):
    (folder / META).write_text(text, errors="surrogatepass")
    with pytest.raises(InputError, match=r"set\.json: expected"):
        open_set(folder)


@pytest.mark.parametrize(("name", "dtype"), [(LABELS, "<i4"), (ENDS, "<i8"), (SPLITS, "i1")])
def test_small_numbers_in_another_order(tmp_path, name, dtype):
    """The set stays valid in itself: it has been changed all the same."""
    lines = [
        f"{row},{step},{row},{'ab'[row % 2]},{'train' if row < 4 else 'test'}"
        for row in range(6)
        for step in range(row + 1)
    ]
    folder = tmp_path / "set"
    import_source(
        write_csv(tmp_path / "a.csv", "id,time,u,label,split", *lines), folder, ReadingOptions(), lambda _: None
    )
    numbers = np.fromfile(folder / name, dtype)
    numbers[[0, 1, 4]] = [numbers[0], numbers[1] + 1, numbers[4]] if name == ENDS else numbers[[1, 4, 0]]
    assert not np.array_equal(numbers, np.fromfile(folder / name, dtype))
    numbers.tofile(folder / name)
    with pytest.raises(InputError, match=rf"set/{name}: expected the numbers that were imported"):
        open_set(folder)


def test_values_in_another_order(folder):
    verify_values(folder)
    values = np.fromfile(folder / VALUES)
    values[::-1].tofile(folder / VALUES)
    open_set(folder)
    with pytest.raises(InputError, match=rf"set/{VALUES}: expected the numbers that were imported"):
        verify_values(folder)


def test_a_set_without_sums_is_one_of_an_older_version(folder):
    content = json.loads((folder / META).read_text())
    del content["sums"]
    (folder / META).write_text(json.dumps(content))
    assert len(open_set(folder)) == 6
    verify_values(folder)
    content["sums"] = {LABELS: "x"}
    (folder / META).write_text(json.dumps(content))
    with pytest.raises(InputError, match="expected the description of a set"):
        open_set(folder)


def test_a_set_that_is_cut_while_it_is_read(folder):
    stored = open_set(folder)
    with open(folder / VALUES, "r+b") as file:
        file.truncate(8)
    with pytest.raises(InputError, match=rf"set/{VALUES}: expected 288 bytes, found fewer"):
        stored.sequence(5)


def test_a_description_of_no_size(folder):
    with open(folder / META, "r+b") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match=r"set\.json: expected JSON, found something else: 1,099,511,627,776 bytes"):
        open_set(folder)
