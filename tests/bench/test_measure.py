"""Work takes turns; medians and ratios are what they say."""

import json

import torch

from auxrnn.bench.measure import Spread, heading, in_turn, store, threads, times_faster
from auxrnn.report.figures import draw_lines


def test_work_takes_turns_and_the_first_round_does_not_count():
    calls = []
    seconds = in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2, repeats=2)
    assert calls == ["a", "a", "b", "b"] * 3
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}
    assert min(map(min, seconds.values())) > 0


def test_times_faster_is_taken_round_by_round():
    assert times_faster([4.0, 6.0, 9.0], [2.0, 2.0, 9.0]) == Spread(2.0, 1.0, 3.0)  # 2, 3, 1
    assert Spread.of([3.0, 1.0, 2.0]).words(1) == ["2.0", "1.0", "3.0"]


def test_threads_are_as_before_afterwards():
    before = torch.get_num_threads()
    with threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_the_heading_tells_sizes_and_hardware():
    assert heading("Steps", batch=2, max_T=5).startswith("Steps; batch 2, max T 5; ")
    assert torch.__version__ in heading("Steps", T=5)


def test_figures_are_stored_with_their_pictures(tmp_path):
    drawing = draw_lines({"a": [(1, 2), (2, 3)]}, title="t", xlabel="x", ylabel="y")
    found = store(tmp_path / "new" / "a.json", "step", {"T": 5}, [{"seconds": [1.0]}], seconds=drawing)
    assert json.loads((tmp_path / "new" / "a.json").read_text()) == found
    assert found["environment"]["packages"]["torch"] == torch.__version__
    assert (tmp_path / "new" / "a-seconds.png").read_bytes().startswith(b"\x89PNG")
