"""Files to predict from, read as those of training were."""

import os

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.importing import import_source
from auxrnn.sources.recognise import recognise
from auxrnn.sources.unlabelled import read_unlabelled
from own_files import write_csv, write_image, write_long_form, write_texts, write_wave

OPTIONS = ReadingOptions()


def schema_of(path, **given):
    return recognise(path, ReadingOptions(**given)).schema


def sequences(path, schema, **given):
    return [row.sequence for row in read_unlabelled(path, schema, ReadingOptions(**given))]


def test_texts_by_the_column_of_training(tmp_path):
    schema = schema_of(write_csv(tmp_path / "a.csv", "title,body,label", "t,one,x"), text="body")
    new = write_csv(tmp_path / "new.csv", "body,title", "two,t")
    assert sequences(new, schema) == ["two"]
    (tmp_path / "new.txt").write_text("three")
    assert sequences(tmp_path / "new.txt", schema) == ["three"]


def test_a_table_of_texts_in_txt(tmp_path):
    """A text a row as in training, not all rows as one text; what is no such table is one text as before."""
    plain = schema_of(write_csv(tmp_path / "a.txt", "It was good, really\t1", "No\t0", "Yes, yes, yes\t1"))
    assert sequences(write_csv(tmp_path / "new.txt", "Well, yes\t1", "So so\t0"), plain) == ["Well, yes", "So so"]
    headed = schema_of(write_csv(tmp_path / "b.txt", "text;label", "so, so;1", "no;0"))
    assert sequences(write_csv(tmp_path / "n.txt", "label;text", "1;yes, yes"), headed) == ["yes, yes"]
    for schema in (plain, headed):
        assert sequences(write_csv(tmp_path / "one.txt", "Well, yes", "So, so"), schema) == ["Well, yes\nSo, so\n"]


def test_long_form_by_the_columns_of_training_in_their_order(tmp_path):
    schema = schema_of(write_long_form(tmp_path), features="b,a")
    new = write_csv(tmp_path / "new.csv", "a,b,time,id", "1,2,1,7", "3,4,0,7")
    assert sequences(new, schema)[0].tolist() == [[4, 3], [2, 1]]
    with pytest.raises(InputError, match=r"expected a column .b. as in training, found a, time, id"):
        sequences(write_csv(tmp_path / "b.csv", "a,time,id", "1,1,7"), schema)


def test_one_recording_or_a_folder_of_them(tmp_path):
    for name in "ab":
        write_wave(tmp_path / "in" / name / "1.wav", [1, 2])
    schema = schema_of(tmp_path / "in")
    found = list(read_unlabelled(tmp_path / "in", schema, OPTIONS))
    assert [row.where for row in found] == [str(tmp_path / "in" / name / "1.wav") for name in "ab"]
    assert sequences(tmp_path / "in" / "a" / "1.wav", schema)[0].tolist() == [[1], [2]]
    other = write_wave(tmp_path / "fast.wav", [0] * 10, rate=16000)
    assert sequences(other, schema)[0].tolist() == [[0]] * 5  # at the rate of training


def test_images_are_scaled_as_in_training(tmp_path):
    for name in "ab":
        write_image(tmp_path / "in" / name / "1.png", np.zeros((2, 2), np.uint8))
    schema = schema_of(tmp_path / "in")
    red = np.tile(np.array([255, 0, 0], np.uint8), (3, 5, 1))
    assert sequences(write_image(tmp_path / "new.png", red), schema)[0].tolist() == [[76]] * 4


def test_arrays_and_series(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3, 2)), y=[1, 2])
    schema = schema_of(tmp_path / "a.npz")
    np.save(tmp_path / "new.npy", np.ones((1, 2, 2)))
    assert sequences(tmp_path / "new.npy", schema)[0].tolist() == [[1, 1], [1, 1]]
    np.save(tmp_path / "narrow.npy", np.ones((1, 2)))
    with pytest.raises(InputError, match="sequence 0: expected 2 channels as in training, found 1"):
        sequences(tmp_path / "narrow.npy", schema)


