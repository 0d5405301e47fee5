"""Steps come out the same however the bytes are cut, and what is wrong is named with its place."""

import io

import numpy as np
import pytest

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.feeds import LONGEST_LINE, feed_binary, feed_lines, feed_text, pieces_of

VALUES, GREY = InputSpec("values", 2), InputSpec("pixels", 1, levels=9)


def cut(content, size):
    return (content[start : start + size] for start in range(0, len(content), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_text_in_any_pieces(size):
    text = "aé√𝄞\r\n\x00z\r"
    assert "".join(feed_text(cut(text.encode("utf-8-sig"), size), "x")) == text.replace("\r\n", "\n").replace(
        "\r", "\n"
    )


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_lines_in_any_pieces(size, ending):
    content = b"left,right\n1,2\r\n-3.5 , 4e3\n5\t6" + ending
    found = np.concatenate(list(feed_lines(cut(content, size), VALUES, "x")))
    assert found.tolist() == [[1, 2], [-3.5, 4000], [5, 6]]


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_raw_numbers_in_any_pieces(size):
    steps = np.random.default_rng(0).normal(size=(7, 2)).astype("<f4")
    assert np.array_equal(np.concatenate(list(feed_binary(cut(steps.tobytes(), size), VALUES, "x"))), steps)
    assert np.concatenate(list(feed_binary(cut(b"\x00\x08", size), GREY, "x"))).tolist() == [[0], [8]]


@pytest.mark.parametrize(
    ("content", "spec", "message"),
    [
        (b"1,2\n3\n", VALUES, "line 2: expected 2 numbers, found '3'"),
        (b"1,2\n\n", VALUES, "line 2: expected 2 numbers, found ''"),
        (
            b"1,2\n3,x\n",
            VALUES,
            "line 2: expected 2 numbers, found '3,x'. One step a line, its numbers separated by commas",
        ),
        (b"a,b\nc,d\n", VALUES, "line 2: expected 2 numbers"),
        (b"id,a,b\n", VALUES, "line 1: expected 2 numbers, found 'id,a,b'"),
        (b"1;2\n3;4\n", VALUES, "line 1: expected 2 numbers, found '1;2'"),
        (b"1.5x,2.5x\n3,4\n", VALUES, "line 1: expected 2 numbers, found '1.5x,2.5x'"),
        (b"1.5x\n3\n", GREY, "line 1: expected 1 number, found '1.5x'"),
        (b"a,1\n", VALUES, "line 1: expected 2 numbers"),
        (b"a,b\n1,2\n3,nan", VALUES, "line 3: expected finite numbers; fill in missing values first, found 3, nan"),
        (b"1\n2\n9\n", GREY, "line 3: expected whole levels from 0 to 8, found 9"),
        (b"0.5\n", GREY, "line 1: expected whole levels"),
        (b"-1\n", GREY, "found -1"),
        (b"nan\n", GREY, "found nan"),
        (b"1" * (LONGEST_LINE + 1), GREY, "--binary"),
        (b"\xff\xfe\n1\n\x00\n", GREY, "line 3"),
    ],
)
def test_wrong_lines(content, spec, message):
    with pytest.raises(InputError, match=message):
        list(feed_lines(iter([content]), spec, "x"))


@pytest.mark.parametrize("channels", [(), ("left", "right")])
def test_bytes_of_another_form_are_not_printed(channels):
    """As of a WAV, a PNG or anything that is no text."""
    for content in (b"RIFF\x24\x00\x00\x00WAVE fmt\x10\x00", b"\x89PNG\r \x1a\n", b"\xff\xfe\x00 \x01\n", b"x \x80\n"):
        with pytest.raises(InputError, match=r"line [12]: expected .* found bytes that are no text"):
            list(feed_lines(iter([content, b"\x00 \x00\n"]), VALUES, "x.wav", channels))
    with pytest.raises(InputError, match=r"found 'é{20}'"):  # cut in the middle of the next
        list(feed_lines(iter(["é".encode() * 30]), VALUES, "x"))
    with pytest.raises(InputError, match=r"found 'xé{19}'"):
        list(feed_lines(iter([b"x" + "é".encode() * 30]), VALUES, "x"))


def test_a_header_is_that_of_training():
    """Channels in another order would give another answer without a word."""
    names = ("left", "right")
    for header in (b"left,right\n", b'\xef\xbb\xbf"left", right\r\n', b""):
        assert np.concatenate(list(feed_lines(iter([header + b"1,2"]), VALUES, "x", names))).tolist() == [[1, 2]]
    for header in (b"right,left", b"Left,right", b"a,b"):
        with pytest.raises(InputError, match="expected the channels left,right in the order of training"):
            list(feed_lines(iter([header + b"\n1,2"]), VALUES, "x", names))


def test_wrong_raw_numbers():
    with pytest.raises(InputError, match="step 3: expected whole levels from 0 to 8, found 9"):
        list(feed_binary(cut(b"\x00\x01\x09", 2), GREY, "x"))
    with pytest.raises(InputError, match=r"expected 8 bytes a step \(2 numbers of float32\), found 5"):
        list(feed_binary(cut(b"\x00" * 13, 4), VALUES, "x"))
    with pytest.raises(InputError, match="step 1: expected finite"):
        list(feed_binary(iter([np.array([1, np.inf], "<f4").tobytes()]), VALUES, "x"))


@pytest.mark.parametrize("size", [1, 2, 100])
def test_text_that_is_none(size):
    with pytest.raises(InputError, match=r"byte 4: expected text in UTF-8, found invalid"):
        list(feed_text(cut(b"a\xc3\xa9\xffb", size), "x"))
    with pytest.raises(InputError, match="in the middle of a character"):
        list(feed_text(cut(b"a\xc3", size), "x"))


def test_a_file_that_grows(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    additions = [b"two", b"three"]

    def more():
        if not additions:
            return False
        with path.open("ab") as end:
            end.write(additions.pop(0))
        return True

    with path.open("rb") as file:
        assert list(pieces_of(file, "a", more)) == [b"one", b"two", b"three"]


def test_a_file_that_becomes_shorter(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    with path.open("rb") as file, pytest.raises(InputError, match="shorter"):
        list(pieces_of(file, "a", lambda: path.write_bytes(b"") == 0))


def test_a_pipe_that_ends():
    assert list(pieces_of(io.BytesIO(b"abc"), "x")) == [b"abc"]


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_mark_before_lines_is_no_part_of_them(size):
    for content in (b"\xef\xbb\xbf1,2\n3,4\n", b"\xef\xbb\xbfleft,right\r\n1,2\r\n3,4"):
        found = np.concatenate(list(feed_lines(cut(content, size), VALUES, "x")))
        assert found.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("content", [b"1,3_1\n", b"1_0,2\n", "1,１\n".encode(), b"1,0x2\n"])
def test_the_grammar_of_tables(content):
    with pytest.raises(InputError, match="line 1: expected 2 numbers"):
        list(feed_lines(cut(content, 9), VALUES, "x"))


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_text_is_that_of_a_file(tmp_path, size):
    content = b"\xef\xbb\xbfa\r\nb\rc\nd\r\r\n\n\xef\xbb\xbfe\r"
    (tmp_path / "a.txt").write_bytes(content)
    as_file = (tmp_path / "a.txt").read_text(encoding="utf-8-sig")
    assert "".join(feed_text(cut(content, size), "x")) == as_file == "a\nb\nc\nd\n\n\n\ufeffe\n"


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "latin-1", "gbk", "utf-7", "utf-8-sig"])
def test_a_text_in_any_encoding(tmp_path, codec, size):
    (tmp_path / "a.txt").write_bytes(content := "à\r\nb\rcà".encode(codec))
    as_file = (tmp_path / "a.txt").read_text(encoding=codec)
    assert "".join(feed_text(cut(content, size), "x", codec)) == as_file == "à\nb\ncà"
