"""Every write, rename, flush and removal fails once and is killed once: nothing is half, and nothing is lost."""

import csv
import io
import json
import shutil
import sys
from dataclasses import replace

import pytest
import torch

from auxrnn.config import ModelConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.experiments import run_report
from auxrnn.experiments import tune as tuning
from auxrnn.report.drawing import Drawing
from auxrnn.report.page import Figure, Section
from auxrnn.runs.live import Request, follow_sequence
from auxrnn.sources.importing import import_source
from auxrnn.storage import files
from auxrnn.use.export import files as exporting
from auxrnn.use.persistence import SavedModel, load_model, save_model
from auxrnn.use.streaming import Stream
from faults import every_fault
from own_files import write_long_form
from small_runs import SMALL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits the sizes of files")

CONFIG = ModelConfig(model="lstm", hidden_size=3, projection_size=None, bptt=2)
GREY = InputSpec("pixels", 1, levels=9)


def saved_model(seed):
    torch.manual_seed(seed)
    return SavedModel(build_model(CONFIG, GREY, 3), CONFIG, GREY, ("a", "b", str(seed)), facts={"data": str(seed)})


def content_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def anew():
    """What a new process does, for this one has looked already."""
    files._cleared.clear()


def no_parts(folder):
    assert not list(folder.rglob("*.part"))


def written_over(tmp_path, old, new, again):
    """Faults while `new` takes the place of what `old` wrote into a folder beside which somebody's file lies."""
    place, kept = tmp_path / "place", tmp_path.with_name("kept")
    tmp_path.mkdir()
    old(place)
    (place / "mine").write_text("mine")
    shutil.copytree(tmp_path, kept)

    def prepare():
        shutil.rmtree(tmp_path, ignore_errors=True)
        shutil.copytree(kept, tmp_path)

    before = content_of(place)
    new(place)
    after = content_of(place)
    assert before != after
    assert after["mine"] == b"mine"

    def check(how, error):
        found = content_of(place)
        assert found in (before, after)
        if error is None:
            assert found == after
        if error not in (None, "killed"):
            no_parts(tmp_path)
            assert str(tmp_path) in error
        anew()
        again(place)
        assert content_of(place) == after
        no_parts(tmp_path)

    return every_fault(lambda: new(place), tmp_path, prepare, check)


def test_a_model_over_an_older_one(tmp_path):
    first, second = saved_model(0), saved_model(1)

    def new(place):
        save_model(place, second)

    number = written_over(tmp_path / "w", lambda place: save_model(place, first), new, new)
    assert number >= 40
    assert load_model(tmp_path / "w" / "place").facts == {"data": "1"}


def test_a_first_model(tmp_path):
    place = tmp_path / "w" / "place"
    saved = saved_model(0)
    save_model(tmp_path / "whole", saved)
    whole = content_of(tmp_path / "whole")
    load_model(tmp_path / "whole")

    def prepare():
        shutil.rmtree(tmp_path / "w", ignore_errors=True)
        (tmp_path / "w").mkdir()

    def check(how, error):
        if place.exists():
            assert content_of(place) == whole
        else:
            assert error is not None
        anew()
        save_model(place, saved)
        assert content_of(place) == whole
        no_parts(tmp_path)

    assert every_fault(lambda: save_model(place, saved), tmp_path / "w", prepare, check) >= 30


