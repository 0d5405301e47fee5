"""The curve holds what an obvious computation gives, once an epoch, in memory, in the file and after resuming."""

import csv
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from auxrnn.core.objectives import Loss
from auxrnn.targets import ClassTarget
from auxrnn.training import history as history_module
from auxrnn.training.history import History, columns
from auxrnn.training.step import StepLosses, TrainingStep
from tiny_runs import TRAINING, make_data, make_model, resume_tiny, train_tiny


def test_means_are_those_of_an_obvious_computation(monkeypatch):
    steps = []
    plain = TrainingStep.losses

    def recording(self, batch):
        found = plain(self, batch)
        parts = {name: (loss.total, loss.count, loss.tally) for name, loss in found.parts.items()}
        steps.append((self.phase.name, float(found.total.detach()), parts, len(batch)))
        return found

    monkeypatch.setattr(TrainingStep, "losses", recording)
    _, rows, fitted = train_tiny()
    assert [(row["phase"], row["epoch"], row["step"]) for row in rows] == [
        ("pretrain", 1, 3), ("pretrain", 2, 6), ("train", 1, 3), ("train", 2, 6), ("train", 3, 9),
    ]  # fmt: skip
    for number, row in enumerate(rows):
        epoch = steps[3 * number : 3 * number + 3]
        assert {name for name, *_ in epoch} == {row["phase"]}
        assert row["loss"] == pytest.approx(sum(loss for _, loss, _, _ in epoch) / 3)
        for term in ("reconstruct", "predict"):
            totals = [float(parts[term][0]) for _, _, parts, _ in epoch]
            tokens = [parts[term][1] for _, _, parts, _ in epoch]
            assert tokens == [size * 2 * (4 if term == "predict" else 3) for _, _, _, size in epoch]
            assert row[term] == pytest.approx(sum(totals) / sum(tokens))
        if row["phase"] == "pretrain":
            assert not {"supervised", "train_accuracy", "validation_loss", "validation_accuracy"} & set(row)
        else:
            assert row["supervised"] == pytest.approx(
                sum(float(parts["supervised"][0]) for _, _, parts, _ in epoch) / 20
            )
            assert row["train_accuracy"] == sum(_right(parts["supervised"][2]) for _, _, parts, _ in epoch) / 20
    seconds = [row["seconds"] for row in fitted.history]
    assert seconds == sorted(seconds)
    assert 0 < seconds[0] < seconds[-1] <= fitted.seconds + 0.001  # rows are rounded


def _right(tally):
    """Of classes: how often each was labelled, answered, both."""
    return int(tally.view(3, -1)[2].sum())


def test_validation_is_the_mean_over_all_its_sequences():
    model = make_model()
    training = replace(TRAINING, pretrain_epochs=0, max_epochs=1, batch_size=4)  # 7 sequences: batches of 4 and 3
    _, (row,), _ = train_tiny(model=model, training=training)
    data, losses, right = make_data("validation", 7), 0.0, 0
    model.eval()
    with torch.no_grad():
        for index in range(7):
            batch = data.batch([index])
            logits = model(batch)
            losses += float(functional.cross_entropy(logits, batch.labels))
            right += int(logits.argmax() == batch.labels)
    assert row["validation_loss"] == pytest.approx(losses / 7, rel=1e-5)
    assert row["validation_accuracy"] == right / 7


def test_learning_rate_and_gradient_norm_of_the_row():
    _, rows, _ = train_tiny(training=replace(TRAINING, lr_schedule="step"), validation=False)
    # The rate that the next step would have: 3 of 6 steps done, 6 of 6; 3, 6 and 9 of 9.
    assert [row["lr"] for row in rows] == pytest.approx([1e-3, 1e-4, 1e-3, 1e-4, 1e-4])
    assert all(0 < row["gradient_norm"] < 100 for row in rows)


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_file_holds_the_rows(tmp_path):
    _, _, fitted = train_tiny(tmp_path)
    found = read(tmp_path / "metrics.csv")
    assert len(found) == 5
    for row, expected in zip(found, fitted.history, strict=True):
        assert tuple(row) == columns("accuracy")
        assert row == {name: str(expected.get(name, "")) for name in row}


def test_resumed_rows_are_not_doubled(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        calls = iter(range(100))
        plain = TrainingStep.losses

        def dying(self, batch):
            if next(calls) == 10:
                raise RuntimeError("killed")
            return plain(self, batch)

        patched.setattr(TrainingStep, "losses", dying)
        with pytest.raises(RuntimeError, match="killed"):
            train_tiny(tmp_path, training=replace(TRAINING, checkpoint_steps=None))
    assert [(row["phase"], row["epoch"]) for row in read(tmp_path / "metrics.csv")] == [
        ("pretrain", "1"), ("pretrain", "2"), ("train", "1"),
    ]  # fmt: skip
    resume_tiny(tmp_path)
    assert [(row["phase"], row["epoch"]) for row in read(tmp_path / "metrics.csv")] == [
        ("pretrain", "1"), ("pretrain", "2"), ("train", "1"), ("train", "2"), ("train", "3"),
    ]  # fmt: skip


def test_a_failure_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "metrics.csv"
    history_module.write_rows(path, [{"phase": "train", "epoch": 1}], "accuracy")
    before = path.read_text()
    with pytest.raises(ValueError, match="unknown"):
        history_module.write_rows(path, [{"phase": "train", "epoch": 1}, {"unknown": 2}], "accuracy")
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_pauses_do_not_count(tmp_path, monkeypatch):
    history = History(ClassTarget(("a", "b")))
    moments = iter([10.0, 13.0, 100.0, 104.0])
    monkeypatch.setattr(history_module.time, "monotonic", lambda: next(moments))
    for _ in range(2):  # started at 10, a step until 13; killed; started at 100, a step until 104
        history.start_clock()
        history.add_step(StepLosses(torch.tensor(2.0), torch.tensor(2.0), {}))
    assert history.seconds == 7.0


def test_seconds_of_the_processor_go_on_where_they_were_saved(monkeypatch):
    spent = iter([1.0, 2.0, 4.0, 9.0, 9.5])
    monkeypatch.setattr(history_module.time, "process_time", lambda: next(spent))
    before = History(ClassTarget(("a", "b")))
    before.start_clock()
    before.add_step(StepLosses(torch.tensor(2.0), torch.tensor(2.0), {}))
    after = History(ClassTarget(("a", "b")))
    after.load_state_dict(before.state_dict())
    after.add_step(StepLosses(torch.tensor(2.0), torch.tensor(2.0), {}))
    assert (before.cpu_seconds, after.cpu_seconds) == (2.0, 2.5)


def test_running_means():
    history = History(ClassTarget(("a", "b")))
    for loss, right in ((6.0, 1), (3.0, 2)):
        tally = torch.tensor([3.0, 0.0, 3.0, 0.0, right, 0.0])  # three of class a, so many of them answered so
        parts = {"supervised": Loss(torch.tensor(loss), 3, tally), "predict": Loss(torch.tensor(loss), 6)}
        history.add_step(StepLosses(torch.tensor(loss), torch.tensor(loss), parts))
    assert history.running() == {"supervised": 1.5, "predict": 0.75, "accuracy": 0.5}
