"""What a path is."""

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.recognise import recognise
from own_files import write_csv, write_image, write_long_form, write_texts, write_wave

FORMS = {
    "table of texts": "texts",
    "long-form table": "steps",
    "folder with one subfolder": "files",
    "list of files": "files",
    "NumPy arrays": "arrays",
    "UCR/UEA .ts": "ts",
    "train and test, each": "joined",
}
"""What the description of each form begins with."""


def found(path, **options):
    told = recognise(path, ReadingOptions(**options)).schema.description
    return next(form for beginning, form in FORMS.items() if told.startswith(beginning))


def write_ts(path):
    path.write_text("@classLabel true a b\n@data\n1,2:a\n3,4:b\n")
    return path


def test_each_form(tmp_path):
    assert found(write_texts(tmp_path)) == "texts"
    assert found(write_long_form(tmp_path)) == "steps"
    write_wave(tmp_path / "sounds" / "a" / "1.wav", [1])
    write_wave(tmp_path / "sounds" / "b" / "2.wav", [1])
    assert found(tmp_path / "sounds") == "files"
    assert found(write_csv(tmp_path / "list.csv", "path,label", "sounds/a/1.wav,x")) == "files"
    np.savez(tmp_path / "a.npz", X=np.zeros((1, 2)), y=[1])
    assert found(tmp_path / "a.npz") == "arrays"
    assert found(write_ts(tmp_path / "a.ts")) == "ts"


def test_pairs_of_train_and_test(tmp_path):
    write_texts(tmp_path / "t", 3, "reviews-train.csv")
    write_texts(tmp_path / "t", 3, "reviews-test.csv")
    assert found(tmp_path / "t") == "joined"
    (tmp_path / "u").mkdir()
    write_ts(tmp_path / "u" / "Toy_TRAIN.ts")
    lone = recognise(tmp_path / "u" / "Toy_TRAIN.ts", ReadingOptions())
    assert [row.split for row in lone.examples()] == [None, None]
    write_ts(tmp_path / "u" / "Toy_TEST.ts")
    (tmp_path / "u" / "Toy.txt").write_text("about it")
    for path in (tmp_path / "u", tmp_path / "u" / "Toy_TRAIN.ts"):
        assert [row.split for row in recognise(path, ReadingOptions()).examples()] == ["train", "train", "test", "test"]


def test_images_in_class_folders(tmp_path):
    for name in "ab":
        write_image(tmp_path / name / "1.png", np.zeros((2, 2), np.uint8))
    assert recognise(tmp_path, ReadingOptions()).schema.kind == "pixels"


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
    assert [row.split for row in reader.examples()] == ["train"] * 5 + ["validation", "test"]
    assert reader.schema.description.startswith("train in 2 files, validation and test, each a table of texts")
    write_csv(tmp_path / "train-2.csv", "text,label")
    reader = recognise(tmp_path, ReadingOptions())
    assert [row.split for row in reader.examples()][5:] == ["validation", "test"]
    assert "train-2.csv has no rows." in reader.schema.notes
    write_csv(tmp_path / "test-0.csv", "text,label")
    with pytest.raises(InputError, match=r"test-0\.csv: expected at least one sequence, found no rows"):
        recognise(tmp_path, ReadingOptions())
    (tmp_path / "series").mkdir()
    for name in ("One_TRAIN", "Two_TRAIN", "One_TEST"):
        write_ts(tmp_path / "series" / f"{name}.ts")
    with pytest.raises(
        InputError, match=r"expected one train and one test file ending in \.ts, found One_TRAIN\.ts, Two"
    ):
        recognise(tmp_path / "series", ReadingOptions())


def test_a_column_is_a_text_only_if_its_cells_are(tmp_path):
    numbers = [f"{row // 3},{row},{row % 2}.5,{'ab'[row // 3 % 2]}" for row in range(12)]
    path = write_csv(tmp_path / "a.csv", "sequence,time,message,label", *numbers)
    assert found(path) == "steps"
    assert recognise(path, ReadingOptions()).schema.channel_names == ("message",)
    one = write_csv(tmp_path / "d.csv", "id,time,message,label", *(f"{row // 3},{row},{row}.5,x" for row in range(6)))
    assert found(one) == "steps"
    assert found(write_csv(tmp_path / "b.csv", "id,sequence,label", "1,ACGT,x", "2,ACCT,y")) == "texts"
    assert found(write_csv(tmp_path / "c.csv", "id,file,a,label", "1,7,2,x", "1,8,3,x")) == "steps"


