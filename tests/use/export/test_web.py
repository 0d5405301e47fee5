"""The page says in a browser what `predict` says; its parts that read input are compared with ours in Node."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly

from auxrnn.cli import main
from auxrnn.config import ModelConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError
from auxrnn.runs.datasets import source_of
from auxrnn.runs.use import predict_file
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.sources.reader import Schema
from auxrnn.targets import ClassTarget, TagsTarget, ValueTarget
from auxrnn.use.export import web
from auxrnn.use.export.web import RUNTIME, VERSION, export_web, read_runtime
from auxrnn.use.persistence import SavedModel, save_model
from browser import BROWSER, in_browser
from own_files import write_csv, write_wave

pytest.importorskip("onnxruntime")

PAGE = Path(web.__file__).parent / "web" / "page.mjs"
SMALL = {"model": "lstm", "hidden_size": 5, "projection_size": 4, "segment_length": 3, "bptt": 2}
TOKENS = {"stem": "conv", "stride": 4, "kernel": 3, "readout": "stats-max"}
CLASS = ClassTarget(("a", "b", "c"))


def saved_model(preprocessing, schema=None, target=CLASS, reading=None, **changes):
    config = ModelConfig(**{**SMALL, **changes})
    torch.manual_seed(1)
    network = build_model(config, preprocessing.spec, target).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.5)  # so that classes differ
    facts = {}
    if schema is not None:
        facts = {"own": {"form": asdict(schema), "reading": (reading or ReadingOptions()).to_dict()}}
    return SavedModel(network, config, preprocessing.spec, target.names, facts=facts, preprocessing=preprocessing)


SOUND = Preprocessing("values", 1, mean=(3.0,), scale=(4000.0,))
MOVED = Preprocessing("values", 2, mean=(50.0, 0.0), scale=(10.0, 1.0), column_names=("x", "y"))
LETTERS = Preprocessing("characters", characters="\nabcé😀")

RECORDINGS = Schema("recordings, mono, 8,000 Hz", "values", 1, "int16", rate=8000)
TABLES = Schema("tables of steps", "values", 2, channel_names=("x", "y"), columns={"features": "x,y", "time": "t"})
LONG = replace(
    TABLES, description="long-form table", columns={"rows": "steps", "features": "x,y", "id": "id", "time": ""}
)
SERIES = Schema(
    "table of series", "values", 1, columns={"rows": "series", "features": ",".join(map(str, range(2, 32)))}
)
TEXTS = Schema("text files", "characters", dtype="uint16")


def long_form(path):
    draw = np.random.default_rng(1).normal((50, 0), (10, 1), (90, 2)).round(4)
    rows = [f"{step // 30},{y},{step},{x}" for step, (x, y) in enumerate(draw)]
    return write_csv(path, "id,y,other,x", *rows)


def series(path):
    draw = np.random.default_rng(2).normal(0, 3000, (3, 30)).round(3)
    return write_csv(path, *(",".join(["q", *map(str, row)]) for row in draw))


def steps(path):
    draw = np.random.default_rng(3).normal((50, 0), (10, 1), (700, 2)).round(4)
    return write_csv(path, '"t";"y";"x"', *(f"{t};{y};{x}".replace(".", ",") for t, (x, y) in enumerate(draw)))


def text(path):
    path.write_bytes("ab\r\ncé😀 b?\ra".encode() * 40)
    return path


def recording(path, width=2, rate=8000):
    times = np.arange(rate // 4) / rate
    wave = np.sin(2 * np.pi * 440 * times) * np.cos(9 * times)
    whole = np.round(wave * (2 ** (8 * width - 1) - 1) * 0.9).astype(int)
    return write_wave(path, whole + 128 * (width == 1), width=width, rate=rate)


DECIMAL = ReadingOptions(decimal=",")
CASES = {
    "steps.csv": (saved_model(MOVED, TABLES, reading=DECIMAL, **TOKENS), steps),
    "long.csv": (saved_model(MOVED, LONG), long_form),
    "series.csv": (saved_model(SOUND, SERIES, cell="gru"), series),
    "text.txt": (saved_model(LETTERS, TEXTS, **TOKENS), text),
    "sound.wav": (saved_model(SOUND, RECORDINGS, **TOKENS), recording),
    "mel.wav": (saved_model(SOUND, RECORDINGS, stem="logmel", sample_rate=8000, readout="stats"), recording),
    "deep.wav": (saved_model(SOUND, RECORDINGS), partial(recording, width=3)),
    "flat.wav": (saved_model(SOUND, RECORDINGS), partial(recording, width=1)),
    "fast.wav": (saved_model(SOUND, RECORDINGS, **TOKENS), partial(recording, rate=22_050)),
    "slow.wav": (saved_model(SOUND, RECORDINGS, **TOKENS), partial(recording, rate=6000)),
    "tags.csv": (saved_model(MOVED, TABLES, TagsTarget(("u", "v")), DECIMAL), steps),
    "value.csv": (saved_model(MOVED, TABLES, ValueTarget(("h",), (1e4,), (250.0,)), DECIMAL), steps),
}
"""A file that each model is asked about: the same answers are wanted of `predict` and of the page."""


def expected(folder, name):
    """The shares that `predict` gives for each sequence of a file; of tags those of the last step."""
    saved, write = CASES[name]
    save_model(folder / "model", saved)
    answers = list(predict_file(folder / "model", write(folder / name)))
    return [list(answers[-1].shares)] if saved.target.per_step else [list(answer.shares) for answer in answers]


# The folder, and the runtime ------------------------------------------------------------------------------------------


def stand_in(monkeypatch):
    """Files of a few bytes in place of the runtime's."""
    parts = {name: name.encode() for name in RUNTIME}
    monkeypatch.setattr(web, "RUNTIME", {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()})
    return parts


