"""Options are checked for themselves and against the set they are meant for."""

import pytest

from auxrnn.config import RunConfig
from auxrnn.errors import InputError
from auxrnn.sources.options import DataOptions
from auxrnn.sources.presets import PRESETS


def test_there_and_back():
    options = DataOptions(limit_train=5, grey=True)
    assert options.to_dict() == {"limit_train": 5, "grey": True}
    assert DataOptions.from_dict(options.to_dict()) == options
    assert DataOptions().to_dict() == {}
    with pytest.raises(InputError, match=r"among distance, grey, .* got 'gray'"):
        DataOptions.from_dict({"gray": True})


def test_a_run_has_every_option():
    config = RunConfig(
        data="dbpedia", limit_train=1, limit_test=2, limit_classes=3, image_size=4, grey=True, max_length=5,
        max_vocabulary=6,
    )  # fmt: skip
    assert DataOptions.of_run(config) == DataOptions(1, 2, 3, 4, True, 5, 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limit_test": 0}, "limit_test of at least 1"),
        ({"limit_classes": 1}, "limit_classes of at least 2"),
        ({"image_size": 2000}, "image_size of at most 1024"),
        ({"grey": 1}, "grey to be true or false"),
        ({"max_length": "long"}, "max_length to be a whole number"),
    ],
)
def test_wrong_values(changes, message):
    with pytest.raises(InputError, match=message):
        DataOptions(**changes)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("mnist", {"max_length": 5}, "mnist: expected no max_length, for it has grey images"),
        ("cifar10", {"max_vocabulary": 5}, "cifar10: expected no max_vocabulary"),
        ("mnist", {"grey": True}, "grey already"),
        ("dbpedia", {"image_size": 5}, "dbpedia: expected no image_size, for it has texts"),
        ("dbpedia", {"grey": True}, "dbpedia: expected no grey"),
        ("mnist", {"limit_classes": 11}, "limit_classes of at most 10, got 11"),
    ],
)
def test_options_that_do_not_fit_the_set(name, changes, message):
    with pytest.raises(InputError, match=message):
        DataOptions(**changes).check_for(PRESETS[name])
    DataOptions(limit_classes=10, limit_train=20).check_for(PRESETS[name])
