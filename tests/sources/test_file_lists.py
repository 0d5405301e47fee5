"""Lists of files."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.file_lists import find_list_reader
from auxrnn.sources.tables import open_table
from own_files import write_csv, write_wave


def summary(reader):
    return [(row.sequence[:, 0].tolist(), row.label, row.split) for row in reader.examples()]


def list_of(path, **given):
    options = ReadingOptions(**given)
    return find_list_reader(open_table(path, options), options)


def test_a_list_of_files_relative_to_itself(tmp_path):
    write_wave(tmp_path / "sounds" / "a.wav", [1])
    write_wave(tmp_path / "sounds" / "b.wav", [2])
    path = write_csv(
        tmp_path / "list.csv", "file,word,split", "sounds/b.wav,x,train", f"{tmp_path}/sounds/a.wav,y,test"
    )
    reader = list_of(path)
    assert summary(reader) == [([2], "x", "train"), ([1], "y", "test")]
    assert next(iter(reader.examples())).where == f"{path}, row 2 (sounds/b.wav)"


def test_a_list_with_a_file_that_is_not_there(tmp_path):
    path = write_csv(tmp_path / "list.csv", "path,label", "a.wav,x")
    with pytest.raises(InputError, match=r"list\.csv, row 2: expected the path of a file in 'path'.*'a\.wav'"):
        list_of(path)


def test_a_list_with_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(InputError, match="row 2: expected the path of a file"):
        list_of(write_csv(tmp_path / "list.csv", "path,label", f"{'x' * 5000}.png,a"))


def test_columns_of_a_list_that_are_not_read(tmp_path):
    write_wave(tmp_path / "a.wav", [1])
    reader = list_of(write_csv(tmp_path / "list.csv", "path,label,width", "a.wav,x,7"))
    assert reader.schema.notes == ("Columns that are not read: width.",)
