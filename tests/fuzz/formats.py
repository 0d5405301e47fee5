"""Small valid files of every format that is read from outside, and everything that reads them."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import struct
import tarfile
import tempfile
import wave
from collections.abc import Callable, Iterable
from contextlib import chdir, redirect_stdout, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import yaml

from auxrnn.config import ModelConfig, RunConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError
from auxrnn.experiments.arguments import parse_run_config
from auxrnn.experiments.arms import read_run
from auxrnn.experiments.grids.records import record_folder
from auxrnn.runs.folder import RunFolder, read_config, read_curve, read_json
from auxrnn.runs.run import resume_run, start_run
from auxrnn.runs.stopped import StoppedRunError
from auxrnn.runs.use import evaluate, predict_file
from auxrnn.sources import archives, cifar, dbpedia, dogs, feeds, idx, inputs
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.importing import import_source
from auxrnn.sources.loading import load_files
from auxrnn.sources.stored import META
from auxrnn.sources.unlabelled import read_unlabelled
from auxrnn.training.checkpoints import FORMAT, VERSION, is_whole, load_checkpoint
from auxrnn.training.step import TrainingStep
from auxrnn.use.inference import measure, predict_logits
from auxrnn.use.persistence import SavedModel, load_model, save_model
from auxrnn.use.streaming import Stream
from fuzz.mutations import Wrapping, in_digest, in_gzip, in_json, in_safetensors, in_zip
from small_runs import KilledError

Files = dict[str, bytes]
"""Contents by path below the folder that they are written to."""


@dataclass(frozen=True)
class Format:
    """files: one or two valid sets of files. spoilt: which of them may be changed (by suffix; all where empty).

    read: everything that reads them, given their folder. valid: the part that reads the first of them.
    """

    files: Callable[[], list[Files]]
    read: Callable[[Path], object]
    valid: Callable[[Path], object]
    spoilt: str = ""
    wrapping: Wrapping | None = None


# Reading --------------------------------------------------------------------------------------------------------------


def each(*calls: Callable[[], object]) -> None:
    """Every call; the first InputError where none gave a result."""
    refused: list[InputError] = []
    for call in calls:
        try:
            call()
        except InputError as error:
            refused.append(error)
    if len(refused) == len(calls):
        raise refused[0]


def spent(items: Iterable[Any]) -> None:
    for _ in items:
        pass


def read_own(name: str, folder: Path, **options: Any) -> None:
    """As `auxrnn train` and `evaluate` do, with a network that has learned nothing."""
    own = load_files(folder / name if name else folder, ReadingOptions(**options), validation_fraction=0.2)
    network = build_model(replace(SMALL, model="lstm"), own.train.spec, own.train.target, int(own.train.lengths.max()))
    for data in (own.train, own.test):
        measure(network, data.subset(range(min(len(data), 8))))


def read_new(name: str, files: Callable[[], list[Files]], folder: Path, **options: Any) -> None:
    """As `auxrnn predict` does with a model of the valid files."""
    like = load_own_once(name, files)
    own = read_unlabelled(folder / name if name else folder, like.schema, ReadingOptions(**options))
    for row in itertools.islice(own, 1000):
        like.preprocessing.sequence(row.sequence, row.where)


LOADED: dict[tuple[str, int], Any] = {}


def load_own_once(name: str, files: Callable[[], list[Files]]) -> Any:
    """Of the first valid files."""
    key = (name, id(files))
    if key not in LOADED:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), files()[0])
            LOADED[key] = load_files(Path(folder, name), ReadingOptions())
    return LOADED[key]


def own(name: str, files: Callable[[], list[Files]], *more: Callable[[Path], object], **other: Any) -> Format:
    """Files that `train`, `data import` and `predict` take; `more` reads them too."""

    def read(folder: Path) -> None:
        each(
            partial(read_own, name, folder),
            *([partial(read_own, name, folder, missing="drop", label_type="text")] if name else []),
            partial(read_new, name, files, folder),
            *(partial(one, folder) for one in more),
        )

    return Format(files, read, partial(read_own, name), **other)


def write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


# Files of one's own ---------------------------------------------------------------------------------------------------


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def text_rows(mark: str = ",") -> list[str]:
    return [f'"a {"b" * index} é"{mark}{"up" if index % 2 else "down"}' for index in range(8)]


def text_tables(name: str, mark: str) -> list[Files]:
    return [
        {name: lines(f"text{mark}label", *text_rows(mark))},
        {name: lines(*text_rows(mark))},
        {name: lines(f"text{mark}label{mark}split", *(f"{row}{mark}train" for row in text_rows(mark)))},
    ]


def step_rows() -> list[str]:
    return [f"{i},{t},{i + t / 10},{-t},{i % 2}" for i in range(6) for t in range(i % 3 + 1)]


def json_lines() -> list[Files]:
    steps = [
        dict(zip(["id", "time", "a", "b", "label"], map(float, row.split(",")), strict=True)) for row in step_rows()
    ]
    lists = [{"x": [[index, 1], [2, None]], "label": "ab"[index % 2]} for index in range(8)]
    return [{"s.jsonl": lines(*map(json.dumps, rows))} for rows in (steps, lists)]


def zipped_tables() -> list[Files]:
    return [{"s.csv.gz": gzip.compress(files["s.csv"], mtime=0)} for files in step_tables()]


def series_tables() -> list[Files]:
    rows = [f"{1 + index % 2}\t{index}\t0.5\t{'NaN' if index % 3 else 2}" for index in range(8)]
    return [{"s_TRAIN.tsv": lines(*rows)}]


def recorded_tables() -> list[Files]:
    return in_classes("csv", [lines("time,u,v", *(f"{t},{t * seed},0.5" for t in range(5))) for seed in range(4)])


def step_tables() -> list[Files]:
    dated = [row.replace(",", ",2024-01-0", 1).replace("0", "1", 1) for row in step_rows()[:4]]
    header = "id,time,a,b,label"
    return [{"s.csv": lines(header, *step_rows())}, {"s.csv": lines(header, *step_rows()[4:], *dated)}]


def parquet(columns: dict[str, list[Any]], **options: Any) -> bytes:
    import pyarrow
    import pyarrow.parquet

    found = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), found, **options)
    return found.getvalue()


def text_parquet() -> list[Files]:
    rows = {"text": [f"a {index} é" for index in range(8)], "label": [index % 2 for index in range(8)]}
    return [
        {"t.parquet": parquet(rows)},
        {"t.parquet": parquet(rows, compression="none", use_dictionary=False, write_statistics=False)},
    ]


def step_parquet() -> list[Files]:
    cells = [row.split(",") for row in step_rows()]
    columns: dict[str, list[Any]] = {
        "id": [row[0] for row in cells],
        "time": [float(row[1]) for row in cells],
        "a": [float(row[2]) for row in cells],
        "label": [int(row[4]) for row in cells],
    }
    return [{"s.parquet": parquet(columns)}, {"s.parquet": parquet(columns, compression="none", use_dictionary=False)}]


def file_lists() -> list[Files]:
    documents = {f"d/{index}.txt": f"text {index}".encode() for index in range(4)}
    rows = [f"d/{index}.txt,{'ab'[index % 2]}" for index in range(4)]
    return [{"list.csv": lines("path,label", *rows, *rows), **documents}]


def in_classes(name: str, contents: list[bytes]) -> list[Files]:
    """A folder with two classes of two files."""
    return [{f"{'ab'[i % 2]}/{i}.{name}": contents[i % len(contents)] for i in range(4)}]


def picture(kind: str, colour: bool, seed: int) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (6, 7, 3) if colour else (6, 7), dtype=np.uint8)
    found = io.BytesIO()
    Image.fromarray(pixels).save(found, kind)
    return found.getvalue()


def pictures(kind: str) -> list[Files]:
    return [*in_classes(kind, [picture(kind, False, s) for s in range(4)]), *in_classes(kind, [picture(kind, True, 4)])]


def read_pictures(kind: str, folder: Path) -> None:
    """As a preset's model predicts from an image, and as the dogs are decoded."""
    for path in sorted(folder.rglob(f"*.{kind}")):
        each(
            partial(read_for, path, InputSpec("pixels", 3), image_shape=(6, 7)),
            partial(dogs.decode, path, str(path), 4),
        )


