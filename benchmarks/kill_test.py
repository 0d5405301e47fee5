"""Kill a run at random moments, resume it each time, and compare its model with that of a run left in peace.

    python benchmarks/kill_test.py --kills 20 mnist --limit_train 2000 --max_epochs 3

All words but the script's own go to `auxrnn train`. The moments are uniform over the time that the undisturbed run took,
start and end included; a run that ends before its next kill is compared, and another one is begun for the kills left.
Exit code 0: all models have the same bytes. 1: one has not, or a run failed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


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
    started = time.monotonic()
    if not finish(["train", *words, f"--out={reference}"], folder / "log.txt", None):
        return failed(folder)
    duration = time.monotonic() - started
    before_training = start_up(reference, duration)
    expected = digest(reference)
    print(f"took {duration:.1f} s, of which {before_training:.1f} s to start; sha256 {expected[:16]}", flush=True)

    killed, runs, same = 0, 0, True
    while killed < kills or runs == 0:
        run = folder / f"killed-{runs}"
        gaps = sorted(moments.uniform(0, duration) for _ in range(kills - killed))
        gaps = [later - earlier for earlier, later in zip([0.0, *gaps], gaps, strict=False)]
        command = ["train", *words, f"--out={run}"]
        # Each leg starts Python anew; what it needs for that comes on top, so that the run moves on between kills.
        for gap in [*gaps, None]:
            seconds = None if gap is None else gap if not (run / "config.yaml").exists() else before_training + gap
            if finish(command, folder / "log.txt", seconds):
                break
            if seconds is None:
                return failed(folder)
            killed += 1
            print(f"kill {killed:>3}: killed after {seconds:6.2f} s, newest checkpoint {newest(run)}", flush=True)
            if (run / "config.yaml").exists():
                command = ["resume", str(run)]
        found = digest(run)
        same = same and found == expected
        runs += 1
        print(f"run {runs}: finished, sha256 {found[:16]}, {'same' if found == expected else 'DIFFERENT'}", flush=True)
    print(f"{killed} kills, {runs} runs: {'same bytes' if same else 'DIFFERENT BYTES'} as undisturbed.")
    return 0 if same else 1


def finish(words: list[str], log: Path, seconds: float | None) -> bool:
    """Run a command of auxrnn and kill it after `seconds`; whether it came to its end in peace."""
    with open(log, "ab") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "auxrnn", *words], stdout=lines, stderr=lines, start_new_session=True
        )
        try:
            return process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with its loader's workers
            process.wait()
            return False
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def start_up(run: Path, duration: float) -> float:
    """Seconds of a whole run that were not training."""
    found = re.search(r'"seconds": ([\d.]+)', (run / "result.json").read_text(encoding="utf-8"))
    return max(duration - float(found[1]), 0.0) if found else 0.0


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
