"""Every state from numbers made for it, and from numbers beside it."""

import json
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from auxrnn.verdict import Evidence, Rival, judge
from auxrnn.verdict.judge import STATES, lines_of, told_of, without_commands
from auxrnn.verdict.paired import Difference


def rival(name, score, low=None, high=None, *, ours=0.9):
    return Rival(name, score, Difference(ours - score, low, high))


MAJORITY = rival("majority class", 0.5, 0.3, 0.5)
FLOOR = rival("linear", 0.8, 0.05, 0.15)
GOOD = Evidence("accuracy", 0.9, "test", 200, 200, MAJORITY, FLOOR)


def states(evidence):
    return [finding.state for finding in judge(evidence).findings]


def curve(validation, train=None, validated=400):
    train = validation if train is None else train
    return replace(GOOD, train=tuple(train), validation=tuple(validation), validated=validated)


@pytest.mark.parametrize(
    ("trivial", "floor", "expected"),
    [
        ((0.3, 0.5), (0.05, 0.15), ["useful"]),
        ((0.3, 0.5), (-0.02, 0.15), ["floor"]),
        ((0.3, 0.5), (0.0, 0.0), ["floor"]),
        ((0.3, 0.5), (-0.2, -0.05), ["below"]),
        ((-0.1, 0.1), (-0.1, 0.1), ["majority"]),
        ((0.0, 0.0), (-0.4, -0.2), ["majority", "below"]),
        ((-0.4, -0.2), (-0.6, -0.4), ["majority", "below"]),
        ((None, None), (None, None), ["untold"]),
    ],
)
def test_how_good_it_is(trivial, floor, expected):
    found = replace(GOOD, trivial=rival("majority class", 0.5, *trivial), floor=rival("linear", 0.8, *floor))
    assert states(found) == expected
    assert judge(found).state == expected[0]


@pytest.mark.parametrize(("sequences", "state"), [(10, "untold"), (12, "majority")])
def test_too_few_to_tell_even_an_answer_without_mistakes(sequences, state):
    """Of two classes alike: 5 mistakes of the majority class are too few to win, by the exact test, and 6 are not."""
    most = sequences // 2
    assert (binomtest(most, most).proportion_ci(0.95, "exact").low > 0.5) is (state == "majority")
    found = replace(GOOD, sequences=sequences, trivial=rival("majority class", 0.5, -0.02, 0.6))
    assert states(found)[0] == state
    behind = rival("majority class", 0.95, -0.2, 0.1)
    assert states(replace(found, trivial=behind))[0] == "majority"


@pytest.mark.parametrize(
    ("ahead", "low", "train", "state"),
    [
        (0.5, -0.035, 1.0, "untold"),  # 10 of 12 right where 4 are of the commonest class
        (0.5, -0.035, 0.4, "majority"),  # nothing was learned in training either
        (0.1, -0.12, 1.0, "majority"),  # four times as many would not tell
        (0.1, -0.08, 1.0, "untold"),
        (-0.1, -0.3, 1.0, "majority"),
    ],
)
def test_a_lead_that_more_test_sequences_would_tell(ahead, low, train, state):
    trivial = Rival("majority class", 1 / 3, Difference(ahead, low, 0.66))
    found = replace(GOOD, value=1 / 3 + ahead, sequences=12, trivial=trivial, floor=trivial)
    assert states(replace(found, train=(train,), validation=(train,)))[0] == state


def test_a_model_below_the_majority_class_is_called_so():
    worse = rival("majority class", 0.95, -0.2, -0.01)
    verdict = judge(replace(GOOD, trivial=worse, floor=worse))
    assert [finding.words for finding in verdict.findings] == ["below the majority class"]


def test_no_floor_beats_the_trivial_answer():
    verdict = judge(replace(GOOD, floor=MAJORITY))
    assert verdict.state == "useful"
    assert verdict.summary.endswith(
        "majority class 50.0 % (difference +40.0, 95 % +30.0 to +50.0), which no floor beats"
    )


@pytest.mark.parametrize(
    ("train", "validation", "validated", "expected"),
    [
        (1.0, 0.7, 400, True),
        (0.98, 0.85, 400, True),
        (0.98, 0.89, 400, False),  # a gap of 9 points
        (0.8, 0.65, 400, False),  # more than half of the mistakes
        (1.0, 0.7, 9, False),  # three of nine sequences: chance
        (1.0, 0.7, 16, True),
        (float("nan"), 0.7, 400, False),
    ],
)
def test_memorised(train, validation, validated, expected):
    found = curve([validation - 0.1, validation, validation], [0.6, 0.9, train], validated)
    assert ("memorised" in states(found)) is expected


@pytest.mark.parametrize(
    ("validation", "validated", "expected"),
    [
        ([0.8, 0.7, 0.6], 400, True),
        ([0.8, 0.7, 0.8], 400, False),  # reached again
        ([0.8, 0.79, 0.78], 400, False),  # four of four hundred: chance
        ([0.98, 0.96, 0.95], 5, False),
        ([0.8, 0.7], 400, False),  # two epochs say little
        ([0.7, 0.8, 0.6], 400, False),
        ([], 400, False),
    ],
)
def test_the_first_epoch_was_the_best(validation, validated, expected):
    assert ("first" in states(curve(validation, validated=validated))) is expected


