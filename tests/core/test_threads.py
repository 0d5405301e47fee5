"""Pieces run side by side: results in order, modes carried over, errors told."""

import threading

import pytest
import torch

from auxrnn.core.threads import even_parts, in_threads


def test_results_come_in_order_and_all_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=300)
    assert in_threads([lambda index=index: meeting.wait() * 0 + index for index in range(3)]) == [0, 1, 2]


def test_each_piece_has_one_thread_and_the_caller_as_many_as_before():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert in_threads([torch.get_num_threads] * 2) == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_callers_modes_hold():
    def modes():
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")

    assert in_threads([modes] * 2) == [(True, False, False)] * 2
    with torch.no_grad():
        assert in_threads([modes] * 2) == [(False, False, False)] * 2
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert in_threads([modes] * 2) == [(False, True, True)] * 2


def test_an_error_is_told_when_all_have_ended():
    done = []

    def failing():
        raise KeyError("lost")

    for pieces in ([failing, lambda: done.append(1)], [lambda: done.append(1), failing]):
        with pytest.raises(KeyError, match="lost"):
            in_threads(pieces)
    assert done == [1, 1]


def test_even_parts():
    assert [list(part) for part in even_parts(5, 2)] == [[0, 1], [2, 3, 4]]
    assert even_parts(2, 5) == [range(1), range(1, 2)]
    assert even_parts(3, 0) == [range(3)]
