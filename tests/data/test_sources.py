"""Files laid by hand are used, downloads are checked; a server on 127.0.0.1 stands for the mirrors."""

import functools
import hashlib
import http.server
import threading

import pytest

from auxrnn.data.sources import RemoteFile, data_folder, fetch, file_hash
from auxrnn.errors import InputError

CONTENT = b"thirty-one bytes of sample data"
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


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
    assert everything_in(tmp_path / "data") == []


def test_wrong_size_is_rejected_and_leaves_nothing(tmp_path, server):
    address, served = server
    (served / "sample.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match="expected 31 bytes, got 30"):
        fetch(remote(address + "sample.bin"), tmp_path / "data", "set")
    assert everything_in(tmp_path / "data") == []


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
    assert everything_in(tmp_path / "data") == []


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


def test_data_folder_order(tmp_path, monkeypatch):
    monkeypatch.setenv("AUXRNN_DATA_DIR", str(tmp_path / "variable"))
    assert data_folder(tmp_path / "given") == tmp_path / "given"
    assert data_folder() == tmp_path / "variable"
    monkeypatch.setenv("AUXRNN_DATA_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "auxrnn" in str(data_folder())
    assert data_folder("~/sets") == tmp_path / "sets"


def test_file_hash_oracle(tmp_path):
    """MD5 of "abc" from RFC 1321, appendix A.5."""
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_hash(tmp_path / "abc", "md5") == "md5:900150983cd24fb0d6963f7d28e17f72"
