"""Files laid by hand are used, downloads are checked; a server on 127.0.0.1 stands for the mirrors."""

import functools
import hashlib
import http.server
import threading

import pytest

from auxrnn.errors import InputError
from auxrnn.sources import downloads
from auxrnn.sources.downloads import fetch
from auxrnn.sources.presets import RemoteFile

CONTENT = b"thirty-one bytes of sample data"
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class _Cutting(http.server.BaseHTTPRequestHandler):
    """Sends CONTENT, each time at most `most` bytes of what was asked for, and closes the connection then."""

    most, ranges, content, asked = 10, True, CONTENT, []

    def log_message(self, *_):
        pass

    def do_GET(self):
        start = 0
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        self.wfile.write(self.content[start : start + self.most])


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves `tmp_path/served` and gives its address and that folder."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()
        thread.join()


@pytest.fixture
def cutting(monkeypatch):
    """The class of a server that cuts every connection, and its address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "CHUNK", 5)
    handler = type("Handler", (_Cutting,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_port}/x"
        server.shutdown()
        thread.join()


def remote(*urls, known_hash=MD5):
    return RemoteFile("sample.bin", known_hash, len(CONTENT), urls)


def everything_in(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_downloads_and_keeps(tmp_path, server):
    address, served = server
    (served / "sample.bin").write_bytes(CONTENT)
    file = remote(address + "sample.bin")
    path = fetch(file, tmp_path / "data", "set")
    assert path == tmp_path / "data" / "set" / "sample.bin"
    assert path.read_bytes() == CONTENT
    assert everything_in(tmp_path / "data") == ["sample.bin"]
    (served / "sample.bin").unlink()
    assert fetch(file, tmp_path / "data", "set") == path  # the second time nothing is asked for


def test_sha256_is_checked_too(tmp_path, server):
    address, served = server
    (served / "sample.bin").write_bytes(CONTENT)
    known_hash = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
    assert fetch(remote(address + "sample.bin", known_hash=known_hash), tmp_path / "data", "set").is_file()


def test_wrong_hash_is_rejected_and_leaves_nothing(tmp_path, server):
    address, served = server
    (served / "sample.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(InputError, match=f"expected {MD5}, got md5:"):
        fetch(remote(address + "sample.bin"), tmp_path / "data", "set")
    assert not (tmp_path / "data").exists()


def test_wrong_size_is_rejected_and_leaves_nothing(tmp_path, server):
    address, served = server
    (served / "sample.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match="expected 31 bytes, got 30"):
        fetch(remote(address + "sample.bin"), tmp_path / "data", "set")
    assert not (tmp_path / "data").exists()


def test_the_second_mirror_is_used(tmp_path, server):
    address, served = server
    (served / "wrong.bin").write_bytes(b"not it")
    (served / "sample.bin").write_bytes(CONTENT)
    file = remote(address + "none.bin", address + "wrong.bin", address + "sample.bin")
    assert fetch(file, tmp_path / "data", "set").read_bytes() == CONTENT
    assert everything_in(tmp_path / "data") == ["sample.bin"]


def test_no_network_names_file_folder_and_addresses(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    file = remote("http://127.0.0.1:9/one", "http://127.0.0.1:9/two")  # port 9: nobody answers
    with pytest.raises(InputError) as raised:
        fetch(file, tmp_path / "data", "set")
    message = str(raised.value)
    for part in ("sample.bin", str(tmp_path / "data" / "set"), *file.urls, "AUXRNN_DATA_DIR", "ConnectionError"):
        assert part in message
    assert not (tmp_path / "data").exists()


def test_without_download_nothing_is_asked_for_or_made(tmp_path):
    with pytest.raises(InputError, match=r"sample\.bin.* switched off.*http://never"):
        fetch(remote("http://never.invalid/x"), tmp_path / "data", "set", download=False)
    assert not (tmp_path / "data").exists()


def test_a_file_laid_by_hand_is_used_as_it_is(tmp_path):
    path = tmp_path / "set" / "sample.bin"
    path.parent.mkdir()
    path.write_bytes(b"something else")
    assert fetch(remote("http://never.invalid/x"), tmp_path, "set") == path
    assert path.read_bytes() == b"something else"


def test_a_folder_in_the_files_place_is_an_error(tmp_path):
    (tmp_path / "set" / "sample.bin").mkdir(parents=True)
    with pytest.raises(InputError, match="expected a file, found something else"):
        fetch(remote("http://never.invalid/x"), tmp_path, "set")


def part_of(folder, content):
    folder.mkdir(parents=True)
    part = folder / f".sample.bin.{MD5.removeprefix('md5:')[:12]}.part"
    part.write_bytes(content)
    return part


def test_a_cut_connection_goes_on_where_it_stopped(tmp_path, cutting):
    handler, address = cutting
    assert fetch(remote(address), tmp_path / "data", "set").read_bytes() == CONTENT
    assert handler.asked == [None, "bytes=10-", "bytes=20-", "bytes=30-"]
    assert everything_in(tmp_path / "data") == ["sample.bin"]


def test_a_part_from_an_earlier_time_is_gone_on_with(tmp_path, cutting):
    handler, address = cutting
    part_of(tmp_path / "set", CONTENT[:25])
    assert fetch(remote(address), tmp_path, "set").read_bytes() == CONTENT
    assert handler.asked == ["bytes=25-"]


def test_without_progress_the_part_is_kept_for_another_time(tmp_path, cutting):
    handler, address = cutting
    part = part_of(tmp_path / "set", CONTENT[:25])
    handler.most = 0
    with pytest.raises(InputError, match="no address gave it"):
        fetch(remote(address), tmp_path, "set")
    assert part.read_bytes() == CONTENT[:25]


def test_a_server_that_cannot_go_on_starts_over(tmp_path, cutting):
    handler, address = cutting
    part_of(tmp_path / "set", CONTENT[:25])
    handler.ranges, handler.most = False, 100
    assert fetch(remote(address), tmp_path, "set").read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"wrong bytes", b"far too many bytes to be the beginning of it"])
def test_a_wrong_part_is_thrown_away_and_begun_again(tmp_path, cutting, left):
    handler, address = cutting
    handler.most = 100
    part_of(tmp_path / "set", left)
    assert fetch(remote(address), tmp_path, "set").read_bytes() == CONTENT
    assert handler.asked[-1] is None
    assert everything_in(tmp_path) == ["sample.bin"]


def test_a_whole_part_needs_no_network(tmp_path):
    part_of(tmp_path / "set", CONTENT)
    assert fetch(remote("http://never.invalid/x"), tmp_path, "set").read_bytes() == CONTENT


def test_an_answer_without_end_is_cut(tmp_path, server):
    address, served = server
    (served / "sample.bin").write_bytes(CONTENT * 10)
    with pytest.raises(InputError, match="expected 31 bytes, got more"):
        fetch(remote(address + "sample.bin"), tmp_path / "data", "set")
    assert not (tmp_path / "data").exists()


def test_one_short_line_an_address(tmp_path, server, caplog):
    address, served = server
    (served / "sample.bin").write_bytes(CONTENT)
    with caplog.at_level("INFO", logger=downloads.__name__):
        fetch(remote(address + "none.bin", address + "sample.bin"), tmp_path / "data", "set")
    said = [record.getMessage() for record in caplog.records]
    assert [line.startswith("Downloading sample.bin (0.0 MB) from http") for line in said] == [True, False, True]
    assert "404" in said[1]


def test_a_folder_without_the_right_to_write(tmp_path):
    (tmp_path / "set").write_text("a file")
    with pytest.raises(InputError, match="a folder that can be written to"):
        fetch(remote("http://never.invalid/x"), tmp_path, "set")
