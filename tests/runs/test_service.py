"""The service says what `predict` and `stream` say, holds what it may, and refuses the rest in one sentence."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from http.client import HTTPConnection

import numpy as np
import pytest
import torch
from starlette.requests import Request
from starlette.testclient import TestClient

from auxrnn.cli import main
from auxrnn.config import ModelConfig, TransformerConfig
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.errors import InputError
from auxrnn.runs import http, service
from auxrnn.runs.http import build_app, serve_model
from auxrnn.runs.service import Limits, RefusalError, Service
from auxrnn.runs.use import predict_file
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.targets import ClassesTarget, ClassTarget, TagsTarget, ValueTarget
from auxrnn.use.persistence import SavedModel, save_model
from auxrnn.use.streaming import Stream

MODEL = ModelConfig(model="r-lstm", hidden_size=5, projection_size=4, segment_length=3, bptt=3)
TOKENS = {"stem": "conv", "stride": 4, "kernel": 3, "readout": "stats-max"}
VALUES = Preprocessing("values", 2, mean=(50.0, 0.0), scale=(10.0, 1.0))
TEXT = Preprocessing("characters", characters="abé")
GREY = InputSpec("pixels", 1, levels=9)
TARGETS = {
    "class": ClassTarget(("a", "b", "c")),
    "classes": ClassesTarget(("a", "b")),
    "value": ValueTarget(("x", "y"), (1e4, -3.0), (250.0, 0.01)),
    "tags": TagsTarget(("u", "v")),
}


def saved_model(preprocessing=VALUES, target="class", spec=GREY, **changes):
    spec = preprocessing.spec if preprocessing else spec
    config = replace(MODEL, **changes)
    torch.manual_seed(0)
    network = build_model(config, spec, TARGETS[target])
    return SavedModel(network, config, spec, TARGETS[target].names, preprocessing=preprocessing)


def client(saved, limits=None, **options):
    app = build_app(Service(saved, limits, **options))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def measured(steps=60):
    return np.random.default_rng(0).normal((50, 0), (10, 1), (steps, 2)).round(4)


def said(folder, saved, steps):
    """What `predict` says of one sequence, as JSON lines have it."""
    save_model(folder, saved)
    np.save(folder / "a.npy", steps[None])
    found = [answer.entry for answer in predict_file(folder, folder / "a.npy")]
    for entry in found:
        del entry["name"]
    return {"steps": len(steps), **({"answers": found} if saved.target.per_step else found[0])}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("config", [{}, TOKENS], ids=["steps", "tokens"])
def test_whole_sequences_as_predict_has_them(tmp_path, target, config):
    config = {**config, "stride": 1, "readout": "last"} if config and target == "tags" else config
    saved, steps = saved_model(target=target, **config), measured()
    answer = client(saved).post("/predict", json={"sequence": steps.tolist()})
    assert answer.status_code == 200
    assert answer.json() == said(tmp_path, saved, steps)


def test_texts_and_pixels_as_predict_has_them(tmp_path):
    saved = saved_model(TEXT, **TOKENS)
    save_model(tmp_path, saved)
    (tmp_path / "a.txt").write_text("abé?ab", encoding="utf-8")
    (wanted,) = predict_file(tmp_path, tmp_path / "a.txt")
    answer = client(saved).post("/predict", json={"sequence": "abé?ab"}).json()
    assert answer["probabilities"] == wanted.entry["probabilities"]
    pixels = np.random.default_rng(0).integers(0, 9, (6, 1)).astype(np.uint8)
    order = (5, 0, 4, 1, 3, 2)
    saved = replace(saved_model(None), pixel_order=order)
    ask = client(saved)
    assert ask.post("/predict", json={"sequence": pixels[:, 0].tolist()}).json() == said(tmp_path, saved, pixels)
    assert "expected 6 steps, got 5" in ask.post("/predict", json={"sequence": [1] * 5}).json()["error"]
    assert "one of whole images" in ask.post("/streams", json={}).json()["error"]


@pytest.mark.parametrize("target", TARGETS)
def test_interleaved_streams_are_streams_of_their_own(target):
    saved = saved_model(target=target, **({} if target == "tags" else TOKENS))
    ask, draw = client(saved), np.random.default_rng(1)
    steps = {f"s{number}": measured() + number for number in range(5)}
    alone = {name: Stream(saved.network) for name in steps}
    read = dict.fromkeys(steps, 0)
    for name in steps:
        assert ask.post("/streams", json={"id": name}).status_code == 201
    while any(read[name] < 60 for name in steps):
        name = draw.choice([name for name in steps if read[name] < 60])
        size = int(draw.integers(1, 9))
        chunk = steps[name][read[name] : read[name] + size]
        found = ask.post(f"/streams/{name}", json={"chunk": chunk.tolist()}).json()
        read[name] += len(chunk)
        shares = alone[name].push(VALUES.sequence(chunk, "")[None])[0].double()
        if target == "tags":
            entries = [saved.target.entry(row, 8) for row in shares.tolist()]
            first = read[name] - len(chunk) + 1
            assert found["answers"] == [{"step": first + at, **entry} for at, entry in enumerate(entries)]
        else:
            assert found == {"id": name, "steps": read[name], **saved.target.entry(shares.tolist(), 8)}
            assert ask.get(f"/streams/{name}").json() == found
    assert ask.get("/health").json()["streams"] == 5
    for name in steps:
        assert ask.delete(f"/streams/{name}").json() == {"id": name, "steps": 60}
        assert ask.get(f"/streams/{name}").status_code == 404
    assert ask.get("/").json()["streams"] == 0


def test_a_stream_before_its_first_step_and_after_a_wrong_chunk():
    ask = client(saved_model())
    name = ask.post("/streams", json={}).json()["id"]
    assert ask.get(f"/streams/{name}").json() == {"id": name, "steps": 0}
    first = ask.post(f"/streams/{name}", json={"chunk": [[50, 1]]}).json()
    assert ask.post(f"/streams/{name}", json={"chunk": [[1, 2, 3]]}).status_code == 400
    assert ask.get(f"/streams/{name}").json() == first


def test_no_more_streams_than_there_may_be_and_idle_ones_end():
    now = [0.0]
    ask = client(saved_model(), Limits(streams=2, idle=10), clock=lambda: now[0])
    assert [ask.post("/streams", json={"id": name}).status_code for name in "aabc"] == [201, 409, 201, 429]
    now[0] = 8
    assert ask.post("/streams/a", json={"chunk": [[1, 2]]}).status_code == 200
    now[0] = 11
    assert ask.get("/streams/b").status_code == 404  # nobody asked about it
    assert ask.get("/streams/a").status_code == 200
    assert ask.post("/streams", json={"id": "c"}).status_code == 201


def test_a_transformer_reads_whole_sequences_alone():
    tiny = TransformerConfig(layers=1, width=8, heads=2, feed_forward=8)
    ask = client(saved_model(model="transformer", transformer=tiny))
    assert ask.post("/predict", json={"sequence": measured(9).tolist()}).status_code == 200
    answer = ask.post("/streams", json={})
    assert answer.status_code == 400
    assert "which reads whole sequences" in answer.json()["error"]
    assert ask.get("/health").json()["most_streams"] == 0


HOSTILE = {
    "no JSON": (b"{", 400, "Expected JSON"),
    "bytes": (b"\xff\xfe\x00", 400, "Expected JSON"),
    "nothing": (b"", 400, "Expected JSON"),
    "NaN": (b'{"sequence": [[NaN, 1]]}', 400, "NaN is no number"),
    "infinity": (b'{"sequence": [[-Infinity, 1]]}', 400, "-Infinity is no number"),
    "beyond float64": (b'{"sequence": [[1e999, 1]]}', 400, "expected finite numbers"),
    "beyond float32": (b'{"sequence": [[1e300, 1]]}', 400, "expected finite values"),
    "beyond int64": (b'{"sequence": [[' + b"9" * 400 + b", 1]]}", 400, "sequence"),
    "thousands of digits": (b'{"sequence": [[' + b"9" * 5000 + b", 1]]}", 400, "Expected JSON"),
    "null": (b'{"sequence": [[null, 1]]}', 400, "sequence"),
    "a deep nest": (b'{"sequence": ' + b"[" * 100_000, 400, "Expected JSON"),
    "a deep nest that is whole": (b'{"sequence": ' + b"[" * 900 + b"]" * 900 + b"}", 400, "sequence"),
    "ragged": (b'{"sequence": [[1, 2], [3]]}', 400, "sequence"),
    "mixed": (b'{"sequence": [[1, 2], 3]}', 400, "sequence"),
    "channels": (b'{"sequence": [[1, 2, 3]]}', 400, "expected 2 channels"),
    "one channel": (b'{"sequence": [1, 2, 3]}', 400, "expected 2 channels"),
    "words": (b'{"sequence": [["1", "2"]]}', 400, "expected"),
    "objects": (b'{"sequence": [{"a": 1}]}', 400, "sequence"),
    "a text": (b'{"sequence": "abc"}', 400, "expected numbers as in training, got texts"),
    "no steps": (b'{"sequence": []}', 400, "at least one step"),
    "empty steps": (b'{"sequence": [[], []]}', 400, "sequence"),
    "a number": (b'{"sequence": 7}', 400, "expected a list of steps"),
    "a list": (b"[1, 2]", 400, "Expected a JSON object"),
    "another entry": (b'{"sequences": [[1, 2]]}', 400, 'the one entry "sequence"'),
    "one entry too many": (b'{"sequence": [[1, 2]], "x": 1}', 400, 'the one entry "sequence"'),
    "too large": (b'{"sequence": [' + b"[1, 2], " * 500_000, 413, "at most 1,048,576 bytes"),
}


@pytest.fixture(scope="module")
def one():
    return client(saved_model(), Limits(body=2**20))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_are_refused_in_one_sentence(one, name):
    body, status, words = HOSTILE[name]
    answer = one.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert_refused(answer, status, words)
    assert one.post("/predict", json={"sequence": [[50, 1]]}).status_code == 200


def assert_refused(answer, status, words):
    assert answer.status_code == status, answer.text
    (error,) = answer.json().values()
    assert words in error
    assert "\n" not in error
    assert len(error) < 400


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("GET", "/predict", None, 405, "Method Not Allowed"),
        ("PUT", "/streams/a", {"chunk": [[1, 2]]}, 405, "Method Not Allowed"),
        ("GET", "/nowhere", None, 404, "Not Found"),
        ("GET", "/streams/none", None, 404, "of which there is none"),
        ("DELETE", "/streams/none", None, 404, "of which there is none"),
        ("POST", "/streams/none", {"chunk": [[1, 2]]}, 404, "of which there is none"),
        ("POST", "/streams", {"id": "../x"}, 400, "id: expected 1 to 64 letters"),
        ("POST", "/streams", {"id": "x" * 65}, 400, "id: expected 1 to 64 letters"),
        ("POST", "/streams", {"id": 7}, 400, "id: expected 1 to 64 letters"),
        ("POST", "/streams", {"name": "x"}, 400, 'the one entry "id"'),
    ],
)
def test_wrong_requests_are_refused_in_one_sentence(one, method, path, content, status, words):
    assert_refused(one.request(method, path, json=content), status, words)


def test_what_a_foreign_page_may_send_is_refused(one):
    answer = one.post("/predict", content=b'{"sequence": [[50, 1]]}', headers={"Content-Type": "text/plain"})
    assert_refused(answer, 415, "Content-Type application/json")
    trusting = TestClient(build_app(Service(saved_model()), trusted="127.0.0.1"), base_url="http://127.0.0.1:8000")
    assert trusting.get("/health").status_code == 200
    assert trusting.get("/health", headers={"Host": "elsewhere.example"}).status_code == 400


def test_what_fails_inside_is_told_and_the_service_lives(monkeypatch):
    ask = client(saved_model())
    monkeypatch.setattr(service, "answer_each", lambda *_: 1 / 0)
    assert_refused(ask.post("/predict", json={"sequence": [[50, 1]]}), 500, "its log says why")
    monkeypatch.setattr(service, "answer_each", lambda *_: bytearray(2**62))
    assert_refused(ask.post("/predict", json={"sequence": [[50, 1]]}), 503, "memory does not suffice")
    assert ask.get("/health").status_code == 200


def test_a_body_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(http, "BODY_SECONDS", 0.01)
    scope = {"type": "http", "headers": [(b"content-type", b"application/json; charset=utf-8")]}

    async def never():
        await asyncio.sleep(60)

    with pytest.raises(RefusalError, match=r"within 0\.01 s") as refused:
        asyncio.run(http._body(Request(scope, never), 100))
    assert refused.value.status == 408


def test_a_web_export_is_shown(tmp_path):
    (tmp_path / "index.html").write_text("the page")
    (tmp_path / "page.mjs").write_text("1")
    ask = TestClient(build_app(Service(saved_model()), tmp_path))
    assert ask.get("/").text == "the page"
    assert "javascript" in ask.get("/page.mjs").headers["content-type"]
    assert ask.get("/health").json()["status"] == "ok"
    assert_refused(ask.get("/../secret"), 404, "Not Found")


def test_addresses(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(http.uvicorn.Server, "run", lambda self, sockets: told.append("ran"))
    model = Service(saved_model())
    serve_model(model, "127.0.0.1", 0, say=told.append)
    assert re.fullmatch(r"Listening   http://127.0.0.1:\d+", told[0])
    assert told[1:] == ["ran"]
    told.clear()
    serve_model(model, "0.0.0.0", 0, say=told.append)
    assert "no authentication: whoever reaches 0.0.0.0" in told[0]
    with pytest.raises(InputError, match="expected an address of this machine that is free"):
        serve_model(model, "192.0.2.1", 0, say=told.append)


def test_bad_use(tmp_path, monkeypatch, capsys):
    assert main(["serve", str(tmp_path)]) == 2
    assert "expected a run folder or a model folder" in capsys.readouterr().err
    monkeypatch.setattr(service, "find_spec", lambda name: None)
    assert main(["serve", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "auxrnn: Expected starlette, uvicorn for a service, found none; install with: pip install 'auxrnn[serve]'\n"
    )
    with pytest.raises(SystemExit) as ended:
        main(["serve", str(tmp_path), "--port", "65536"])
    assert ended.value.code == 2


SERVE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
runpy.run_module("auxrnn", run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(tmp_path, number):
    save_model(tmp_path, saved_model())
    command = [sys.executable, "-c", SERVE, "serve", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps({"sequence": [[50, 1], [51, 0]]})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        assert json.loads(connection.getresponse().read())["class"] in "abc"
        connection.close()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == "auxrnn: interrupted\n"
