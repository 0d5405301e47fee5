"""What an experiment says in sentences, from figures by hand."""

from auxrnn.experiments.answers import answer
from auxrnn.experiments.catalogue import EXPERIMENTS, TABLE2, Arm, Experiment

ARMS = {
    "base": {0: 0.50, 1: 0.51, 2: 0.52},
    "ahead": {0: 0.70, 1: 0.71, 2: 0.72},
    "behind": {0: 0.20, 1: 0.21, 2: 0.22},
    "beside": {0: 0.51, 1: 0.50, 2: 0.54},
    "one seed": {0: 0.90},
}


def test_ahead_behind_and_not_told_apart():
    assert answer("mnist", ARMS, "base") == (
        "mnist: base is at 51.0 ± 2.5 % (3 seeds). Ahead: ahead (+20.0). Behind: behind (-30.0). "
        "Not told apart: one seed (+40.0); beside (+0.7)."
    )


def test_less_of_an_error_is_ahead():
    told = answer("texts", ARMS, "base", less_is_better=True)
    assert "Ahead: behind (-30.0)." in told
    assert "Behind: ahead (+20.0)." in told


def test_a_baseline_alone():
    assert answer("mnist", {"base": {0: 0.5}}, "base") == "mnist: base is at 50.0 % (1 seed)."


def test_arms_are_compared_with_the_baseline_of_the_same_words():
    fields = TABLE2.fields()
    assert [arm.name for arm in fields["LSTM Truncate300, chrono"]][:3] == [
        "LSTM Truncate300, chrono",
        "LSTM Full BP, chrono",
        "r-LSTM Truncate300, chrono",
    ]
    assert len(fields["LSTM Truncate300, torch's initialisation and RMSProp"]) == 2
    assert sum(map(len, fields.values())) == len(TABLE2.arms)


def test_words_without_a_baseline_of_their_own_go_to_the_first():
    arms = (Arm("base", {}), Arm("other, thrice", {}))
    assert Experiment("name", "Title", "Question?", ("mnist",), arms, "base").fields() == {"base": list(arms)}


def test_every_baseline_is_an_arm_of_its_experiment():
    for experiment in EXPERIMENTS.values():
        assert {experiment.baseline, *experiment.beside} <= {arm.name for arm in experiment.arms}
