"""Whether a service answers rightly and stays where it is in memory: python benchmarks/serve.py [--out FILE].

One process of `auxrnn serve` is asked for whole sequences, for streams whose chunks come in random order, and for what
it must refuse. Every answer is compared with the network's own. Memory of that process after the first tenth of the
requests, with all streams open, is compared with that at the end; above 5 % more the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auxrnn.config import ModelConfig
from auxrnn.core.batch import as_batch
from auxrnn.core.build import build_model
from auxrnn.runs.environment import describe_environment
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.use.persistence import SavedModel, save_model

LEARNED = Preprocessing("values", 2, mean=(50.0, 0.0), scale=(10.0, 1.0))
MODEL = ModelConfig(model="lstm", hidden_size=64, projection_size=32, stem="conv", stride=8, readout="stats-max")
MOST = 0.05  # that memory may grow by
HOSTILE = [
    b"{",
    b'{"sequence": [[NaN, 1]]}',
    b'{"sequence": [[1, 2], [3]]}',
    b'{"sequence": [[1, 2, 3]]}',
    b'{"sequence": [[1e999, 1]]}',
    b'{"sequence": ' + b"[" * 100_000,
    b'{"sequence": [' + b"[1, 2], " * 3_000_000,
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000, help="whole sequences")
    parser.add_argument("--streams", type=int, default=100, help="streams at once")
    parser.add_argument("--chunks", type=int, default=10, help="chunks of each stream")
    parser.add_argument("--steps", type=int, default=500, help="steps of a sequence or stream")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = build_model(MODEL, LEARNED.spec, 3).eval()
    saved = SavedModel(network, MODEL, LEARNED.spec, ("a", "b", "c"), preprocessing=LEARNED)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), saved)
        command = [sys.executable, "-m", "auxrnn", "serve", folder, "--port", "0", "--streams", str(options.streams)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                port = int(process.stdout.readline().rsplit(":", 1)[1])
                with closing(HTTPConnection("127.0.0.1", port, timeout=300)) as connection:
                    figures = measure(Caller(connection), saved, process.pid, options)
            finally:
                process.terminate()
    found = describe_environment()
    where = {name: found[name] for name in ("processor", "cores", "threads", "platform", "python")}
    content = {"torch": found["packages"]["torch"], **where, **figures}
    print(json.dumps(content, indent=2))
    if options.out:
        options.out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return int(figures["growth"] > MOST or figures["largest_difference"] > 1e-6)


class Caller:
    """Asks over one connection, and keeps how long each answer took."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection, self.seconds = connection, list[float]()

    def ask(self, method: str, path: str, content: Any = None) -> tuple[int, Any]:
        body = content if isinstance(content, bytes) or content is None else json.dumps(content)
        before = time.perf_counter()
        try:
            self.connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            found = json.loads(answer.read())
        except (BrokenPipeError, ConnectionResetError):  # what a body that is too large may come to
            self.connection.close()
            return 413, None
        self.seconds.append(time.perf_counter() - before)
        return answer.status, found


def measure(caller: Caller, saved: SavedModel, pid: int, options: argparse.Namespace) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    steps = draw.normal((50, 0), (10, 1), (20, options.steps, 2)).round(4)
    with torch.no_grad():
        shares = saved.target.shares(saved.network(as_batch(LEARNED.sequence(steps, "steps")))).tolist()

    def difference(found: dict[str, Any], sequence: int) -> float:
        return max(
            abs(one - other) for one, other in zip(found["probabilities"].values(), shares[sequence], strict=True)
        )

    order = draw.permutation(np.repeat(np.arange(options.streams), options.chunks)).tolist()
    pieces = [np.array_split(steps[name % len(steps)], options.chunks) for name in range(options.streams)]
    for name in range(options.streams):
        assert caller.ask("POST", "/streams", {"id": str(name)})[0] == 201
    worst, memory, statuses = 0.0, list[int](), Counter[int]()
    rounds = max(options.requests, len(order))
    for body in HOSTILE:  # once each, for a body that is refused for its size takes memory the first time
        statuses[caller.ask("POST", "/predict", body)[0]] += 1
    caller.seconds.clear()
    for number in range(rounds):
        if number < options.requests:
            status, found = caller.ask("POST", "/predict", {"sequence": steps[number % len(steps)].tolist()})
            assert status == 200, found
            worst = max(worst, difference(found, number % len(steps)))
        if number < len(order):
            name = order[number]
            status, found = caller.ask("POST", f"/streams/{name}", {"chunk": pieces[name].pop(0).tolist()})
            assert status == 200, found
            if not pieces[name]:
                worst = max(worst, difference(found, name % len(steps)))
        if number % 50 == 0:
            statuses[caller.ask("POST", "/predict", HOSTILE[number // 50 % len(HOSTILE)])[0]] += 1
        if (number + 1) % (rounds // 10) == 0:
            memory.append(resident(pid))
    seconds = sorted(caller.seconds)
    assert caller.ask("GET", "/health")[1]["streams"] == options.streams
    assert all(400 <= status < 500 for status in statuses), statuses
    return {
        "requests": options.requests,
        "streams": options.streams,
        "chunks": options.chunks,
        "steps": options.steps,
        "refused": dict(sorted(statuses.items())),
        "largest_difference": worst,
        "median_ms": round(1000 * statistics.median(seconds), 2),
        "p95_ms": round(1000 * seconds[int(0.95 * len(seconds))], 2),
        "bytes": memory,
        "growth": round(memory[-1] / memory[0] - 1, 4),
    }


def resident(pid: int) -> int:
    """Bytes of a process in memory, read from Linux's /proc."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


if __name__ == "__main__":
    sys.exit(main())
