"""From a path to what training takes."""

import numpy as np
import pytest
import torch

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.importing import import_source
from auxrnn.sources.loading import load_files, verify_files
from auxrnn.sources.splits import stratified_split
from own_files import write_csv, write_long_form, write_texts

OPTIONS = ReadingOptions()


def same(one, other):
    assert (one.spec, one.classes, len(one)) == (other.spec, other.classes, len(other))
    assert torch.equal(one.labels, other.labels)
    assert all(torch.equal(a, b) for a, b in zip(one.inputs, other.inputs, strict=True))


def test_a_stratified_test_split_that_no_seed_moves(tmp_path):
    path = write_long_form(tmp_path, 20)
    data = load_files(path, OPTIONS)
    assert (len(data.train), len(data.test)) == (16, 4)
    assert data.test.labels.tolist().count(0) == 2
    same(data.test, load_files(path, OPTIONS, seed=7).test)
    assert "20% of each class" in data.findings[-2]


def test_the_sources_own_split(tmp_path):
    path = write_csv(tmp_path / "a.csv", "text,label,split", "a,x,test", "bb,y,test", "ccc,x,train", "dddd,y,train")
    data = load_files(path, OPTIONS)
    assert data.train.lengths.tolist() == [3, 4]
    assert data.test.lengths.tolist() == [1, 2]
    assert data.preprocessing.characters == "cd"


def test_channels_are_standardised_on_what_validation_leaves(tmp_path):
    path = write_long_form(tmp_path, 40)
    data = load_files(path, OPTIONS, validation_fraction=0.25, seed=3)
    kept, held_out = stratified_split(data.train.labels, 0.25, 3)
    steps = torch.cat([data.train.inputs[index] for index in kept.tolist()])
    np.testing.assert_allclose(steps.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(steps.std(0, correction=0), 1, atol=1e-5)
    assert len(held_out) == 8


def test_a_set_is_the_same_as_its_source(tmp_path):
    path = write_texts(tmp_path, 20)
    import_source(path, tmp_path / "set", OPTIONS, lambda _: None)
    read, mapped = (
        load_files(place, OPTIONS, limit_train=8, validation_fraction=0.2) for place in (path, tmp_path / "set")
    )
    same(read.train, mapped.train)
    same(read.test, mapped.test)
    assert len(read.train) == 8
    assert read.findings[-2].endswith("; limited to 8 and 4")
    renamed = mapped.findings[0].replace(f"{tmp_path / 'set'}", str(path), 1)
    assert read.findings == (renamed, *mapped.findings[1:])


def test_batches_are_padded_and_standardised(tmp_path):
    data = load_files(write_long_form(tmp_path, 20), OPTIONS)
    long, short = (data.train.lengths.tolist().index(length) for length in (4, 2))
    batch = data.train.subset([short, 0, long]).batch([2, 0])
    assert batch.lengths.tolist() == [4, 2]
    assert torch.equal(batch.inputs[0], data.train.inputs[long])
    assert torch.equal(batch.inputs[1, :2], data.train.inputs[short])
    assert (batch.inputs[1, 2:] == 0).all()


def test_the_preprocessing_of_a_model_is_kept(tmp_path):
    path = write_texts(tmp_path, 20)
    learned = load_files(path, OPTIONS).preprocessing
    other = write_csv(tmp_path / "b.csv", "text,label", *["xyz,up", "zyx,down"] * 5)
    assert load_files(other, OPTIONS, preprocessing=learned).preprocessing == learned
    assert load_files(other, OPTIONS, preprocessing=learned).test.inputs[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["a,x,test", "b,x,test", "a,y,test", "a,y,test"], "training sequences beside the test split"),
        (["a,x,test", "b,x,test", "a,y,train", "a,y,train"], "found 'x' in the test split alone"),
    ],
)
def test_splits_that_cannot_be_learned_from(tmp_path, rows, told):
    with pytest.raises(InputError, match=told):
        load_files(write_csv(tmp_path / "a.csv", "text,label,split", *rows), OPTIONS)


def test_too_few_for_a_test_split(tmp_path):
    with pytest.raises(InputError, match="--test_fraction"):
        load_files(write_texts(tmp_path, 4), ReadingOptions(test_fraction=0.1))


def test_a_limit_that_is_refused_is_named(tmp_path):
    with pytest.raises(InputError, match="Expected --limit_train of at least 2, one sequence for each class, got 1"):
        load_files(write_texts(tmp_path), OPTIONS, limit_train=1)


def test_one_class_alone_is_told_in_one_sentence(tmp_path):
    path = write_csv(tmp_path / "one.csv", "text,label", "a b,x", "c d,x")
    with pytest.raises(InputError, match=r"one\.csv: expected labels of at least 2 classes, got 1 class"):
        load_files(path, OPTIONS)


def test_a_stored_set_with_values_that_cannot_be_used(tmp_path):
    path = write_long_form(tmp_path, 20)
    import_source(path, tmp_path / "set", ReadingOptions(), lambda line: None)
    assert verify_files(tmp_path / "set", ReadingOptions()) == load_files(tmp_path / "set", ReadingOptions()).findings
    values = np.memmap(tmp_path / "set" / "values.bin", "float64", "r+")
    for broken in (np.inf, np.nan, values[1]):
        values[0] = broken
        values.flush()
        with pytest.raises(InputError, match=r"set/values\.bin: expected the numbers that were imported"):
            verify_files(tmp_path / "set", ReadingOptions())


@pytest.mark.parametrize(
    ("splits", "train", "test", "told"),
    [
        (["train"] * 6 + ["val"] * 2, 6, 2, "the source's validation split, for it has no test split"),
        (["train"] * 4 + ["val"] * 2 + ["test"] * 2, 6, 2, "the source's own (2 validation sequences are to train on"),
        (["train"] * 6 + ["test"] * 2, 6, 2, "the source's own, 6 to train"),
    ],
)
def test_what_a_validation_split_is_for(tmp_path, splits, train, test, told):
    lines = [f"some text {row},{'xy'[row % 2]},{split}" for row, split in enumerate(splits)]
    own = load_files(write_csv(tmp_path / "a.csv", "text,label,split", *lines), OPTIONS)
    assert (len(own.train), len(own.test)) == (train, test)
    assert any(told in line for line in own.findings)


def test_validation_without_training_is_refused(tmp_path):
    path = write_csv(tmp_path / "a.csv", "text,label,split", "a b,x,val", "c d,y,val", "a b,x,val", "c d,y,val")
    with pytest.raises(InputError, match="expected training sequences beside the validation split"):
        load_files(path, OPTIONS)
