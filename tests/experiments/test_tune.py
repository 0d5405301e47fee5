"""A study finds settings on validation data alone, goes on where it stopped, and is shared between processes."""

import subprocess
import sys
from dataclasses import replace

import pytest
import yaml

from auxrnn.cli import main
from auxrnn.config import RunConfig, with_groups
from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.experiments import tune as tuning
from auxrnn.experiments.tune import as_yaml, open_study, suggest, tune
from auxrnn.runs.datasets import load_data
from auxrnn.sources.dataset import TrainTest
from auxrnn.training.step import DivergedError
from small_runs import SMALL
from tiny_runs import without_tensorboard

optuna = pytest.importorskip("optuna")

TINY = replace(SMALL, model="r-lstm", limit_train=20, pretrain_epochs=1, max_epochs=1)


def tuned(trials, file=None, config=TINY):
    """(best configuration, lines)."""
    lines = []
    with without_tensorboard():
        best = tune(config, trials, file, lines.append)
    return best, lines


def values(file, config=TINY):
    return [trial.value for trial in open_study(config, file).trials]


def test_two_trials_then_more(tmp_path):
    file = tmp_path / "studies" / "one.log"
    first, lines = tuned(2, file)
    assert len(lines) == len(values(file)) == 2
    assert tuned(2, file) == (first, [])
    best, more = tuned(3, file)
    assert len(more) == 1
    found = values(file)
    assert max(found) == found[open_study(TINY, file).best_trial.number]
    assert best.pretrain_epochs + best.max_epochs == 2
    assert RunConfig(**with_groups(yaml.safe_load(as_yaml(best)))) == best


def test_the_best_configuration_gives_the_best_accuracy_again(tmp_path):
    file = tmp_path / "study"
    best, _ = tuned(2, file)
    train, validation = tuning.split_data(load_data(TINY).sequences, TINY)
    with without_tensorboard():
        assert tuning._validation_score(best, train, validation) == max(values(file))


def test_every_trial_sees_the_unlabelled_sequences(monkeypatch):
    loaded, seen, plain = load_data(TINY), [], tuning.fit
    monkeypatch.setattr(tuning, "load_data", lambda config: replace(loaded, unlabelled=loaded.sequences.test))
    monkeypatch.setattr(tuning, "fit", lambda *args, **named: seen.append(named["unlabelled"]) or plain(*args, **named))
    tuned(2)
    assert seen == [loaded.sequences.test] * 2


def test_the_test_set_is_not_read(monkeypatch):
    class Forbidden:
        def __getattr__(self, name):
            raise AssertionError("the test set was read")

    def without_test(config):
        loaded = load_data(config)
        return replace(loaded, sequences=TrainTest(loaded.sequences.train, Forbidden()))

    monkeypatch.setattr(tuning, "load_data", without_test)
    assert len(tuned(1)[1]) == 1


def test_a_trial_that_diverges_counts(tmp_path, monkeypatch):
    plain, calls = tuning._validation_score, iter(range(9))

    def first_diverges(*given):
        if next(calls) == 0:
            raise DivergedError("no longer finite")
        return plain(*given)

    monkeypatch.setattr(tuning, "_validation_score", first_diverges)
    _, lines = tuned(2, tmp_path / "study")
    assert "diverged" in lines[0]
    assert values(tmp_path / "study")[0] is None


def test_all_trials_diverge(monkeypatch):
    def diverges(*given):
        raise DivergedError("no longer finite")

    monkeypatch.setattr(tuning, "_validation_score", diverges)
    with pytest.raises(InputError, match="more --trials"):
        tuned(1)


def test_two_processes_share_a_study(tmp_path):
    file = tmp_path / "study"
    words = ["tune", "digits", "--trials=4", f"--study={file}"]
    words += ["--limit_train=20", "--model=lstm", "--hidden_size=4", "--projection_size=3", "--max_epochs=1"]
    words += ["--pretrain_epochs=0", "--batch_size=16", "--accelerator=cpu"]
    command = [sys.executable, "-m", "auxrnn", *words]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=540) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    numbers = [int(line.split()[1]) for _, err in said for line in err.splitlines() if line.startswith("trial")]
    assert sorted(numbers) == list(range(len(numbers)))
    assert 4 <= len(numbers) <= 5
    configs = [yaml.safe_load(out) for out, _ in said]
    study = optuna.load_study(study_name=tuning.STUDY, storage=tuning._journal(file))
    drawn = {tuple(sorted(trial.params.items())) for trial in study.trials}
    assert len(drawn) == len(numbers)
    assert {config["lr"] for config in configs} <= {dict(params)["lr"] for params in drawn}


def test_a_study_of_other_settings(tmp_path):
    open_study(TINY, tmp_path / "study")
    open_study(replace(TINY, num_threads=2), tmp_path / "study")
    with pytest.raises(InputError, match="hidden_size 5 instead of 4"):
        open_study(replace(TINY, hidden_size=5), tmp_path / "study")


def test_a_file_that_is_no_study(tmp_path):
    (tmp_path / "study").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="expected a study"):
        open_study(TINY, tmp_path / "study")


def test_bad_use(monkeypatch):
    with pytest.raises(InputError, match="validation_fraction above 0"):
        tune(replace(TINY, validation_fraction=0.0), 1)
    monkeypatch.setattr(tuning, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"auxrnn\[sweep\]"):
        tune(TINY, 1)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("lstm", {"lr", "bptt", "initialisation"}),
        ("transformer", {"lr"}),
        ("irnn", {"lr", "bptt"}),
        (
            "p-lstm",
            {"lr", "bptt", "initialisation", "num_anchors", "segment_length", "pretrain_share", "aux.weight"}
            | {"aux.target"},
        ),
    ],
)
def test_what_is_searched_for(model, names):
    study = optuna.create_study()
    config = RunConfig(model=model, bptt=50)
    for _ in range(20):
        trial = study.ask()
        found = suggest(trial, config, InputSpec("pixels", 1), 20)
        assert set(trial.params) == names
        assert model == "transformer" or 8 <= found.bptt <= 20
        assert found.max_epochs >= 1
        assert found.pretrain_epochs + found.max_epochs == config.pretrain_epochs + config.max_epochs


def test_short_sequences_values_and_full_back_propagation():
    trial = optuna.create_study().ask()
    found = suggest(trial, RunConfig(bptt="full"), InputSpec("values", 1), 3)
    assert (found.bptt, found.segment_length, found.aux.target) == ("full", 3, None)
    assert suggest(optuna.create_study().ask(), RunConfig(), InputSpec("values", 1), 1).segment_length == 2


def test_yaml_to_train_with(tmp_path, capsys):
    file = tmp_path / "best.yaml"
    file.write_text(as_yaml(replace(TINY, lr=0.0123)))
    with pytest.raises(SystemExit) as end:
        main(["train", "--config", str(file), "--print_config"])
    assert not end.value.code
    assert "lr: 0.0123" in capsys.readouterr().out
