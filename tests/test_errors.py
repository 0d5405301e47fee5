"""A message is one line, whatever it quotes; the nearest word is named."""

import pickle

import pytest

from auxrnn.errors import InputError, check_printable, did_you_mean


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("plain  text", "plain  text"),
        ("found: Invalid data\n.", "found: Invalid data ."),
        ("a\r\n  b\u2028c", "a b c"),
        ("a\x1b[2Jb\x9bc\td", "a\\x1b[2Jb\\x9bc\\td"),
    ],
)
def test_a_message_is_one_line_that_no_terminal_obeys(message, told):
    assert str(InputError(message)) == told


def test_it_is_a_value_error_that_survives_another_process():
    error = pickle.loads(pickle.dumps(InputError("x\ny")))
    assert isinstance(error, ValueError)
    assert str(error) == "x y"


def test_the_nearest_word():
    assert did_you_mean("Mnits", ["mnist", "digits"]) == " Did you mean 'mnist'?"
    assert did_you_mean("something else", ["mnist"]) == ""


def test_names_that_a_terminal_obeys():
    assert check_printable("naïve — 犬", "row 1") == "naïve — 犬"
    for name in ("a\x1b[31m", "a\tb", "\x7f", "a\x85"):
        with pytest.raises(InputError, match=r"row 1: expected a name in UTF-8 without control characters, got 'a?\\"):
            check_printable(name, "row 1")
