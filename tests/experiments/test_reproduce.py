"""A whole experiment at smoke scale: runs once, skips what is there, and a page that can be traced to its runs."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from auxrnn.errors import InputError
from auxrnn.experiments.catalogue import find_experiment
from auxrnn.experiments.reproduce import Request, reproduce
from auxrnn.runs.run import StoppedRunError

ARMS = ("LSTM Truncate300", "r-LSTM 20x30 Truncate300", "Transformer")


def ask(out: Path, **changes: object) -> Request:
    shared: dict[str, object] = {"scale": "smoke", "seeds": 2, "out": out, "tasks": ("mnist",), "arms": ARMS}
    return Request("table2", **(shared | {"workers": 1} | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of a reproduced experiment and what was said on the way."""
    out, lines = tmp_path_factory.mktemp("results"), []
    assert reproduce(ask(out), lines.append) == out / "table2.html"
    return out, lines


def test_every_arm_and_seed_is_run(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    rows = [json.loads(line) for line in (out / "runs" / "runs.jsonl").read_text().splitlines()]
    assert sorted((row["config"]["model"], row["config"]["seed"]) for row in rows) == [
        (model, seed) for model in ("lstm", "r-lstm", "transformer") for seed in (0, 1)
    ]


def test_the_first_lines_name_the_experiment_and_its_scale(made: tuple[Path, list[str]]) -> None:
    _, lines = made
    assert lines[0].startswith(f"{find_experiment('table2').title}\nSmoke scale: ")


def test_the_page_links_every_run_and_shows_its_number(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    page = (out / "table2.html").read_text(encoding="utf-8")
    results = list((out / "runs").rglob("result.json"))
    assert len(results) == 6
    links = {unquote(link) for link in re.findall(r'href="(runs/[^"]+)"', page)}
    for result in results:
        assert result.parent.relative_to(out).as_posix() in links
        assert f"{100 * json.loads(result.read_text())['test_accuracy']:.2f}" in page
    for link in links:
        assert (out / link).is_dir()


def test_the_page_shows_the_papers_numbers_and_the_commands(made: tuple[Path, list[str]]) -> None:
    page = (made[0] / "table2.html").read_text(encoding="utf-8")
    assert "11.3 (P)" in page
    assert "98.9 (P)" in page
    assert "auxrnn reproduce table2 --scale smoke --seeds 2 --out ." in page
    assert page.count("auxrnn train --config runs/mnist/") == 6


def test_called_again_nothing_is_trained(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    before = {path: path.stat().st_mtime_ns for path in out.rglob("result.json")}
    page = (out / "table2.html").read_bytes()
    reproduce(ask(out), lambda line: None)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("result.json")} == before
    assert (out / "table2.html").read_bytes() == page


def test_a_page_of_what_is_there_tells_what_is_not(made: tuple[Path, list[str]]) -> None:
    out, _ = made
    reproduce(ask(out, seeds=3, page_only=True), lambda line: None)
    page = (out / "table2.html").read_text(encoding="utf-8")
    assert f"{3 * 3 * len(find_experiment('table2').arms) - 6} of " in page  # of all tasks and arms, whatever was asked
    reproduce(ask(out, seeds=1, page_only=True), lambda line: None)
    page = (out / "table2.html").read_text(encoding="utf-8")
    assert f"{3 * len(find_experiment('table2').arms) - 3} of " in page  # the second seed is shown, and asked of none
    assert "--scale smoke --seeds 1 --out ." in page
    assert page.count("auxrnn train --config runs/mnist/") == 6
    reproduce(ask(out, page_only=True), lambda line: None)


def away(config: object) -> None:
    raise InputError("no such folder")


def test_a_page_made_without_the_models_is_the_same(
    made: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a clone, where results are kept and models are not."""
    out, _ = made
    page = (out / "table2.html").read_bytes()
    assert b"What the memory holds" in page
    clone = tmp_path / "clone"
    shutil.copytree(out, clone, ignore=shutil.ignore_patterns("model"))
    reproduce(ask(clone, page_only=True), lambda line: None)
    assert (clone / "table2.html").read_bytes() == page
    kept = (clone / "table2-inside.json").read_text()
    shutil.copytree(out, clone, dirs_exist_ok=True)
    with monkeypatch.context() as patched:  # the models are there, their data are not
        patched.setattr("auxrnn.experiments.insides.load_data", away)
        reproduce(ask(clone, page_only=True), lambda line: None)
    assert (clone / "table2-inside.json").read_text() == kept
    assert (clone / "table2.html").read_bytes() == page
    for model in clone.rglob("model"):
        shutil.rmtree(model)
    (clone / "figures" / "table2-gradient.svg").unlink()
    with pytest.raises(InputError, match=r"table2-inside\.json: expected .*table2-gradient\.svg.* Delete it"):
        reproduce(ask(clone, page_only=True), lambda line: None)
    (clone / "table2-inside.json").unlink()
    reproduce(ask(clone, page_only=True), lambda line: None)
    assert b"What the memory holds" not in (clone / "table2.html").read_bytes()


def test_a_page_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected finished runs of table2"):
        reproduce(ask(tmp_path, page_only=True), lambda line: None)
    assert not (tmp_path / "table2.html").exists()


@pytest.fixture
def copied(made: tuple[Path, list[str]], tmp_path: Path) -> Path:
    """The results without the models, to be damaged."""
    shutil.copytree(made[0], tmp_path / "copy", ignore=shutil.ignore_patterns("model"))
    return tmp_path / "copy"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("config.yaml", "hidden_size: 8", "hidden_size: 77", "expected a run with the settings .* hidden_size"),
        ("config.yaml", "seed: 0", "seed: 1", "expected a run with the settings .* seed"),
        ("result.json", '"test_accuracy": 0.', '"test_accuracy": 17.', "found test_accuracy 17"),
        ("result.json", '"test_accuracy": 0.', '"test_accuracy": NaN, "rest": 0.', "found test_accuracy nan"),
        ("metrics.csv", None, None, r"metrics\.csv: expected a learning curve"),
    ],
)
def test_a_page_believes_no_damaged_record(copied: Path, name: str, old: str | None, new: str, message: str) -> None:
    path = next(iter(sorted(copied.glob(f"runs/mnist/lstm-*/seed-0/{name}"))))
    if old is None:
        path.unlink()
    else:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        reproduce(ask(copied, page_only=True), lambda line: None)


def test_runs_that_have_stopped_are_no_success(copied: Path) -> None:
    shutil.rmtree(next(iter(copied.glob("runs/mnist/lstm-*/seed-0"))))
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("auxrnn.runs.run.load_data", away)
        with pytest.raises(StoppedRunError, match="1 of 6 runs have stopped; the same command goes on"):
            reproduce(ask(copied, workers=0), lines.append)
    assert lines[-1] == f"Page: {copied / 'table2.html'}"
