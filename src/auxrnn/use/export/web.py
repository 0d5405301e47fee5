"""A folder with a page that runs a model in the browser: the ONNX file, the page, and ONNX Runtime Web beside them.

The runtime is one version, whose files are known by their SHA-256. The page asks no other server for anything.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.reader import Schema
from auxrnn.storage.files import Write
from auxrnn.storage.folders import write_folder
from auxrnn.storage.numbers import MISSING_WORDS
from auxrnn.use.card import described
from auxrnn.use.export.files import Exported, OnnxFile, checked_onnx
from auxrnn.use.persistence import SavedModel
from auxrnn.verdict.judge import told_of

PACKAGE, VERSION = "onnxruntime-web", "1.20.1"
RUNTIME = {
    "ort.wasm.min.mjs": "f53ed4792e758e7232f779d479eb8931b97ff3ab2e3b9a33ee00d1251ffdaad6",
    "ort-wasm-simd-threaded.mjs": "745eb7c0ce6f18a6aa521971b2877babc7ffb27eecb58ab3bc6e5ef4692672e8",
    "ort-wasm-simd-threaded.wasm": "207d02be4591c156b0a98f024f3d58005b5b04c92274d759fb390338c63559ea",
}
"""The files of the package's `dist` that the page needs, each with its SHA-256."""

LARGEST = 2**25  # bytes of one of them
NPM_SECONDS = 300
PAGE = ("index.html", "page.mjs", "style.css")


def export_web(
    saved: SavedModel, folder: Path, runtime: Path | None = None, source: tuple[Schema, ReadingOptions] | None = None
) -> Exported:
    """Write a folder that runs the model in a browser: `index.html`, the model, and the runtime, all at once.

    Parameters
    ----------
    saved : SavedModel
        As for `export_model`, which makes and checks the ONNX file.
    folder : Path
        Made where it is missing; an older export in it is replaced.
    runtime : Path, optional
        The npm package `onnxruntime-web`, unpacked or as its .tgz; npm fetches it where none is given.
    source : tuple of Schema and ReadingOptions, optional
        How the training files were read, so that the page reads others alike.

    Returns
    -------
    Exported
        The files and the largest difference of the ONNX file from the model.

    Raises
    ------
    InputError
        As of `export_model`, and where the runtime is missing or another.
    """
    parts = read_runtime(runtime) if runtime is not None else fetch_runtime()
    made = checked_onnx(saved, folder)
    texts = {name: (Path(__file__).parent / "web" / name).read_text(encoding="utf-8") for name in PAGE}
    texts["model.json"] = json.dumps(page_notes(saved, made, source))
    texts["README.md"] = _readme(saved, made)
    content = {name: text.encode() for name, text in texts.items()} | {"model.onnx": made.content} | parts

    def written(part: bytes) -> Write:
        return lambda aside: aside.write_bytes(part)

    write_folder(folder, {name: written(part) for name, part in content.items()})
    return Exported(folder / "model.onnx", tuple(folder / name for name in content), made.difference)


def page_notes(saved: SavedModel, made: OnnxFile, source: tuple[Schema, ReadingOptions] | None) -> dict[str, Any]:
    """What the page must know: the notes of the ONNX file, and how files are read."""
    schema, options = source or (None, ReadingOptions())
    columns = {} if schema is None else dict(schema.columns)
    names = options.with_columns(columns).feature_names
    if not names:
        names = saved.preprocessing.channel_names if saved.preprocessing is not None else ()
    encoding = codecs.lookup(options.encoding).name
    summary, findings = told_of(saved.facts.get("verdict"))
    return {
        **made.about,
        "network": described(saved.config, saved.target),
        "answers": saved.target.described(),
        "stride": made.served.stride if made.served.state else 1,
        "rate": None if schema is None else schema.rate,
        "encoding": encoding.replace("utf-16-", "utf-16"),
        "table": {
            "rows": columns.get("rows", ""),
            "features": list(names),
            "id": columns.get("id") or None,
            "time": columns.get("time") or None,
            "delimiter": options.delimiter,
            "decimal": options.decimal,
            "skip": options.skip,
            "missing": options.missing,
            "missing_words": sorted(MISSING_WORDS),
        },
        "verdict": [line for line in (summary, *(words for words, _ in findings)) if line],
    }


def fetch_runtime() -> dict[str, bytes]:
    """The runtime's files by npm, from the registry that it is set to; InputError where that fails."""
    npm = shutil.which("npm")
    how = f"get it with: npm pack {PACKAGE}@{VERSION}, and name the file: --runtime {PACKAGE}-{VERSION}.tgz"
    if npm is None:
        raise InputError(
            f"Expected --runtime, the npm package {PACKAGE} {VERSION}, got none, and npm is not here; {how}"
        )
    with tempfile.TemporaryDirectory() as place:
        try:
            command = [npm, "pack", "--silent", "--ignore-scripts", f"{PACKAGE}@{VERSION}", "--pack-destination", place]
            subprocess.run(command, cwd=place, capture_output=True, timeout=NPM_SECONDS, check=True)
            (found,) = Path(place).glob("*.tgz")
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise InputError(f"Expected npm to fetch {PACKAGE} {VERSION}, it could not: {how}") from error
        return read_runtime(found)


def read_runtime(path: Path) -> dict[str, bytes]:
    """The runtime's files from the npm package, a folder or its .tgz; InputError for a missing or another one."""
    if not path.exists():
        raise InputError(f"{path}: expected the npm package {PACKAGE} {VERSION}, found nothing.")
    found = _from_folder(path) if path.is_dir() else _from_archive(path)
    for name, digest in RUNTIME.items():
        if name not in found:
            raise InputError(f"{path}: expected dist/{name} of {PACKAGE} {VERSION}, found none.")
        if hashlib.sha256(found[name]).hexdigest() != digest:
            raise InputError(
                f"{path}: expected dist/{name} of {PACKAGE} {VERSION}, found another file of that name; nothing was "
                f"written. Get that version with: npm pack {PACKAGE}@{VERSION}"
            )
    return {name: found[name] for name in RUNTIME}


def _from_folder(folder: Path) -> Mapping[str, bytes]:
    places = [folder, folder / "dist", folder / "package" / "dist"]
    return {name: (place / name).read_bytes() for name in RUNTIME for place in places if (place / name).is_file()}


def _from_archive(path: Path) -> Mapping[str, bytes]:
    wanted = {f"package/dist/{name}": name for name in RUNTIME}
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.isfile() and member.name in wanted and member.size <= LARGEST:
                    file = archive.extractfile(member)
                    assert file is not None
                    found[wanted[member.name]] = file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{path}: expected the npm package {PACKAGE} as a .tgz, found: {error}.") from error
    return found


def _readme(saved: SavedModel, made: OnnxFile) -> str:
    return f"""# A model in the browser

{described(saved.config, saved.target)}. `index.html` runs it, in any browser of today, without a network:
`model.onnx` is the model, `model.json` says how input is read, and {", ".join(f"`{name}`" for name in RUNTIME)}
are ONNX Runtime Web {VERSION} (Microsoft, MIT licence). Browsers open it from a server alone, also one on this machine:

    python -m http.server --bind 127.0.0.1 --directory .

`index.html#file=NAME` reads a file that lies beside the page.

The model file was compared with the model on random input: the largest difference is {made.difference:.2g}.
"""
