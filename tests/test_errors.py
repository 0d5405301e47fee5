"""A message is one line, whatever it quotes; the nearest word is named."""

import pickle

import pytest

from auxrnn.errors import InputError, did_you_mean


@pytest.mark.parametrize(
    ("message", "told"),
    [("plain  text", "plain  text"), ("found: Invalid data\n.", "found: Invalid data ."), ("a\r\n  b\u2028c", "a b c")],
)
def test_a_message_is_one_line(message, told):
    assert str(InputError(message)) == told


def test_it_is_a_value_error_that_survives_another_process():
    error = pickle.loads(pickle.dumps(InputError("x\ny")))
    assert isinstance(error, ValueError)
    assert str(error) == "x y"


def test_the_nearest_word():
    assert did_you_mean("Mnits", ["mnist", "digits"]) == " Did you mean 'mnist'?"
    assert did_you_mean("something else", ["mnist"]) == ""
