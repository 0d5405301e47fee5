"""Folders of classes, and of splits."""

from pathlib import Path

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.class_folders import find_class_folder
from own_files import write_image, write_wave

OPTIONS = ReadingOptions()


def summary(reader):
    return [(row.sequence[:, 0].tolist(), row.label, row.split) for row in reader.examples()]


def test_one_subfolder_a_class(tmp_path):
    write_wave(tmp_path / "up" / "b.wav", [2])
    write_wave(tmp_path / "up" / "deeper" / "a.wav", [1])
    write_wave(tmp_path / "down" / "c.wav", [3])
    (tmp_path / "down" / "notes.pdf").write_text("x")
    (tmp_path / "down" / ".hidden.wav").write_text("x")
    (tmp_path / ".cache").mkdir()
    reader = find_class_folder(tmp_path, ReadingOptions())
    assert summary(reader) == [([3], "down", None), ([2], "up", None), ([1], "up", None)]
    assert reader.schema.notes == ("1 files of other kinds are left out.",)
    assert [row.where for row in reader.examples()][2:] == [str(tmp_path / "up" / "deeper" / "a.wav")]


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


@pytest.mark.parametrize(
    "names", [("train", "test", "val"), ("training", "validation", "test"), ("Test", "dev", "Train")]
)
def test_folders_of_three_splits(tmp_path, names):
    for split in names:
        for name in "ab":
            write_image(tmp_path / split / name / "1.png", np.zeros((2, 2), np.uint8))
    reader = find_class_folder(tmp_path, ReadingOptions())
    assert sorted((row.split, row.label) for row in reader.examples()) == [
        ("test", "a"),
        ("test", "b"),
        ("train", "a"),
        ("train", "b"),
        ("validation", "a"),
        ("validation", "b"),
    ]


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
        (("seg_train", "seg_test"), ("train", "test")),
        (("trainA", "valA", "test"), ("train", "validation", "test")),
    ],
)
def test_splits_under_any_name(tmp_path, names, splits):
    reader = find_class_folder(write_folders(tmp_path, *(f"{name}/{kind}" for name in names for kind in "ab")), OPTIONS)
    assert {(row.split, row.label) for row in reader.examples()} == {(split, kind) for split in splits for kind in "ab"}
    assert reader.schema.description.startswith(f"{' and '.join(names)} folders")


def test_splits_with_other_classes_or_deeper(tmp_path):
    """As unpacked archives have them: `seg_train/seg_train/CLASS`, and a class of training alone."""
    names = ("seg_train/seg_train/a", "seg_train/seg_train/b", "seg_train/seg_train/c", "seg_test/seg_test/a")
    reader = find_class_folder(write_folders(tmp_path, *names), OPTIONS)
    found = sorted((row.split, row.label) for row in reader.examples())
    assert found == [("test", "a"), ("train", "a"), ("train", "b"), ("train", "c")]


def test_a_class_may_be_called_as_a_split(tmp_path):
    reader = find_class_folder(write_folders(tmp_path, "bus", "car", "train"), OPTIONS)
    assert [(row.split, row.label) for row in reader.examples()] == [(None, "bus"), (None, "car"), (None, "train")]


def test_splits_within_classes(tmp_path):
    reader = find_class_folder(write_folders(tmp_path, "a/train", "a/test", "b/train", "b/test"), OPTIONS)
    assert {(row.split, row.label) for row in reader.examples()} == {(s, k) for s in ("train", "test") for k in "ab"}


@pytest.mark.parametrize("names", [("a/train", "a/test", "b"), ("a/train", "a/test", "b/train", "b/test", "b/others")])
def test_splits_within_some_classes_are_asked_about(tmp_path, names):
    with pytest.raises(InputError, match="a: expected folders of splits, and they alone, in every class or in none"):
        find_class_folder(write_folders(tmp_path, *names), OPTIONS)


def test_test_data_without_classes_are_to_be_predicted(tmp_path):
    reader = find_class_folder(write_folders(tmp_path, "train/a", "train/b", "test"), OPTIONS)
    assert [(row.split, row.label) for row in reader.examples()] == [("train", "a"), ("train", "b")]
    assert reader.schema.notes == (
        "test has no folders of classes: it is data to predict (auxrnn predict), and not read here.",
    )


def test_files_beside_the_classes_of_a_split(tmp_path):
    """As the archive of the Large Movie Review Dataset has them."""
    write_folders(tmp_path, *(f"{split}/{kind}" for split in ("train", "test") for kind in ("neg", "pos")))
    (tmp_path / "train" / "urls_neg.txt").write_text("a list")
    reader = find_class_folder(tmp_path, OPTIONS)
    assert [(row.split, row.label) for row in reader.examples()] == [
        ("test", "neg"),
        ("test", "pos"),
        ("train", "neg"),
        ("train", "pos"),
    ]
    assert reader.schema.notes == ("1 files beside the folders of classes are left out.",)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("train/a", "test/a", "cats"), "found 'cats' beside 'test', which is named as a split"),
        (("val/a", "test/a"), "expected a folder of training data, found test, val"),
        (("train", "test"), "test: expected one subfolder a class in a folder named as a split"),
        (("my_train", "my_test"), "my_test: expected one subfolder a class in a folder named as a split"),
        (("train", "test", "plane"), "found 'plane' beside 'test', which is named as a split"),
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
    assert {row.label for row in find_class_folder(tmp_path, OPTIONS).examples()} == set(outer)


def test_links_to_folders_are_followed_once(tmp_path):
    write_folders(tmp_path / "store", "x/deep")
    write_folders(tmp_path / "in", "a", "b")
    (tmp_path / "in" / "b" / "more").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "store" / "x" / "again").symlink_to(tmp_path / "store", target_is_directory=True)
    (tmp_path / "store" / "up").symlink_to(tmp_path, target_is_directory=True)
    files = [Path(row.where).relative_to(tmp_path) for row in find_class_folder(tmp_path / "in", OPTIONS).examples()]
    assert list(map(str, files)) == ["in/a/1.png", "in/b/1.png", "in/b/more/x/deep/1.png"]


@pytest.mark.parametrize("name", ["c", "b/more", "b/2.png"])
@pytest.mark.parametrize("target", ["nowhere", "self"])
def test_links_to_nothing_are_told(tmp_path, name, target):
    write_folders(tmp_path, "a", "b")
    (tmp_path / name).symlink_to(tmp_path / (name if target == "self" else target))
    with pytest.raises(InputError, match=f"{name}: expected what it links to, found nothing there"):
        find_class_folder(tmp_path, OPTIONS)
