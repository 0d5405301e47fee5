"""Freed memory is kept and kernels are let go, unless somebody else decides."""

import ctypes
import os
import sys

import pytest

from auxrnn.core.allocation import KEPT, KERNELS, keep_freed_memory, limit_kernel_cache


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


def test_onednn_is_told_unless_the_environment_says_otherwise(monkeypatch):
    names = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
    for name in names:
        monkeypatch.setenv(name, "7")
        monkeypatch.delenv(next(other for other in names if other != name), raising=False)
        limit_kernel_cache()
        assert {other: os.environ.get(other) for other in names} == {**dict.fromkeys(names), name: "7"}
        monkeypatch.delenv(name)
    limit_kernel_cache()
    assert os.environ.pop(names[0]) == str(KERNELS)
