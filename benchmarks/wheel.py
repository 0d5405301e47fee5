"""Whether a plain installation works: python benchmarks/wheel.py PYTHON ... [--runtime TGZ] [--out FILE].

Builds sdist and wheel from this clone. For each interpreter it makes an empty environment, installs the wheel by
constraints.txt with the extras export and serve, and runs the commands of a first day outside the clone: doctor, train,
evaluate, predict, stream, export in both forms, serve. From the sdist each has to install the files that the wheel
holds. The exit code is 1 where a step fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[1]
DATA = """
import numpy as np
draw = np.random.default_rng(0)
y = np.arange(60) % 2
X = draw.normal(size=(60, 200, 2)) + np.where(y, 1, -1)[:, None, None] * np.sin(np.arange(200) / 8)[:, None]
np.savez("data.npz", X=X, y=y)
np.save("new.npy", X[:3])
np.savetxt("stream.csv", X[0], delimiter=",")
"""
FACTS = """
import json, platform, auxrnn, torch
print(json.dumps([platform.python_version(), torch.__version__, auxrnn.__version__, auxrnn.__file__]))
"""


CLOSE = 2e-6
"""Answers are told to six digits."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="+", help="interpreters")
    parser.add_argument("--runtime", type=Path, help="onnxruntime-web-1.20.1.tgz, for the page; else npm is asked")
    parser.add_argument("--out", type=Path, help="write what came out to this JSON file")
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        wheel, sdist = build(Path(folder))
        for python in options.python:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                tried = try_wheel(wheel, python, Path(place), options.runtime)
                found.append({**tried, **try_sdist(sdist, wheel, python, Path(place))})
            print(json.dumps(found[-1]), flush=True)
            if options.out:
                options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(any("failed" in one for one in found))


def build(folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist, built by a tool of its own."""
    run(sys.executable, "-m", "venv", "builder", place=folder)
    run("builder/bin/pip", "install", "-q", "build", place=folder)
    run("builder/bin/python", "-m", "build", "-o", "dist", ROOT, place=folder)
    (wheel,), (sdist,) = ((folder / "dist").glob(kind) for kind in ("*.whl", "*.tar.gz"))
    return wheel, sdist


def try_wheel(wheel: Path, python: str, place: Path, runtime: Path | None) -> dict[str, object]:
    """What is installed, and the seconds of each step; under `failed` the step that ended the trial, and why."""
    facts: dict[str, object] = {"wheel": wheel.name, "bytes": wheel.stat().st_size}
    seconds: dict[str, float] = {}
    page = ["--runtime", runtime.resolve()] if runtime else []
    auxrnn, own = "venv/bin/auxrnn", "venv/bin/python"
    small = ["--hidden_size", 8, "--max_epochs", 1]
    steps = {
        "environment": (python, "-m", "venv", "venv"),
        "install": (f"{own}", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", f"{wheel}[export,serve]"),
        "facts": (own, "-c", FACTS),
        "data": (own, "-c", DATA),
        "doctor": (auxrnn, "doctor"),
        "train": (auxrnn, "train", "data.npz", *small, "--out", "run"),
        "evaluate": (auxrnn, "evaluate", "run"),
        "predict": (auxrnn, "predict", "run", "new.npy"),
        "stream": (auxrnn, "stream", "run", "stream.csv"),
        "export": (auxrnn, "export", "run", "--out", "exported"),
        "example": (own, "exported/example.py"),
        "page": (auxrnn, "export", "run", "--format", "web", *page),
        "serve": (auxrnn, "serve", "run", "--port", 0),
    }
    said = {}
    for step, words in steps.items():
        started = time.perf_counter()
        try:
            said[step] = ask_service(*words, place=place) if step == "serve" else run(*words, place=place)
        except (RuntimeError, OSError) as error:
            return {**facts, "seconds": seconds, "failed": f"{step}: {str(error).strip()[-300:]}"}
        seconds[step] = round(time.perf_counter() - started, 1)
        if step == "facts":
            facts["python"], facts["torch"], facts["auxrnn"], home = json.loads(said[step])
            assert Path(home).is_relative_to(place / "venv"), home
    answers = [said["predict"].splitlines()[1], said["stream"].splitlines()[-1], said["serve"]]
    shares = [float(answer.rsplit(",", 1)[-1]) for answer in answers]
    apart = max(shares) - min(shares)
    return {**facts, "seconds": seconds, **({} if apart < CLOSE else {"failed": f"answers are {apart} apart"})}


def try_sdist(sdist: Path, wheel: Path, python: str, place: Path) -> dict[str, object]:
    """Install the sdist without what it needs, and compare what lies there with the wheel, byte by byte."""
    try:
        run(python, "-m", "venv", "other", place=place)
        run("other/bin/pip", "install", "-q", "--no-deps", "--no-compile", "--target", "from-sdist", sdist, place=place)
    except RuntimeError as error:
        return {"failed": f"sdist: {str(error).strip()[-300:]}"}
    with zipfile.ZipFile(wheel) as content:
        packed = {name: content.read(name) for name in content.namelist() if name.startswith("auxrnn/")}
    base = place / "from-sdist"
    found = {str(path.relative_to(base)): path.read_bytes() for path in (base / "auxrnn").rglob("*") if path.is_file()}
    return {"sdist": sdist.name, "files": len(found)} | ({} if found == packed else {"failed": "sdist: other files"})


def run(*words: object, place: Path) -> str:
    """What a command says, outside the clone and knowing nothing of it; RuntimeError where it fails."""
    told = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, words)),
        cwd=place,
        env={**told, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr}")
    return done.stdout


def ask_service(*words: object, place: Path) -> str:
    """The probability of the last class for the sequence of stream.csv, over HTTP."""
    with subprocess.Popen(list(map(str, words)), cwd=place, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            address = re.search(r"http://\S+:\d+", next(service.stdout, ""))
            if not address:
                raise RuntimeError("the service told no address")
            steps = [[float(value) for value in line.split(",")] for line in (place / "stream.csv").open()]
            body = json.dumps({"sequence": steps}).encode()
            with urlopen(
                Request(f"{address[0]}/predict", body, {"Content-Type": "application/json"}), timeout=60
            ) as reply:
                return str(json.load(reply)["probabilities"]["1"])
        finally:
            service.terminate()


if __name__ == "__main__":
    raise SystemExit(main())
