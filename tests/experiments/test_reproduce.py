"""A whole experiment at smoke scale: runs once, skips what is there, and a page that can be traced to its runs."""

import json
import re
import shlex
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from auxrnn.cli import main
from auxrnn.core.baselines.transformer import TransformerClassifier
from auxrnn.errors import InputError
from auxrnn.experiments.catalogue import find_experiment
from auxrnn.experiments.reproduce import Request, reproduce
from auxrnn.runs.stopped import StoppedRunError
from auxrnn.training.loop import fit
from auxrnn.training.step import DivergedError

ARMS = ("LSTM Truncate300", "r-LSTM 20x30 Truncate300", "Transformer")


def ask(out: Path, **changes: object) -> Request:
    shared: dict[str, object] = {"scale": "smoke", "seeds": 2, "out": out, "tasks": ("mnist",), "arms": ARMS}
    return Request("table2", **(shared | {"workers": 1} | changes))  # type: ignore[arg-type]


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of a reproduced experiment and what was said on the way."""
    out, lines = tmp_path_factory.mktemp("results"), []
    assert reproduce(ask(out), lines.append) == out / "table2.html"
    return out, lines


def test_every_arm_and_seed_is_run(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    rows = rows_of(out / "table2.jsonl")
    assert sorted((row["config"]["model"], row["config"]["seed"]) for row in rows) == [
        (model, seed) for model in ("lstm", "r-lstm", "transformer") for seed in (0, 1)
    ]


def test_the_first_lines_name_the_experiment_and_its_scale(made: tuple[Path, list[str]]) -> None:
    _, lines = made
    assert lines[0].startswith(f"{find_experiment('table2').title}\nSmoke scale: ")


def test_the_page_leads_to_the_line_of_every_run_and_shows_its_number(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    page = (out / "table2.html").read_text(encoding="utf-8")
    assert 'href="table2.jsonl"' in page
    rows = rows_of(out / "table2.jsonl")
    assert len(rows) == 6
    for row in rows:
        assert f"table2.jsonl#{row['run']}" in page
        assert f"{100 * row['result']['test_accuracy']:.2f}" in page
        kept = json.loads((out / "runs" / row["run"] / "result.json").read_text())
        assert row["result"] == kept


def test_the_command_of_a_run_trains_it_again(
    made: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = made
    page = unescape((out / "table2.html").read_text(encoding="utf-8"))
    command = next(iter(re.findall(r"auxrnn train --config '?table2\.jsonl#mnist/r-lstm[^<]*", page)))
    monkeypatch.chdir(tmp_path)
    shutil.copy(out / "table2.jsonl", tmp_path)
    _, *words = shlex.split(command)
    assert main(words) == 0
    name = words[words.index("--config") + 1].partition("#")[2]
    row = next(row for row in rows_of(out / "table2.jsonl") if row["run"] == name)
    again = json.loads((tmp_path / "again" / "result.json").read_text())
    for figure in ("test_accuracy", "test_loss", "validation_accuracy", "best_epoch"):
        assert again[figure] == row["result"][figure]


def test_the_page_shows_the_papers_numbers_and_the_commands(made: tuple[Path, list[str]]) -> None:
    page = (made[0] / "table2.html").read_text(encoding="utf-8")
    assert "11.3 (P)" in page
    assert "98.9 (P)" in page
    assert "auxrnn reproduce table2 --scale smoke --seeds 2 --out ." in page
    assert page.count("#mnist/") == 6


def untouched(*given: object, **named: object) -> None:
    raise AssertionError("trained")


def test_called_again_nothing_is_trained(made: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = made
    before, page = (out / "table2.jsonl").read_bytes(), (out / "table2.html").read_bytes()
    monkeypatch.setattr("auxrnn.runs.run.fit", untouched)
    lines: list[str] = []
    reproduce(ask(out, workers=0), lines.append)
    assert lines[0].endswith(f"0 of 6 runs are not in {out / 'table2.jsonl'}.")
    assert (out / "table2.jsonl").read_bytes() == before
    assert (out / "table2.html").read_bytes() == page


def test_the_record_is_enough(made: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a clone, where no run folder is: nothing is trained, the page has the same numbers, others take over."""
    for name in ("table2.jsonl", "table2-inside.json"):
        shutil.copy(made[0] / name, tmp_path)
    monkeypatch.setattr("auxrnn.runs.run.fit", untouched)
    reproduce(ask(tmp_path, workers=0), lambda line: None)
    rows = re.findall(r"<td[^>]*>([^<]*)", (tmp_path / "table2.html").read_text(encoding="utf-8"))
    assert set(rows) == set(re.findall(r"<td[^>]*>([^<]*)", (made[0] / "table2.html").read_text(encoding="utf-8")))
    request = Request("curves", "smoke", 2, tmp_path, arms=("LSTM Truncate300",), tasks=("cifar10",), page_only=True)
    with pytest.raises(InputError, match="expected finished runs of curves"):
        reproduce(request, lambda line: None)
    request = Request("ablation", "smoke", 2, tmp_path, arms=("LSTM",), tasks=("mnist",), workers=0)
    reproduce(request, lambda line: None)
    both = [line for line in (tmp_path / "table2.jsonl").read_text().splitlines() if "mnist/transformer-" not in line]
    assert sorted((tmp_path / "ablation.jsonl").read_text().splitlines()) == sorted(
        both
    )  # its arms LSTM, uniform 20x30
    assert len(both) == 4
    assert not (tmp_path / "runs").exists()