def laid_out(folder, parts, inside="dist"):
    for name, part in parts.items():
        (folder / inside).mkdir(parents=True, exist_ok=True)
        (folder / inside / name).write_bytes(part)
    return folder


def packed(path, parts, before="package/dist/"):
    with tarfile.open(path, "w:gz") as archive:
        for name, part in {"package.json": b"{}", **{before + name: part for name, part in parts.items()}}.items():
            member = tarfile.TarInfo(name)
            member.size = len(part)
            archive.addfile(member, io.BytesIO(part))
    return path


def test_the_command_writes_one_folder_that_needs_no_other(tmp_path, monkeypatch, capsys):
    runtime = laid_out(tmp_path / "package", stand_in(monkeypatch))
    save_model(tmp_path / "model", CASES["steps.csv"][0])
    out = tmp_path / "out"
    command = ["export", str(tmp_path / "model"), "--format", "web", "--runtime", str(runtime), "--out", str(out)]
    for _ in range(2):  # the second replaces the first
        assert main(command) == 0
    names = {"index.html", "page.mjs", "style.css", "model.json", "model.onnx", "README.md", *RUNTIME}
    assert {path.name for path in out.iterdir()} == names
    said = capsys.readouterr().out
    assert f"open it with: python -m http.server --bind 127.0.0.1 --directory {out}" in said
    page = "".join((out / name).read_text() for name in ("index.html", "page.mjs", "style.css"))
    assert "http:" not in page
    assert "https:" not in page  # no other server is asked for anything
    about = json.loads((out / "model.json").read_text())
    assert about["table"]["features"] == ["x", "y"]
    assert (about["stride"], about["rate"], about["table"]["decimal"]) == (4, None, ",")
    assert str(tmp_path) not in (out / "model.json").read_text() + (out / "README.md").read_text()


