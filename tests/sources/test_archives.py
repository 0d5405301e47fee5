"""Nothing lands outside the folder, nothing half-done stays."""

import gzip
import io
import tarfile

import pytest

from auxrnn.errors import InputError
from auxrnn.sources.archives import unpack


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
    unpack(archive, folder)
    assert everything_in(folder) == ["b.txt", "top", "top/a.txt"]
    assert (folder / "top" / "a.txt").read_bytes() == b"one"


def test_permissions_are_not_taken_over(tmp_path):
    folder, info = folder_in(tmp_path), tarfile.TarInfo("a")
    info.mode = 0o4777
    unpack(make(tmp_path / "a.tar", (info, b"x")), folder)
    assert (folder / "a").stat().st_mode & 0o7111 == 0


def test_what_is_there_stays(tmp_path):
    folder = folder_in(tmp_path)
    (folder / "a").write_text("mine")
    unpack(make(tmp_path / "a.tar", ("a", b"theirs"), ("b", b"new")), folder)
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
    ],
)
def test_evil_members_are_named_and_leave_nothing(tmp_path, member, message):
    folder = folder_in(tmp_path)
    archive = make(tmp_path / "a.tar", ("good", b"x"), (member, b""))
    with pytest.raises(InputError, match=rf"a\.tar: refused to unpack '.*evil.*{message}"):
        unpack(archive, folder)
    assert everything_in(tmp_path) == ["a.tar", "folder"]


@pytest.mark.parametrize("cut", [20, 600, 5000])
def test_damaged_archives(tmp_path, cut):
    folder = folder_in(tmp_path)
    archive = make(tmp_path / "a.tar", ("a", b"x" * 900), zipped=cut == 20)
    archive.write_bytes(archive.read_bytes()[:cut] if cut < 5000 else b"<html>not there</html>" * 100)
    with pytest.raises(InputError, match=r"a\.tar: expected"):
        unpack(archive, folder)
    assert everything_in(folder) == []
