"""Where data lie by default, and what a file's hash is."""

from auxrnn.sources.presets import data_folder, file_hash


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
