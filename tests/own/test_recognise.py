"""What a path is."""

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.own.archive import TsReader
from auxrnn.own.arrays import ArrayReader
from auxrnn.own.files import FileReader
from auxrnn.own.joined import JoinedReader
from auxrnn.own.longform import LongFormReader
from auxrnn.own.recognise import recognise
from auxrnn.own.texts import TextReader
from auxrnn.reading import ReadingOptions
from own_files import write_csv, write_image, write_long_form, write_texts, write_wave


def found(path, **options):
    return type(recognise(path, ReadingOptions(**options)))


def write_ts(path):
    path.write_text("@classLabel true a b\n@data\n1,2:a\n3,4:b\n")
    return path


def test_each_form(tmp_path):
    assert found(write_texts(tmp_path)) is TextReader
    assert found(write_long_form(tmp_path)) is LongFormReader
    write_wave(tmp_path / "sounds" / "a" / "1.wav", [1])
    write_wave(tmp_path / "sounds" / "b" / "2.wav", [1])
    assert found(tmp_path / "sounds") is FileReader
    assert found(write_csv(tmp_path / "list.csv", "path,label", "sounds/a/1.wav,x")) is FileReader
    np.savez(tmp_path / "a.npz", X=np.zeros((1, 2)), y=[1])
    assert found(tmp_path / "a.npz") is ArrayReader
    assert found(write_ts(tmp_path / "a.ts")) is TsReader


def test_pairs_of_train_and_test(tmp_path):
    write_texts(tmp_path / "t", 3, "reviews-train.csv")
    write_texts(tmp_path / "t", 3, "reviews-test.csv")
    assert found(tmp_path / "t") is JoinedReader
    (tmp_path / "u").mkdir()
    write_ts(tmp_path / "u" / "Toy_TRAIN.ts")
    assert len(recognise(tmp_path / "u" / "Toy_TRAIN.ts", ReadingOptions()).files) == 1
    write_ts(tmp_path / "u" / "Toy_TEST.ts")
    (tmp_path / "u" / "Toy.txt").write_text("about it")
    for path in (tmp_path / "u", tmp_path / "u" / "Toy_TRAIN.ts"):
        assert [row.split for row in recognise(path, ReadingOptions()).rows()] == ["train", "train", "test", "test"]


def test_images_in_class_folders(tmp_path):
    for name in "ab":
        write_image(tmp_path / name / "1.png", np.zeros((2, 2), np.uint8))
    assert recognise(tmp_path, ReadingOptions()).form.kind == "pixels"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: folder / "nothing.csv", "found nothing there"),
        (lambda folder: write_csv(folder / "a.csv"), "found an empty file"),
        (lambda folder: write_csv(folder / "a.xlsx", "x"), r"found a file ending in \.xlsx"),
        (lambda folder: folder, "expected one subfolder a class.*found nothing"),
        (lambda folder: write_wave(folder / "a" / "1.wav", [1]).parent, "found 1.wav"),
        (lambda folder: write_wave(folder / "a" / "1.wav", [1]).parents[1], "found a"),
    ],
)
def test_what_is_nothing_known(tmp_path, make, told):
    with pytest.raises(InputError, match=told):
        recognise(make(tmp_path), ReadingOptions())


def test_several_files_of_a_split(tmp_path):
    for name, number in (("train-0", 3), ("train-1", 2), ("test-0", 1), ("validation-0", 1)):
        write_texts(tmp_path, number, f"{name}.csv")
    reader = recognise(tmp_path, ReadingOptions())
    assert [row.split for row in reader.rows()] == ["train"] * 5 + ["validation", "test"]
    assert [row.split for row in reader.rows(5)] == ["validation", "test"]
    assert reader.form.description.startswith("train in 2 files, validation and test, each a table of texts")
    (tmp_path / "series").mkdir()
    for name in ("One_TRAIN", "Two_TRAIN", "One_TEST"):
        write_ts(tmp_path / "series" / f"{name}.ts")
    with pytest.raises(
        InputError, match=r"expected one train and one test file ending in \.ts, found One_TRAIN\.ts, Two"
    ):
        recognise(tmp_path / "series", ReadingOptions())