@pytest.mark.parametrize("inside", ["", "dist", "package/dist"])
def test_the_runtime_from_a_folder_or_an_archive(tmp_path, monkeypatch, inside):
    parts = stand_in(monkeypatch)
    assert read_runtime(laid_out(tmp_path / "folder", parts, inside)) == parts
    assert read_runtime(packed(tmp_path / "a.tgz", parts)) == parts


def test_another_runtime_is_refused_and_nothing_written(tmp_path, monkeypatch):
    parts = stand_in(monkeypatch)
    saved, out = CASES["long.csv"][0], tmp_path / "out"
    changed = {**parts, "ort.wasm.min.mjs": b"another"}
    for given, words in (
        (laid_out(tmp_path / "changed", changed), "found another file of that name"),
        (packed(tmp_path / "changed.tgz", changed), "found another file of that name"),
        (laid_out(tmp_path / "less", {"ort.wasm.min.mjs": parts["ort.wasm.min.mjs"]}), "found none"),
        (packed(tmp_path / "other.tgz", parts, before="other/"), "found none"),
        (write_csv(tmp_path / "broken.tgz", "no archive"), "as a .tgz, found"),
        (tmp_path / "nothing", "found nothing"),
    ):
        with pytest.raises(InputError, match=words):
            export_web(saved, out, given)
    assert not out.exists()


