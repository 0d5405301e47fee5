"""Characters to numbers and back; the smallest type that holds them."""

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.sources.vocabulary import check_characters, encode, learn_characters, vocabulary_size


def test_encode_by_a_slow_loop():
    characters, text = learn_characters(["hello", "wörld"]), "howdy, wörld ☃"
    expected = [characters.index(character) + 1 if character in characters else 0 for character in text]
    assert encode(text, characters).tolist() == expected


def test_all_characters_in_the_order_of_their_code_points():
    assert learn_characters(["banana", "Ĉ a"]) == " abnĈ"
    assert vocabulary_size(" abnĈ") == 6


def test_the_most_frequent_are_kept_and_ties_go_to_the_lower_code_point():
    assert learn_characters(["banana", "ccdd"], 3) == "acd"
    assert learn_characters(["ab"], 9) == "ab"


@pytest.mark.parametrize(("number", "kind"), [(255, np.uint8), (256, np.int16), (32767, np.int16), (32768, np.int32)])
def test_the_smallest_type(number, kind):
    characters = "".join(map(chr, range(number)))
    found = encode(characters[-1], characters)
    assert found.dtype == kind
    assert found.tolist() == [number]


def test_order_is_checked():
    check_characters("abc")
    for wrong in ("ba", "aa"):
        with pytest.raises(InputError, match="order of their code points"):
            check_characters(wrong)
