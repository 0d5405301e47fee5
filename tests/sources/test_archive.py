"""The .ts format against cases written by hand after the archive's own description of it."""

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.archive import find_ts
from auxrnn.sources.importing import read_source

HEADER = ["#a comment", "@problemName Toy", "@timeStamps false", "@missing true", "@univariate true"]


def write(path, cases, *, label="@classLabel true up down", header=HEADER):
    path.write_text("\n".join([*header, label, "@data", *cases]) + "\n")
    return path


def rows_of(*paths):
    return list(find_ts([(path, None) for path in paths]).examples())


def test_univariate_of_unequal_lengths_with_gaps(tmp_path):
    path = write(tmp_path / "a.ts", ["1.0,2.0:up", "", "#note", "3,?,5e0:down"])
    first, second = rows_of(path)
    assert first.sequence.tolist() == [[1], [2]]
    np.testing.assert_array_equal(second.sequence, [[3], [np.nan], [5]])
    assert (first.label, second.label) == ("up", "down")
    assert second.where.endswith("a.ts, row 11")


def test_multivariate(tmp_path):
    path = write(tmp_path / "a.ts", ["1,2:3,4:up", "5:6:down"])
    assert [row.sequence.tolist() for row in rows_of(path)] == [[[1, 3], [2, 4]], [[5, 6]]]
    assert find_ts([(path, None)]).schema.channels == 2


def test_a_pair(tmp_path):
    train, test = write(tmp_path / "a.ts", ["1:up", "2:up"]), write(tmp_path / "b.ts", ["3:down"])
    reader = find_ts([(train, "train"), (test, "test")])
    assert [row.split for row in reader.examples()] == ["train", "train", "test"]
    assert [row.sequence.item() for row in reader.examples()][2:] == [3]


@pytest.mark.parametrize(
    ("cases", "told"),
    [
        (["1,2:3,4:up", "1,2:up"], "row 9: expected 2 dimensions and a label, got 1"),
        (["1,2:3:up"], r"row 8: expected dimensions of one length, got \[1, 2\]"),
        (["1,two:up"], "row 8: expected a number as value, got 'two'"),
        (["1,inf:up"], "row 8: expected a finite number"),
        (["1,2:sideways"], "row 8: expected a class of the header's @classLabel, got 'sideways'"),
        ([], "expected cases after @data, found none"),
        (["1,2"], "row 8: expected dimensions and a class with `:` between"),
    ],
)
def test_broken_cases(tmp_path, cases, told):
    with pytest.raises(InputError, match=rf"a\.ts.*{told}"):
        rows_of(write(tmp_path / "a.ts", cases))


@pytest.mark.parametrize(
    ("header", "label", "told"),
    [
        (HEADER, "@classLabel false", "expected a label for each case"),
        (HEADER, "@targetLabel false", "expected a label for each case"),
        (["@timeStamps true"], "@classLabel true a", "without time stamps"),
        (["@"], "@targetLabel true", "expected a number as target, got 'a'"),
        (["1,2,3:up"], "@classLabel true a", "row 1: expected a header line"),
    ],
)
def test_headers_that_are_refused(tmp_path, header, label, told):
    with pytest.raises(InputError, match=told):
        rows_of(write(tmp_path / "a.ts", ["1:a"], label=label, header=header))


def test_no_data_line_wrong_bytes_and_pairs_that_differ(tmp_path):
    path = tmp_path / "a.ts"
    path.write_text("@problemName x\n")
    with pytest.raises(InputError, match="found no @data line"):
        rows_of(path)
    path.write_bytes(b"@problemName \xff\xfe\n")
    with pytest.raises(InputError, match=r"expected text in utf-8"):
        rows_of(path)
    one, two = write(tmp_path / "b.ts", ["1:up"]), write(tmp_path / "c.ts", ["1:2:up"])
    with pytest.raises(InputError, match=r"c\.ts: expected 1 dimensions"):
        rows_of(one, two)


def test_an_empty_series_has_no_steps(tmp_path):
    assert rows_of(write(tmp_path / "a.ts", [":up"]))[0].sequence.shape == (0, 1)


def test_numbers_where_the_header_says_so(tmp_path):
    path = write(tmp_path / "a.ts", ["1,2:0.5", "3:-4e2", "5:?"], label="@targetLabel true")
    assert [row.label for row in rows_of(path)] == [(0.5,), (-400.0,), None]
    schema = find_ts([(path, None)]).schema
    assert (schema.target, schema.labels) == ("value", ("value",))
    assert find_ts([(path, None)], target="value").schema == schema
    with pytest.raises(InputError, match="expected --target value as its header says, got class"):
        find_ts([(path, None)], target="class")
    classes = write(tmp_path / "b.ts", ["1:up", "2:down"])
    with pytest.raises(InputError, match="expected --target class as its header says, got value"):
        find_ts([(classes, None)], target="value")
    with pytest.raises(InputError, match="expected classes or numbers as in"):
        find_ts([(path, "train"), (classes, "test")])


def test_a_number_that_is_none(tmp_path):
    path = write(tmp_path / "a.ts", ["1:high"], label="@targetLabel true")
    with pytest.raises(InputError, match="expected a number as target, got 'high'"):
        rows_of(path)


def test_comments_and_labels_written_otherwise(tmp_path):
    path = tmp_path / "a.ts"
    path.write_text("% by hand\n# and so\n@classLabel true 1 2.0\n@data\n% the cases\n1,2:1.0\n3,4:2\n5:1\n6:2.00\n")
    found = read_source(path, ReadingOptions())
    assert (found.classes, found.labels.tolist()) == (("1", "2"), [0, 1, 0, 1])
    path.write_text("@classLabel true 1 2\n@data\n1,2:3.0\n")
    with pytest.raises(InputError, match=r"row 3: expected a class of the header's @classLabel, got '3\.0'"):
        read_source(path, ReadingOptions())
    path.write_text("@classLabel true 1 2\n@data\n1_0,2:1\n")
    with pytest.raises(InputError, match="row 3: expected a number as value, got '1_0'"):
        read_source(path, ReadingOptions())
