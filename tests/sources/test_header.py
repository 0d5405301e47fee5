"""Whether the first row names the columns."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.tables import open_table
from own_files import write_csv


def read(path, **given):
    table = open_table(path, ReadingOptions(**given))
    return table.columns, [list(cells) for _, cells in table.rows()]


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        (["id,time,0,1,label", "0,0,1.5,2.5,a"], True),
        (["0,2,1", "1.5,2,3"], False),
        (["1,2,3,4,5", "1.5,2,3,4,5"], True),
        (["1,2,3,4,5", "1.5,2,3,4,5", "2,3,4,5,6"], False),
        ([",0,1,2", "0,1.5,2,3"], True),
        ([",".join(["", *map(str, range(12)), "label"]), "0," + "1.5," * 12 + "a"], True),
        ([",".join([*map(str, range(5)), "a"]), "1.5," * 5 + "b"], False),
        (["a,1", "b,2"], False),
        (["id,0.5", "1,2"], False),
        (["1,some words", "2,others"], False),
        (["x" * 61 + ",0", "1,2"], False),
    ],
)
def test_whole_numbers_among_names(tmp_path, lines, header):
    assert open_table(write_csv(tmp_path / "a.csv", *lines), ReadingOptions()).header is header


def test_names_that_count_are_asked_about(tmp_path):
    path = write_csv(tmp_path / "a.csv", "0,1,2,3", "1.5,2,3,a", "1.5,2,3,b")
    with pytest.raises(InputError, match=r"what the first row is, 0, 1, 2, 3, \.\.\.: names of columns, with --header"):
        read(path, label="3")
    assert read(path, header="yes")[0] == read(path, label="0")[0] == ("0", "1", "2", "3")
    assert read(path, header="no")[0] == read(path, label="4")[0] == ("1", "2", "3", "4")
