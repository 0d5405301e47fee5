"""Targets come back from config.json, and what stood there before there were any is a class a sequence."""

from typing import get_args

import pytest

from auxrnn.config.reading import TargetKind
from auxrnn.errors import InputError
from auxrnn.targets import KINDS, SCORES, ClassTarget, as_target, target_of

NAMES = ("a", "b")


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind):
    target = KINDS[kind](NAMES)
    assert target_of(NAMES, target.to_dict()) == target
    assert target.size == 2
    assert target.scores_told[0] == target.score
    assert set(target.scores_told) <= set(SCORES)
    assert target.named(("c", "d")).names == ("c", "d")


def test_the_choices_of_the_command_line_are_the_kinds():
    assert set(get_args(TargetKind)) == {"auto", *KINDS}


def test_nothing_said_is_a_class_a_sequence():
    assert target_of(NAMES, None) == ClassTarget(NAMES)
    assert as_target(3) == ClassTarget(("0", "1", "2"))
    assert as_target(ClassTarget(NAMES)) == ClassTarget(NAMES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "tag"}, r"found 'tag'\. Did you mean 'tags'"),
        ({"kind": "class", "mean": []}, "no entries of target class but its kind"),
        ({"kind": "value"}, "the entries kind, mean and scale"),
    ],
)
def test_what_fits_no_target(content, message):
    with pytest.raises(InputError, match=message):
        target_of(NAMES, content)
