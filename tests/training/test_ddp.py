"""Two processes over gloo: the same training as one with the doubled batch, and no way to hang or to lose data."""

import signal
from dataclasses import replace

import pytest

from auxrnn.config import AuxiliaryConfig
from ranks import PATIENCE, found_by, ranks_at_work, train_in_ranks, two
from tiny_runs import MODEL, STEPS, TRAINING, assert_same_weights, newest, train_tiny

# One anchor fits alone where the segment is as long as the sequence, and nothing else is random then.
FORCED = AuxiliaryConfig(truth_start=1.0, truth_end=1.0, weight=2.0)
PLAIN = replace(MODEL, initialisation="torch", regulariser="none", segment_length=STEPS, num_anchors=1, aux=FORCED)

SGD = replace(TRAINING, optimizer="sgd", lr=0.1)  # RMSProp would make much of the last bits of a small gradient

EQUAL = {
    "lstm": {"config": replace(PLAIN, model="lstm")},
    "rp-lstm": {"config": PLAIN, "training": SGD},
    "unequal lengths, shards of 11 and 10, 1 to validate": {
        "config": PLAIN,
        "training": SGD,
        "size": 21,
        "unequal": True,
        "held_out": 1,
    },
    "the classifier alone": {"config": replace(PLAIN, model="lstm", bptt=0)},
    # All windows are drawn, in an order that each rank draws for itself.
    "tokens, all of them read, labels at anchors": {
        "config": replace(
            PLAIN,
            model="lstm",
            stem="conv",
            stride=2,
            kernel=2,
            readout="stats-max",
            bptt=1,
            num_windows=99,
            top_windows=99,
            anchor_labels=0.5,
        ),
        "training": SGD,
        "unequal": True,
        "size": 21,
    },
    "several classes": {"config": PLAIN, "training": SGD, "target": "classes"},
    "a value": {"config": PLAIN, "training": SGD, "target": "value"},
    # Shorter windows of tags are drawn by each rank for itself.
    "tags": {"config": replace(PLAIN, bptt="full"), "training": SGD, "unequal": True, "size": 21, "target": "tags"},
    "cosine and patience": {
        "config": replace(PLAIN, model="r-lstm"),
        "training": replace(TRAINING, optimizer="adam", lr_schedule="cosine", patience=1, max_epochs=4),
    },
}


def with_two(options):
    """The job of two ranks with half the batch each."""
    training = options.get("training", TRAINING)
    return {**options, "training": replace(two(training, training.batch_size // 2), checkpoint_steps=None)}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What both ranks found in each of the jobs, and in one with all that is random."""
    jobs = {name: with_two(options) for name, options in EQUAL.items()}
    jobs["random"] = {"training": two(TRAINING)}
    return train_in_ranks(tmp_path_factory.mktemp("together"), jobs)


@pytest.mark.parametrize("name", EQUAL)
def test_loss_and_weights_are_those_of_one_process_with_the_doubled_batch(together, name):
    weights, rows, fitted = train_tiny(**EQUAL[name])
    first, second = (found[name] for found in together)
    assert_same_weights(second["weights"], first["weights"])  # to the last bit among themselves
    assert first["rows"] == second["rows"]
    for found in (first, second):
        for key, weight in weights.items():
            assert float((found["weights"][key] - weight).norm()) <= 1e-5 * float(weight.norm()), key
        assert len(found["rows"]) == len(rows)
        for row, expected in zip(found["rows"], rows, strict=True):
            assert row.keys() == expected.keys()
            assert row.pop("phase") == expected["phase"]
            assert row == pytest.approx({key: value for key, value in expected.items() if key != "phase"}, rel=1e-5)
        epoch, score = found["best"]
        assert epoch == fitted.best_epoch
        (best,) = [row for row in found["rows"] if row["epoch"] == epoch and "validation_loss" in row]
        assert score in best.values()  # which were compared above


def test_anchors_and_dropout_differ_between_the_ranks(together):
    first, second = (found["random"] for found in together)
    assert len(first["anchors"]) == len(second["anchors"]) == 10  # 2 steps an epoch, 5 epochs
    assert all(one != other for one, other in zip(first["anchors"], second["anchors"], strict=True))
    assert not set(first["seeds"]) & set(second["seeds"])
    assert len(set(first["seeds"])) == 10
    assert first["rows"] == second["rows"]
    assert_same_weights(second["weights"], first["weights"])


def test_the_first_rank_alone_writes_checkpoints(together):
    first, second = (found["random"] for found in together)
    assert first["written"] > 0
    assert second["written"] == 0


def test_both_killed_and_resumed_give_the_same_bits(tmp_path, together):
    expected = together[0]["random"]
    job = {"random": {"training": two(TRAINING)}}
    assert train_in_ranks(tmp_path, job, faults=(("die", 5), ("die", 5))) == [None, None]
    assert newest(tmp_path / "random") == (1, tmp_path / "random" / "checkpoints" / "phase-1-step-000000001.ckpt")
    for found in train_in_ranks(tmp_path, job):
        assert_same_weights(found["random"]["weights"], expected["weights"])
        assert found["random"]["rows"] == expected["rows"]
        assert found["random"]["best"] == expected["best"]


# When one is gone -----------------------------------------------------------------------------------------------------

JOB = {"run": {"training": two(TRAINING)}}


def test_a_killed_rank_ends_the_other_with_a_message_and_a_checkpoint(tmp_path):
    with ranks_at_work(tmp_path, JOB, faults=(None, ("die", 3))) as (other, killed):
        killed.join(PATIENCE)
        assert killed.exitcode == -signal.SIGKILL
        other.join(300)
        assert other.exitcode == 0
    first = found_by(tmp_path, 0)
    assert first["run"]["error"] == "LostRankError"
    assert first["run"]["message"].startswith("Process 1 of 2 cannot go on: another has ended or not answered (")
    assert newest(tmp_path / "run") is not None


def test_a_rank_that_hangs_ends_the_other(tmp_path):
    with ranks_at_work(tmp_path, JOB, faults=(("hang", 3), None), AUXRNN_RANK_TIMEOUT="2") as (hung, other):
        other.join(300)
        assert other.exitcode == 0
        assert hung.is_alive()
    assert found_by(tmp_path, 1)["run"]["error"] == "LostRankError"
    assert newest(tmp_path / "run") is not None


def test_a_signal_to_one_stops_both_at_one_checkpoint(tmp_path):
    first, second = train_in_ranks(tmp_path, JOB, faults=(None, ("stop", 4)))
    for found in (first, second):
        assert found["run"] == {"error": "InterruptedRun", "message": f"interrupted by {signal.SIGTERM.name}"}
    assert newest(tmp_path / "run")[1].name in ("phase-1-step-000000001.ckpt", "phase-1-step-000000002.ckpt")


def test_a_loss_that_is_not_finite_in_one_stops_both_with_the_reason(tmp_path):
    first, second = train_in_ranks(tmp_path, JOB, faults=(None, ("diverge", 4)))
    for found in (first, second):
        assert found["run"]["error"] == "DivergedError"
        assert "the loss is not finite" in found["run"]["message"]


def test_ranks_with_other_data_are_refused_before_the_first_step(tmp_path):
    for found in train_in_ranks(tmp_path, JOB, faults=(None, ("size", 19))):
        assert found["run"]["error"] == "InputError"
        assert found["run"]["message"] == (
            "Expected the same number of training sequences and steps in all 2 processes, got (20, 160) in the first "
            "and (19, 152) in process 2."
        )
