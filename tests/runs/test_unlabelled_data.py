"""Sequences without labels from the command line and through estimators: who reads them, and what they change."""

import numpy as np
import pytest

from auxrnn import LongSequenceClassifier
from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.experiments.arguments import parse_given
from auxrnn.runs.datasets import load_data
from auxrnn.runs.folder import RunFolder, read_config
from auxrnn.runs.provenance import check_same_data, describe_data
from auxrnn.runs.run import start_run
from auxrnn.sources.importing import import_source
from auxrnn.training.step import TrainingStep
from own_files import write_csv, write_long_form

SMALL = ["--max_epochs", "1", "--epoch_passes", "1", "--hidden_size", "4", "--stride", "1"]


def configured(path, *options):
    return parse_given([str(path), *SMALL, *map(str, options)])


def steps_of(number, label, first=0):
    """So many sequences of three steps with values of their own."""
    return [f"{first + i},{t},{first + i},{label(first + i)}" for i in range(number) for t in range(3)]


def write_partly(folder, with_label=24, without=9):
    labelled = steps_of(with_label, lambda i: "odd" if i % 2 else "even")
    return write_csv(folder / "partly.csv", "id,time,a,label", *labelled, *steps_of(without, lambda i: "", with_label))


def raw_values(own):
    """The value of each unlabelled sequence in the units of its file."""
    mean, scale = own.preprocessing.mean[0], own.preprocessing.scale[0]
    return [round(float(one[0, 0]) * scale + mean) for one in own.unlabelled.inputs]


def test_rows_without_a_label_are_refused_left_out_or_learned_from(tmp_path):
    path = write_partly(tmp_path)
    with pytest.raises(
        InputError, match=r"expected a label, got none.*--no_label learn lets the auxiliary losses have"
    ):
        load_data(configured(path)[0])
    left_out = load_data(configured(path, "--no_label", "drop")[0])
    assert left_out.unlabelled is None
    assert "Missing values: none; 9 sequences without label or content left out" in left_out.findings
    config, _ = configured(path, "--no_label", "learn")
    assert config.model == "p-lstm"
    own = load_data(config)
    assert raw_values(own) == list(range(24, 33))
    assert len(own.sequences.train) + len(own.sequences.test) == 24
    assert own.preprocessing == left_out.preprocessing
    assert "Missing values: none; 9 sequences without label or content kept apart" in own.findings
    assert f"Unlabelled  9 sequences of {path}, for the auxiliary losses" in own.findings


def test_those_of_a_test_split_are_not_read_and_files_beside_are_joined(tmp_path):
    rows = ["a,x,train", "bb,y,train", "a,x,test", "bb,y,test", "ccc,,train", "dddd,,test", ",,train"]
    path = write_csv(tmp_path / "texts.csv", "text,label,split", *rows[:2] * 4, *rows[2:])
    beside = write_csv(tmp_path / "more.csv", "text", "a", "ab")
    own = load_data(configured(path, "--no_label", "learn", "--unlabelled", beside)[0])
    assert [len(one) for one in own.unlabelled.inputs] == [3, 1, 2]


def test_none_to_learn_from_and_imports_are_refused(tmp_path):
    path = write_long_form(tmp_path, 12)
    with pytest.raises(InputError, match=r"steps\.csv: expected rows without a label for --no_label learn, found none"):
        load_data(configured(path, "--no_label", "learn")[0])
    with pytest.raises(InputError, match="expected --no_label drop for an import"):
        import_source(path, tmp_path / "set", ReadingOptions(no_label="learn"))
    assert not (tmp_path / "set").exists()


def test_a_run_reads_them_and_is_not_resumed_on_others(tmp_path, monkeypatch):
    """Batches of the auxiliary loss hold unlabelled values at every step; other ones are other data."""
    path, seen = write_partly(tmp_path), []
    beside = TrainingStep._beside

    def watched(self, unlabelled, losses, *given):
        seen.append((set(losses), len(unlabelled)))
        return beside(self, unlabelled, losses, *given)

    monkeypatch.setattr(TrainingStep, "_beside", watched)
    config, given = configured(path, "--no_label", "learn", "--pretrain_epochs", 1, "--out", tmp_path / "run")
    result = start_run(config, lambda line: None, given=given)
    assert result["model"] == "p-lstm"
    assert (seen[0], seen[-1]) == (({"predict"}, 9), ({"supervised", "predict"}, 9))
    stored = read_config(RunFolder(tmp_path / "run"))
    started = {"data": describe_data(load_data(stored))}
    assert started["data"]["unlabelled_sequences"] == 9
    check_same_data("run", started, load_data(stored))
    write_partly(tmp_path, without=8)
    with pytest.raises(InputError, match="8 unlabelled sequences instead of 9, 24 unlabelled steps instead of 27"):
        check_same_data("run", started, load_data(stored))


def test_an_estimator_learns_from_them_in_units_of_its_own(monkeypatch):
    generator = np.random.default_rng(0)
    X, y = 50 + 10 * generator.normal(size=(20, 12, 1)), np.arange(20) % 2
    U = [50 + 10 * generator.normal(size=(length, 1)) for length in (5, 30, 12)]
    given = []
    beside = TrainingStep._beside
    monkeypatch.setattr(
        TrainingStep, "_beside", lambda self, *rest: given.append(self.unlabelled) or beside(self, *rest)
    )
    options = {"max_epochs": 1, "epoch_passes": 1, "hidden_size": 4, "stride": 2}
    clf = LongSequenceClassifier(**options).fit(X, y, unlabelled=U)
    assert clf.model_.config.model == "p-lstm"
    assert "predict" in clf.history_[-1]
    assert [len(one) for one in given[0].inputs] == [5, 30, 12]
    mean, scale = clf.model_.preprocessing.mean[0], clf.model_.preprocessing.scale[0]
    np.testing.assert_allclose(given[0].inputs[1] * scale + mean, U[1], rtol=1e-5)
    plain = LongSequenceClassifier(**options, aux="predict").fit(X, y)
    assert not np.array_equal(plain.predict_proba(X), clf.predict_proba(X))
    with pytest.raises(InputError, match="Expected a model with an auxiliary loss beside unlabelled data, got lstm"):
        LongSequenceClassifier(**options, aux=None).fit(X, y, unlabelled=U)
