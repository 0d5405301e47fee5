"""Names of splits."""

import pytest

from auxrnn.errors import InputError
from auxrnn.sources.splits import split_named, split_of, split_within


@pytest.mark.parametrize(
    ("names", "split"),
    [
        (
            ("train", "Training", "training_set", "trainset", "TRAIN", "train2017", "TrainImages", "trn", "train-data"),
            "train",
        ),
        (("validation", "valid", "val", "dev", "val2017", "ValidationSet", "eval", "validation_data"), "validation"),
        (("test", "Testing", "test_set", "testset", "test1", "TestImages", "holdout", " TEST ", "PublicTest"), "test"),
        (("cats", "train_cats", "trains", "testament", "set", "", "2017", "contest", "value"), None),
    ],
)
def test_a_whole_name(names, split):
    assert {split_named(name) for name in names} == {split}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Gestures_TEST", "test"),
        ("reviews-train", "train"),
        ("validation-00000-of-00002", "validation"),
        ("test.fold1", "test"),
        ("train_test", None),
        ("reviews", None),
    ],
)
def test_within_a_name(name, split):
    assert split_within(name) == split


def test_a_cell_that_names_none():
    assert split_of(" Training ", "here") == "train"
    with pytest.raises(InputError, match=r"a\.csv, row 2: expected train, validation or test.*'other'"):
        split_of("other", "a.csv, row 2")