def sound(width: int, channels: int, number: int) -> bytes:
    found = io.BytesIO()
    with wave.open(found, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(np.random.default_rng(number).bytes(width * channels * number))
    return found.getvalue()


def sounds() -> list[Files]:
    return [*in_classes("wav", [sound(2, 1, 20 + i) for i in range(4)]), *in_classes("wav", [sound(3, 2, 9)])]


def flacs() -> list[Files]:
    import soundfile

    def one(subtype: str, seed: int) -> bytes:
        found = io.BytesIO()
        soundfile.write(found, np.random.default_rng(seed).normal(0, 0.1, 60 + seed), 8000, subtype, format="FLAC")
        return found.getvalue()

    return [*in_classes("flac", [one("PCM_16", s) for s in range(4)]), *in_classes("flac", [one("PCM_24", 4)])]


def oggs() -> list[Files]:
    import soundfile

    def one(seed: int) -> bytes:
        found = io.BytesIO()
        soundfile.write(found, np.random.default_rng(seed).normal(0, 0.1, 500 + seed), 8000, "VORBIS", format="OGG")
        return found.getvalue()

    return in_classes("ogg", [one(seed) for seed in range(4)])


def float_sounds() -> list[Files]:
    """WAVE_FORMAT_EXTENSIBLE and floats."""
    import soundfile

    def one(form: str, subtype: str, seed: int) -> bytes:
        found = io.BytesIO()
        soundfile.write(found, np.random.default_rng(seed).normal(0, 0.1, 60 + seed), 8000, subtype, format=form)
        return found.getvalue()

    return [
        *in_classes("wav", [one("WAVEX", "PCM_16", seed) for seed in range(4)]),
        *in_classes("wav", [one("WAV", "FLOAT", seed) for seed in range(4)]),
    ]


def documents() -> list[Files]:
    return in_classes("txt", [f"ein Text {'é' * index}\n".encode() for index in range(4)])


def npy(array: Any) -> bytes:
    found = io.BytesIO()
    np.save(found, np.asarray(array))
    return found.getvalue()


def npz(compressed: bool, **arrays: Any) -> bytes:
    found = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(found, **arrays)
    return found.getvalue()


LABELS = np.array([0, 1] * 4)


def archives_of_arrays() -> list[Files]:
    values = np.random.default_rng(0).normal(size=(8, 5, 2)).astype(np.float32)
    pixels = np.arange(8 * 6, dtype=np.uint8).reshape(8, 6)
    return [
        {"a.npz": npz(False, X=values, y=LABELS, lengths=np.array([5, 4, 3, 2, 1, 5, 5, 5]))},
        {"a.npz": npz(True, X=pixels, y=np.array(["a", "b"] * 4))},
    ]


def single_arrays() -> list[Files]:
    values = np.random.default_rng(0).normal(size=(8, 5, 2))
    return [{"X.npy": npy(values), "y.npy": npy(LABELS)}, {"X.npy": npy(LABELS.reshape(8, 1)), "y.npy": npy(LABELS)}]


def read_for(path: Path, spec: InputSpec, **options: Any) -> None:
    """As a model of such steps predicts from a file."""
    spent(inputs.read_inputs(path, spec, **options))


def read_arrays(name: str, folder: Path) -> None:
    """As a preset's model predicts from it."""
    each(
        partial(read_for, folder / name, InputSpec("values", 2)),
        partial(read_for, folder / name, InputSpec("pixels", 1), image_shape=(2, 3)),
    )


def series() -> list[Files]:
    header = ["#c", "@problemName P", "@timeStamps false", "@classLabel true a b", "@data"]
    two = [f"{i}.5,2,7:{i},3,4:{'ab'[i % 2]}" for i in range(8)]
    one = [",".join(map(str, range(i + 1))) + f",?:{'ab'[i % 2]}" for i in range(8)]
    return [{"s.ts": lines(*header, *two)}, {"s.ts": lines(*header, *one)}]


def stored_sets() -> list[Files]:
    found = []
    for name, files in (("t.csv", text_tables("t.csv", ",")[0]), ("s.csv", step_tables()[0])):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write(folder, files)
            import_source(folder / name, folder / "set", ReadingOptions(), lambda line: None)
            found.append({path.name: path.read_bytes() for path in (folder / "set").iterdir()})
    return found


# Files of the presets -------------------------------------------------------------------------------------------------


def idx_files() -> list[Files]:
    images = struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))
    labels = struct.pack(">BBBBI", 0, 0, 8, 1, 5) + bytes(5)
    return [{"a-idx3": images, "a-idx1": labels}]


