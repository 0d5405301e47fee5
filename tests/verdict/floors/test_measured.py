"""Floors on data whose answers are known, for every target; the test labels do nothing but score."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.vocabulary import encode, vocabulary_size
from auxrnn.targets import ClassesTarget, ClassTarget, TagsTarget, ValueTarget
from auxrnn.verdict import gather_evidence, judge
from auxrnn.verdict.floors import measure_floors
from auxrnn.verdict.floors import measured as room

VALUES = InputSpec("values", 1)


def levels(number, seed=0, steps=24, target="class"):
    """Sequences about a level of their own; the labels say what it is."""
    draw = np.random.default_rng(seed)
    level = draw.uniform(-1, 1, number)
    inputs = torch.from_numpy((level[:, None, None] + 0.05 * draw.normal(size=(number, steps, 1))).astype(np.float32))
    high = torch.from_numpy((level > 0.2).astype(np.int64))
    said = {
        "class": (high, ClassTarget(("low", "high"))),
        "classes": (torch.stack([high, 1 - high], dim=1), ClassesTarget(("high", "low"))),
        "value": (torch.from_numpy(100 + 7 * level[:, None]), ValueTarget(("level",), (100.0,), (4.0,))),
        "tags": ([(row[:, 0] > 0.2).long() for row in inputs], TagsTarget(("low", "high"))),
    }
    labels, known = said[target]
    return SequenceData("x", VALUES, inputs, labels, target=known)


def named(floors):
    return {floor.name: floor for floor in floors.floors}


@pytest.mark.parametrize("target", ["class", "classes", "value", "tags"])
def test_a_linear_cue_is_found_and_the_trivial_answer_finds_none(target):
    floors = measure_floors(*(levels(number, seed, target=target) for seed, number in enumerate((80, 40, 40))))
    assert floors.best is not floors.trivial
    assert floors.score(floors.best.test) > 0.93
    assert floors.score(floors.trivial.test) < 0.75


def test_the_majority_class_of_training_is_answered():
    train, test = levels(50), levels(30, 1)
    train = replace(train, labels=torch.tensor([1] * 26 + [0] * 24))
    floors = measure_floors(train, test, test)
    assert floors.trivial.name == "majority class"
    assert floors.score(floors.trivial.test) == pytest.approx(test.labels.double().mean().item())


def test_the_mean_of_training_is_answered():
    train, test = levels(50, target="value"), levels(30, 1, target="value")
    floors = measure_floors(train, test, test)
    known, mean = test.labels.numpy(), train.labels.numpy().mean()
    expected = 1 - ((known - mean) ** 2).sum() / ((known - known.mean()) ** 2).sum()
    assert floors.score(floors.trivial.test) == pytest.approx(expected)


def test_the_most_frequent_tag_is_answered_at_every_step():
    train, test = levels(50, target="tags"), levels(30, 1, target="tags")
    floors = measure_floors(train, test, test)
    assert floors.score(floors.trivial.test) == pytest.approx(1 - torch.cat(test.labels).double().mean().item())


def test_texts_that_differ_in_a_word():
    draw = np.random.default_rng(0)
    characters = " abcdefghijklmnopqrstuvwxyz"

    def said(number):
        labels = torch.from_numpy(draw.integers(0, 2, number))
        words = [["plain", "words", "here", ("good", "evil")[label]] for label in labels.tolist()]
        inputs = [torch.from_numpy(encode(" ".join(draw.permutation(some)), characters)) for some in words]
        spec = InputSpec("characters", vocabulary_size(characters))
        return SequenceData("x", spec, inputs, labels, ("good", "evil"), characters=characters)

    floors = measure_floors(said(60), said(20), said(20))
    assert [floor.name for floor in floors.floors] == ["majority class", "TF-IDF of characters", "TF-IDF of words"]
    assert [floors.score(floor.test) for floor in floors.floors[1:]] == [1.0, 1.0]


def test_texts_of_blanks_alone_have_no_words():
    blanks = SequenceData(
        "x", InputSpec("characters", 2), [torch.ones(length).long() for length in (1, 2, 3, 1, 2, 3)],
        torch.tensor([0, 1, 0, 1, 0, 1]), ("a", "b"), characters=" ",
    )  # fmt: skip
    assert [floor.name for floor in measure_floors(blanks, blanks).floors] == [
        "majority class",
        "TF-IDF of characters",
    ]


def test_the_best_is_chosen_by_validation_and_not_by_test():
    train, validation = levels(60), levels(30, 1)
    shuffled = replace(levels(30, 2), labels=1 - levels(30, 2).labels)  # what is right in validation is wrong here
    floors = measure_floors(train, validation, shuffled)
    assert floors.score(floors.best.validation) > 0.9
    assert floors.score(floors.best.test) < 0.2


def test_the_test_labels_change_no_answer():
    train, validation, test = levels(60), levels(30, 1), levels(30, 2)
    before = measure_floors(train, validation, test)
    after = measure_floors(train, validation, replace(test, labels=1 - test.labels))
    assert before.best.name == after.best.name
    for one, other in zip(before.floors, after.floors, strict=True):
        assert torch.equal(one.validation, other.validation)
        answered = slice(2, 4)  # a tally is how often each class was labelled, answered, both
        assert torch.equal(one.test[:, answered], other.test[:, answered])


def test_the_same_seed_gives_the_same_floors_and_another_an_other_network():
    sets = [replace(levels(40, seed), labels=torch.arange(40) % 2) for seed in range(3)]  # nothing but noise to learn
    first, same, other = (measure_floors(*sets, seed=seed) for seed in (0, 0, 1))
    assert first.to_dict() == same.to_dict()
    assert any(not torch.equal(a.test, b.test) for a, b in zip(first.floors, other.floors, strict=True))


def test_a_part_of_training_is_kept_where_there_is_nothing_to_validate():
    train = levels(50)
    for nothing in (None, train.subset([])):
        floors = measure_floors(train, nothing, levels(30, 1))
        assert floors.held_out
        assert (floors.trained, len(floors.validation.rows)) == (40, 10)


def test_few_are_drawn_from_many(monkeypatch):
    monkeypatch.setattr(room, "MOST_TRAINED", 12)
    monkeypatch.setattr(room, "MOST_JUDGED", 9)
    train, test = levels(50), levels(40, 1)
    floors = measure_floors(train, test, test)
    assert floors.trained == 12
    assert len(floors.test.rows) == len(floors.test.rows.unique()) == 9
    assert floors.test.total == 40
    expected = test.target.tallies(torch.tensor([[1.0, 0.0]]).expand(9, 2), test.labels[floors.test.rows])
    assert torch.equal(floors.trivial.test, expected)  # in the order of the rows


def test_long_sequences_are_fewer(monkeypatch):
    monkeypatch.setattr(room, "MOST_NUMBERS", 24 * 20)
    monkeypatch.setattr(room, "FEWEST", 5)
    assert measure_floors(levels(50), levels(50, 1)).trained == 20
    monkeypatch.setattr(room, "MOST_NUMBERS", 24)
    assert measure_floors(levels(50), levels(50, 1)).trained == 5


@pytest.mark.parametrize("number", [1, 2, 3])
def test_hardly_any_sequences(number):
    train = SequenceData("x", VALUES, torch.randn(number, 3, 1), torch.arange(number) % 2, ("a", "b"))
    found = measure_floors(train, train, train).to_dict()
    assert found["majority class"]["test"] >= 0.5


def test_values_beyond_measure_do_no_harm():
    train = levels(20)
    train = replace(train, inputs=train.inputs * 1e38)
    assert measure_floors(train, train).floors[0].name == "majority class"


def test_steps_without_a_tag_are_neither_learned_nor_judged():
    train, test = levels(60, target="tags"), levels(20, 1, target="tags")
    hidden = [torch.where(torch.arange(24) % 2 == 0, tags, -1) for tags in test.labels]
    floors = measure_floors(
        replace(train, labels=[*train.labels[:59], torch.full((24,), -1)]), test, replace(test, labels=hidden)
    )
    assert int(floors.best.test[:, :2].sum()) == 20 * 12


def test_a_sequence_of_many_chunks(monkeypatch):
    data = levels(30, target="tags")
    whole = measure_floors(data, data)
    monkeypatch.setattr(room, "CHUNK", 5)
    assert torch.equal(measure_floors(data, data).best.validation, whole.best.validation)


def test_further_models_join_in():
    def learn(train, seed):
        return lambda data: data.target.tallies(torch.nn.functional.one_hot(data.labels, 2).double(), data.labels)

    floors = measure_floors(levels(30), levels(20, 1), levels(20, 2), others={"oracle": learn})
    assert floors.score(named(floors)["oracle"].test) == 1.0
    assert list(floors.to_dict())[-1] == "oracle"


def test_with_weights_of_the_classes_balanced_accuracy_compares():
    """By it a constant answer has 1 / 2, and a coin, which macro-F1 would put ahead of that, is not above it."""
    train, test = (levels(number, seed) for seed, number in enumerate((60, 300)))
    rare = replace(test, labels=torch.tensor([0] * 200 + [1] * 100))
    common = replace(train, labels=torch.tensor([0] * 40 + [1] * 20))
    plain, weighted = (measure_floors(part, rare, rare) for part in (common, common.balanced()))
    assert (plain.score_name, weighted.score_name) == ("accuracy", "balanced_accuracy")
    assert plain.score(plain.trivial.test) == pytest.approx(2 / 3)
    assert weighted.score(weighted.trivial.test) == 0.5

    def judged(answers):
        tallies = rare.target.tallies(torch.eye(2)[answers], rare.labels)
        return gather_evidence(weighted, tallies, "test", (), 0)

    perfect = judged(rare.labels)
    assert (perfect.score, perfect.value, perfect.trivial.difference.value) == ("balanced_accuracy", 1.0, 0.5)
    assert perfect.trivial.difference.above
    for seed in range(3):
        coin = judged(torch.randint(2, (300,), generator=torch.Generator().manual_seed(seed)))
        assert not coin.trivial.difference.above
        assert judge(coin).state == "majority"
    found = judged(torch.tensor([0] * 150 + [1] * 130 + [0] * 20))
    assert found.value == pytest.approx((150 / 200 + 80 / 100) / 2)
