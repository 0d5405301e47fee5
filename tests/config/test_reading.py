"""What a person may say of their files, and what is refused."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError


def test_dict_and_back():
    options = ReadingOptions(text="body", missing="drop", size="32x16")
    assert ReadingOptions.from_dict(options.to_dict()) == options


def test_features_and_size():
    options = ReadingOptions(features="a, b,c", size="32x16")
    assert options.feature_names == ("a", "b", "c")
    assert options.image_size == (32, 16)
    assert ReadingOptions().feature_names == ()
    assert ReadingOptions().image_size is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"missing": "intrepolate"}, "Did you mean 'interpolate'"),
        ({"header": "maybe"}, "--header of auto, yes, no"),
        ({"size": "32"}, "--size as COLUMNSxROWS"),
        ({"size": "99999999x99999999"}, "--size as COLUMNSxROWS"),
        ({"encoding": "utf-99"}, "--encoding by Python's name"),
        ({"delimiter": ";;"}, "one character"),
        ({"test_fraction": 1.0}, "--test_fraction between 0 and 1"),
        ({"size": "３２x32"}, "--size as COLUMNSxROWS"),
        ({"rows": "step"}, "--rows of auto, steps, series, texts, files, got 'step'.*'steps'"),
        ({"decimal": ";"}, "--decimal of ., ,, got ';'"),
        ({"window": 0}, "--window of at least 1, got 0"),
        ({"window": 2.5}, "--window to be a whole number, got 2.5"),
        ({"skip": -1}, "--skip of at least 0"),
        ({"skip": True}, "--skip to be a whole number, got True"),
    ],
)
def test_bad_values_name_the_option(given, told):
    with pytest.raises(InputError, match=told):
        ReadingOptions(**given)


def test_features_twice():
    with pytest.raises(InputError, match="different names"):
        _ = ReadingOptions(features="a,a").feature_names


def test_unknown_entries_are_refused():
    with pytest.raises(InputError, match="unknown reading options shape"):
        ReadingOptions.from_dict({"shape": 1})


def test_targets_and_labels():
    assert ReadingOptions().kind == "class"
    assert ReadingOptions(target="tags").kind == "tags"
    assert ReadingOptions(label="a, b").label_names == ("a", "b")
    with pytest.raises(InputError, match=r"--target of auto, class.*Did you mean 'value'"):
        ReadingOptions(target="values")
    with pytest.raises(InputError, match="--label as different names"):
        _ = ReadingOptions(label="a,a").label_names
