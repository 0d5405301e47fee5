"""Folders of classes and lists of files."""

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.own.files import find_class_folder, find_list_reader
from auxrnn.own.tables import open_table
from auxrnn.reading import ReadingOptions
from own_files import write_csv, write_image, write_wave

OPTIONS = ReadingOptions()


def summary(reader):
    return [(row.sequence[:, 0].tolist(), row.label, row.split) for row in reader.rows()]


def test_one_subfolder_a_class(tmp_path):
    write_wave(tmp_path / "up" / "b.wav", [2])
    write_wave(tmp_path / "up" / "deeper" / "a.wav", [1])
    write_wave(tmp_path / "down" / "c.wav", [3])
    (tmp_path / "down" / "notes.pdf").write_text("x")
    (tmp_path / "down" / ".hidden.wav").write_text("x")
    (tmp_path / ".cache").mkdir()
    reader = find_class_folder(tmp_path, ReadingOptions())
    assert summary(reader) == [([3], "down", None), ([2], "up", None), ([1], "up", None)]
    assert reader.form.notes == ("1 files of other kinds are left out.",)
    assert [row.where for row in reader.rows(skip=2)] == [str(tmp_path / "up" / "deeper" / "a.wav")]


def test_train_and_test_folders(tmp_path):
    for split, value in (("train", 1), ("test", 2)):
        for name in "ab":
            write_wave(tmp_path / split / name / "x.wav", [value])
    assert summary(find_class_folder(tmp_path, ReadingOptions())) == [
        ([2], "a", "test"),
        ([2], "b", "test"),
        ([1], "a", "train"),
        ([1], "b", "train"),
    ]


def test_an_empty_class(tmp_path):
    write_wave(tmp_path / "up" / "b.wav", [2])
    (tmp_path / "down").mkdir()
    with pytest.raises(InputError, match="expected files of class 'down', found none"):
        find_class_folder(tmp_path, ReadingOptions())


def test_a_class_of_unknown_files(tmp_path):
    write_wave(tmp_path / "up" / "b.wav", [2])
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "a.xyz").write_bytes(b"x")
    with pytest.raises(InputError, match=r"a\.xyz: expected a file ending in"):
        find_class_folder(tmp_path, ReadingOptions())


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
    assert next(iter(reader.rows())).where == f"{path}, row 2 (sounds/b.wav)"


def test_a_list_with_a_file_that_is_not_there(tmp_path):
    path = write_csv(tmp_path / "list.csv", "path,label", "a.wav,x")
    with pytest.raises(InputError, match=r"list\.csv, row 2: expected the path of a file in 'path'.*'a\.wav'"):
        list_of(path)


def test_an_empty_list(tmp_path):
    with pytest.raises(InputError, match="a table without rows"):
        list_of(write_csv(tmp_path / "list.csv", "path,label"))


@pytest.mark.parametrize(
    "names", [("train", "test", "val"), ("training", "validation", "test"), ("Test", "dev", "Train")]
)
def test_folders_of_three_splits(tmp_path, names):
    for split in names:
        for name in "ab":
            write_image(tmp_path / split / name / "1.png", np.zeros((2, 2), np.uint8))
    reader = find_class_folder(tmp_path, ReadingOptions())
    assert sorted((row.split, row.label) for row in reader.rows()) == [
        ("test", "a"),
        ("test", "b"),
        ("train", "a"),
        ("train", "b"),
        ("validation", "a"),
        ("validation", "b"),
    ]


def test_a_list_with_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(InputError, match="row 2: expected the path of a file"):
        list_of(write_csv(tmp_path / "list.csv", "path,label", f"{'x' * 5000}.png,a"))


def test_a_list_is_one_of_the_files_that_are_read(tmp_path):
    write_wave(tmp_path / "a.wav", [1])
    path = write_csv(tmp_path / "list.csv", "path,label", "a.wav,x")
    assert list_of(path).files == [path, tmp_path / "a.wav"]


def write_folders(folder, *names):
    for name in names:
        write_image(folder / name / "1.png", np.zeros((2, 2), np.uint8))
    return folder


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "validation"), ("train", "validation")),
        (("training_set", "test_set"), ("train", "test")),
        (("train", "valid"), ("train", "validation")),
        (("Training", "Testing"), ("train", "test")),
        (("train2017", "val2017"), ("train", "validation")),
        (("TrainImages", "dev-data", "TestImages"), ("train", "validation", "test")),
    ],
)
def test_splits_under_any_name(tmp_path, names, splits):
    reader = find_class_folder(write_folders(tmp_path, *(f"{name}/{kind}" for name in names for kind in "ab")), OPTIONS)
    assert {(row.split, row.label) for row in reader.rows()} == {(split, kind) for split in splits for kind in "ab"}
    assert reader.form.description.startswith(f"{' and '.join(names)} folders")


def test_a_class_may_be_called_as_a_split(tmp_path):
    reader = find_class_folder(write_folders(tmp_path, "bus", "car", "train"), OPTIONS)
    assert [(row.split, row.label) for row in reader.rows()] == [(None, "bus"), (None, "car"), (None, "train")]


def test_splits_within_classes(tmp_path):
    reader = find_class_folder(write_folders(tmp_path, "a/train", "a/test", "b/train", "b/test"), OPTIONS)
    assert {(row.split, row.label) for row in reader.rows()} == {(s, k) for s in ("train", "test") for k in "ab"}
    reader = find_class_folder(write_folders(tmp_path, "b/others"), OPTIONS)
    assert {row.split for row in reader.rows()} == {None}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("train/a", "test/a", "cats"), "found 'cats' beside 'test', which is named as a split"),
        (("val/a", "test/a"), "expected a folder of training data, found test, val"),
        (("train", "test"), "test: expected one subfolder a class in a folder named as a split"),
    ],
)
def test_splits_among_classes_are_asked_about(tmp_path, names, told):
    with pytest.raises(InputError, match=told):
        find_class_folder(write_folders(tmp_path, *names), OPTIONS)


@pytest.mark.parametrize("outer", [("fold1", "fold2"), ("prueba", "entrenamiento"), ("2019", "2020", "2021")])
def test_the_same_folders_in_each_are_asked_about(tmp_path, outer):
    write_folders(tmp_path, *(f"{name}/{kind}" for name in outer for kind in ("cats", "dogs")))
    first, second = sorted(outer)[:2]
    with pytest.raises(InputError, match=f"found the folders cats and dogs in each of {first} and {second}"):
        find_class_folder(tmp_path, OPTIONS)
    write_folders(tmp_path, f"{first}/birds")
    assert {row.label for row in find_class_folder(tmp_path, OPTIONS).rows()} == set(outer)


def test_links_to_folders_are_followed_once(tmp_path):
    write_folders(tmp_path / "store", "x/deep")
    write_folders(tmp_path / "in", "a", "b")
    (tmp_path / "in" / "b" / "more").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "store" / "x" / "again").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "store" / "up").symlink_to(tmp_path, target_is_directory=True)
    files = [entry.path.relative_to(tmp_path) for entry in find_class_folder(tmp_path / "in", OPTIONS).entries]
    assert list(map(str, files)) == ["in/a/1.png", "in/b/1.png", "in/b/more/x/deep/1.png"]


def test_columns_of_a_list_that_are_not_read(tmp_path):
    write_wave(tmp_path / "a.wav", [1])
    reader = list_of(write_csv(tmp_path / "list.csv", "path,label,width", "a.wav,x,7"))
    assert reader.form.notes == ("Columns that are not read: width.",)
