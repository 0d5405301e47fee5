"""Valid bytes made wrong: every change is a function of a random generator. Knows no format but the wrappings."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

Spoil = Callable[[bytes], bytes]
Wrapping = Callable[[bytes, Random, Spoil], bytes]

NUMBERS = (b"-1", b"0", b"1e999", b"nan", b"inf", b"1e308", b"99999999999999999999", b"1.5", b"007", b"", b"\xd9\xa3")
TOKENS = (b'"', b",", b":", b"\0", b"\n", b"\r", b"\t", b";", b"{", b"}", b"[", b"?", b"\xff", b"../", b"\xef\xbb\xbf")
INTEGERS = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 10**6, 10**20, 0.5, 1e308, float("nan"), "", "x", "\ud800", "../x", [], [0], {}, {"x": 1},
)  # fmt: skip
LONGEST = 200_000  # bytes of a spoilt file


def spoil(data: bytes, random: Random, other: bytes, wrapping: Wrapping | None = None) -> bytes:
    """`data` with one to three changes, `other` being another valid file; inside the wrapping in two cases of three."""
    if wrapping is not None and random.random() < 2 / 3:
        try:
            return wrapping(data, random, lambda inner: spoil(inner, random, inner))[:LONGEST]
        except (ValueError, KeyError, OSError, struct.error, zipfile.BadZipFile, IndexError):
            pass
    for _ in range(random.choice((1, 1, 2, 3))):
        data = random.choice(CHANGES)(data, random, other)
    return data[:LONGEST]


# Changes --------------------------------------------------------------------------------------------------------------


def _stretch(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((1, 1, 2, 4, 16, 200)))


def _flip(data: bytes, random: Random, other: bytes) -> bytes:
    spoilt = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8)) if data else 0):
        spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def _byte(data: bytes, random: Random, other: bytes) -> bytes:
    place = random.randint(0, len(data))
    return data[:place] + random.choice(TOKENS) + data[place + random.randint(0, 1) :]


def _integer(data: bytes, random: Random, other: bytes) -> bytes:
    place, kind = random.randint(0, len(data)), random.choice("<>")
    number = struct.pack(f"{kind}I", random.choice(INTEGERS))[: random.choice((2, 4))]
    return data[:place] + number + data[place + len(number) :]


def _digits(data: bytes, random: Random, other: bytes) -> bytes:
    """A number as it is written in a text."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not found:
        return _flip(data, random, other)
    chosen = random.choice(found)
    return data[: chosen.start()] + random.choice(NUMBERS) + data[chosen.end() :]


def _cut(data: bytes, random: Random, other: bytes) -> bytes:
    return data[: random.randint(0, len(data))]


def _without(data: bytes, random: Random, other: bytes) -> bytes:
    start, stop = _stretch(data, random)
    return data[:start] + data[stop:]


def _twice(data: bytes, random: Random, other: bytes) -> bytes:
    start, stop = _stretch(data, random)
    return data[:start] + data[start:stop] * random.choice((2, 3, 50)) + data[stop:]


def _noise(data: bytes, random: Random, other: bytes) -> bytes:
    start, stop = _stretch(data, random)
    return data[:start] + random.randbytes(random.randint(0, 40)) + data[stop:]


def _splice(data: bytes, random: Random, other: bytes) -> bytes:
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


def _line(data: bytes, random: Random, other: bytes) -> bytes:
    """Lines away, twice or elsewhere."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    line = lines[random.randrange(len(lines))]
    if random.random() < 0.5:
        lines.remove(line)
    if random.random() < 0.7:
        lines.insert(random.randint(0, len(lines)), line)
    return b"".join(lines)


def _encoded(data: bytes, random: Random, other: bytes) -> bytes:
    text = data.decode("utf-8", "replace") + random.choice(("", "é", "𝄞", "\u2028"))
    return text.encode(random.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1", "cp037")), "replace")


def _nothing(data: bytes, random: Random, other: bytes) -> bytes:
    return random.choice((b"", random.randbytes(random.randint(1, 300)), bytes(random.randint(1, 300))))


COMMON = (_flip, _byte, _integer, _digits, _cut, _without, _twice, _noise, _splice, _line)
CHANGES = COMMON * 3 + (_encoded, _nothing)


# Wrappings: what is spoilt inside them is wrapped up right again ------------------------------------------------------


def in_gzip(data: bytes, random: Random, inner: Spoil) -> bytes:
    return gzip.compress(inner(gzip.decompress(data)), mtime=0)


def in_zip(data: bytes, random: Random, inner: Spoil) -> bytes:
    """One member spoilt, left out, or given another name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    place = random.randrange(len(members))
    name, content = members[place]
    change = random.random()
    if change < 0.1:
        members.pop(place)
    else:
        members[place] = (
            (random.choice(("x.npy", "../y.npy", "y")), content) if change < 0.2 else (name, inner(content))
        )
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, content in dict(members).items():
            archive.writestr(name, content)
    return found.getvalue()


def in_json(data: bytes, random: Random, inner: Spoil) -> bytes:
    """One entry of another kind, gone, or too many."""
    return json.dumps(_changed(json.loads(data), random)).encode()


def _changed(content: Any, random: Random) -> Any:
    if isinstance(content, dict | list) and content and random.random() < 0.85:
        key = random.choice(list(content) if isinstance(content, dict) else range(len(content)))
        if random.random() < 0.1:
            content.pop(key)
        elif isinstance(content, list) and random.random() < 0.1:
            content.append(content[key])
        else:
            content[key] = _changed(content[key], random)
        return content
    return random.choice(VALUES)


def in_safetensors(data: bytes, random: Random, inner: Spoil) -> bytes:
    """The header, its length made right again; or the numbers."""
    size = struct.unpack("<Q", data[:8])[0]
    header, numbers = data[8 : 8 + size], data[8 + size :]
    if random.random() < 0.5:
        header = in_json(header, random, inner)
    else:
        numbers = inner(numbers)[: len(numbers)].ljust(len(numbers), b"\0")
    return struct.pack("<Q", len(header)) + header + numbers


def in_digest(data: bytes, random: Random, inner: Spoil) -> bytes:
    """What a checksum of SHA-256 stands behind, in a zip file or as it is."""
    content = data[: -hashlib.sha256().digest_size]
    try:
        spoilt = in_zip(content, random, inner) if random.random() < 0.7 else inner(content)
    except zipfile.BadZipFile:
        spoilt = inner(content)
    return spoilt + hashlib.sha256(spoilt).digest()
