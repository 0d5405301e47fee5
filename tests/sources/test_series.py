"""Tables with one series a row, against the numbers that were written."""

import json

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.importing import read_source
from auxrnn.sources.recognise import recognise
from auxrnn.sources.unlabelled import read_unlabelled
from own_files import write_csv


def read(path, **given):
    return [
        (row.sequence.tolist(), row.label, row.split) for row in recognise(path, ReadingOptions(**given)).examples()
    ]


@pytest.mark.parametrize(("suffix", "mark"), [(".tsv", "\t"), (".txt", "  "), (".csv", ",")])
def test_a_pair_of_the_archive(tmp_path, suffix, mark):
    for part in ("TRAIN", "TEST"):
        rows = [["-1", "0.5", "1", "NaN"], ["1.0", "2", "3", "4"]] * 2
        write_csv(tmp_path / f"Toy_{part}{suffix}", *(mark.join(row) for row in rows))
    source = tmp_path if suffix == ".csv" else tmp_path / f"Toy_TRAIN{suffix}"
    found = read(source)
    assert found[:2] == [([[0.5], [1]], "-1", "train"), ([[2], [3], [4]], "1.0", "train")]
    assert [split for *_, split in found] == ["train"] * 4 + ["test"] * 4
    assert recognise(source, ReadingOptions()).schema.notes == (
        "Empty cells at the end of a row are taken for the end of a shorter series.",
    )
    assert read_source(source, ReadingOptions()).classes == ("-1", "1")


def test_many_columns_that_count(tmp_path):
    names = ",".join(f"t{step}" for step in range(16))
    rows = [f"{row},{'ab'[row % 2]}," + ",".join(str(row + step) for step in range(16)) for row in range(6)]
    found = read(write_csv(tmp_path / "a.csv", f"id,label,{names}", *rows))
    assert found[1] == ([[1 + step] for step in range(16)], "b", None)


def test_columns_beside_those_of_the_steps_are_not_read(tmp_path):
    """Dates as names, beside where it was measured."""
    days = ",".join(f"1/{day}/20" for day in range(1, 21))
    rows = [f"{'xy'[row % 2]},{row + 0.5},-7.5," + ",".join(str(row * day) for day in range(20)) for row in range(4)]
    path = write_csv(tmp_path / "a.csv", f"label,Lat,Long,{days}", *rows)
    assert read(path, rows="series")[3] == ([[3 * day] for day in range(20)], "y", None)
    schema = recognise(path, ReadingOptions(rows="series")).schema
    assert schema.notes == ("Columns that are not read: Lat, Long.",)


def test_places_as_names_of_columns(tmp_path):
    """As pandas writes a table without names of columns, with its index and without; the label is the last."""
    rows = [",".join(str(row + step) for step in range(6)) + f",{row % 2}" for row in range(4)]
    names = ",".join(map(str, range(7)))
    indexed = write_csv(tmp_path / "a.csv", f",{names}", *(f"{row},{line}" for row, line in enumerate(rows)))
    for path in (indexed, write_csv(tmp_path / "b.csv", names, *rows)):
        found = read(path, rows="series", label="6")
        assert len(found) == 4
        assert found[1] == ([[1 + step] for step in range(6)], "1", None)


def test_a_few_columns_are_asked_about(tmp_path):
    path = write_csv(tmp_path / "a.csv", "label,a,b,c", "x,1,2,3", "y,4,5,6", "x,7,8,", "y,1,1,1")
    with pytest.raises(InputError, match=r"--window N .* or --rows series"):
        recognise(path, ReadingOptions())
    assert read(path, rows="series")[2] == ([[7], [8]], "x", None)
    with pytest.raises(InputError, match="expected one step a row for --target tags"):
        recognise(path, ReadingOptions(rows="series", target="tags"))


def test_tags_ask_for_the_sequence_of_each_step(tmp_path):
    path = write_csv(tmp_path / "a.csv", "recording,time,x,y,label", "1,0,2,3,a", "1,1,5,6,b", "2,0,7,8,a")
    with pytest.raises(InputError, match=r"sequence named by --id COLUMN .* columns: recording, time, x, y, label"):
        recognise(path, ReadingOptions(target="tags"))
    assert recognise(path, ReadingOptions(target="tags", id="recording")).schema.channels == 2


def write_lists(path, *cells):
    path.write_text("".join(json.dumps({"label": "ab"[row % 2], "x": cell}) + "\n" for row, cell in enumerate(cells)))
    return path


