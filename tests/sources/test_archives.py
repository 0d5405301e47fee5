"""Nothing lands outside the folder, nothing fills the disk, nothing half-done stays."""

import gzip
import io
import tarfile

import pytest

from auxrnn.errors import InputError
from auxrnn.sources.archives import Limits, open_member, unpack

LIMITS = Limits(files=5, bytes=1000)


def make(path, *members, zipped=False):
    """A tar of (TarInfo or name, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    path.write_bytes(gzip.compress(buffer.getvalue()) if zipped else buffer.getvalue())
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def folder_in(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("zipped", [False, True])
def test_files_and_folders(tmp_path, zipped):
    folder = folder_in(tmp_path)
    info = special("top/", tarfile.DIRTYPE)
    archive = make(tmp_path / "a.tar", (info, b""), ("top/a.txt", b"one"), ("./b.txt", b"two"), zipped=zipped)
    unpack(archive, folder, LIMITS)
    assert everything_in(folder) == ["b.txt", "top", "top/a.txt"]
    assert (folder / "top" / "a.txt").read_bytes() == b"one"


def test_permissions_are_not_taken_over(tmp_path):
    folder, info = folder_in(tmp_path), tarfile.TarInfo("a")
    info.mode = 0o4777
    unpack(make(tmp_path / "a.tar", (info, b"x")), folder, LIMITS)
    assert (folder / "a").stat().st_mode & 0o7111 == 0


def test_what_is_there_stays(tmp_path):
    folder = folder_in(tmp_path)
    (folder / "a").write_text("mine")
    unpack(make(tmp_path / "a.tar", ("a", b"theirs"), ("b", b"new")), folder, LIMITS)
    assert (folder / "a").read_text() == "mine"
    assert (folder / "b").read_text() == "new"


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("/etc/evil", "a path inside the folder"),
        ("../evil", "a path inside the folder"),
        ("a/../../evil", "a path inside the folder"),
        ("..\\evil", "a path inside the folder"),
        ("C:evil", "a path inside the folder"),
        (special("evil", tarfile.SYMTYPE, "/etc/passwd"), "found a link"),
        (special("evil", tarfile.LNKTYPE, "good"), "found a link"),
        (special("evil", tarfile.CHRTYPE), "a device"),
        (special("evil", tarfile.FIFOTYPE), "a device"),
        ("evil" * 100, "at most 1,000 bytes"),
    ],
)
def test_evil_members_are_named_and_leave_nothing(tmp_path, member, message):
    folder = folder_in(tmp_path)
    content = b"x" * 1000 if message.startswith("at most") else b""
    archive = make(tmp_path / "a.tar", ("good", b"x"), (member, content))
    with pytest.raises(InputError, match=rf"a\.tar: refused to unpack '.*evil.*{message}"):
        unpack(archive, folder, LIMITS)
    assert everything_in(tmp_path) == ["a.tar", "folder"]


def test_too_many_entries(tmp_path):
    archive = make(tmp_path / "a.tar", *((f"file{number}", b"") for number in range(6)))
    with pytest.raises(InputError, match=r"'file5'.*at most 5 entries"):
        unpack(archive, folder_in(tmp_path), LIMITS)


def test_a_bomb_is_refused_by_what_it_announces(tmp_path):
    """A header that announces a terabyte and has nothing behind it: refused before a byte is written."""
    info = tarfile.TarInfo("bomb")
    info.size = 2**40
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf()))
    folder = folder_in(tmp_path)
    with pytest.raises(InputError, match="'bomb': expected at most 1,000 bytes"):
        unpack(tmp_path / "a.tar.gz", folder, LIMITS)
    assert everything_in(folder) == []


def test_headers_cannot_swell_without_end(tmp_path):
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * 3_000_000}
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(info.tobuf(tarfile.PAX_FORMAT)))
    with pytest.raises(InputError, match="expected an archive of at most"):
        unpack(archive, folder_in(tmp_path), LIMITS)


@pytest.mark.parametrize("cut", [20, 600, 5000])
def test_damaged_archives(tmp_path, cut):
    folder = folder_in(tmp_path)
    archive = make(tmp_path / "a.tar", ("a", b"x" * 900), zipped=cut == 20)
    archive.write_bytes(archive.read_bytes()[:cut] if cut < 5000 else b"<html>not there</html>" * 100)
    with pytest.raises(InputError, match=r"a\.tar: expected"):
        unpack(archive, folder, LIMITS)
    assert everything_in(folder) == []


def test_a_member_is_read_where_it_lies(tmp_path):
    archive = make(tmp_path / "a.tar.gz", ("top/a", b"one"), ("top/b", b"two\nlines"), zipped=True)
    with open_member(archive, "top/b", LIMITS) as stream:
        assert list(stream) == [b"two\n", b"lines"]
    assert everything_in(tmp_path) == ["a.tar.gz"]
    with (
        pytest.raises(InputError, match=r"a\.tar\.gz: expected top/c in it, found none"),
        open_member(archive, "top/c", LIMITS),
    ):
        pass