def test_an_export_over_an_older_one(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", lambda name: True)
    monkeypatch.setattr(exporting, "_onnx_run", lambda content, served: None)
    monkeypatch.setattr(exporting, "largest_difference", lambda run, served: 0.0)

    def export(number):
        def into(place):
            monkeypatch.setattr(exporting, "_onnx_bytes", lambda served, about: b"model %d" % number * 1000)
            exporting.export_model(saved_model(number), place)

        return into

    assert written_over(tmp_path / "w", export(0), export(1), export(1)) >= 40


def test_an_import(tmp_path):
    """The set is whole or absent: the same command ends with the same bytes."""
    source, place = write_long_form(tmp_path / "source", 4), tmp_path / "w" / "set"

    def import_it():
        import_source(source, place, ReadingOptions(), lambda line: None, block=128)

    def prepare():
        shutil.rmtree(tmp_path / "w", ignore_errors=True)
        (tmp_path / "w").mkdir()

    prepare()
    import_it()
    after = content_of(place)

    def check(how, error):
        if place.exists():
            assert content_of(place) == after
        else:
            assert error is not None
        if error not in (None, "killed"):
            assert str(tmp_path / "w") in error
            no_parts(tmp_path)
        anew()
        if not place.exists():
            import_it()
        assert content_of(place) == after
        assert {entry.name for entry in (tmp_path / "w").iterdir()} <= {"set", ".set.lock"}

    assert every_fault(import_it, tmp_path / "w", prepare, check) >= 100


def test_a_stream(tmp_path):
    """The state is none, or one from which the stream goes on to the same answer."""
    saved, file, state = saved_model(0), tmp_path / "a.csv", tmp_path / "w" / "state"
    lines = b"".join(b"%d\n" % (index % 9) for index in range(4000))  # more than is read at once
    file.write_bytes(lines)

    def said(**options):
        out = io.StringIO()
        follow_sequence(saved, Request(every=1000, **options), io.BytesIO(), out)
        return list(csv.reader(io.StringIO(out.getvalue())))

    whole = said(file=file)[-1]

    def action():
        said(file=file, state=state)

    def prepare():
        shutil.rmtree(tmp_path / "w", ignore_errors=True)
        (tmp_path / "w").mkdir()
        part = tmp_path / "part.csv"
        part.write_bytes(lines[:2000])
        said(file=part, state=state)

    def check(how, error):
        assert steps_in(state) in ((4000,) if error is None else (1000, 4000))
        if error not in (None, "killed"):
            assert str(tmp_path / "w") in error
            no_parts(tmp_path)
        anew()
        assert said(file=file, state=state)[-1][:1] == whole[:1]
        assert [float(cell) for cell in said(file=file, state=state)[-1][2:]] == pytest.approx(
            [float(cell) for cell in whole[2:]], abs=1e-6
        )
        assert steps_in(state) == 4000
        no_parts(tmp_path)

    def steps_in(path):
        stream = Stream(saved.network)
        stream.load(path)
        return stream.steps

    assert every_fault(action, tmp_path / "w", prepare, check) >= 10


def test_a_study(tmp_path, monkeypatch):
    """What was finished before the fault is still there, and the same command ends with as many trials as asked for."""
    pytest.importorskip("optuna")
    monkeypatch.setattr(tuning, "_validation_score", lambda config, *_: config.lr)
    config, path = (
        replace(SMALL, model="lstm", limit_train=20, pretrain_epochs=0, max_epochs=1),
        tmp_path / "w" / "study",
    )
    loaded = tuning.load_data(config)
    monkeypatch.setattr(tuning, "load_data", lambda given: loaded)

    def tune(trials):
        return tuning.tune(config, trials, path, lambda line: None)

    def prepare():
        shutil.rmtree(tmp_path / "w", ignore_errors=True)
        (tmp_path / "w").mkdir()
        tune(1)

    def finished():
        return [trial.value for trial in tuning.open_study(config, path).trials if trial.value is not None]

    prepare()
    before = finished()

    def check(how, error):
        for line in path.read_bytes().splitlines(keepends=True)[:-1]:
            json.loads(line)
        path.with_name("study.lock").unlink(missing_ok=True)  # that of a killed process, which gives way in seconds
        assert finished()[:1] == before
        tune(2)
        assert len(finished()) == 2
        for line in path.read_bytes().splitlines():
            json.loads(line)

    assert every_fault(lambda: tune(2), tmp_path / "w", prepare, check) >= 20


def test_a_report_over_an_older_one(tmp_path, monkeypatch, finished_run):
    monkeypatch.setattr(run_report, "probe_sections", lambda *given: [])
    figure = Figure("a curve", Drawing('<svg xmlns="http://www.w3.org/2000/svg"/>', b"png"), "curve")
    monkeypatch.setattr(run_report, "_curves", lambda arms: Section("Curves", (), (), [figure]))
    place = tmp_path / "w" / "report.html"
    older = {"report.html": b"<p>older"}

    def report():
        run_report.report_runs([finished_run], place, say=lambda line: None)

    def prepare():
        shutil.rmtree(tmp_path / "w", ignore_errors=True)
        (tmp_path / "w").mkdir()
        for name, content in older.items():
            (tmp_path / "w" / name).write_bytes(content)

    prepare()
    report()
    after = content_of(tmp_path / "w")
    assert len(after) > 2

    def check(how, error):
        found = {name: text for name, text in content_of(tmp_path / "w").items() if not name.endswith(".part")}
        assert all(text == after[name] or text == older.get(name) for name, text in found.items())
        assert "report.html" in found
        if found["report.html"] == after["report.html"]:
            assert found == after
        if error not in (None, "killed"):
            assert str(tmp_path / "w") in error
            no_parts(tmp_path)
        anew()
        report()
        assert content_of(tmp_path / "w") == after

    assert every_fault(report, tmp_path / "w", prepare, check) >= 40
