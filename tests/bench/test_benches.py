"""The benches at the smallest sizes: what they compare is the same, and the figures have the promised form."""

import json

import pytest
import torch

from auxrnn.bench import length, process, random_step
from auxrnn.bench.length import Case, Plain, bench_length, training_step
from auxrnn.bench.limit import bench_limit, head_work, lstm_work, step_work
from auxrnn.bench.plain import PlainLSTM
from auxrnn.bench.prefix import bench_prefix
from auxrnn.bench.process import Cost, StoppedWorkError
from auxrnn.bench.step import SMOKE, bench_step, compare, make_step
from auxrnn.bench.stream import bench_stream
from auxrnn.config import ModelConfig

on_linux = pytest.mark.skipif(not process.STATUS.exists(), reason="memory is read from Linux's /proc")


class Here:
    """Stands for a process of its own, in this one."""

    def __init__(self, make, argument, *, threads, memory, give_back=False):
        self.argument, self.work = argument, make(argument)

    def call(self, limit):
        self.work()
        return Cost(0.5, 2**20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@on_linux
def test_length(monkeypatch, tmp_path, capsys):
    class Full(Here):
        def call(self, limit):
            if self.argument.steps == 12 and isinstance(self.argument.model, Plain):
                raise StoppedWorkError("out of memory at 1.0 GiB")
            return super().call(limit)

    monkeypatch.setattr(length, "OwnProcess", Full)
    chosen = {name: length.MODELS[name] for name in ("LSTM, full BPTT", "r-LSTM 20x30")}
    monkeypatch.setattr(length, "MODELS", chosen)
    found = bench_length([12, 5, 12, 14], tmp_path / "length.json", smoke=True)
    ran = {(one["model"], one["steps"]): (len(one["seconds"]), one["stopped"]) for one in found["figures"]}
    assert ran == {
        ("LSTM, full BPTT", 5): (3, None),
        ("LSTM, full BPTT", 12): (0, "out of memory at 1.0 GiB"),
        ("LSTM, full BPTT", 14): (0, "already at 12: out of memory at 1.0 GiB"),
        ("r-LSTM 20x30", 5): (3, None),
        ("r-LSTM 20x30", 12): (3, None),
        ("r-LSTM 20x30", 14): (3, None),
    }
    assert json.loads((tmp_path / "length.json").read_text()) == found
    out = capsys.readouterr().out
    assert "LSTM, full BPTT stopped at 12: out of memory at 1.0 GiB." in out
    assert "Times faster than full BPTT at 5: r-LSTM 20x30 1.0." in out
    assert {path.name for path in tmp_path.iterdir()} == {"length.json", "length-seconds.png", "length-memory.png"}


@on_linux
def test_a_run_that_is_ended_keeps_the_lengths_that_it_has_been_through(monkeypatch, tmp_path):
    def ended(cases, *_):
        if cases[0].steps > 5:
            raise KeyboardInterrupt
        return [length._figure(cases[0], [Cost(0.5, None, 0.25)], 2**20, None)]

    monkeypatch.setattr(length, "_at_one_length", ended)
    with pytest.raises(KeyboardInterrupt):
        bench_length([5, 12], tmp_path / "length.json", smoke=True)
    (figure,) = json.loads((tmp_path / "length.json").read_text())["figures"]
    assert (figure["steps"], figure["seconds"], figure["cpu_seconds"]) == (5, [0.5], [0.25])


def test_a_case_that_would_take_too_long_is_not_tried():
    before = [{"model": "a", "steps": 10, "seconds": [3.0], "stopped": None}]
    case = Case("a", Plain(), 100)
    assert length._reason_not_to(case, before, 20.0) == "would take 30 s"
    assert length._reason_not_to(case, before, 40.0) is None


@pytest.mark.parametrize("name", length.MODELS)
def test_a_step_of_every_case_trains(name, monkeypatch):
    made = []
    plain, build = length.PlainLSTM, random_step.build_model
    monkeypatch.setattr(length, "PlainLSTM", lambda **given: made.append(plain(**given)) or made[-1])
    monkeypatch.setattr(random_step, "build_model", lambda *given: made.append(build(*given)) or made[-1])
    step = training_step(Case(name, length.smaller(length.MODELS[name]), 20, batch_size=3))
    before = [weight.detach().clone() for weight in made[0].parameters()]
    step()
    assert all(not torch.equal(old, new) for old, new in zip(before, made[0].parameters(), strict=True))


def test_checkpoints_change_no_gradient():
    torch.manual_seed(0)
    whole, cut = PlainLSTM(4), PlainLSTM(4, chunk=3)
    cut.load_state_dict(whole.state_dict())
    pixels, labels = torch.randint(0, 256, (2, 8), dtype=torch.uint8), torch.tensor([1, 2])
    for network in (whole, cut):
        network.losses(pixels, labels)[0].backward()
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_the_plain_step_and_ours_agree(capsys):
    found = compare(SMOKE)
    assert found["loss_difference"] <= 1e-5
    assert found["gradient_difference"] <= 1e-4
    assert "Gradient of all weights: relative difference" in capsys.readouterr().out


def test_a_disagreement_is_an_error(monkeypatch):
    from auxrnn.bench import step

    monkeypatch.setattr(step, "our_step", lambda *given, own=step.our_step: own(*given) * 1.001)
    with pytest.raises(RuntimeError, match="do not"):
        compare(SMOKE)


@on_linux
def test_step(monkeypatch, tmp_path):
    from auxrnn.bench import step

    monkeypatch.setattr(step, "OwnProcess", Here)
    found = bench_step(tmp_path / "step.json", smoke=True)
    assert [one["name"] for one in found["figures"]] == [step.PLAIN, step.OURS, step.OWN_ANCHORS]
    assert all(len(one["seconds"]) == 2 for one in found["figures"])
    assert (tmp_path / "step-seconds.png").exists()


def test_both_sides_of_the_step_give_the_same_loss():
    from auxrnn.bench import step

    assert make_step((step.PLAIN, SMOKE))() == pytest.approx(make_step((step.OURS, SMOKE))(), rel=1e-5)


def test_prefix(tmp_path):
    found = bench_prefix(tmp_path / "prefix.json", thread_counts=(1, 2), smoke=True)
    assert [(one["input"], one["threads"]) for one in found["figures"]] == [
        ("pixels", 1), ("6 characters", 1), ("pixels", 2), ("6 characters", 2),
    ]  # fmt: skip
    assert all(set(one["seconds"]) == {"nn.LSTM", "auxrnn"} for one in found["figures"])


def test_stream(tmp_path, capsys):
    found = bench_stream(tmp_path / "stream.json", smoke=True)
    assert [(one["name"], one["batch"]) for one in found["figures"]] == [
        (name, batch) for batch in (1, 64) for name in ("bare nn.LSTM call", "advance", "push")
    ]
    assert "of the bare call" in capsys.readouterr().out


def test_limit(tmp_path):
    found = bench_limit(tmp_path / "limit.json", smoke=True)
    assert found["sizes"]["flops"] > 0
    assert found["sizes"]["bytes_per_second"] > 0
    for one in found["figures"]:
        assert one["floor"] > 0
        assert one["bound"] in ("arithmetic", "memory")


def test_arithmetic_by_hand():
    assert lstm_work(10, 3, 5, gradient=False).operations == 10 * 2 * 4 * 5 * (3 + 5)
    assert lstm_work(10, 3, 5, gradient=True).operations == 3 * 10 * 2 * 4 * 5 * (3 + 5)
    assert head_work(2, 5, 7, gradient=False).operations == 2 * 2 * 256 * (5 + 7)
    lstm = ModelConfig(model="lstm", hidden_size=5, bptt=4)
    expected = 2 * (6 + 3 * 4) * 2 * 4 * 5 * (1 + 5) + 3 * 2 * 2 * 256 * (5 + 10)  # 6 steps without gradient, 4 with
    assert step_work(lstm, 2, 10, true_inputs=True).operations == expected
