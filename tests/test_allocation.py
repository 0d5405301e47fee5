"""Freed memory is kept, unless somebody else decides."""

import ctypes
import sys

import pytest

from auxrnn.allocation import KEPT, keep_freed_memory


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


class Glibc:
    def __init__(self):
        self.set = {}

    def mallopt(self, name, value):
        self.set[name] = value
        return 1


def test_glibc_is_told_once(monkeypatch):
    made = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: made.append(Glibc()) or made[-1])
    assert keep_freed_memory()
    assert keep_freed_memory()
    assert [one.set for one in made] == [{-1: KEPT, -3: KEPT, -8: 1}]  # M_TRIM_, M_MMAP_THRESHOLD, M_ARENA_MAX


def test_another_c_library_or_a_wish_of_the_environment_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not keep_freed_memory()
    keep_freed_memory.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Glibc())
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    assert not keep_freed_memory()