def test_missing_values_as_in_training(tmp_path):
    schema = schema_of(write_long_form(tmp_path))
    new = write_csv(tmp_path / "new.csv", "id,time,a,b", "7,1,,2", "7,2,4,4")
    assert sequences(new, schema, missing="interpolate")[0].tolist() == [[4, 2], [4, 4]]
    with pytest.raises(InputError, match="--missing"):
        sequences(new, schema)
    with pytest.raises(InputError, match="at least one step"):
        sequences(write_csv(tmp_path / "gone.csv", "id,time,a,b", "7,1,,2"), schema, missing="drop")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: folder / "nothing.csv", "found nothing"),
        (lambda folder: write_csv(folder / "a.xyz", "x"), r"found one ending in \.xyz"),
        (lambda folder: write_wave(folder / "a.wav", [1]), "expected a text as in training, found numbers|recordings"),
    ],
)
def test_other_files(tmp_path, make, told):
    with pytest.raises(InputError, match=told):
        sequences(make(tmp_path), schema_of(write_texts(tmp_path)))


def test_a_stored_set(tmp_path):
    for name in "ab":
        for number in (1, 2):
            write_wave(tmp_path / "in" / name / f"{number}.wav", [number, 2, 3])
    schema = schema_of(tmp_path / "in")
    import_source(tmp_path / "in", tmp_path / "waves.set", OPTIONS, lambda said: None)
    found = sequences(tmp_path / "waves.set", schema)
    assert sorted(steps.tolist() for steps in found) == sorted(
        steps.tolist() for steps in sequences(tmp_path / "in", schema)
    )
    texts = write_csv(tmp_path / "a.csv", "text,label", "one,x", "two,y", "three,x", "four,y")
    import_source(texts, tmp_path / "texts.set", OPTIONS, lambda said: None)
    assert sorted(sequences(tmp_path / "texts.set", schema_of(texts))) == ["four", "one", "three", "two"]
    with pytest.raises(InputError, match="expected numbers as in training, found a text"):
        sequences(tmp_path / "texts.set", schema)


def test_a_pipe_is_not_waited_for(tmp_path):
    schema = schema_of(write_csv(tmp_path / "a.csv", "text,label", "one,x", "two,y"))
    os.mkfifo(tmp_path / "new.csv")
    with pytest.raises(InputError, match=r"new\.csv: expected a regular file, found a pipe"):
        sequences(tmp_path / "new.csv", schema)


def test_steps_that_are_left_out_keep_the_places_of_the_others(tmp_path):
    schema = schema_of(write_long_form(tmp_path / "old"))
    path = write_csv(tmp_path / "new.csv", "id,time,a,b", "1,1,0,0", "1,2,,0", "1,3,1,1", "2,1,2,2")
    first, second = read_unlabelled(path, schema, ReadingOptions(missing="drop"))
    assert first.kept.tolist() == [0, 2]
    assert second.kept is None


def test_nothing_to_predict_from(tmp_path):
    schema = schema_of(write_long_form(tmp_path / "old"))
    with pytest.raises(InputError, match=r"new\.csv: expected at least one sequence, found none"):
        list(read_unlabelled(write_csv(tmp_path / "new.csv", "id,time,a,b"), schema, ReadingOptions()))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: expected files to predict from, found none"):
        list(read_unlabelled(tmp_path / "empty", schema, ReadingOptions()))


@pytest.mark.parametrize("last", [":a", ":?", ":0.5", ""])
@pytest.mark.parametrize("header", ["@classLabel true a b", "@classLabel false", "@targetLabel false", "# none"])
def test_series_with_and_without_labels(tmp_path, header, last):
    (tmp_path / "old.ts").write_text("@classLabel true a b\n@data\n1,2:3,4:a\n3,4:5,6:b\n")
    (tmp_path / "new.ts").write_text(f"{header}\n@data\n1,2:3,4{last}\n")
    (found,) = sequences(tmp_path / "new.ts", schema_of(tmp_path / "old.ts"))
    assert found.tolist() == [[1, 3], [2, 4]]


def test_series_of_other_dimensions(tmp_path):
    (tmp_path / "old.ts").write_text("@classLabel true a b\n@data\n1,2:3,4:a\n3,4:5,6:b\n")
    (tmp_path / "new.ts").write_text("@classLabel true a b\n@data\n1,2\n")
    with pytest.raises(InputError, match="row 3: expected 2 dimensions"):
        sequences(tmp_path / "new.ts", schema_of(tmp_path / "old.ts"))


def test_a_damaged_set_of_texts(tmp_path):
    texts = write_csv(tmp_path / "a.csv", "text,label", "one,x", "two,y", "three,x", "four,y")
    import_source(texts, tmp_path / "texts.set", OPTIONS, lambda said: None)
    np.memmap(tmp_path / "texts.set" / "values.bin", "uint16", "r+")[0] = 60_000
    with pytest.raises(InputError, match=r"expected texts of the \d+ characters of the set, found others"):
        sequences(tmp_path / "texts.set", schema_of(texts))
