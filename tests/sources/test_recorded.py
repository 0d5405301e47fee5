"""One table or array of steps a file."""

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.class_folders import find_class_folder
from auxrnn.sources.importing import read_source
from auxrnn.sources.media import medium_of
from auxrnn.sources.unlabelled import read_unlabelled
from own_files import write_csv


def folder_of_tables(folder):
    for name in "ab":
        for number in range(3):
            lines = [f"{number},{step},{step * 2}.5,{name}" for step in (1, 0, 2)]
            write_csv(folder / name / f"{number}.csv", "u,time,v,label", *lines)
    return folder


def test_tables_in_folders_of_classes(tmp_path):
    found = read_source(folder_of_tables(tmp_path), ReadingOptions())
    assert (len(found), found.classes, found.schema.channel_names) == (6, ("a", "b"), ("u", "v"))
    assert found.sequence(1).tolist() == [[1, 0.5], [1, 2.5], [1, 4.5]]  # in order of time
    assert found.schema.notes == ("Columns that are not read: label; --features names those that are.",)
    assert read_source(tmp_path, ReadingOptions(features="v,u")).sequence(1).tolist()[0] == [0.5, 1]


def test_new_tables_are_read_like_those_of_training(tmp_path):
    schema = read_source(folder_of_tables(tmp_path / "in"), ReadingOptions()).schema
    new = write_csv(tmp_path / "new.csv", "v,more,u,time", "7,0,1,5", "8,0,2,4")
    (row,) = read_unlabelled(new, schema, ReadingOptions())
    assert row.sequence.tolist() == [[2, 8], [1, 7]]
    with pytest.raises(InputError, match=r"b\.csv: expected a column 'v' as in training"):
        list(read_unlabelled(write_csv(tmp_path / "b.csv", "u,time", "1,2"), schema, ReadingOptions()))


def test_a_table_unlike_the_first(tmp_path):
    first = write_csv(tmp_path / "1.csv", "u,v", "1,2")
    other, empty = write_csv(tmp_path / "2.csv", "u,w", "1,2"), write_csv(tmp_path / "3.csv", "u,v")
    medium = medium_of([first, other, empty], ReadingOptions())
    assert medium.read(first).tolist() == [[1, 2]]
    with pytest.raises(InputError, match=r"2\.csv: expected a column 'v' as in training"):
        medium.read(other)
    with pytest.raises(InputError, match=r"3\.csv: expected one recording, found a table without rows"):
        medium.read(empty)


def test_tables_beside_media_tell_of_them(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_text("hello")
        write_csv(tmp_path / name / "notes.csv", "u", "1")
    reader = find_class_folder(tmp_path, ReadingOptions())
    assert [row.sequence for row in reader.examples()] == ["hello"] * 2
    assert reader.schema.notes == ("2 files of other kinds are left out.",)


def test_arrays(tmp_path):
    np.save(tmp_path / "1.npy", np.arange(6, dtype=np.int16).reshape(3, 2))
    np.save(tmp_path / "2.npy", np.float32([[0.5, 1]]))
    medium = medium_of([tmp_path / "1.npy", tmp_path / "2.npy"], ReadingOptions())
    assert (medium.schema.kind, medium.schema.channels, medium.schema.dtype) == ("values", 2, "float32")
    assert medium.read(tmp_path / "1.npy").tolist() == [[0, 1], [2, 3], [4, 5]]
    np.save(tmp_path / "3.npy", np.uint8([1, 2]))
    grey = medium_of([tmp_path / "3.npy"], ReadingOptions())
    assert (grey.schema.kind, grey.read(tmp_path / "3.npy").tolist()) == ("pixels", [[1], [2]])
    with pytest.raises(InputError, match=r"3\.npy: expected steps of shape \(2,\)"):
        medium_of([tmp_path / "1.npy", tmp_path / "3.npy"], ReadingOptions())
    np.save(tmp_path / "4.npy", np.zeros((2, 2, 2)))
    with pytest.raises(InputError, match=r"4\.npy: expected numbers \(T,\) or \(T, C\)"):
        medium_of([tmp_path / "4.npy"], ReadingOptions())


def test_arrays_with_the_steps_last_are_doubted(tmp_path):
    np.save(tmp_path / "1.npy", np.zeros((3, 60)))
    (note,) = medium_of([tmp_path / "1.npy"], ReadingOptions()).schema.notes
    assert note.startswith("Warning: read as 3 steps of 60 channels each; if the steps stand last")


def test_an_id_within_a_recording_is_no_channel(tmp_path):
    path = write_csv(tmp_path / "1.csv", "id,u", "7,1", "7,2")
    schema = medium_of([path], ReadingOptions()).schema
    assert (schema.channel_names, schema.notes[0]) == (
        ("u",),
        "Columns that are not read: id; --features names those that are.",
    )
