"""The page of runs says what their folders say, and looks into their models."""

import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
import torch

from auxrnn.cli import main
from auxrnn.config import AuxiliaryConfig
from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.experiments import insides, run_report
from auxrnn.experiments.arguments import parse_run_config
from auxrnn.experiments.arms import read_run
from auxrnn.experiments.run_report import report_runs
from auxrnn.runs import datasets
from auxrnn.runs.datasets import load_data
from auxrnn.runs.folder import RunFolder, read_config, read_json, write_json
from auxrnn.runs.use import SHARES
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import TagsTarget
from auxrnn.use.inference import measure
from auxrnn.use.opening import open_model
from auxrnn.verdict.judge import MEANINGS
from browser import BROWSER, assert_fits, dumped
from small_runs import run_small


class Texts(HTMLParser):
    """The texts of the elements of a page, and its links."""

    def __init__(self, path):
        super().__init__()
        self.words, self.links, self.commands, self.tag = [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tag = tag
        self.links += [dict(attrs).get("href")] if tag == "a" else []

    def handle_data(self, data):
        self.words += [data.strip()] if data.strip() else []
        self.commands += [data.strip()] if self.tag == "code" and data.strip() else []


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of rp-LSTM, one LSTM, and an rp-LSTM that did not finish."""
    folder = tmp_path_factory.mktemp("runs")
    run_small(folder / "rp 3")
    shutil.copytree(folder / "rp 3", folder / "rp 4")
    other = RunFolder(folder / "rp 4")
    other.config.write_text(other.config.read_text().replace("seed: 3", "seed: 4"))
    result = read_json(other.result)
    write_json(other.result, result | {"test_accuracy": result["test_accuracy"] + 0.125, "seed": 4})
    run_small(folder / "lstm", model="lstm", pretrain_epochs=0)
    shutil.copytree(folder / "rp 3", folder / "stopped")
    stopped = RunFolder(folder / "stopped")
    stopped.config.write_text(stopped.config.read_text().replace("seed: 3", "seed: 5"))
    stopped.result.unlink()
    shutil.rmtree(stopped.model)
    stopped.metrics.write_text("".join(stopped.metrics.read_text().splitlines(keepends=True)[:3]))
    return folder


@pytest.fixture(scope="module")
def whole_page(runs, tmp_path_factory):
    """The page of the LSTM, with looks into its model."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(insides, "MOST", 1)
        return report_runs([runs / "lstm"], tmp_path_factory.mktemp("page") / "a" / "page.html", say=lambda line: None)


@pytest.fixture
def few_sequences(monkeypatch):
    """One sequence that was answered wrong is drawn, in place of six."""
    monkeypatch.setattr(insides, "MOST", 1)


def test_the_page_of_one_run_lies_in_its_folder(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs / "rp 3", run)
    said = []
    assert report_runs([run], say=said.append) == run / "report.html"
    page = Texts(run / "report.html")
    result = read_json(RunFolder(run).result)
    assert f"{100 * result['test_accuracy']:.2f}" in page.words
    assert f"{result['parameters']:,}" in page.words
    assert "." in page.links  # the run folder
    for link in page.links:
        if not link.startswith("#"):
            assert (run / link).exists(), link
    for title in (
        "Curves", "Mistakes", "Sequences that it got wrong", "How soon it answers", "Where the evidence lies",
        "What the memory holds", "How far the gradient reaches", "Settings",
    ):  # fmt: skip
        assert title in page.words
    assert any("One seed shows no spread" in word for word in page.words)
    assert not any("±" in word and "After" not in word for word in page.words)
    assert sorted(path.name for path in (run / "figures").glob("*.png")) == [
        f"report-{name}.png"
        for name in (
            "confusion-1", "early", "evidence", "gradient", "memory-1", "memory-error", "predict", "reconstruct",
            "train-accuracy", "validation-accuracy", *(f"wrong-1-{number}" for number in range(1, 7)),
        )
    ]  # fmt: skip
    assert said[-1] == str(run / "report.html")


def test_how_soon_a_model_answers(runs, whole_page):
    """Against the whole test set, and its upper halves cut by hand."""
    words = Texts(whole_page).words
    saved, test = open_model(runs / "lstm"), load_data(read_config(RunFolder(runs / "lstm"))).sequences.test
    half = replace(test, inputs=[image[:32] for image in test.inputs], image_shape=None)
    expected = [100 * measure(saved.network, data)[1]["accuracy"] for data in (half, test)]
    heading = len(words) - 1 - words[::-1].index("How soon it answers")  # the first is in the list of sections
    row = words.index("LSTM, seed 3", heading)
    shown = words[row + 1 : row + 1 + len(SHARES)]
    assert [shown[SHARES.index(0.5)], shown[-1]] == [f"{score:.4g}" for score in expected]
    assert "On the whole test set." in words


def test_a_label_a_step_has_no_answer_on_the_way():
    tags = SimpleNamespace(target=TagsTarget(("a", "b")))
    assert insides._early({"x": (None, tags, None)}, ["x"], "soon") is None
    assert insides._evidence({"x": (None, tags, None)}, ["x"], "where") is None


def test_the_verdict_and_the_floors_of_each_run(runs, tmp_path):
    paths = [runs / name for name in ("rp 3", "lstm", "stopped")]
    page = Texts(report_runs(paths, tmp_path / "page.html", say=lambda line: None, quick=True))
    for name in ("rp 3", "lstm"):
        stored = read_json(RunFolder(runs / name).result)
        assert stored["verdict"]["summary"] in page.words
        for finding in stored["verdict"]["findings"]:
            assert finding["words"] in page.words
            assert finding["next"] in page.words
        assert f"{100 * stored['floors']['linear on window statistics']['test']:.2f}" in page.words
    assert page.words.count("linear on window statistics") == 1  # of one split of one set


def test_the_box_at_the_top_says_the_verdict_what_it_means_and_what_to_type(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs / "lstm", run)
    place = RunFolder(run).result
    findings = [
        {"state": "useful", "words": "useful: above the floor", "next": f"auxrnn report {run}"},
        {"state": "rising", "words": "still rising", "next": "auxrnn train again"},
    ]
    told = {"state": "useful", "summary": "test accuracy 90 % on 400", "findings": findings, "better": True}
    write_json(place, read_json(place) | {"verdict": told})
    page = Texts(report_runs([run], say=lambda line: None, quick=True))
    first = page.words.index("Useful: above the floor.")
    assert page.words[first + 1 : first + 4] == [MEANINGS["useful"], "Test accuracy 90\u00a0% on 400.", "Still rising."]
    assert page.commands[:2] == [f"auxrnn predict {run} FILE", "auxrnn train again"]
    assert first < page.words.index("Results")


def test_the_box_of_several_runs_is_of_the_best_on_validation_data(runs, tmp_path):
    stored = {name: read_json(RunFolder(runs / name).result) for name in ("lstm", "rp 3")}
    best = max(stored, key=lambda name: stored[name]["validation_accuracy"])
    name = {"lstm": "LSTM", "rp 3": "rp-LSTM"}[best]
    words = stored[best]["verdict"]["findings"][0]["words"]
    page = Texts(report_runs([runs / each for each in stored], tmp_path / "a.html", say=lambda line: None, quick=True))
    assert f"Best on validation data of digits: {name}, seed 3. {words[0].upper()}{words[1:]}." in page.words


def test_the_box_of_several_runs_names_its_run(runs, tmp_path):
    """Where the others have other data, or none is finished, too."""
    for name in ("lstm", "stopped"):
        shutil.copytree(runs / name, tmp_path / name)
    other = RunFolder(tmp_path / "lstm")
    other.config.write_text(other.config.read_text().replace("data: digits", "data: mnist"))
    page = Texts(report_runs([runs / "rp 3", other.path], tmp_path / "a.html", say=lambda line: None, quick=True))
    assert any(word.startswith("Best on validation data of digits: rp-LSTM") for word in page.words)
    stopped = [tmp_path / "stopped", other.path]
    page = Texts(report_runs(stopped, tmp_path / "b.html", say=lambda line: None, quick=True))
    assert any(word.startswith("rp-LSTM") and "seed 5. Not finished: " in word for word in page.words)


def test_quick_opens_no_model_and_no_data(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(insides, "open_model", None)
    monkeypatch.setattr(datasets, "load", None)
    place = tmp_path / "page.html"
    assert main(["report", str(runs / "lstm"), "--quick", "--out", str(place)]) == 0
    page = Texts(place)
    assert "Curves" in page.words
    assert "Mistakes" not in page.words


def test_what_takes_long_is_told_on_standard_error(runs, few_sequences, tmp_path, capsys):
    assert main(["report", str(runs / "lstm"), "--out", str(tmp_path / "page.html")]) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'page.html'}\n"
    for told in ("Reading the test set", "Mistakes of LSTM", "How soon it answers", "Where the evidence lies"):
        assert told in said.err


def test_the_majority_and_the_best_floor_are_lines_on_the_validation_curve(runs, tmp_path, monkeypatch):
    drawn, plain = {}, run_report.draw_curves
    monkeypatch.setattr(run_report, "draw_curves", lambda *given, title, levels, **named: (
        drawn.update({title: levels}), plain(*given, title=title, levels=levels, **named))[1])  # fmt: skip
    report_runs([runs / "lstm"], tmp_path / "page.html", say=lambda line: None, quick=True)
    floors = read_json(RunFolder(runs / "lstm").result)["floors"]
    scores = {name: 100 * found["validation"] for name, found in floors.items() if isinstance(found, dict)}
    best = max(scores, key=scores.get)
    assert drawn["Training"] == {}
    assert list(drawn["Validation"].values()) == [scores["majority class"], scores[best]]
    assert list(drawn["Validation"])[1] == f"best floor: {best} ({scores[best]:.2f})"


def test_without_a_stretch_the_score_is_that_of_blanked_sequences(runs, whole_page):
    words = Texts(whole_page).words
    saved, test = open_model(runs / "lstm"), load_data(read_config(RunFolder(runs / "lstm"))).sequences.test
    inputs = test.inputs.clone()
    inputs[:, 16:24] = 0  # the third eighth of 64 pixels
    expected = 100 * measure(saved.network, replace(test, inputs=inputs))[1]["accuracy"]
    heading = len(words) - 1 - words[::-1].index("Where the evidence lies")
    row = words.index("LSTM, seed 3", heading)
    assert words[row + 3] == f"{expected:.4g}"


def test_runs_of_a_grid_have_no_verdict(runs, tmp_path):
    shutil.copytree(runs / "lstm", tmp_path / "run")
    place = RunFolder(tmp_path / "run").result
    write_json(place, {name: told for name, told in read_json(place).items() if name not in ("floors", "verdict")})
    words = Texts(report_runs([tmp_path / "run"], say=lambda line: None, quick=True)).words
    assert "Verdict and floors" not in words
    assert any(word.endswith("; no verdict was made.") for word in words)


def test_several_runs(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *(str(runs / name) for name in ("lstm", "rp 3", "rp 4", "stopped")), "--quick"]) == 0
    page = Texts(tmp_path / "report.html")
    first, second = (read_run(runs / name).result["test_accuracy"] for name in ("rp 3", "rp 4"))
    assert any(word.startswith(f"{50 * (first + second):.1f} ± ") for word in page.words)
    assert "4 runs on digits: LSTM, rp-LSTM. 1 of them is not finished." in page.words
    assert "2 of 3" in page.words
    assert "not finished" in page.words
    assert f"auxrnn resume {runs / 'stopped'}" in page.words
    assert "2 of 3" in page.words  # epochs
    base = read_run(runs / "lstm").result["test_accuracy"]
    assert f"{100 * (first - base):+.1f}" in page.words  # seed 3 alone is in both
    assert "unknown" in page.words
    assert "points against LSTM" in page.words


