"""The tasks of a grid as Ray is asked for them, and on a real cluster."""

import os
import signal
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from auxrnn.errors import InputError
from auxrnn.experiments.grids.grid import run_grid
from auxrnn.experiments.grids.ray_grid import RayWorkers
from auxrnn.experiments.grids.task import Report, Task
from auxrnn.storage.lock import holder
from small_grids import small_grid, starts, wait_for
from small_runs import SMALL, model_bytes


class LostError(Exception):
    """Stands for Ray's own."""


class Cluster:
    """A Ray that carries out nothing: it notes what it was asked, and answers what it was told."""

    def __init__(self, gpus=0, answers=()):
        self.gpus, self.answers = gpus, list(answers)
        self.asked, self.cancelled, self.open = [], [], False
        self.exceptions = SimpleNamespace(RayError=LostError)

    def is_initialized(self):
        return self.open

    def init(self, address, **options):
        if address == "auto":
            raise ConnectionError("no answer")
        self.address, self.given, self.open = address, options, True

    def shutdown(self):
        self.open = False

    def cluster_resources(self):
        return {"CPU": 2.0, **({"GPU": float(self.gpus)} if self.gpus else {})}

    def remote(self, **options):
        assert options == {"max_retries": 0, "max_calls": 1}
        return lambda function: self

    def options(self, **options):
        self.asked.append(options)
        return SimpleNamespace(remote=lambda task, command: (len(self.asked), task.folder))

    def wait(self, references, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, reference, force):
        assert force
        self.cancelled.append(reference)


@pytest.fixture
def cluster(monkeypatch):
    def use(**options):
        made = Cluster(**options)
        monkeypatch.setitem(sys.modules, "ray", made)
        return made

    return use


def test_what_a_run_asks_of_a_cluster_without_gpus(cluster, tmp_path, monkeypatch):
    asked = cluster(answers=[Report("finished"), LostError("the worker died\nand more")])
    monkeypatch.setenv("AUXRNN_DATA_DIR", "data")
    monkeypatch.chdir(tmp_path)
    workers = RayWorkers("local")
    assert asked.address == "local"
    assert asked.given["include_dashboard"] is False
    for name in ("a", "b"):
        assert workers.free() > 0
        workers.start(name, Task(Path(name), SMALL))
    assert [request["name"] for request in asked.asked] == ["a", "b"]
    assert asked.asked[0]["num_cpus"] == 1
    assert "num_gpus" not in asked.asked[0]
    variables = asked.asked[0]["runtime_env"]["env_vars"]
    assert os.path.isfile(os.path.join(variables["PYTHONPATH"].split(os.pathsep)[0], "auxrnn", "__init__.py"))
    assert (variables["OMP_NUM_THREADS"], variables["AUXRNN_DATA_DIR"]) == ("1", "data")
    assert all(folder.is_absolute() for _, folder in workers._working)
    assert workers.wait(0) == [("a", Report("finished"))]
    assert workers.wait(0) == [("b", Report("died", "the worker died"))]
    assert workers.wait(0) == []
    workers.close()
    assert not asked.open


def test_a_share_of_a_gpu_for_those_that_use_one(cluster, tmp_path):
    asked = cluster(gpus=1)
    asked.init("mine")
    workers = RayWorkers("head:6379", per_gpu=8)
    assert asked.address == "mine"  # the cluster that this process is in
    for accelerator in ("auto", "gpu", "cpu"):
        workers.start(accelerator, Task(tmp_path / accelerator, replace(SMALL, accelerator=accelerator)))
    assert [request.get("num_gpus") for request in asked.asked] == [1 / 8, 1 / 8, None]
    workers.stop()
    assert len(asked.cancelled) == 3
    workers.close()
    assert asked.open


def test_no_cluster_and_no_ray(cluster, monkeypatch, tmp_path):
    cluster()
    with pytest.raises(InputError, match="a Ray cluster at 'auto', found none: no answer"):
        RayWorkers("auto")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        RayWorkers(place).close()  # somebody listens
    for address in (place, f"ray://{place}"):
        with pytest.raises(InputError, match=f"a Ray cluster at '{address}', found none: .*refused"):
            RayWorkers(address)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'auxrnn\[ray\]'"):
        run_grid({"a": SMALL}, tmp_path, ray="local")


@pytest.mark.slow
def test_two_workers_of_a_cluster_one_of_them_killed(tmp_path):
    ray = pytest.importorskip("ray")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    names, epochs, killed = ["a", "b", "c"], 20, []

    def kill_one():
        """As soon as a run has saved something: the worker that holds its lock."""
        wait_for(lambda: list(tmp_path.glob("grid/*/checkpoints/phase-0-step-*2.ckpt")))
        path = next(tmp_path.glob("grid/*/checkpoints/phase-0-step-*2.ckpt"))
        _, number, *_ = holder(path.parents[1]).split()
        killed.append(path.parents[1].name)
        os.kill(int(number), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        lines = []
        made = run_grid(small_grid(names, epochs), tmp_path / "grid", ray="local", keep="all", say=lines.append)
    finally:
        killer.join()
        ray.shutdown()
    assert {outcome.state for outcome in made.values()} == {"finished"}
    assert [line for line in lines if "it goes on from its last checkpoint" in line]
    assert {name: starts(tmp_path / "grid" / name) for name in names} == {
        name: 2 if name in killed else 1 for name in names
    }
    (name,) = killed
    assert "Resuming from" in (tmp_path / "grid" / name / "log.txt").read_text()
    run_grid({name: small_grid(names, epochs)[name]}, tmp_path / "plain", workers=0, keep="all")
    assert model_bytes(tmp_path / "grid" / name) == model_bytes(tmp_path / "plain" / name)