def test_lists_in_cells(tmp_path):
    assert read(write_lists(tmp_path / "a.jsonl", [1, 2], [3, None], [5]))[0] == ([[1], [2]], "a", None)
    found = read(write_lists(tmp_path / "b.jsonl", [[1, 2], [3, 4]], [[5, 6]]))
    assert [values for values, *_ in found] == [[[1, 2], [3, 4]], [[5, 6]]]
    with pytest.raises(InputError, match="row 2: expected a list of numbers"):
        read(write_lists(tmp_path / "c.jsonl", [1, 2], [[1, 2], [3]]))
    with pytest.raises(InputError, match="row 2: expected a number as value, got 'x'"):
        read(write_lists(tmp_path / "d.jsonl", [1, 2], [1, "x"]))
    with pytest.raises(InputError, match=r"e\.jsonl, first row: expected a finite number as value"):
        read(write_lists(tmp_path / "e.jsonl", [1, float("inf")], [1, 2]))


def test_lists_in_parquet_beside_each_other(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table({"u": [[1.0, 2.0], [3.0]], "v": [[5, 6], [7]], "label": ["a", "b"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    reader = recognise(tmp_path / "a.parquet", ReadingOptions())
    assert reader.schema.columns["rows"] == "series"
    assert reader.schema.channels == 2
    assert [row.sequence.tolist() for row in reader.examples()] == [[[1, 5], [2, 6]], [[3, 7]]]
    parquet.write_table(pa.table({"u": [[1.0, 2.0]], "v": [[5]], "label": ["a"]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"row 1: expected lists of one length, got \[1, 2\]"):
        list(recognise(tmp_path / "b.parquet", ReadingOptions()).examples())


def test_predicting_with_labels_and_without(tmp_path):
    train = write_csv(tmp_path / "Toy_TRAIN.tsv", *["-1\t0.5\t1", "1\t2\t3"] * 2)
    schema = recognise(train, ReadingOptions()).schema
    with_labels = write_csv(tmp_path / "new.tsv", "1\t7\t8", "-1\t9\t9")
    without = write_csv(tmp_path / "plain.tsv", "7\t8", "9\t9")
    for path in (with_labels, without):
        found = [row.sequence for row in read_unlabelled(path, schema, ReadingOptions())]
        assert np.array_equal(found, [[[7], [8]], [[9], [9]]])


def test_lists_that_are_texts(tmp_path):
    path = write_csv(tmp_path / "a.csv", "pixels,label", "0 255 3,x", '"[1.5, 2]",y')
    assert read(path, rows="series") == [([[0], [255], [3]], "x", None), ([[1.5], [2]], "y", None)]
    wrong = write_csv(tmp_path / "b.csv", "pixels,label", "0 255,x", '"[[1, 2], [3, 4]]",y')
    with pytest.raises(InputError, match="row 3: expected a number as value"):
        read(wrong, rows="series")


def test_steps_that_only_later_rows_have(tmp_path):
    """The first 200 rows, by which columns are told, may all be shorter."""
    short, long = "1\t5\t6\tNaN\tNaN", "2\t5\t6\t7\t8"
    assert read(write_csv(tmp_path / "Toy_TRAIN.tsv", *[short] * 210, *[long] * 2))[-1][0] == [[5], [6], [7], [8]]


@pytest.mark.parametrize("width", [2, 4, 5])
def test_tables_without_names_of_another_width_are_refused(tmp_path, width):
    """What stands in the first column cannot be known."""
    train = write_csv(tmp_path / "Toy_TRAIN.tsv", *["-1\t0.5\t1\t2\t4\t4", "1\t2\t3\t3\t3\t3"] * 2)
    schema = recognise(train, ReadingOptions()).schema
    other = write_csv(tmp_path / "new.tsv", *["\t".join("1" * (width - 1) + "7")] * 2)
    if width != 5:
        with pytest.raises(InputError, match=f"expected 6 columns as in training, or 5 without labels, found {width}"):
            list(read_unlabelled(other, schema, ReadingOptions()))
    other.rename(tmp_path / "Toy_TEST.tsv")
    with pytest.raises(InputError, match=f"expected 6 columns as in training, found {width}"):
        recognise(train, ReadingOptions())


def test_lists_with_the_steps_last_are_doubted(tmp_path):
    path = write_lists(tmp_path / "a.jsonl", *[[list(range(60))] * 3] * 4)
    (note,) = recognise(path, ReadingOptions()).schema.notes
    assert note.startswith("Warning: read as 3 steps of 60 channels each; if the steps stand last")


def test_decimal_commas_name_their_option(tmp_path):
    path = write_csv(tmp_path / "Toy_TRAIN.txt", *["1;0,5;2,5;3,5", "2;4,5;5,5;6,5"] * 2)
    with pytest.raises(InputError, match="If the comma is the decimal mark say --decimal ,"):
        recognise(path, ReadingOptions())
    assert read(path, decimal=",")[0] == ([[0.5], [2.5], [3.5]], "1", None)