def test_the_printed_command_repeats_the_run(runs, tmp_path):
    report_runs([runs / "rp 3"], tmp_path / "page.html", say=lambda line: None, quick=True)
    *_, command = Texts(tmp_path / "page.html").commands
    program, verb, *options = shlex.split(command)
    assert (program, verb) == ("auxrnn", "train")
    config = parse_run_config(options)
    own = read_config(RunFolder(runs / "rp 3"))
    assert replace(config, out=own.out) == own
    assert config.out == f"{runs / 'rp 3'}-again"


def test_the_same_bytes_every_time(runs, whole_page, few_sequences, tmp_path):
    pages = [whole_page, report_runs([runs / "lstm"], tmp_path / "b" / "page.html", say=lambda line: None)]
    figures = [sorted((page.parent / "figures").iterdir()) for page in pages]
    assert [path.name for path in figures[0]] == [path.name for path in figures[1]]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(*figures, strict=True))
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_a_run_that_only_began(runs, tmp_path):
    page = Texts(report_runs([runs / "stopped"], tmp_path / "page.html", say=lambda line: None))
    assert "0 of 1" in page.words
    assert "Mistakes" not in page.words
    assert "Curves" in page.words
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(runs / "stopped" / "config.yaml", empty)
    page = Texts(report_runs([empty], say=lambda line: None))
    assert "0 of 3" in page.words
    assert "Curves" not in page.words


