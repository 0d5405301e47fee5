"""Which of several processes this is, and what an error of their exchange means."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from torch import distributed

from auxrnn.errors import InputError
from auxrnn.training.loop import fit
from auxrnn.training.ranks import (
    ALONE,
    LostRankError,
    Ranks,
    _name_first_machine,
    find_ranks,
    noticing_losses,
    silence,
)
from tiny_runs import MODEL, TRAINING, make_data, make_model

FOUR = replace(TRAINING, devices=2, num_nodes=2)
TORCHRUN = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}
SLURM = {"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_JOB_NAME": "train"}


@pytest.mark.parametrize(
    ("training", "environment", "expected"),
    [
        (TRAINING, {}, ALONE),
        (TRAINING, SLURM, ALONE),  # four runs of their own
        (TRAINING, {"RANK": "0", "WORLD_SIZE": "1"}, ALONE),
        (replace(TRAINING, devices=2), {}, Ranks(2, 0, started=False)),
        (replace(TRAINING, devices=2), {**SLURM, "SLURM_JOB_NAME": "bash"}, Ranks(2, 0, started=False)),
        (FOUR, TORCHRUN, Ranks(4, 3)),
        (FOUR, SLURM, Ranks(4, 2)),
        (FOUR, {**SLURM, **TORCHRUN}, Ranks(4, 3)),  # torchrun within a job
    ],
)
def test_who_this_is(training, environment, expected):
    assert find_ranks(training, environment) == expected


@pytest.mark.parametrize(
    ("training", "environment", "message"),
    [
        (TRAINING, TORCHRUN, "to be the 4 processes that torchrun has started, got 1 times 1"),
        (replace(TRAINING, devices=4, num_nodes=2), SLURM, "to be the 4 processes that SLURM has started, got 4 times"),
        (FOUR, {}, "Expected torchrun or srun to start the processes on each of 2 machines, found neither"),
    ],
)
def test_what_was_started_must_be_what_is_asked_for(training, environment, message):
    with pytest.raises(InputError, match=message):
        find_ranks(training, environment)


def test_a_fit_of_two_that_nobody_started_is_refused():
    with pytest.raises(InputError, match="Expected 2 processes for as many devices, got one"):
        fit(make_model(), make_data(), None, MODEL, replace(TRAINING, devices=2))


def test_one_process_exchanges_nothing():
    assert ALONE.sum([1.5, 2]) == [1.5, 2]
    assert ALONE.highest(3) == 3


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[../gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1"),
        distributed.DistBackendError("something"),
    ],
)
def test_an_error_of_the_exchange_means_that_another_is_gone(error):
    with (
        pytest.raises(LostRankError, match="Process 2 of 3 cannot go on: another has ended"),
        noticing_losses(Ranks(3, 1)),
    ):
        raise error
    with pytest.raises(type(error), match=r"peer|something"), noticing_losses(ALONE):
        raise error


@pytest.mark.parametrize(
    ("address", "hint"),
    [("127.0.1.1", r" On several machines: .* set \$GLOO_SOCKET_IFNAME on each"), ("10.0.0.1", "$")],
)
def test_a_host_name_that_stands_for_loopback_is_told_of(address, hint):
    message = f"[../gloo/transport/tcp/pair.cc:152] timed out connecting: Connection refused, remote=[{address}]:1"
    with pytest.raises(LostRankError, match=rf"remote=\[{address}\]:1\)\.{hint}"), noticing_losses(Ranks(2, 1)):
        raise RuntimeError(message)


def test_of_gloos_message_its_advice_is_left_out():
    message = "Connection reset by peer. This is typically caused by a remote worker hanging. GLHF!"
    with pytest.raises(LostRankError, match=r"\(Connection reset by peer\)\.$"), noticing_losses(Ranks(2, 1)):
        raise RuntimeError(message)


def test_srun_need_not_be_used(tmp_path, monkeypatch):
    (tmp_path / "srun").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    fit(make_model(), make_data(), None, MODEL, TRAINING, quiet=True)  # a warning is an error here


@pytest.mark.parametrize(
    ("nodes", "first"), [("a1,b[3-5]", "a1"), ("node[12-14,3]", "node12"), ("host[5]", "host5"), ("one two", "one")]
)
def test_in_slurm_the_first_node_is_where_the_first_process_is(monkeypatch, nodes, first):
    environment = {"SLURM_NODELIST": nodes, "SLURM_JOB_ID": "123456"}
    monkeypatch.setattr(os, "environ", environment)
    _name_first_machine()
    assert (environment["MASTER_ADDR"], environment["MASTER_PORT"]) == (first, "18456")


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="size mismatch"), noticing_losses(Ranks(3, 1)):
        raise RuntimeError("size mismatch")


def test_the_wait_can_be_set(monkeypatch):
    assert silence() == timedelta(seconds=50)
    monkeypatch.setenv("AUXRNN_RANK_TIMEOUT", "2.5")
    assert silence() == timedelta(seconds=2.5)
    for wrong in ("soon", "0", "inf", "-1"):
        monkeypatch.setenv("AUXRNN_RANK_TIMEOUT", wrong)
        with pytest.raises(InputError, match=r"Expected \$AUXRNN_RANK_TIMEOUT to be seconds above 0, got"):
            silence()
