"""Weka's format, written by hand."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.importing import read_source
from auxrnn.sources.tables import open_table
from own_files import write_csv

HEADER = (
    "% Toy",
    "@RELATION Toy",
    "@ATTRIBUTE 'att 0' NUMERIC",
    "@attribute att1 real",
    "@attribute target {1,2}",
    "@DATA",
)


def read(path):
    table = open_table(path, ReadingOptions())
    return table.columns, [list(cells) for _, cells in table.rows()]


def test_one_dimension(tmp_path):
    path = write_csv(tmp_path / "a.arff", *HEADER, "0.5,1,1", "% between", "2,?,2")
    assert read(path) == (("att 0", "att1", "target"), [["0.5", "1", "1"], ["2", "?", "2"]])
    found = read_source(
        write_csv(tmp_path / "b.arff", *HEADER, "0.5,1,1.0", "2,?,2", "1,2,1", "3,4,2"), ReadingOptions()
    )
    assert [found.sequence(index)[:, 0].tolist() for index in range(4)] == [[0.5, 1], [2], [1, 2], [3, 4]]
    assert (found.classes, found.labels.tolist()) == (("1", "2"), [0, 1, 0, 1])


def test_several_dimensions_in_quotes(tmp_path):
    path = write_csv(
        tmp_path / "a.arff",
        "@relation Two",
        "@attribute series relational",
        "@attribute a numeric",
        "@attribute b numeric",
        "@end series",
        "@attribute activity {walk,run}",
        "@data",
        "'1,2,3\\n4,5,6',walk",
        "'7,8\\n9,?',run",
        "'1\\n2',walk",
        "'1\\n2',run",
    )
    found = read_source(path, ReadingOptions(missing="zero"))
    assert found.sequence(0).tolist() == [[1, 4], [2, 5], [3, 6]]
    assert found.sequence(1).tolist() == [[7, 9], [8, 0]]
    assert found.classes == ("run", "walk")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["@data", "1"], "expected @attribute lines before @data"),
        (["@relation x"], "found no @data line"),
        (["@attribute x", "@data"], "row 1: expected @attribute NAME TYPE"),
        (["1,2"], "row 1: expected a header line beginning with @"),
        (["@attribute a real", "@attribute a real", "@data"], "different names of attributes"),
        ([*HEADER, "{0 1.5, 2 1}"], "row 7: .*found a sparse row"),
        ([*HEADER, "1,2"], "row 7: expected 3 cells"),
        ([*HEADER, "'1,2"], "row 7: expected values with commas between"),
    ],
)
def test_broken_files(tmp_path, lines, told):
    with pytest.raises(InputError, match=told):
        read(write_csv(tmp_path / "a.arff", *lines))


def test_attributes_that_are_no_steps_are_asked_about(tmp_path):
    """Channels of a recording, one step a row; only names that count are steps."""
    lines = ["@relation eeg", "@attribute AF3 numeric", "@attribute F7 numeric", "@attribute eye {0,1}", "@data"]
    path = write_csv(tmp_path / "a.arff", *lines, *(f"{2 * row},{-row},{row // 6}" for row in range(12)))
    with pytest.raises(InputError, match=r"--window N for a table of one step a row, or --rows series"):
        read_source(path, ReadingOptions())
    found = read_source(path, ReadingOptions(window=3, label="eye"))
    assert found.sequence(1).tolist() == [[6, -3], [8, -4], [10, -5]]
    assert read_source(path, ReadingOptions(rows="series")).sequence(1).tolist() == [[2], [-1]]