def test_data_that_are_not_there(runs, tmp_path, monkeypatch):
    def load(*given, **named):
        raise InputError("no such files")

    monkeypatch.setattr(datasets, "load", load)
    page = Texts(report_runs([runs / "lstm"], tmp_path / "page.html", say=lambda line: None))
    assert any("could not be read, so its model is not looked into. no such files" in word for word in page.words)
    assert "Mistakes" not in page.words


def test_a_folder_is_no_page(runs, tmp_path):
    with pytest.raises(InputError, match="expected a file to write the page to"):
        report_runs([runs / "lstm"], tmp_path)


def test_a_large_test_set_is_sampled_evenly(runs, few_sequences, tmp_path, monkeypatch):
    monkeypatch.setattr(insides, "PROBED_STEPS", 64 * 20)
    page = Texts(report_runs([runs / "lstm"], tmp_path / "page.html", say=lambda line: None))
    assert any("on 20 of 400 test sequences" in word for word in page.words), page.words


@pytest.mark.parametrize("model", ["transformer", "urnn"])
def test_models_of_every_kind(few_sequences, tmp_path, model):
    run_small(tmp_path / "run", model=model, max_epochs=1)
    page = Texts(report_runs([tmp_path / "run"], say=lambda line: None))
    assert "Mistakes" in page.words
    assert ("How far the gradient reaches" in page.words) == (model != "transformer")
    assert ("What the memory holds" in page.words) == (model == "sa-lstm")


