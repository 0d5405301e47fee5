"""Parquet and JSON lines: cells with types of their own."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.tables import open_table


def read(path):
    table = open_table(path, ReadingOptions())
    return table.columns, [list(cells) for _, cells in table.rows()]


def test_json_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "é", "label": 1}\n\n{"label": null, "text": "b", "n": [1, 2]}\n', encoding="utf-8-sig")
    assert read(path) == (("text", "label", "n"), [["é", 1, None], ["b", None, [1, 2]]])
    assert [number for number, _ in open_table(path, ReadingOptions()).rows()] == [1, 3]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[1, 2]", "row 2: expected a JSON object a line, found a list"),
        ('{"a": 1', "row 2: expected a JSON object a line, found:"),
        ('{"a": 1, "a": 2}', "row 2: .*comes twice"),
        ("[" * 100_000, "row 2: expected a JSON object"),
        ('{"a": "\0"}', "row 2: expected text, found a zero byte"),
    ],
)
def test_broken_json_lines(tmp_path, line, told):
    path = tmp_path / "a.ndjson"
    path.write_text(f'{{"a": 1}}\n{line}\n')
    with pytest.raises(InputError, match=told):
        read(path)


def test_entries_that_come_late(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' * 30 + '{"b": 1}\n')
    with pytest.raises(InputError, match=r"row 31: expected the entries of the first rows \(a\), got 'b'"):
        read(path)
    path.write_text("\n")
    with pytest.raises(InputError, match="expected a JSON object a line, found none"):
        read(path)


def test_types_that_python_does_not_have(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "when": pa.array([1_700_000_000_000_000_001], pa.timestamp("ns", tz="+02:00")),
        "clock": pa.array([1], pa.time64("ns")),
        "took": pa.array([5], pa.duration("ns")),
        "left": pa.array([7], pa.duration("us")),
    }
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[1] == [["2023-11-15 00:13:20.000000001+0200", "00:00:00.000000001", 5, 7]]