def test_without_a_runtime_npm_is_asked_or_named(tmp_path, monkeypatch):
    parts = stand_in(monkeypatch)

    def pack(command, *, cwd, **_):
        assert command[1:] == [
            *("pack", "--silent", "--ignore-scripts", f"onnxruntime-web@{VERSION}"),
            *("--pack-destination", cwd),
        ]
        packed(Path(cwd) / "onnxruntime-web.tgz", parts)

    monkeypatch.setattr(web.shutil, "which", lambda name: name)
    monkeypatch.setattr(web.subprocess, "run", pack)
    assert web.fetch_runtime() == parts

    def fail(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(web.subprocess, "run", fail)
    with pytest.raises(InputError, match="it could not: get it with: npm pack onnxruntime-web@"):
        web.fetch_runtime()
    monkeypatch.setattr(web.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="npm is not here; get it with: npm pack onnxruntime-web@"):
        web.fetch_runtime()


def test_bad_use(tmp_path, monkeypatch, capsys):
    runtime = laid_out(tmp_path / "package", stand_in(monkeypatch))
    save_model(tmp_path / "model", CASES["long.csv"][0])
    with pytest.raises(InputError, match="expected a folder without a model"):
        export_web(CASES["long.csv"][0], tmp_path / "model", runtime)
    assert main(["export", str(tmp_path / "model"), "--runtime", str(runtime)]) == 2
    assert "Expected --format web with --runtime" in capsys.readouterr().err


def test_the_page_knows_how_files_were_read():
    pixels = SavedModel(
        build_model(ModelConfig(**SMALL), InputSpec("pixels", 1, levels=9), CLASS),
        ModelConfig(**SMALL),
        InputSpec("pixels", 1, levels=9),
        CLASS.names,
        pixel_order=(2, 0, 1),
    )
    notes = {name: notes_of(saved) for name, saved in {"pixels": pixels, **{k: v[0] for k, v in CASES.items()}}.items()}
    assert notes["pixels"]["pixel_order"] == [2, 0, 1]
    assert notes["pixels"]["table"]["features"] == []
    assert notes["sound.wav"]["rate"] == 8000
    assert notes["long.csv"]["table"]["id"] == "id"
    assert notes["series.csv"]["table"]["rows"] == "series"
    assert len(notes["series.csv"]["table"]["features"]) == 30
    assert notes["text.txt"]["characters"] == "\nabcé😀"


def notes_of(saved, folder=Path("nowhere")):
    return web.page_notes(saved, web.checked_onnx(saved, folder), source_of(saved.facts))


# What reads input, in Node --------------------------------------------------------------------------------------------

node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node to run the page's script")


def in_node(code, *words):
    program = f"import * as page from {json.dumps(PAGE.as_uri())}; import fs from 'node:fs'; {code}"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


READ = """
const [file, notes] = process.argv.slice(1);
const about = JSON.parse(fs.readFileSync(notes)), found = [];
try {
  for await (const { name, steps } of page.piecesOf(new Blob([fs.readFileSync(file)]), file.split('/').at(-1), about)) {
    if (found.at(-1)?.name !== name) found.push({ name, steps: [] });
    for (const one of steps) found.at(-1).steps.push(one);
  }
  console.log(JSON.stringify(found));
} catch (error) {
  if (!(error instanceof page.Problem)) throw error;
  console.log(JSON.stringify(error.message));
}
"""


def read_in_node(folder, path, saved):
    (folder / "notes.json").write_text(json.dumps(notes_of(saved)))
    return in_node(READ, path, folder / "notes.json")


@node
@pytest.mark.parametrize("name", CASES)
def test_files_are_read_as_predict_reads_them(tmp_path, name, monkeypatch):
    """The raw numbers that the page gives the model are those that preprocessing gets."""
    from auxrnn.runs import use

    saved, write = CASES[name]
    path = write(tmp_path / name)
    rows = [row.sequence for row in use._rows(saved, path, {})]
    found = read_in_node(tmp_path, path, saved)
    assert len(found) == len(rows)
    for row, one in zip(rows, found, strict=True):
        if isinstance(row, str):
            row = saved.preprocessing.sequence(row, "").numpy()
        np.testing.assert_allclose(one["steps"], np.ravel(row), rtol=1e-6, atol=0.01)


@node
def test_resampling_is_scipys(tmp_path):
    """In several pieces, at rates that divide each other badly."""
    draw = np.random.default_rng(0).normal(size=200_001)
    code = """
    const [up, down, file] = process.argv.slice(1), all = new Float64Array(fs.readFileSync(file).buffer.slice(0));
    const wave = { rate: Number(down), channels: 1, frames: all.length, read: async (a, b) => all.slice(a, b) };
    let found = [];
    for await (const piece of page.samplesOf(wave, Number(up))) found = found.concat(Array.from(piece));
    console.log(JSON.stringify(found));
    """
    (tmp_path / "a").write_bytes(draw.tobytes())
    for up, down in ((80, 441), (8000, 16_000), (3, 2), (8000, 8000)):
        found = in_node(code, up, down, tmp_path / "a")
        np.testing.assert_allclose(found, resample_poly(draw, up, down), rtol=0, atol=1e-6)


@node
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("t,y,x\n0,1\n", "Line 2: expected 3 cells, found 2"),
        ("t,y,x\n0,1,one\n", 'Line 2, x: expected a number, found "one"'),
        ("t,y,x\n0,1,1e999\n", 'found "1e999"'),
        ("t,y,x\n0,1,nan\n", "expected a number everywhere, found a missing one"),
        ("t,y,z\n0,1,2\n", "Expected the columns x, y, found no x"),
        ("y,x,z,w\n", "Expected at least one"),
        ("1,2,3\n", "Expected 2 numbers a line (x, y), found 3"),
        ("t,y,x\n5,1,2\n4,1,2\n", "Line 3: expected rows in the order of t"),
        (b"\xff\xfex\n", "Expected text in utf-8, found bytes that are none"),
    ],
)
def test_wrong_tables_are_told(tmp_path, content, words):
    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_in_node(tmp_path, path, saved_model(MOVED, TABLES))
    assert words in found if isinstance(found, str) else found == []


@node
def test_missing_values_as_in_training(tmp_path):
    path = write_csv(tmp_path / "a.csv", "x,y", "1,2", ",3", "4,NaN", "5,6")
    schema = replace(TABLES, columns={"features": "x,y"})
    zero = saved_model(MOVED, schema, reading=ReadingOptions(missing="zero"))
    assert read_in_node(tmp_path, path, zero)[0]["steps"] == [1, 2, 0, 3, 4, 0, 5, 6]
    drop = saved_model(MOVED, schema, reading=ReadingOptions(missing="drop"))
    assert read_in_node(tmp_path, path, drop)[0]["steps"] == [1, 2, 5, 6]


