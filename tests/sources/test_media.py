"""What a file is by its suffix, and texts."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.media import medium_of
from own_files import write_wave


def read(path, **given):
    return medium_of([path], ReadingOptions(**given)).read(path)


def test_texts(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("größer\n", encoding="utf-8")
    assert read(path) == "größer\n"
    path.write_bytes("größer".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.txt: expected text in utf-8.*--encoding"):
        read(path)
    assert read(path, encoding="latin-1") == "größer"


def test_kinds_are_not_mixed(tmp_path):
    wav, text = write_wave(tmp_path / "a.wav", [1]), tmp_path / "b.txt"
    text.write_text("a")
    with pytest.raises(InputError, match=r"files of one kind, got recordings .* and texts"):
        medium_of([wav, text], ReadingOptions())
    with pytest.raises(InputError, match=r"b\.xyz: expected a file ending in \.png"):
        medium_of([tmp_path / "b.xyz"], ReadingOptions())


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8", "U8"])
def test_a_mark_at_the_beginning_is_no_text(tmp_path, encoding):
    (tmp_path / "a.txt").write_text("abc", encoding="utf-8-sig")
    assert medium_of([tmp_path / "a.txt"], ReadingOptions(encoding=encoding)).read(tmp_path / "a.txt") == "abc"


def test_a_pointer_of_git_lfs_is_no_text(tmp_path):
    path = tmp_path / "a.txt"
    oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"  # the example of its specification
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n")
    with pytest.raises(InputError, match=r"a\.txt: expected a text, found what Git LFS .* git lfs pull"):
        read(path)
