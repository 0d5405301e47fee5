"""Checkpoints are whole or not there, two are kept, damage is seen, and none can carry code."""

import errno
import hashlib
import pickle
import random
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.training import checkpoints as checkpoints_module
from auxrnn.training.checkpoints import (
    Checkpoints,
    find_checkpoints,
    is_whole,
    load_checkpoint,
    save_checkpoint,
)
from tiny_runs import TRAINING, assert_same_weights, newest, resume_tiny, train_tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train_tiny(folder, training=replace(TRAINING, max_epochs=0))
    return newest(folder)[1]


# Whole or not there ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["writing", "renaming"])
def test_a_failure_while_writing_leaves_the_old_one(tmp_path, monkeypatch, when):
    path = tmp_path / "phase-0-step-000000001.ckpt"
    save_checkpoint(path, {"step": 1})
    before = path.read_bytes()

    def full_disk(content, aside, *arguments):
        aside.write_bytes(before[: len(before) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def failing(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    if when == "writing":
        monkeypatch.setattr(torch, "save", full_disk)
    else:
        monkeypatch.setattr("os.replace", failing)
    with pytest.raises(OSError, match=r"No space|Input/output"):
        save_checkpoint(path, {"step": 2})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_in_the_middle_of_a_run_leaves_it_resumable(tmp_path, monkeypatch):
    expected, _, _ = train_tiny()
    calls = iter(range(100))
    plain = torch.save

    def full_later(content, aside, *arguments):
        if next(calls) == 7:
            aside.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(content, aside, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full_later)
        with pytest.raises(OSError, match="No space left"):
            train_tiny(tmp_path)
    assert [(phase, step) for phase, step, _ in find_checkpoints(tmp_path / "checkpoints")] == [(1, 1), (0, 6)]
    weights, _, _ = resume_tiny(tmp_path)
    assert_same_weights(weights, expected)


def test_what_a_kill_left_half_written_is_harmless(tmp_path):
    expected, _, _ = train_tiny()
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / ".phase-9-step-000000009.ckpt.1.part").write_bytes(b"half")
    (folder / "phase-9-step-000000009.damaged").write_bytes(b"half")
    assert find_checkpoints(folder) == []
    assert_same_weights(train_tiny(tmp_path)[0], expected)


# Which are kept -------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(monkeypatch):
    """(phase, step) of every save, and after each what the folder holds."""
    moments = []
    plain = Checkpoints.save

    def saving(self, *given):
        path = plain(self, *given)
        moments.append([(phase, step) for phase, step, _ in find_checkpoints(self.folder)])
        return path

    monkeypatch.setattr(Checkpoints, "save", saving)
    return moments


def test_saves_every_so_many_steps_and_at_each_epochs_end_and_keeps_two(tmp_path, saved):
    train_tiny(tmp_path, training=replace(TRAINING, checkpoint_steps=2))
    # epochs end at steps 3 and 6; 3, 6 and 9. At 6 the epoch's end is the one save.
    assert [held[0] for held in saved] == [(0, 2), (0, 3), (0, 4), (0, 6)] + [(1, step) for step in (2, 3, 4, 6, 8, 9)]
    assert all(len(held) == 2 for held in saved[1:])
    assert [held[1] for held in saved[1:]] == [held[0] for held in saved[:-1]]


def test_saves_by_the_clock(tmp_path, monkeypatch, saved):
    now = iter(range(0, 10**6, 25))  # each look at the clock finds it 25 s later
    monkeypatch.setattr(checkpoints_module, "time", SimpleNamespace(monotonic=lambda: next(now)))
    train_tiny(
        tmp_path, training=replace(TRAINING, checkpoint_steps=None, checkpoint_minutes=0.5, batch_size=2, max_epochs=0)
    )
    # 10 steps an epoch. A save and the look after it: 25 s to the next step, too few; 50 s to the one after.
    assert [held[0] for held in saved] == [(0, step) for step in (2, 4, 6, 8, 10, 12, 14, 16, 18, 20)]


def test_without_steps_and_minutes_each_epochs_end_is_saved(tmp_path, saved):
    train_tiny(tmp_path, training=replace(TRAINING, checkpoint_steps=None, checkpoint_minutes=None))
    assert [held[0] for held in saved] == [(0, 3), (0, 6), (1, 3), (1, 6), (1, 9)]


def test_newer_ones_of_a_future_given_up_do_not_push_out_good_ones(tmp_path, saved):
    train_tiny(tmp_path)
    saved.clear()
    train_tiny(tmp_path, training=replace(TRAINING, pretrain_epochs=1, max_epochs=1))
    assert saved == [[(0, 1)], [(0, 2), (0, 1)], [(0, 3), (0, 2)], [(1, 1), (0, 3)], [(1, 2), (1, 1)], [(1, 3), (1, 2)]]


def test_found_newest_first_by_number_not_by_name(tmp_path):
    names = [
        "phase-0-step-000000012.ckpt",
        "phase-1-step-000000002.ckpt",
        "phase-0-step-1000000000.ckpt",
        "phase-x.ckpt",
    ]
    for name in names:
        (tmp_path / name).touch()
    assert [(phase, step) for phase, step, _ in find_checkpoints(tmp_path)] == [(1, 2), (0, 10**9), (0, 12)]
    assert find_checkpoints(tmp_path / "none") == []


# Damage ---------------------------------------------------------------------------------------------------------------


def test_a_written_checkpoint_is_whole(checkpoint):
    assert is_whole(checkpoint)


def test_truncation_anywhere_is_seen(tmp_path, checkpoint):
    content, cut = checkpoint.read_bytes(), tmp_path / "cut.ckpt"
    for length in [0, 1, 100, *range(500, len(content), len(content) // 40), len(content) - 1]:
        cut.write_bytes(content[:length])
        assert not is_whole(cut)


def test_a_flipped_byte_anywhere_is_seen(tmp_path, checkpoint):
    content, flipped = checkpoint.read_bytes(), tmp_path / "flipped.ckpt"
    places = random.Random(0).sample(range(len(content)), 300) + list(range(len(content) - 300, len(content)))
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1
        flipped.write_bytes(damaged)
        assert not is_whole(flipped)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 and no more", bytes(10_000)])
def test_garbage_is_not_whole(tmp_path, content):
    path = tmp_path / "phase-0-step-000000001.ckpt"
    path.write_bytes(content)
    assert not is_whole(path)
    assert not is_whole(tmp_path / "nothing.ckpt")
    assert not is_whole(tmp_path)


def test_a_damaged_newest_one_leaves_the_one_before_it(tmp_path):
    expected, rows, _ = train_tiny(tmp_path)
    found = find_checkpoints(tmp_path / "checkpoints")
    found[0][2].write_bytes(found[0][2].read_bytes()[:-100])
    assert newest(tmp_path) == (1, found[1][2])
    weights, resumed_rows, _ = resume_tiny(tmp_path)
    assert_same_weights(weights, expected)
    assert resumed_rows == rows


# Code -----------------------------------------------------------------------------------------------------------------


class Harmful:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return (print, ("this ran",))


def test_a_checkpoint_is_numbers_and_plain_values(checkpoint):
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 6


def test_a_checkpoint_that_carries_code_is_refused(tmp_path, capsys, checkpoint):
    path = tmp_path / "checkpoints" / checkpoint.name
    path.parent.mkdir()
    content = torch.load(checkpoint, weights_only=True)
    save_checkpoint(path, {**content, "harm": Harmful()})
    assert is_whole(path)
    with pytest.raises(InputError, match="may carry code"):
        load_checkpoint(path)
    with pytest.raises(InputError, match=f"{path.name}: expected a checkpoint of numbers and plain values"):
        train_tiny(tmp_path, resume=(0, path))
    shutil.rmtree(path.parent)
    assert capsys.readouterr().out == ""


def test_another_file_with_a_right_digest_is_no_checkpoint(tmp_path):
    path = tmp_path / "phase-0-step-000000001.ckpt"
    write_with_digest(path, {"x": 1})
    assert is_whole(path)
    with pytest.raises(InputError, match="expected a checkpoint of a training, found another file"):
        load_checkpoint(path)


@pytest.mark.parametrize("marks", [{"pytorch-lightning_version": "2.6.6", "epoch": 1}, {"auxrnn-checkpoint": 1}])
def test_a_checkpoint_of_another_version_is_refused(tmp_path, marks):
    path = tmp_path / "phase-0-step-000000001.ckpt"
    write_with_digest(path, {**marks, "state_dict": {}})
    assert is_whole(path)
    with pytest.raises(InputError, match=r"found one that another version wrote\. Go on with that version, or train"):
        train_tiny(tmp_path, resume=(0, path))


def write_with_digest(path, content):
    """As `save_checkpoint`, without what it adds."""
    torch.save(content, path)
    path.write_bytes(path.read_bytes() + hashlib.sha256(path.read_bytes()).digest())


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04" + bytes(200), pickle.dumps([1, 2])])
def test_other_content_with_a_right_digest_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "phase-0-step-000000001.ckpt"
    path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(InputError, match=r"phase-0-step-000000001\.ckpt: expected a checkpoint"):
        load_checkpoint(path)
