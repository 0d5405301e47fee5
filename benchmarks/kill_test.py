"""Kill a run at random moments, resume it each time, and compare its model with that of a run left in peace.

    python benchmarks/kill_test.py --kills 20 mnist --limit_train 2000 --max_epochs 3

All words but the script's own go to `auxrnn train`. The moments are uniform over the time from the first lines of the
undisturbed run to its end; Python's own start does not count. A run that ends before its next kill is compared, and
another one is begun for the kills left.
Exit code 0: all models have the same bytes. 1: one has not, or a run failed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FIRST_LINE = b"Device "


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kill_seed", type=int, default=0, help="of the moments; --seed is that of the run")
    parser.add_argument("--folder", type=Path, help="where the runs and their logs go; a temporary one by default")
    options, words = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        return kill_test(options.folder or Path(temporary), words, options.kills, random.Random(options.kill_seed))


def kill_test(folder: Path, words: list[str], kills: int, moments: random.Random) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    print(f"auxrnn train {' '.join(words)}, undisturbed ...", flush=True)
    reference = folder / "reference"
    finished, duration = run_for(None, ["train", *words, f"--out={reference}"], folder / "log.txt")
    if not finished:
        return failed(folder)
    expected = digest(reference)
    print(f"took {duration:.1f} s; sha256 {expected[:16]}", flush=True)

    killed, runs, same = 0, 0, True
    while killed < kills or runs == 0:
        run = folder / f"killed-{runs}"
        gaps = sorted(moments.uniform(0, duration) for _ in range(kills - killed))
        gaps = [later - earlier for earlier, later in zip([0.0, *gaps], gaps, strict=False)]
        command = ["train", *words, f"--out={run}"]
        for gap in [*gaps, None]:
            finished, seconds = run_for(gap, command, folder / "log.txt")
            if finished:
                break
            if gap is None or seconds < gap:
                return failed(folder)
            killed += 1
            print(f"kill {killed:>3}: killed after {seconds:6.2f} s, newest checkpoint {newest(run)}", flush=True)
            command = ["resume", str(run)]
        found = digest(run)
        same = same and found == expected
        runs += 1
        print(f"run {runs}: finished, sha256 {found[:16]}, {'same' if found == expected else 'DIFFERENT'}", flush=True)
    print(f"{killed} kills, {runs} runs: {'same bytes' if same else 'DIFFERENT BYTES'} as undisturbed.")
    return 0 if same else 1


def run_for(limit: float | None, words: list[str], log: Path) -> tuple[bool, float]:
    """Run a command of auxrnn and kill it `limit` seconds after its first lines; None lets it live.

    Whether it came to its end in peace, and how many seconds that was after its first lines.
    """
    begun: float | None = None
    with open(log, "wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "auxrnn", *words], stdout=lines, stderr=lines, start_new_session=True
        )
    try:
        while process.poll() is None:
            time.sleep(0.005)
            if begun is None and FIRST_LINE in log.read_bytes():
                begun = time.monotonic()
            if limit is not None and begun is not None and time.monotonic() - begun >= limit:
                break
        seconds = 0.0 if begun is None else time.monotonic() - begun
        return process.poll() == 0, seconds
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with its loader's workers
            process.wait()


def newest(run: Path) -> str:
    found = sorted(path.stem for path in (run / "checkpoints").glob("phase-*.ckpt"))
    return found[-1] if found else "none"


def digest(run: Path) -> str:
    return hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def failed(folder: Path) -> int:
    print(f"A run failed. The end of {folder / 'log.txt'}:", file=sys.stderr)
    print("\n".join((folder / "log.txt").read_text(encoding="utf-8").splitlines()[-20:]), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
