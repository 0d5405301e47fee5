"""Print a digest of the weights that each of some twenty small trainings ends with.

    PYTHONPATH=src python benchmarks/digests.py > after.txt        # and of the commit before, on the same machine
    diff before.txt after.txt

A refactor gives the same bits for the same seed. Each training runs through the command line, for a few steps at one
thread, on data that are made here; names of configurations as words choose some of them. The digits depend on the
machine and on torch, so no output of this is kept in the repository.
"""

import contextlib
import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from auxrnn.cli import main

FEW = "--num_threads 1 --accelerator cpu --seed 3 --max_epochs 1"
DIGITS = f"digits {FEW} --limit_train 60 --limit_test 40 --batch_size 16 --hidden_size 8 --projection_size 4 --bptt 12"
PAPER = f"{DIGITS} --segment_length 10 --num_anchors 2 --pretrain_epochs 1"
SMALL = f"{FEW} --recipe paper --batch_size 8 --hidden_size 6 --projection_size 4 --bptt 5 --segment_length 4"
MODERN = f"{FEW} --recipe modern --candidates 1 --epoch_passes 1 --hidden_size 8"
TRAININGS = {
    "lstm": f"{DIGITS} --model lstm --pretrain_epochs 0",
    "r-lstm": f"{PAPER} --model r-lstm",
    "p-lstm": f"{PAPER} --model p-lstm",
    "rp-lstm, two layers": f"{PAPER} --model rp-lstm --num_layers 2 --aux.anchors stratified",
    "sa-lstm": f"{PAPER} --model sa-lstm",
    "lm-lstm, texts": f"texts.csv {SMALL} --model lm-lstm --pretrain_epochs 1",
    "gru": f"{PAPER} --model r-lstm --cell gru --aux.truth_schedule inverse_sigmoid --aux.unfed blank",
    "rnn": f"{PAPER} --model p-lstm --cell rnn --optimizer adam --lr_schedule cosine",
    "transformer": f"{DIGITS} --model transformer --pretrain_epochs 0 --transformer.width 8 --transformer.layers 1",
    "irnn": f"{DIGITS} --model irnn --pretrain_epochs 0 --optimizer sgd --patience 1",
    "urnn": f"{DIGITS} --model urnn --pretrain_epochs 0 --optimizer rmsprop",
    "digits, modern": f"digits {MODERN} --limit_train 60 --limit_test 40 --batch_size 16 --augment turn",
    "arrays, class": f"arrays {MODERN} --model r-lstm --segment_length 4 --bptt 6 --readout stats-max",
    "table, classes": f"classes.csv {MODERN} --target classes --anchor_labels 0.5",
    "table, values": f"value.csv {MODERN} --target value --augment scale",
    "table, tags": f"tags.csv {MODERN} --target tags",
    "table, values, paper": f"value.csv {SMALL} --target value --model p-lstm --pretrain_epochs 1",
    "table, tags, paper": f"tags.csv {SMALL} --target tags --model rp-lstm --class_weights balanced",
    "texts, modern": f"texts.csv {MODERN} --bptt full",
    "recordings": f"sounds {MODERN}",
    "unlabelled": f"classes.csv {MODERN} --target classes --unlabelled value.csv --features a",
    "imported set": f"stored {SMALL} --model r-lstm",
    "two processes": f"{PAPER} --model rp-lstm --devices 2 --strategy ddp",
    "stopped and resumed": f"{PAPER.replace('--max_epochs 1', '--max_epochs 20')} --model rp-lstm --checkpoint_steps 1",
}


def make_data(folder: Path) -> None:
    """Write the files that the trainings read."""
    generator = np.random.default_rng(0)
    tables: dict[str, list[str]] = {"classes": [], "value": [], "tags": []}
    for index in range(40):
        steps, level = int(generator.integers(6, 16)), float(generator.uniform(-1, 1))
        values = level + generator.normal(0, 0.3, steps)
        several = "|".join(name for name, true in (("high", level > 0), ("far", abs(level) > 0.5)) if true)
        for step, value in enumerate(values):
            labels = {"classes": several, "value": f"{level:.4f}", "tags": "up" if value > 0 else "down"}
            for name, label in labels.items():
                tables[name].append(f"{index},{step},{value:.5f},{label}")
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(["id,time,a,label", *rows, ""]))
    words = [("".join(generator.choice(list("abcdef"), 20)), index % 2) for index in range(40)]
    texts = [f"{word if label else word.upper()},{'low' if label else 'big'}" for word, label in words]
    (folder / "texts.csv").write_text("\n".join(["text,label", *texts, ""]))
    for index in range(40):
        name, values = ("slow", "fast")[index % 2], np.sin(np.arange(30) * (1 + index % 2) / 3)
        (folder / "arrays" / name).mkdir(parents=True, exist_ok=True)
        np.save(folder / "arrays" / name / f"{index}.npy", values[:, None] + generator.normal(0, 0.1, (30, 2)))
        sound = 8000 * np.sin(np.arange(800) * (1 + index % 2) / 5) + generator.normal(0, 50, 800)
        (folder / "sounds" / name).mkdir(parents=True, exist_ok=True)
        with wave.open(str(folder / "sounds" / name / f"{index}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(sound.astype("<i2").tobytes())


def run(*words: str, expected: int = 0) -> None:
    """Run a command in this process; end with what it said where it does not end as expected."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(words)
    if code != expected:
        sys.exit(f"auxrnn {' '.join(words)} ended with {code}:\n{said.getvalue()}")


def run_apart(*words: str) -> None:
    """Run a command that starts processes of its own in one of its own."""
    done = subprocess.run([sys.executable, "-m", "auxrnn", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"auxrnn {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def run_twice(*words: str) -> None:
    """Interrupt a training at its first checkpoint, as Ctrl-C does, and resume it."""
    out = Path(words[words.index("--out") + 1])

    def interrupt() -> None:
        while not list(out.glob("checkpoints/*.ckpt")):
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    run(*words, expected=1)
    run("resume", str(out))


RUNNERS: dict[str, Callable[..., None]] = {"two processes": run_apart, "stopped and resumed": run_twice}


def digest(run_folder: Path) -> str:
    """Return the SHA-256 of a model's weights: names, types, shapes and bytes, whatever the order in the file."""
    summed = hashlib.sha256()
    for name, tensor in sorted(load_file(run_folder / "model" / "model.safetensors").items()):
        summed.update(f"{name} {tensor.dtype} {tensor.shape}".encode() + tensor.tobytes())
    return summed.hexdigest()


def print_digests(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        make_data(Path())
        run("data", "import", "classes.csv", "--target", "classes", "--out", "stored")
        for number, name in enumerate(names):
            begun = time.monotonic()
            RUNNERS.get(name, run)("train", *TRAININGS[name].split(), "--out", f"run-{number}")
            print(f"{digest(Path(f'run-{number}'))}  {name}", flush=True)
            print(f"{time.monotonic() - begun:5.1f} s  {name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    print_digests(sys.argv[1:] or list(TRAININGS))