def test_runs_that_ended_unrecorded_are_recorded(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The grid was killed between the end of a run and its record."""
    small = shutil.ignore_patterns("model", "figures", "*.html", "*-inside.json")
    shutil.copytree(made[0], tmp_path / "copy", ignore=small)
    file = tmp_path / "copy" / "table2.jsonl"
    whole = file.read_text().splitlines()
    file.write_text("".join(f"{line}\n" for line in whole[:4]))
    reproduce(ask(tmp_path / "copy", page_only=True), lambda line: None)
    assert file.read_text().splitlines()[:4] == whole[:4]
    assert sorted(file.read_text().splitlines()) == sorted(whole)


def test_failed_runs_are_recorded_left_and_made_again_when_asked(tmp_path: Path) -> None:
    lines: list[str] = []
    shared = {"arms": ("LSTM Truncate300", "Transformer"), "seeds": 1, "workers": 0}
    with pytest.MonkeyPatch.context() as patched:

        def diverge(network: object, *given: object, **named: object) -> object:
            if isinstance(network, TransformerClassifier):
                raise DivergedError("The loss is not finite.")
            return fit(network, *given, **named)  # type: ignore[arg-type]

        patched.setattr("auxrnn.runs.run.fit", diverge)
        reproduce(ask(tmp_path, **shared), lines.append)
    assert any(re.search(r"transformer-\w+/seed-0 has failed: The loss is not finite", line) for line in lines)
    rows = {row["config"]["model"]: row for row in rows_of(tmp_path / "table2.jsonl")}
    assert rows["transformer"]["error"].startswith("The loss is not finite")
    page = (tmp_path / "table2.html").read_text(encoding="utf-8")
    assert f"1 of {3 * len(find_experiment('table2').arms)} runs have failed" in page
    shutil.rmtree(tmp_path / "runs")
    reproduce(ask(tmp_path, **shared), lines.append)
    assert not (tmp_path / "runs").exists()
    reproduce(ask(tmp_path, **shared, retry_failed=True), lines.append)
    rows = {row["config"]["model"]: row for row in rows_of(tmp_path / "table2.jsonl")}
    assert "error" not in rows["transformer"]
    assert rows["transformer"]["result"]["test_accuracy"] > 0


def test_a_page_of_what_is_there_tells_what_is_not(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    whole = (out / "table2.html").read_bytes()
    reproduce(ask(out, seeds=3, page_only=True), lambda line: None)
    page = (out / "table2.html").read_text(encoding="utf-8")
    assert f"{3 * 3 * len(find_experiment('table2').arms) - 6} of " in page  # of all tasks and arms, whatever was asked
    reproduce(ask(out, seeds=1, page_only=True), lambda line: None)
    page = (out / "table2.html").read_text(encoding="utf-8")
    assert f"{3 * len(find_experiment('table2').arms) - 3} of " in page  # the second seed is shown, and asked of none
    assert "--scale smoke --seeds 1 --out ." in page
    assert page.count("#mnist/") == 6
    (out / "table2.html").write_bytes(whole)


def away(config: object) -> None:
    raise InputError("no such folder")


def test_a_page_made_without_the_models_is_the_same(
    made: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a clone, where results are kept and models are not."""
    out, _ = made

    def without_png(folder):
        return re.sub(rb'<a href="[^"]*png">PNG</a> ', b"", (folder / "table2.html").read_bytes())

    page = without_png(out)
    assert b"What the memory holds" in page
    clone = tmp_path / "clone"
    shutil.copytree(out, clone, ignore=shutil.ignore_patterns("model", "figures"))
    reproduce(ask(clone, page_only=True), lambda line: None)
    assert without_png(clone) == page
    kept = (clone / "table2-inside.json").read_text()
    shutil.copytree(out, clone, dirs_exist_ok=True)
    with monkeypatch.context() as patched:  # the models are there, their data are not
        patched.setattr("auxrnn.experiments.insides.load_data", away)
        reproduce(ask(clone, page_only=True), lambda line: None)
    assert (clone / "table2-inside.json").read_text() == kept
    assert without_png(clone) == page
    for model in clone.rglob("model"):
        shutil.rmtree(model)
    (clone / "table2-inside.json").unlink()
    reproduce(ask(clone, page_only=True), lambda line: None)
    assert b"What the memory holds" not in (clone / "table2.html").read_bytes()


def test_a_page_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected finished runs of table2"):
        reproduce(ask(tmp_path, page_only=True), lambda line: None)
    assert not (tmp_path / "table2.html").exists()


@pytest.fixture
def copied(made: tuple[Path, list[str]], tmp_path: Path) -> Path:
    """The results without the run folders, to be damaged."""
    shutil.copytree(made[0], tmp_path / "copy", ignore=shutil.ignore_patterns("runs"))
    return tmp_path / "copy"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"hidden_size":8', '"hidden_size":77', "with the settings of today's run of that name, found hidden_size"),
        ('"seed":0', '"seed":1', "with the settings of today's run of that name, found seed"),
        ('"test_accuracy":0.', '"test_accuracy":17.', "line 1: .* found test_accuracy 17"),
        ('"curve":{', '"curve":{"more":[0],', "line 1: expected a learning curve"),
        ('{"run"', '{{"run"', "line 1: expected the record of a run"),
    ],
)
def test_a_page_believes_no_damaged_record(copied: Path, old: str, new: str, message: str) -> None:
    file = copied / "table2.jsonl"
    lines = sorted(file.read_text().splitlines(), key=lambda line: '"seed":1,' in line)
    assert old in lines[0]
    file.write_text("".join(f"{line}\n" for line in [lines[0].replace(old, new, 1), *lines[1:]]))
    with pytest.raises(InputError, match=message):
        reproduce(ask(copied, page_only=True), lambda line: None)


def test_runs_that_have_stopped_are_no_success(copied: Path) -> None:
    file = copied / "table2.jsonl"
    file.write_text(
        "".join(f"{json.dumps(row)}\n" for row in rows_of(file) if not re.match("mnist/lstm-.*/seed-0", row["run"]))
    )
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("auxrnn.runs.run.load_data", away)
        with pytest.raises(StoppedRunError, match="1 of 6 runs have stopped; the same command goes on"):
            reproduce(ask(copied, workers=0), lines.append)
    assert lines[-1] == f"Page: {copied / 'table2.html'}"