def test_a_text_beside_an_id_and_a_time(tmp_path):
    header = "id,timestamp,text,retweets,label"
    once = write_csv(tmp_path / "a.csv", header, "1,2024-01-01,so bad,2,x", "2,2024-01-02,so good,3,y")
    assert found(once) == "texts"
    assert recognise(once, ReadingOptions()).schema.notes == ("Columns that are not read: id, timestamp, retweets.",)
    again = write_csv(tmp_path / "b.csv", header, "1,2024-01-01,so bad,2,x", "1,2024-01-02,so good,3,x")
    with pytest.raises(InputError, match=r"told what a row is: a text \('text'\).*Say --text text or --id id"):
        recognise(again, ReadingOptions())
    assert found(again, text="text") == "texts"
    assert found(again, id="id") == "steps"
    assert found(again, rows="steps") == "steps"


def test_roles_come_from_the_training_file(tmp_path):
    write_csv(tmp_path / "train.csv", "text,label", "a b,x", "c d,y")
    write_csv(tmp_path / "test.csv", "label,other,text", "x,1,e f", "y,2,g h")
    rows = [(row.sequence, row.label, row.split) for row in recognise(tmp_path, ReadingOptions()).examples()]
    assert rows == [("a b", "x", "train"), ("c d", "y", "train"), ("e f", "x", "test"), ("g h", "y", "test")]


@pytest.mark.parametrize("test", [("x y,0", "z w,1"), ("Text,Label", "x y,0")])
def test_a_test_file_without_any_column_of_training_is_refused(tmp_path, test):
    write_csv(tmp_path / "train.csv", "text,label", "a b,0", "c d,1")
    write_csv(tmp_path / "test.csv", *test)
    with pytest.raises(InputError, match=r"test\.csv: expected a column 'text' as in training, found"):
        recognise(tmp_path, ReadingOptions())


@pytest.mark.parametrize("test", [("text,fold", "e f,0"), ("id,text", "1,e f")])
def test_a_test_file_without_the_label_is_data_to_predict(tmp_path, test):
    write_csv(tmp_path / "train.csv", "id,text,label", "1,a b,0", "2,c d,1")
    write_csv(tmp_path / "test.csv", *test)
    write_csv(tmp_path / "sample_submission.csv", "id,label", "1,0")
    reader = recognise(tmp_path, ReadingOptions())
    assert [(row.sequence, row.label, row.split) for row in reader.examples()] == [
        ("a b", "0", "train"),
        ("c d", "1", "train"),
    ]
    assert reader.schema.notes == (
        "Left out, for its name says no split: sample_submission.csv.",
        "test.csv has no column 'label': it is data to predict (auxrnn predict), and not read here.",
        "Columns that are not read: id.",
    )
    write_csv(tmp_path / "train-2.csv", "id,text", "1,a b")
    with pytest.raises(InputError, match=r"train\.csv: expected --label|train-2\.csv: expected --label"):
        recognise(tmp_path, ReadingOptions())


def test_features_in_the_order_of_the_training_file(tmp_path):
    write_csv(tmp_path / "train.csv", "id,time,a,b,label", "1,0,1,2,x", "2,0,3,4,y")
    write_csv(tmp_path / "test.csv", "b,a,extra,time,id,label", "6,5,9,0,1,x")
    assert [row.sequence.tolist() for row in recognise(tmp_path, ReadingOptions()).examples()] == [
        [[1, 2]],
        [[3, 4]],
        [[5, 6]],
    ]


@pytest.mark.parametrize("columns", ["id,time,x,label", "text,label", "path,label", "t0"])
def test_a_table_of_names_alone(tmp_path, columns):
    path = write_csv(tmp_path / "a.csv", columns)
    told = f"found no rows below the columns {columns.replace(',', ', ')}"
    with pytest.raises(InputError, match=f"expected at least one sequence, {told}"):
        recognise(path, ReadingOptions())
