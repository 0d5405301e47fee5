"""The demonstration compares like with like, and does again only what is not done."""

from dataclasses import replace
from functools import partial

import pytest

from auxrnn.errors import InputError
from auxrnn.experiments import demo
from auxrnn.experiments.demo import SHOWN, demo_arms, run_demo
from auxrnn.grids.grid import Outcome, estimated_cost, run_grid
from auxrnn.runs.folder import RunFolder, read_json
from auxrnn.runs.run import StoppedRunError
from small_runs import SMALL

ARMS = {
    "LSTM": replace(SMALL, model="lstm", pretrain_epochs=0, max_epochs=2),
    "r-LSTM": replace(SMALL, model="r-lstm", pretrain_epochs=1, max_epochs=1),
    "p-LSTM": replace(SMALL, model="p-lstm", pretrain_epochs=1, max_epochs=1),
    "rp-LSTM": replace(SMALL, model="rp-lstm", pretrain_epochs=1, max_epochs=1),
    "LSTM full BPTT": replace(SMALL, model="lstm", bptt="full", pretrain_epochs=0, max_epochs=2),
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Small arms, trained one after another in this process."""
    monkeypatch.setattr(demo, "demo_arms", lambda data: ARMS)
    monkeypatch.setattr(demo, "run_grid", partial(run_grid, workers=0))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """(folder, rows) of a demonstration with one seed."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(demo, "demo_arms", lambda data: ARMS)
        patched.setattr(demo, "run_grid", partial(run_grid, workers=0))
        return folder, run_demo(folder, "digits", None, 1)


def untouched(*given, **named):
    raise AssertionError("trained again")


# Like with like -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["digits", "mnist"])
def test_the_arms_differ_in_their_method_alone(data):
    arms = demo_arms(data)  # the real ones: imported before `tiny` took their place
    assert set(SHOWN) <= set(arms)
    assert list(arms) == list(ARMS)
    base = arms["LSTM"]
    assert base.auxiliaries == ()
    for name, arm in arms.items():
        assert arm.pretrain_epochs + arm.max_epochs == base.max_epochs + base.pretrain_epochs
        assert arm.bptt == ("full" if name == "LSTM full BPTT" else base.bptt)
        for setting in (
            "data", "limit_train", "cell", "hidden_size", "projection_size", "num_layers", "initialisation",
            "regulariser", "dropout", "batch_size", "optimizer", "lr_schedule", "gradient_clip",
            "validation_fraction", "patience", "precision",
        ):  # fmt: skip
            assert getattr(arm, setting) == getattr(base, setting), (name, setting)
    assert [arm.auxiliaries for arm in arms.values()] == [
        (),
        ("reconstruct",),
        ("predict",),
        ("reconstruct", "predict"),
        (),
    ]
    assert all(estimated_cost(arm) >= estimated_cost(base) for arm in arms.values())


# A small one ----------------------------------------------------------------------------------------------------------


def test_what_it_leaves(shown):
    folder, rows = shown
    assert sorted(path.name for path in folder.iterdir()) == ["curves.png", "digits", "memory.png", "table.md"]
    assert list(rows) == list(SHOWN)
    table = (folder / "table.md").read_text()
    for name in SHOWN:
        result = read_json(RunFolder(folder / "digits" / f"{name}-0").result)
        assert rows[name] == [result]
        assert f"| {name} | {100 * result['test_accuracy']:.1f} |" in table
        assert "Test accuracy" in (folder / "digits" / f"{name}-0" / "log.txt").read_text()
    assert "one seed, no interval" in table
    for name in ("curves.png", "memory.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_a_second_call_trains_nothing_and_shows_the_same(shown, capsys, monkeypatch):
    folder, rows = shown
    before = (folder / "table.md").read_text()
    (folder / "table.md").unlink()
    monkeypatch.setattr("auxrnn.runs.run.fit", untouched)
    assert run_demo(folder, "digits", None, 1) == rows
    assert (folder / "table.md").read_text() == before
    out = capsys.readouterr().out
    assert "3 runs on digits: LSTM, r-LSTM, p-LSTM, 1 seeds each, 2 epochs in all" in out
    assert "is finished" not in out  # that goes to the run's own log


def test_another_configuration_is_refused_before_anything_is_trained(shown, monkeypatch):
    folder, _ = shown
    changed = {**ARMS, "p-LSTM": replace(ARMS["p-LSTM"], lr=0.5)}
    monkeypatch.setattr(demo, "demo_arms", lambda data: changed)
    monkeypatch.setattr("auxrnn.runs.run.fit", untouched)
    with pytest.raises(InputError, match=r"p-LSTM-0: expected a run with the settings of this grid, found lr 0\.01"):
        run_demo(folder, "digits", None, 1)


def test_another_data_folder_is_no_other_configuration(shown, tmp_path):
    folder, rows = shown
    assert run_demo(folder, "digits", str(tmp_path), 1) == rows


def test_seeds_differ_and_all_models_take_part(tmp_path, monkeypatch, capsys):
    """Without training: what would be trained, and the table and verdict of known accuracies."""
    known = {"LSTM": (0.2, 0.22), "r-LSTM": (0.9, 0.91), "p-LSTM": (0.1, 0.9), "rp-LSTM": (0.9, 0.92)}

    def known_results(runs, root):
        assert root == tmp_path / "digits"
        outcomes = {}
        for key, config in runs.items():
            name, _, seed = key.rpartition("-")
            assert config.seed == int(seed)
            result = {"validation_accuracy": 0.5, "parameters": 1234, "seconds": 2}
            result["test_accuracy"] = known.get(name, (0.95, 0.95))[config.seed]
            outcomes[key] = Outcome(key, "finished", root / key, result)
        return outcomes

    monkeypatch.setattr(demo, "run_grid", known_results)
    monkeypatch.setattr(demo, "_draw", lambda *given: None)
    run_demo(tmp_path, "digits", None, 2, everything=True)
    table = (tmp_path / "table.md").read_text()
    # t(0.975, 1) = 12.706; half the difference of two values, times 12.706 / sqrt(2) * sqrt(2): 0.01 -> 12.7 points
    assert "| LSTM | 21.0 ± 12.7 | 50.0 ± 0.0 | 4 | 1,234 | 2 |" in table
    assert "r-LSTM against the truncated LSTM: +69.5 points (intervals apart)." in table
    assert "p-LSTM against the truncated LSTM: +29.0 points (intervals touch)." in table
    assert "rp-LSTM against the truncated LSTM: +70.0 points (intervals apart)." in table
    assert "| LSTM full BPTT | 95.0 ± 0.0 | 50.0 ± 0.0 | full |" in table
    assert "2 seeds each" in capsys.readouterr().out


def test_a_failed_run_is_named_instead_of_a_table(tmp_path, monkeypatch):
    broken = {**ARMS, "p-LSTM": replace(ARMS["p-LSTM"], lr=1e30)}
    monkeypatch.setattr(demo, "demo_arms", lambda data: broken)
    with pytest.raises(StoppedRunError, match=r"1 of 3 runs are not finished:\n.*p-LSTM-0: failed: .*not finite"):
        run_demo(tmp_path, "digits", None, 1)
    assert not (tmp_path / "table.md").exists()