@pytest.mark.parametrize(
    ("validation", "validated", "expected"),
    [
        ([0.5, 0.93, 0.71], 100, True),
        ([0.5, 0.93, 0.73], 100, False),  # 20 of 100: three standard errors of a difference are 21.2
        ([0.9, 0.5], 400, True),
        ([0.9, 0.7, 0.5], 400, False),  # the first was the best, which is told
        ([0.2, 0.9, 0.3, 0.9], 400, False),
        ([*(0.1 + 0.042 * epoch for epoch in range(19)), 0.3], 100, True),  # and is not said to rise still
        ([], 0, False),
    ],
)
def test_training_fell_back(validation, validated, expected):
    found = judge(curve(validation, validated=validated))
    named = [finding.state for finding in found.findings]
    assert ("fell" in named) is expected
    assert not expected or "rising" not in named
    said = "93.0 % on validation data in epoch 2, which is kept, 71.0 % at the end"
    assert any(said in line for line in found.lines) is (validation == [0.5, 0.93, 0.71])


@pytest.mark.parametrize(
    ("validation", "validated", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 400, True),
        ([0.1, 0.2, 0.3, 0.4, 0.6, 0.5], 400, False),  # the best is not the last
        ([0.1] * 10 + [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.59], 400, True),  # among the last tenth
        ([0.1, 0.3, 0.5, 0.6, 0.6, 0.601], 400, False),  # has come to rest
        ([0.1, 0.2, 0.3, 0.40, 0.42, 0.44], 400, True),
        ([0.1, 0.2, 0.3, 0.40, 0.42, 0.44], 100, False),  # four of a hundred: chance
        ([0.5, 0.5, 0.75], 4, False),  # one of four: chance
        ([0.5], 400, False),
        ([0.5, 0.5, 0.5, 0.5], 400, False),
    ],
)
def test_still_rising(validation, validated, expected):
    assert ("rising" in states(curve(validation, validated=validated))) is expected


def test_a_run_may_have_several_things_to_say():
    found = curve([0.3, 0.4, 0.5, 0.6], [0.5, 0.8, 0.99, 1.0])
    assert states(found) == ["useful", "memorised", "rising"]


def test_every_state_has_the_command_that_was_asked_for():
    every = [
        GOOD,
        replace(GOOD, floor=rival("linear", 0.9, 0.0, 0.0)),
        replace(GOOD, trivial=rival("m", 0.9, 0.0, 0.0), floor=rival("linear", 0.99, -0.2, -0.1)),
        replace(GOOD, trivial=rival("m", 0.5)),
        curve([0.3, 0.4, 0.5, 0.6], [1.0] * 4),
        curve([0.6, 0.4, 0.3]),
        curve([0.4, 0.6, 0.1]),
    ]
    found = {one.state: one.next for evidence in every for one in judge(evidence, lambda state: f"do {state}").findings}
    assert found == {state: f"do {state}" for state in STATES}


def test_the_lines():
    verdict = judge(GOOD, lambda state: f"do {state}")
    assert verdict.lines == [
        "Compared    test accuracy 90.0 % on 200 sequences; majority class 50.0 % (difference +40.0, 95 % +30.0 to "
        "+50.0); best floor, linear, 80.0 % (difference +10.0, 95 % +5.0 to +15.0)",
        "Verdict     useful: above the majority class and the floor",
        "Next        do useful",
    ]


def test_a_part_of_the_test_sequences_and_a_score_that_is_no_share():
    mean = rival("mean", 0.0, 0.2, 0.6, ours=0.5)
    found = Evidence("r2", 0.5, "validation", 50, 3_000, mean, rival("linear", 0.45, -0.1, 0.1, ours=0.5))
    assert judge(found).summary == (
        "validation R2 0.500 on 50 of 3,000 sequences; mean 0.000 (difference +0.500, 95 % +0.200 to +0.600); "
        "best floor, linear, 0.450 (difference +0.050, 95 % -0.100 to +0.100)"
    )


def test_better_than_the_floor_sure_or_not():
    unsure = replace(GOOD, floor=rival("linear", 0.8, -0.1, 0.3))
    assert judge(unsure).better
    assert not judge(replace(GOOD, floor=rival("linear", 0.9, -0.1, 0.1))).better


def test_a_stored_verdict_says_the_same():
    verdict = judge(curve([0.3, 0.4, 0.5, 0.6]), lambda state: f"do {state}")
    stored = json.loads(json.dumps(verdict.to_dict()))
    assert lines_of(stored) == verdict.lines
    assert stored["state"] == "useful"
    kept = without_commands(stored)
    assert [line for line in verdict.lines if not line.startswith("Next")] == lines_of(kept)
    assert "do" not in json.dumps(kept)


@pytest.mark.parametrize("content", [None, 3, "x", {}, {"summary": 3, "findings": []}, {"summary": "x", "findings": 3}])
def test_what_is_no_verdict_says_nothing(content):
    assert told_of(content) == ("", [])
    assert lines_of(content) == []
