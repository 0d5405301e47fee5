"""One process at a time holds a folder, and none after its death."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest

from auxrnn.grids import claims
from auxrnn.grids.claims import STALE, Owner, is_alive, is_claimed, read_owner, take_claim, this_host


def lay(folder, number, *, age=0.0, **changes):
    """A claim that another process has made `age` seconds ago."""
    owner = {"host": "another machine", "pid": 1, "started": "1", "token": "t", **changes}
    folder.mkdir(exist_ok=True)
    path = folder / f"claim-{number}.json"
    path.write_text(json.dumps(owner))
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))
    return path


def dead_process():
    """Number of a process that is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_one_holds_until_it_lets_go(tmp_path):
    with take_claim(tmp_path / "run") as claim:
        assert is_claimed(tmp_path / "run")
        assert take_claim(tmp_path / "run") is None
        assert read_owner(claim.path) == claim.owner
        assert claim.owner.pid == os.getpid()
    assert not is_claimed(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    with take_claim(tmp_path / "run"):
        pass


def test_of_many_at_once_one_wins(tmp_path):
    """Twenty rounds of eight threads, over a dead claim every other round."""
    for round_ in range(20):
        folder = tmp_path / str(round_)
        if round_ % 2:
            lay(folder, 3, host=this_host(), pid=dead_process())
        barrier, won = threading.Barrier(8), []

        def contend(folder=folder, barrier=barrier, won=won):
            barrier.wait()
            claim = take_claim(folder)
            if claim is not None:
                won.append(claim)

        threads = [threading.Thread(target=contend) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) <= 1  # none where all saw another's and withdrew
        if not won:
            won.append(take_claim(folder))
        assert [path.name for path in folder.iterdir()] == [won[0].path.name]
        won[0].release()


def test_a_killed_owner_of_this_machine_is_followed_at_once(tmp_path):
    lay(tmp_path / "run", 1, host=this_host(), pid=dead_process())
    assert not is_claimed(tmp_path / "run")
    with take_claim(tmp_path / "run") as claim:
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["claim-2.json"]
        assert claim.is_mine()


def test_another_process_of_the_same_number_is_not_the_owner(tmp_path):
    path = lay(tmp_path, 1, host=this_host(), pid=os.getpid(), started="another moment")
    assert not is_alive(path)


def test_an_owner_of_this_machine_lives_however_long_it_was_silent(tmp_path):
    with take_claim(tmp_path) as claim:
        os.utime(claim.path, (0, 0))
        assert is_claimed(tmp_path)


@pytest.mark.parametrize(("age", "alive"), [(0, True), (STALE - 10, True), (STALE + 10, False)])
def test_an_owner_elsewhere_is_known_by_its_signs_of_life(tmp_path, age, alive):
    lay(tmp_path, 1, age=age)
    assert is_claimed(tmp_path) is alive
    claim = take_claim(tmp_path)
    assert (claim is None) is alive
    if claim is not None:
        claim.release()
    assert not list(tmp_path.glob(".clock-*"))


@pytest.mark.parametrize(("age", "alive"), [(0, True), (STALE + 10, False)])
def test_a_claim_that_is_only_half_written(tmp_path, age, alive):
    path = lay(tmp_path, 1, age=0)
    path.write_text('{"host"')
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))
    assert is_alive(path) is alive


def test_who_comes_late_withdraws(tmp_path, monkeypatch):
    """A look that finds nobody, then another's claim under a lower number before the own one is announced."""
    plain, looks = claims._claims, []

    def look(folder):
        found = plain(folder)
        looks.append(found)
        if len(looks) == 1:
            lay(folder, 1)
            return [lay(folder, 7, age=STALE + 10)]
        return found

    monkeypatch.setattr(claims, "_claims", look)
    assert take_claim(tmp_path) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["claim-1.json", "claim-7.json"]


def test_signs_of_life_and_the_loss_of_a_claim(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.01)
    lost, touched = threading.Event(), threading.Event()
    plain = os.utime

    def touch(path):
        plain(path)
        touched.set()

    monkeypatch.setattr(claims.os, "utime", touch)
    claim = take_claim(tmp_path, when_lost=lost.set)
    assert touched.wait(300)
    assert not lost.is_set()
    claim.path.unlink()
    assert lost.wait(300)
    assert not claim.is_mine()


def test_what_is_another_owners_is_left(tmp_path):
    claim = take_claim(tmp_path)
    other = Owner(this_host(), os.getpid(), claim.owner.started, "other")
    claim.path.write_text(json.dumps(asdict(other)))
    claim.release()
    assert read_owner(claim.path) == other


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        take_claim(tmp_path / "file" / "run")
