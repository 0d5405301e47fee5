"""YAML and settings that cannot be used."""

from itertools import pairwise

import pytest


@pytest.mark.parametrize(
    "text",
    [
        "lr: !!python/object/apply:os.mkdir [executed]",
        "!!python/object/new:os.mkdir [executed]",
        "data: !!python/name:os.mkdir",
        "lr: !include /etc/passwd",
        "a: &a [x, x]\n" + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in pairwise("abcdefghi")),
        "a: &a [x, x, x]\n"
        + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefghij")),
        "[" * 5000,
        "lr: 0.1\nlr: 0.2",
        "{aux: {weight: 1, weight: 2}}",
        "? [a]\n: 1",
        "null: 1\nnull: 2",
    ],
)
def test_yaml_builds_no_objects(told, tmp_path, finished_run, text):
    (tmp_path / "evil.yaml").write_text(text)
    assert "evil.yaml" in told("train", "digits", "--config", "evil.yaml", "--out", "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(text)
    assert "config.yaml" in told("resume", "run")


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("hidden_size", 10**5, "a network that fits into memory, got hidden_size 100000"),
        ("hidden_size", 10**9, "hidden_size of at most 16777216"),
        ("batch_size", 10**20, "batch_size of at most"),
        ("num_anchors", 10**9, "num_anchors of at most"),
        ("num_threads", 10**8, "num_threads of at most 1024"),
        ("num_workers", 10**5, "num_workers of at most 1024"),
    ],
)
def test_sizes_out_of_reach(told, name, size, message):
    assert message in told("train", "digits", f"--{name}", size, "--limit_train", 20, "--out", "run")


def test_a_place_without_a_name(told):
    assert "Expected data to be the name of a place, got ''" in told("train", "", "--out", "run")