def test_tokens_and_readouts_of_all_steps(tmp_path):
    """Distances are raw steps; where every step is read, the page says why nothing is drawn."""
    stem = {"stem": "conv", "stride": 8, "kernel": 2, "segment_length": 2, "bptt": 2}
    run_small(tmp_path / "last", model="r-lstm", max_epochs=1, **stem)
    run_small(tmp_path / "all", model="r-lstm", max_epochs=1, readout="stats", **stem)
    page = Texts(report_runs([tmp_path / "last", tmp_path / "all"], tmp_path / "page.html", say=lambda line: None))
    assert any("every segment of 16 steps, given its first 8, from the state" in word for word in page.words)
    assert any("K = 2 tokens of 8 steps" in word for word in page.words)
    assert any("its head reads all steps, so the gradient comes to each directly" in word for word in page.words)


def test_a_decoder_of_the_future_has_no_memory_to_show(tmp_path):
    run_small(tmp_path / "run", model="r-lstm", max_epochs=1, aux=AuxiliaryConfig(direction="future"))
    assert "What the memory holds" not in Texts(report_runs([tmp_path / "run"], say=lambda line: None)).words


def test_of_unequal_sequences_the_longer_half_is_looked_into():
    spec = InputSpec("characters", 5)
    data = SequenceData("text", spec, [torch.zeros(steps, dtype=torch.int64) for steps in (3, 9, 5, 7)])
    assert insides._longer(data).lengths.tolist() == [9, 5, 7]


@pytest.mark.skipif(not BROWSER, reason="needs Chromium")
def test_in_a_browser_it_says_nothing_on_the_console_and_fits_a_telephone(runs, few_sequences, tmp_path):
    place = tmp_path / "pages" / "page.html"
    report_runs([runs / name for name in ("lstm", "rp 3", "rp 4", "stopped")], place, say=lambda line: None)
    assert dumped(place.as_uri(), tmp_path / "other")[1] == []
    assert_fits(place.parent, place.name)