@node
def test_numbers_of_a_model_that_knows_no_files(tmp_path):
    saved = saved_model(Preprocessing("values", 1, mean=(0.0,), scale=(1.0,)))
    for lines in (["1", "2", "3"], ["1 2 3"], ["1;2;3"]):
        found = read_in_node(tmp_path, write_csv(tmp_path / "a.csv", *lines), saved)
        assert [one["steps"] for one in found] == [[1, 2, 3]]


@node
def test_a_curve_keeps_even_steps_and_never_many():
    code = """
    const curve = new page.Curve(3);
    let steps = 0, most = 0;
    while (steps < 30000) {
      steps += curve.due(steps);
      if (curve.every > 3) curve.add(steps - 3, [0]); // not due
      curve.add(steps, [steps]);
      most = Math.max(most, curve.points.length);
    }
    console.log(JSON.stringify({ most, every: curve.every, steps: curve.points.map((one) => one.steps) }));
    """
    found = in_node(code)
    assert found["most"] < 512
    assert found["steps"] == list(range(found["every"], found["steps"][-1] + 1, found["every"]))


# In a browser ---------------------------------------------------------------------------------------------------------

DRIVER = """<!doctype html><iframe src="index.html" width="800" height="800"></iframe><script type="module">
const frame = document.querySelector("iframe"), wait = () => new Promise((resolve) => setTimeout(resolve, 20));
const part = (id) => frame.contentDocument.getElementById(id);
const reached = (wanted) => wanted.includes(frame.contentDocument?.body?.dataset.state);
const state = async (...wanted) => { while (!reached(wanted)) await wait(); };
await new Promise((resolve) => { frame.onload = resolve; });
await state("ready", "problem");
const given = new frame.contentWindow.DataTransfer();
given.items.add(new frame.contentWindow.File([await (await fetch("NAME")).blob()], "NAME"));
part("file").files = given.files;
part("file").dispatchEvent(new Event("change"));
await state("done", "problem");
const text = (id) => part(id).textContent;
await fetch("/found", { method: "POST", body: JSON.stringify({
  shares: [...part("shares").children].map((one) => [one.dataset.name, Number(one.dataset.share)]),
  rows: [...part("answers").rows].map((one) => [...one.cells].map((cell) => cell.textContent)),
  answer: text("answer"), memory: text("memory"), problem: text("problem"), title: text("title"),
  drawn: part("plot").toDataURL().length,
}) });
</script>"""


RUNTIME_HERE = os.environ.get("AUXRNN_RUNTIME")
"""The npm package that the page needs, for it is not fetched by a test."""


@pytest.mark.skipif(not BROWSER or not RUNTIME_HERE, reason="needs Chromium, and AUXRNN_RUNTIME to name the runtime")
@pytest.mark.parametrize(
    "name", ["steps.csv", "text.txt", "sound.wav", "fast.wav", "long.csv", "tags.csv", "value.csv"]
)
def test_the_page_says_what_predict_says(tmp_path, name):
    wanted = expected(tmp_path, name)
    saved = CASES[name][0]
    export_web(saved, tmp_path / "page", Path(RUNTIME_HERE), source_of(saved.facts))
    shutil.copy(tmp_path / name, tmp_path / "page")
    found = in_browser(tmp_path / "page", DRIVER.replace("NAME", name))
    assert found["problem"] == ""
    assert [name for name, _ in found["shares"]] == list(saved.classes)
    scale = 250 if saved.target.kind == "value" else 1
    assert [share for _, share in found["shares"]] == pytest.approx(wanted[-1], abs=1e-4 * scale)
    assert len(found["rows"]) == len(wanted)
    assert found["drawn"] > 5000
    assert "as many after one step as after a million" in found["memory"]