def idx_zipped() -> list[Files]:
    return [{f"{name}.gz": gzip.compress(content, mtime=0) for name, content in idx_files()[0].items()}]


def read_idx(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        each(
            partial(idx.read_idx, path, 3),
            partial(idx.read_idx, path, 1),
        )


def cifar_files() -> list[Files]:
    return [{"data_batch_1.bin": bytes([3]) + bytes(cifar.ROW_BYTES - 1)}]


def tar_file() -> bytes:
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w") as tar:
        for name, content in (("top/a.txt", b"a" * 600), ("top/deep/b.txt", b"b"), ("c.txt", b"")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("top/d")
        link.size = 0
        tar.addfile(link)
    return found.getvalue()


def read_tar(folder: Path) -> None:
    """Unpacked into a folder of its own; what lies beside stays alone."""
    (archive,) = folder.glob("a.tar*")
    target = folder / "in" / "here"
    target.mkdir(parents=True)

    def unpack() -> None:
        try:
            archives.unpack(archive, target)
        except InputError:
            assert not list(target.iterdir()), "something was left behind"
            raise
        finally:
            left = [path for path in folder.rglob("*") if target not in (path, *path.parents)]
            assert sorted(left) == sorted([archive, target.parent]), f"written outside: {left}"

    unpack()


def dbpedia_rows() -> list[Files]:
    return [{"train.csv": lines(*(f'{i + 1},"title, {i}","content ""{i}"" é"' for i in range(8)))}]


def read_dbpedia(folder: Path) -> None:
    spent(dbpedia.read_rows(folder / "train.csv"))


def plain_texts() -> list[Files]:
    return [{"new.txt": lines("one", "two é"), "new.csv": lines("1,a", '2,"b, c"')}]


def read_texts(folder: Path) -> None:
    spec = InputSpec("characters", 9)
    each(*(partial(read_for, path, spec) for path in sorted(folder.iterdir())))


def dog_lists() -> list[Files]:
    return [{"train_list.txt": lines("a-b/c.png", "d/e.png"), "test_list.txt": lines("a-b/f.png", "d/g.png")}]


# What comes step by step ----------------------------------------------------------------------------------------------


FED = (InputSpec("values", 2), InputSpec("pixels", 1, levels=9))


def feed_files(kind: str) -> list[Files]:
    contents = {
        "text": "Zeile é\n𝄞 zwei\n".encode(),
        "lines": lines("a,b", "1,2", "3.5,-4", "1e3,0"),
        "binary": np.arange(12, dtype="<f4").tobytes(),
    }
    return [{"feed": contents[kind]}]


def read_feed(kind: str, folder: Path, specs: tuple[InputSpec, ...] = (InputSpec("values", 2),)) -> None:

    def pieces() -> Iterable[bytes]:
        with (folder / "feed").open("rb") as file:
            yield from feeds.pieces_of(file, "feed")

    if kind == "text":
        spent(feeds.feed_text(iter(pieces()), "feed"))
        return
    feed = feeds.feed_lines if kind == "lines" else feeds.feed_binary
    each(*(partial(lambda spec: spent(feed(iter(pieces()), spec, "feed")), spec) for spec in specs))


# Models and runs ------------------------------------------------------------------------------------------------------

SPEC = InputSpec("values", 2)
SMALL = ModelConfig(model="rp-lstm", hidden_size=3, projection_size=2, num_anchors=1, segment_length=2, bptt=2)


def small_network() -> Any:
    torch.manual_seed(0)
    return build_model(SMALL, SPEC, 2)


def model_folders() -> list[Files]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        own_data = load_own_once("s.csv", step_tables)
        facts = {"data": "s.csv", "seed": 0}
        save_model(
            folder, SavedModel(small_network(), SMALL, SPEC, ("a", "b"), None, None, facts, own_data.preprocessing)
        )
        return [{path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".md"}]


def use_model(folder: Path) -> None:
    saved = load_model(folder)
    if saved.spec.kind == "values" and saved.spec.size < 10:
        steps = torch.zeros(1, 4, saved.spec.size)
        predict_logits(saved.network, SequenceData("x", saved.spec, steps))
        Stream(saved.network).push(steps)


def stream_states() -> list[Files]:
    with tempfile.TemporaryDirectory() as folder:
        stream = Stream(small_network())
        stream.push(torch.ones(1, 3, 2))
        stream.save(Path(folder, "state"))
        return [{"state": Path(folder, "state").read_bytes()}]


def read_state(folder: Path) -> None:
    stream = Stream(small_network())
    stream.load(folder / "state")
    stream.push(torch.ones(1, 1, 2))


def checkpoints() -> list[Files]:
    found = io.BytesIO()
    content = {
        FORMAT: VERSION,
        "epoch": 1,
        "state_dict": small_network().state_dict(),
        "x": [1, "a"],
    }
    torch.save(content, found)
    return [{"phase-0-step-000000001.ckpt": found.getvalue() + hashlib.sha256(found.getvalue()).digest()}]


def read_checkpoint(folder: Path) -> None:
    (path,) = folder.iterdir()
    if not is_whole(path):
        raise InputError("damaged")
    load_checkpoint(path)


def run_folders() -> list[Files]:
    config = yaml.safe_dump(RunConfig(data="digits").to_dict(), sort_keys=False).encode()
    curve = lines("phase,epoch,validation_accuracy", "1,1,0.5", "1,2,")
    return [{"config.yaml": config, "metrics.csv": curve, "result.json": b'{"test_accuracy": 0.5, "seconds": 3}'}]


def read_small_files(folder: Path) -> None:
    run = RunFolder(folder)
    each(
        partial(read_config, run),
        partial(read_curve, run),
        partial(read_json, run.result),
    )


TRAINED = RunConfig(
    data="s.csv",
    model="lstm",
    hidden_size=3,
    projection_size=None,
    bptt=2,
    pretrain_epochs=0,
    max_epochs=2,
    batch_size=2,
    validation_fraction=0.25,
    accelerator="cpu",
    checkpoint_steps=1,
    out="run",
)


def trained(last: int | None = None) -> list[Files]:
    """A run on the first table of steps, with that table; killed before its training step `last`, or finished."""
    steps = iter(range(10**6))

    def counted(self: Any, batch: Any) -> Any:
        if next(steps) == last:
            raise KilledError
        return plain(self, batch)

    plain = TrainingStep.losses
    with tempfile.TemporaryDirectory() as place, chdir(place), redirect_stdout(io.StringIO()):
        write(Path(), step_tables()[0])
        with patch.object(TrainingStep, "losses", counted), suppress(KilledError):
            start_run(TRAINED, lambda line: None)
        return [{str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}]


def use_run(folder: Path) -> None:
    """As every command does that is given a finished run."""
    with chdir(folder):
        each(
            partial(evaluate, Path("run")),
            lambda: spent(predict_file(Path("run"), Path("s.csv"))),
            partial(record_folder, Path("run"), "run"),
            partial(read_run, Path("run")),
            partial(resume_run, Path("run"), lambda line: None),
        )


def resume(folder: Path) -> None:
    """To the end, and the result is used."""
    with chdir(folder), redirect_stdout(io.StringIO()):
        try:
            resume_run(Path("run"), lambda line: None)
        except StoppedRunError as error:  # told with exit code 1
            raise InputError(str(error)) from error
        use_run(Path())


def form(files: Callable[[], list[Files]], read: Callable[[Path], object], **other: Any) -> Format:
    return Format(files, read, read, **other)


def read_options(folder: Path) -> None:
    """As --config of `auxrnn train`."""
    parse_run_config([f"--config={folder / 'config.yaml'}"])


FORMATS: dict[str, Format] = {
    "csv": own("t.csv", partial(text_tables, "t.csv", ",")),
    "tsv": own("t.tsv", partial(text_tables, "t.tsv", "\t")),
    "parquet": own("t.parquet", text_parquet),
    "csv-steps": own("s.csv", step_tables),
    "parquet-steps": own("s.parquet", step_parquet),
    "json-lines": own("s.jsonl", json_lines),
    "csv-gzip": own("s.csv.gz", zipped_tables, wrapping=in_gzip),
    "tsv-series": own("s_TRAIN.tsv", series_tables),
    "csv-recorded": own("", recorded_tables),
    "list": form(file_lists, partial(read_own, "list.csv")),
    **{
        kind: own("", partial(pictures, kind), partial(read_pictures, kind))
        for kind in ("png", "jpeg", "bmp", "gif", "tiff", "webp")
    },
    "wav": own("", sounds),
    "wav-float": own("", float_sounds),
    "flac": own("", flacs),
    "ogg": own("", oggs),
    "txt": own("", documents),
    "npz": own("a.npz", archives_of_arrays, partial(read_arrays, "a.npz"), wrapping=in_zip),
    "npy": own("X.npy", single_arrays, partial(read_arrays, "X.npy")),
    "ts": own("s.ts", series),
    "set": form(stored_sets, partial(read_own, "")),
    "set-json": form(stored_sets, partial(read_own, ""), spoilt=META, wrapping=in_json),
    "idx": Format(idx_files, read_idx, lambda folder: idx.read_idx(folder / "a-idx3", 3)),
    "idx-gzip": Format(idx_zipped, read_idx, lambda folder: idx.read_idx(folder / "a-idx1.gz", 1), wrapping=in_gzip),
    "cifar": form(cifar_files, lambda folder: cifar.read_batch(folder / "data_batch_1.bin")),
    "tar": form(lambda: [{"a.tar": tar_file()}], read_tar),
    "tar-gzip": form(lambda: [{"a.tar.gz": gzip.compress(tar_file(), mtime=0)}], read_tar, wrapping=in_gzip),
    "dbpedia": form(dbpedia_rows, read_dbpedia),
    "texts": form(plain_texts, read_texts),
    "dog-lists": form(dog_lists, dogs.read_folder),
    **{
        f"feed-{kind}": Format(partial(feed_files, kind), partial(read_feed, kind, specs=FED), partial(read_feed, kind))
        for kind in ("text", "lines", "binary")
    },
    "model-config": form(model_folders, use_model, spoilt=".json", wrapping=in_json),
    "model-weights": form(model_folders, use_model, spoilt=".safetensors", wrapping=in_safetensors),
    "stream-state": form(stream_states, read_state, wrapping=in_safetensors),
    "checkpoint": form(checkpoints, read_checkpoint, wrapping=in_digest),
    "run": form(run_folders, read_small_files),
    "finished": form(trained, use_run),
    "stopped": form(partial(trained, 3), resume),
    "stopped-checkpoint": form(partial(trained, 3), resume, spoilt=".ckpt", wrapping=in_digest),
    "options": form(run_folders, read_options, spoilt=".yaml"),
}
