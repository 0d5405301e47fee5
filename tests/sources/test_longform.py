"""Long-form tables against sequences written down by hand."""

import time

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.importing import read_source
from auxrnn.sources.longform import find_long_form_reader
from auxrnn.sources.tables import open_table
from auxrnn.sources.unlabelled import read_unlabelled
from own_files import write_csv


def reader_of(path, **given):
    options = ReadingOptions(**given)
    return find_long_form_reader(open_table(path, options), options)


def test_by_hand_sorted_by_time(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,t,u,v,label", "7,2,0.5,1,x", "7,1,0.25,2,x", "8,1,,3,y")
    first, second = reader_of(path).examples()
    assert first.sequence.tolist() == [[0.25, 2], [0.5, 1]]
    assert (first.label, second.label) == ("x", "y")
    assert np.isnan(second.sequence[0, 0])
    assert second.where == f"{path}, id 8 (row 4)"


def test_features_keep_the_order_in_which_they_were_named(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,v,label", "1,0,5,6,x")
    (row,) = reader_of(path, features="v,u").examples()
    assert row.sequence.tolist() == [[6, 5]]


def test_times_as_dates_and_without_times(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", "1,2024-01-02,5,x", "1,2024-01-01T23:00:00,6,x")
    assert next(iter(reader_of(path).examples())).sequence.tolist() == [[6], [5]]
    path = write_csv(tmp_path / "b.csv", "id,u,label", "1,5,x", "1,6,x")
    assert next(iter(reader_of(path).examples())).sequence.tolist() == [[5], [6]]


def test_a_split_of_whole_sequences(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,u,label,split", "1,5,x,train", "1,6,x,train", "2,6,y,test")
    assert [row.split for row in reader_of(path).examples()] == ["train", "test"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["1,1,5,x", "2,1,6,x", "1,2,7,x"], "row 4: expected the rows of id '1' under each other.*Sort"),
        (["1,1,5,x", "1,1,6,x"], "rows 2 and 3: expected different times"),
        (["1,1,5,x", "1,2,6,y"], "row 3: expected one label.*'y' after 'x'"),
        (["1,1,5,x", "1,2,fast,x"], "row 3: expected a number as u, got 'fast'"),
        (["1,1,inf,x"], "row 2: expected a finite number as u"),
        (["1,soon,5,x"], "row 2: expected a time"),
        (["1,inf,5,x"], "row 2: expected a finite time"),
        (["1,7,5,x", "2,2024-01-01,5,x"], r"row 3: expected a number as time as in .*row 2, got a date, '2024-01-01'"),
        (["1,2024-01-01,5,x", "1,7,5,x"], r"row 3: expected a date as time as in .*row 2, got a number, '7'"),
        ([",1,5,x"], "row 2: expected an id"),
    ],
)
def test_broken_rows(tmp_path, lines, told):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", *lines)
    with pytest.raises(InputError, match=told):
        list(reader_of(path, features="u").examples())


@pytest.mark.parametrize(
    ("first", "second", "target", "told"),
    [
        ("NaN", "19.6", "value", r"row 2: expected a label in label, got none, .* has '19\.6'.*every row"),
        ("19.6", "", "value", r"row 3: expected a label in label, got none, .* has '19\.6'"),
        ("", "x", "class", r"row 2: expected a label in label, got none, .* has 'x'"),
        ("none", "x", "class", r"row 3: expected one label .* 'x' after 'none'\. For a class at every step say"),
        ("1", "2", "value", r"got '2' after '1'\.$"),
    ],
)
def test_labels_of_one_sequence_that_differ(tmp_path, first, second, target, told):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", f"1,1,5,{first}", f"1,2,5,{second}")
    with pytest.raises(InputError, match=told):
        list(reader_of(path, target=target).examples())


@pytest.mark.parametrize(
    ("header", "given", "told"),
    [
        ("case_no,u,label", {}, "expected --id COLUMN"),
        ("id,u,kind", {"features": "w"}, "--features to be one of its columns"),
        ("id,u,kind", {}, "expected --label COLUMN"),
        ("id,u,label", {"label": "u", "features": "u"}, "different column for each"),
    ],
)
def test_what_cannot_be_known_is_asked_for(tmp_path, header, given, told):
    with pytest.raises(InputError, match=told):
        reader_of(write_csv(tmp_path / "a.csv", header, "1,2,x"), **given)


def test_words_alone_need_features(tmp_path):
    with pytest.raises(InputError, match="expected --features"):
        reader_of(write_csv(tmp_path / "a.csv", "id,u,label", "1,fast,x"))


def test_tags_follow_their_steps_in_time_and_those_left_out(tmp_path):
    lines = ["7,2,0.5,b", "7,1,0.25,", "7,3,,c", "8,1,1,b", "8,2,2,a"]
    path = write_csv(tmp_path / "a.csv", "id,t,u,label", *lines)
    first, second = reader_of(path, target="tags").examples()
    assert first.label == (None, "b", "c")
    assert second.label == ("b", "a")
    schema = reader_of(path, target="tags").schema
    assert (schema.target, schema.labels, schema.channel_names) == ("tags", (), ("u",))
    kept = read_source(path, ReadingOptions(target="tags", missing="drop"))
    assert kept.labels.tolist() == [-1, 1, 1, 0]  # the step without a value went with its tag
    assert kept.target.names == ("a", "b")


def test_a_label_that_changes_names_the_option(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,t,u,label", "7,1,0.5,b", "7,2,0.5,c")
    with pytest.raises(InputError, match=r"got 'c' after 'b'. For a class at every step say --target tags\."):
        list(reader_of(path).examples())


def test_several_values_of_a_sequence(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,t,u,mass,age", "7,1,0.5,2.5,3", "7,2,0.5,2.5,3", "8,1,1,4,5")
    reader = reader_of(path, target="value", label="mass,age")
    assert [row.label for row in reader.examples()] == [(2.5, 3.0), (4.0, 5.0)]
    assert (reader.schema.channel_names, reader.schema.labels) == (("u",), ("mass", "age"))


def test_columns_that_are_not_read_are_named(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,note,label", "1,1,5,good,x", "1,2,6,bad,x")
    assert reader_of(path).schema.notes == ("Columns that are not read: note; --features names those that are.",)
    assert reader_of(path, features="u").schema.notes == ()


def test_names_with_commas_and_quotes(tmp_path):
    path = write_csv(tmp_path / "a.csv", 'id,time,"x,y","a ""b""",label', "1,1,5,6,u")
    schema = reader_of(path).schema
    assert schema.channel_names == ("x,y", 'a "b"')
    again = reader_of(path, features=schema.columns["features"]).schema
    assert again.channel_names == schema.channel_names


def test_nanoseconds_keep_their_order(tmp_path):
    first = 1_700_000_000_000_000_000
    rows = (f"1,{first + later},{later},x" for later in (100, 0, 50))
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", *rows)
    assert next(iter(reader_of(path).examples())).sequence.tolist() == [[0], [50], [100]]
    path = write_csv(tmp_path / "b.csv", "id,time,u,label", "1,3,3,x", "1,2.5,2.5,x", "1,-1,-1,x", "1,1e1,10,x")
    assert next(iter(reader_of(path).examples())).sequence.tolist() == [[-1], [2.5], [3], [10]]


def test_times_of_parquet_in_nanoseconds(tmp_path):
    import pyarrow
    import pyarrow.parquet

    times = pyarrow.array([1_700_000_000_000_000_100, 1_700_000_000_000_000_000], pyarrow.timestamp("ns"))
    table = pyarrow.table({"id": [1, 1], "time": times, "u": [5.0, 6.0], "label": ["x", "x"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert next(iter(reader_of(tmp_path / "a.parquet").examples())).sequence.tolist() == [[6], [5]]


def test_an_index_without_a_name_is_no_channel(tmp_path):
    path = write_csv(tmp_path / "a.csv", ",id,time,u,label", "0,1,1,5,x", "1,1,2,6,x")
    schema = reader_of(path).schema
    assert schema.channel_names == ("u",)
    assert schema.notes == ("Row numbers that are not read: one without a name; --features names those that are.",)


def test_a_time_beyond_any_number(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", "1,1,5,x", f"1,{'9' * 400},6,x")
    with pytest.raises(InputError, match="row 3: expected a finite time"):
        list(reader_of(path).examples())


def many(fmt, sequences=4, steps=5):
    return [fmt(row // steps, row % steps, row) for row in range(sequences * steps)]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "rownames", "made_up"])
def test_row_numbers_are_no_channel(tmp_path, name):
    lines = many(lambda i, t, row: f"{row},{i},{t},{t * t},{'ab'[i % 2]}")
    schema = reader_of(write_csv(tmp_path / "a.csv", f"{name},id,time,u,label", *lines)).schema
    assert schema.channel_names == ("u",)
    shown = name or "one without a name"
    assert schema.notes == (f"Row numbers that are not read: {shown}; --features names those that are.",)
    if name:
        assert reader_of(tmp_path / "a.csv", features=f"{name},u").schema.channel_names == (name, "u")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("Unnamed: 0", lambda t, row: 7 * row % 20),  # rows in another order
        ("Unnamed: 0", lambda t, row: row + row // 3),  # some left out
        ("index", lambda t, row: row + row // 3),
        ("index", lambda t, row: f"{row}.0"),
        ("level_0", lambda t, row: 100 - row),
        ("row_id", lambda t, row: t),  # begun anew in each sequence
    ],
)
def test_row_numbers_in_any_order(tmp_path, name, number):
    lines = many(lambda i, t, row: f"{number(t, row)},{i},{t},{t * t},{'ab'[i % 2]}")
    schema = reader_of(write_csv(tmp_path / "a.csv", f"{name},id,time,u,label", *lines)).schema
    assert schema.channel_names == ("u",)
    assert schema.notes == (f"Row numbers that are not read: {name}; --features names those that are.",)


def test_an_id_that_counts_the_rows_is_asked_about(tmp_path):
    lines = many(lambda i, t, row: f"{row},m{i},{t},{t * t},{'ab'[i % 2]}")
    path = write_csv(tmp_path / "a.csv", "id,machine,time,u,label", *lines)
    with pytest.raises(InputError, match="expected an id of sequences, got 'id', which counts the rows"):
        reader_of(path)
    assert [len(row.sequence) for row in reader_of(path, id="machine").examples()] == [5] * 4
    assert [len(row.sequence) for row in reader_of(path, id="id").examples()] == [1] * 20
    lines = [f"{row},{row},{row % 7},{'ab'[row // 10]}" for row in range(20)]
    for name in ("id", "sample"):
        schema = reader_of(write_csv(tmp_path / "b.csv", f"{name},time,u,label", *lines), window=5).schema
        assert schema.channel_names == ("u",)
        assert schema.notes == (f"Row numbers that are not read: {name}; --features names those that are.",)


def test_a_file_to_predict_is_cut_as_that_of_training(tmp_path):
    """Though it is too short to tell that its id counts the rows."""
    lines = [f"{row},{row},{row % 7},{'ab'[row // 10]}" for row in range(20)]
    schema = reader_of(write_csv(tmp_path / "a.csv", "id,time,u,label", *lines), window=5).schema
    new = write_csv(tmp_path / "new.csv", "id,time,u", *(f"{row},{row},{row}" for row in range(6)))
    found = [row.sequence.tolist() for row in read_unlabelled(new, schema, ReadingOptions(window=5))]
    assert found == [[[0], [1], [2], [3], [4]], [[5]]]


def test_a_time_that_is_no_column_is_told(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", *many(lambda i, t, row: f"{row},{t},{t},a"))
    with pytest.raises(
        InputError, match=r"expected --time to be one of its columns \(id, time, u, label\), got 'when'"
    ):
        reader_of(path, time="when")


def test_measurements_under_a_name_of_row_numbers(tmp_path):
    lines = many(lambda i, t, row: f"{row % 3},{i},{t},{t * t},{'ab'[i % 2]}")
    assert reader_of(write_csv(tmp_path / "a.csv", "no,id,time,u,label", *lines)).schema.channel_names == ("no", "u")


def test_an_index_in_parquet_is_no_channel(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"id": [1, 1, 2], "time": [0, 1, 0], "u": [5.0, 6.0, 7.0], "label": ["a", "a", "b"]}
    parquet.write_table(pa.table(columns | {"__index_level_0__": [4, 9, 2]}), tmp_path / "a.parquet")
    assert reader_of(tmp_path / "a.parquet").schema.channel_names == ("u",)


@pytest.mark.parametrize("name", ["Unnamed: 0", "rownames", "row.names"])
def test_row_numbers_of_rows_that_were_sorted_or_left_out(tmp_path, name):
    """As pandas and R write a table of which some rows were taken."""
    path = write_csv(tmp_path / "a.csv", f"{name},id,time,u,label", "7,1,0,5,x", "2,1,1,6,x", "31,2,0,7,y")
    assert reader_of(path).schema.channel_names == ("u",)


@pytest.mark.parametrize("name", ["sno", "counter"])
def test_row_numbers_of_an_endless_table(tmp_path, name):
    lines = many(lambda i, t, row: f"{row + 140},{row % 3},{'ab'[i % 2]}")
    schema = reader_of(write_csv(tmp_path / "a.csv", f"{name},u,label", *lines), window=5).schema
    assert schema.channel_names == ("u",)
    assert schema.notes == (f"Row numbers that are not read: {name}; --features names those that are.",)


@pytest.mark.parametrize("name", ["Time (s)", "timestamp [ms]", "date", "DateTime"])
def test_times_with_a_unit_and_dates_order_the_rows(tmp_path, name):
    times = ["2024-01-03", "2024-01-02"] if name in ("date", "DateTime") else ["6.017E-2", "1.2E-3"]
    path = write_csv(tmp_path / "a.csv", f"id,{name},u,label", f"1,{times[0]},5,x", f"1,{times[1]},6,x")
    schema = reader_of(path).schema
    assert (schema.columns["time"], schema.channel_names) == (name, ("u",))
    assert next(iter(reader_of(path).examples())).sequence.tolist() == [[6], [5]]


def test_a_temperature_is_no_time(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,T,RH,label", "1,13.6,5,x", "1,11.9,6,x")
    assert next(iter(reader_of(path).examples())).sequence.tolist() == [[13.6, 5], [11.9, 6]]


@pytest.mark.parametrize(("first", "second"), [("03/01/2024", "02/01/2024"), ("2024-01-02", "2024-01-02")])
def test_dates_that_cannot_order_the_rows_are_not_read(tmp_path, first, second):
    """Days and months in an order that nobody knows; several steps a day."""
    path = write_csv(tmp_path / "a.csv", "id,date,u,label", f"1,{first},5,x", f"1,{second},6,x")
    schema = reader_of(path).schema
    assert (schema.columns["time"], schema.channel_names) == ("", ("u",))
    assert schema.notes == ("Columns that are not read: date; --features names those that are.",)
    assert next(iter(reader_of(path).examples())).sequence.tolist() == [[5], [6]]


def test_the_order_in_the_file_can_be_asked_for(tmp_path):
    """Clock times, which begin anew at midnight; and times that come twice."""
    for name, cells in (("clock", ["23:59:00", "00:00:00"]), ("twice", ["4", "4"])):
        lines = [f"1,{cell},{u},x" for u, cell in enumerate(cells)]
        path = write_csv(tmp_path / f"{name}.csv", "id,time,u,label", *lines)
        with pytest.raises(InputError, match=r"If the rows stand in their order in the file, say --time ''\.$"):
            list(reader_of(path).examples())
        assert next(iter(reader_of(path, time="").examples())).sequence.tolist() == [[0], [1]]


def test_a_file_to_predict_keeps_the_order_of_training(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", "1,2,5,x", "1,1,6,x")
    for named, values in ((None, [[6], [5]]), ("", [[5], [6]])):
        options = ReadingOptions(time=named)
        (row,) = read_unlabelled(path, reader_of(path, time=named).schema, options)
        assert row.sequence.tolist() == values


def test_many_rows_at_once_are_read_as_each_by_itself(tmp_path, monkeypatch):
    rows = [f"{i},{t},{t / 8 - i},{'' if t == 3 else t}e-1,{'ab'[t % 2]}" for i in range(3) for t in range(7)]
    path = write_csv(tmp_path / "a.csv", "id,time,u,v,label", *[row.replace(",e-1", ",") for row in rows])
    whole = list(reader_of(path, target="tags").examples())
    monkeypatch.setattr("auxrnn.sources.longform.WAITING_CELLS", 15)  # three rows of five cells
    parts = list(reader_of(path, target="tags").examples())
    for one, other, i in zip(whole, parts, range(3), strict=True):
        expected = [[t / 8 - i, np.nan if t == 3 else t / 10] for t in range(7)]
        np.testing.assert_array_equal(one.sequence, expected)
        np.testing.assert_array_equal(other.sequence, expected)
        assert one.label == other.label == tuple("abababa")


def test_a_counter_within_each_sequence_is_a_channel(tmp_path):
    lines = many(lambda i, t, row: f"{i},{row},{t},{'ab'[i % 2]}")
    assert reader_of(write_csv(tmp_path / "a.csv", "id,time,count,label", *lines)).schema.channel_names == ("count",)


@pytest.mark.parametrize("cell", ["3_1", "１２", "0x10", "1,5"])
def test_no_number_among_numbers_is_refused_with_its_row(tmp_path, cell):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", "1,0,1.5,x", "1,1,2.5,x", f'2,0,"{cell}",y')
    with pytest.raises(InputError, match=rf"row 4: expected a number as u, got '{cell}'"):
        list(reader_of(path).examples())


def test_columns_of_no_numbers_are_not_read(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,load,label", "1,0,1.5,3_1,x", "2,0,2.5,4_2,y")
    schema = reader_of(path).schema
    assert schema.channel_names == ("u",)
    assert schema.notes == ("Columns that are not read: load; --features names those that are.",)


def test_decimal_commas_are_asked_about(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id;time;u;v;label", "1;0;1,051;7;x", "2;0;-0,5;8;y")
    with pytest.raises(InputError, match=r"numbers with a point in 'u', got '1,051'.*say --decimal ,; else"):
        reader_of(path)
    first, second = reader_of(path, decimal=",").examples()
    assert (first.sequence.tolist(), second.sequence.tolist()) == ([[1.051, 7]], [[-0.5, 8]])
    broken = write_csv(tmp_path / "b.csv", "id;time;u;label", "1;0;1,5;x", "2;0;2.5;y")
    with pytest.raises(InputError, match=r"row 3: expected a number as u, got '2\.5'.*If \. is the decimal mark"):
        list(reader_of(broken, decimal=",", features="u").examples())


def test_words_of_excel_are_missing_values(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", "1,0,1.5,x", "1,1,#N/A,x", "1,2,#DIV/0!,x")
    (row,) = reader_of(path).examples()
    assert np.isnan(row.sequence[:, 0]).tolist() == [False, True, True]


def test_one_endless_table_is_cut_up(tmp_path):
    lines = many(lambda i, t, row: f"{row},{row * 2},{'aab'[row // 7]}")
    path = write_csv(tmp_path / "a.csv", "time,u,label", *lines)
    rows = list(reader_of(path, window=4).examples())
    assert [len(row.sequence) for row in rows] == [4, 4, 4, 2, 4, 2]  # a new one where the label changes, too
    assert [row.label for row in rows] == ["a", "a", "a", "a", "b", "b"]
    assert np.concatenate([row.sequence for row in rows])[:, 0].tolist() == [2 * row for row in range(20)]
    assert rows[1].where == f"{path}, row 6"
    assert [row.where for row in reader_of(path, window=4).examples()][5:] == [rows[5].where]
    tagged = list(reader_of(path, window=8, target="tags").examples())
    assert [len(row.sequence) for row in tagged] == [8, 8, 4]
    assert tagged[1].label == ("a",) * 6 + ("b",) * 2


def test_long_sequences_are_cut_up(tmp_path):
    path = write_csv(tmp_path / "a.csv", "id,time,u,label", *many(lambda i, t, row: f"{i},{t},{row % 7},x"))
    rows = list(reader_of(path, window=3).examples())
    assert [row.sequence[:, 0].tolist() for row in rows[:3]] == [[0, 1, 2], [3, 4], [5, 6, 0]]


@pytest.mark.slow
def test_columns_cost_what_they_are(tmp_path):
    """Four times the columns take about four times the time, where the square would be sixteen times."""

    def seconds(columns):
        cells = ",".join("1" * columns)
        names = ",".join(f"c{column}" for column in range(columns))
        lines = [f"{i},{t},{cells},x" for i in range(4) for t in range(3)]
        path = write_csv(tmp_path / "a.csv", f"id,time,{names},label", *lines)
        start = time.process_time()
        assert len(list(reader_of(path).examples())) == 4
        return time.process_time() - start

    seconds(100)
    assert seconds(40_000) < 8 * seconds(10_000)


def test_values_that_change_within_a_window_are_refused(tmp_path):
    path = write_csv(tmp_path / "a.csv", "time,u,label", "0,1,0.5", "1,2,0.5", "2,3,0.75", "3,4,0.75")
    assert [row.label for row in reader_of(path, window=2, target="value").examples()] == [(0.5,), (0.75,)]
    with pytest.raises(InputError, match=r"row 4: expected one label for all rows of a sequence, got '0\.75'"):
        list(reader_of(path, window=3, target="value").examples())
