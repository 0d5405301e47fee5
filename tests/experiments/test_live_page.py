"""The page of a run in training says where it stands, and changes nothing."""

import json
import socket
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from auxrnn.cli import main
from auxrnn.cli.options import build_parser
from auxrnn.cli.parsing import take_watch
from auxrnn.experiments import live_page
from auxrnn.experiments.live_page import LivePage, show_while
from auxrnn.report.page import Page, render_page
from auxrnn.runs.folder import RunFolder, read_json
from auxrnn.runs.run import resume_run, start_run
from auxrnn.training.watcher import Watcher
from browser import BROWSER, assert_fits, dumped
from small_runs import SMALL, as_words, model_bytes, run_small

OPEN = build_opener(ProxyHandler({})).open


def get(page, path="", **headers):
    with OPEN(Request(page.address + path, headers=headers), timeout=60) as answer:
        return answer.read().decode()


def now(page):
    return json.loads(get(page, "now"))


class Looker(Watcher):
    """Asks for the page after every step and epoch, and keeps what it said."""

    def __init__(self, page):
        self.page, self.words, self.bodies = page, [], []

    def step_ends(self, step, history):
        self.words.append(now(self.page)["words"])

    def epoch_ends(self, step, history):
        self.page._next = 0.0
        self.bodies.append(get(self.page, "body"))


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run that was looked at all the time: its folder, and who looked."""
    folder = tmp_path_factory.mktemp("watched") / "run"
    with LivePage(folder) as page:
        looker = Looker(page)
        assert "The run has not begun" in get(page)
        start_run(replace(SMALL, out=str(folder)), page.say, watchers=[page, looker])
        thread = threading.Thread(target=look_to_the_end, args=(page, looker.bodies))
        thread.start()
        get(page, "now")
    thread.join()
    return folder, looker


def look_to_the_end(page, bodies):
    """What a browser does."""
    while not now(page)["ended"]:
        time.sleep(0.01)
    time.sleep(0.2)
    bodies.append(get(page, "body"))


def test_a_run_has_the_same_bits_with_and_without_it(watched, finished_run):
    assert model_bytes(watched[0]) == model_bytes(finished_run)


def test_it_says_where_the_training_stands(watched):
    looker = watched[1]
    assert len(looker.words) == 9
    assert looker.words[0].startswith("pretrain step 1/3  reconstruct ")
    assert any(words.startswith("train step ") and words.endswith(" left") for words in looker.words)
    assert ["validation accuracy" in body for body in looker.bodies] == [False, True, True, True]
    assert all("Not finished" not in body for body in looker.bodies)


def test_the_floors_are_there_from_the_beginning(watched):
    folder, looker = watched
    before, after = (read_json(place)["floors"] for place in (RunFolder(folder).environment, RunFolder(folder).result))
    assert before["majority class"]["validation"] == after["majority class"]["validation"]
    assert "best floor: linear on " in looker.bodies[1]


def test_at_the_end_it_says_the_verdict(watched):
    folder, looker = watched
    assert read_json(RunFolder(folder).result)["verdict"]["summary"][5:40] in looker.bodies[-1].replace("\u00a0", " ")
    assert "figures/" not in looker.bodies[-1]  # no links to files that are not there


def test_the_end_waits_for_a_browser_that_looks_on(tmp_path):
    seen = []
    with LivePage(tmp_path / "run") as page:
        thread = threading.Thread(target=look_to_the_end, args=(page, seen))
        thread.start()
        while not page._asked:
            time.sleep(0.01)
    thread.join()
    assert "<h1>" in seen[0]
    since = time.monotonic()
    with LivePage(tmp_path / "run"):
        pass
    assert time.monotonic() - since < live_page.LAST_LOOK / 2  # nobody is waited for


def test_drawing_takes_a_share_of_the_time(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(LivePage, "_page", lambda page: (time.sleep(0.1), drawn.append(1), Page("run", ""))[2])
    (tmp_path / "config.yaml").write_text("")
    with LivePage(tmp_path) as page:
        get(page, "body")
        for number in range(5):
            (tmp_path / "metrics.csv").write_text(str(number))
            get(page, "body")
        assert len(drawn) == 1
        page._next = 0.0
        get(page, "body")
        assert len(drawn) == 2
        page._asked = 0.0


def test_other_paths_and_other_names_are_refused(tmp_path):
    with LivePage(tmp_path) as page:
        assert page.address.startswith("http://127.0.0.1:")
        for path, headers, code in (("../config.yaml", {}, 404), ("now", {"Host": "evil.example"}, 403)):
            with pytest.raises(HTTPError) as error:
                get(page, path, **headers)
            assert error.value.code == code
            error.value.close()
        page._asked = 0.0


def test_a_port_that_is_taken_is_refused_before_anything_is_trained(tmp_path, capsys):
    out = tmp_path / "run"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["train", *as_words(SMALL, out), "--watch", str(port)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"auxrnn: 127.0.0.1:{port}: expected a port that is free, found: ")
    assert "say --watch alone" in told
    assert not out.exists()


def test_the_command_prints_the_address_and_ends_with_the_run(tmp_path, capsys):
    assert main(["train", *as_words(replace(SMALL, max_epochs=1, pretrain_epochs=0), tmp_path / "run"), "--watch"]) == 0
    (address,) = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("Watch ")]
    with pytest.raises(OSError, match="refused"):
        OPEN(address, timeout=5)
    assert main(["resume", str(tmp_path / "run"), "--watch"]) == 0
    told = capsys.readouterr().out
    assert "Watch       http://127.0.0.1:" in told
    assert "is finished; nothing to do" in told


def test_a_resumed_run_is_shown_too(tmp_path):
    run_small(tmp_path / "run")
    RunFolder(tmp_path / "run").result.unlink()
    with LivePage(tmp_path / "run") as page:
        resume_run(tmp_path / "run", page.say, watchers=[page])
        assert "Curves" in get(page)
        page._asked = 0.0


@pytest.mark.parametrize(
    ("words", "port", "others"),
    [
        (["a.csv", "--lr", "0.1"], None, ["a.csv", "--lr", "0.1"]),
        (["a.csv", "--watch"], 0, ["a.csv"]),
        (["--watch", "a.csv", "--lr", "1"], 0, ["a.csv", "--lr", "1"]),
        (["--watch", "8000", "a.csv"], 8000, ["a.csv"]),
        (["--watch=8000", "--lr=1"], 8000, ["--lr=1"]),
        (["--watch", "--lr", "8000"], 0, ["--lr", "8000"]),
    ],
)
def test_the_port_may_be_left_out(words, port, others):
    assert take_watch(words) == (port, others)


@pytest.mark.parametrize("words", [["--watch", "70000"], ["--watch=x"], ["--watch", "--watch", "80"]])
def test_what_is_no_port_is_refused(words, capsys):
    with pytest.raises(SystemExit) as end:
        take_watch(words)
    assert end.value.code == 2
    assert "argument --watch: " in capsys.readouterr().err


def test_of_several_processes_the_first_has_the_page(tmp_path, monkeypatch, capsys):
    called = []

    def work(**given):
        called.append(sorted(given))

    for first in (False, True):
        monkeypatch.setattr(live_page, "find_ranks", lambda config, first=first: SimpleNamespace(is_first=first))
        show_while(work, SMALL, tmp_path / "run", 0)
    assert called == [[], ["say", "watchers"]]
    assert capsys.readouterr().out.count("Watch ") == 1


def test_the_port_of_resume():
    assert build_parser().parse_args(["resume", "run", "--watch"]).watch == 0
    assert build_parser().parse_args(["resume", "run"]).watch is None


# In a browser ---------------------------------------------------------------------------------------------------------

needs_browser = pytest.mark.skipif(not BROWSER, reason="needs Chromium")


@needs_browser
def test_the_page_follows_without_being_loaded_again(tmp_path, monkeypatch):
    looks = iter(range(100))
    monkeypatch.setattr(LivePage, "_page", lambda page: Page(f"look {next(looks)}", ""))
    monkeypatch.setattr(LivePage, "_current", lambda page: str(time.monotonic()))
    with LivePage(tmp_path) as page:
        page.say("step 5 of 9")
        document, messages = dumped(page.address, tmp_path / "profile")
        page._asked = 0.0
    assert messages == []
    assert "<title>look 0</title>" in document  # loaded once
    assert int(document.partition("<h1>look ")[2].partition("<")[0]) >= 2
    assert "step 5 of 9" in document


@needs_browser
def test_it_fits_a_telephone(watched, tmp_path):
    page = LivePage(watched[0])
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "live.html").write_text(render_page(page._page(), None))
    page._server.server_close()
    assert_fits(tmp_path / "pages", "live.html")
