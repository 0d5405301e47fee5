"""A small hub on this machine: the answers of the real one's HTTP interface that `huggingface_hub` asks for."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization")))
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts == ["api", "validate-yaml"]:
            return self._send({"errors": [], "warnings": []})
        if parts == ["api", "repos", "create"]:
            wanted = json.loads(body)
            if wanted.get("organization") == "others":
                return self._send({"error": "You may not write there"}, 403)
            name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
            self.server.private[name] = wanted.get("private") or wanted.get("visibility") == "private"
            self.server.models.setdefault(name, {})
            return self._send({"url": f"{self.server.address}/{name}", "name": name})
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        files = self.server.models.get(name)
        if files is None:
            return self._send({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        sha = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        if parts[4:5] == ["preupload"]:
            paths = [file["path"] for file in json.loads(body)["files"]]
            return self._send(
                {"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]}
            )
        if parts[4:5] == ["commit"]:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return self._send({"commitUrl": f"{self.server.address}/{name}/commit/{sha}", "commitOid": sha})
        if parts[4:5] == ["revision"]:
            return self._send({"id": name, "sha": sha, "siblings": [{"rfilename": path} for path in files]})
        if parts[4:5] == ["tree"]:
            return self._send(
                [
                    {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for path, content in files.items()
                ]
            )
        if parts[2:3] == ["resolve"] and "/".join(parts[4:]) in files:
            content = files["/".join(parts[4:])]
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": sha}
            return self._send(content, headers=headers)
        return self._send({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})

    do_GET = do_HEAD = do_POST = _answer  # noqa: N815 (names of http.server)

    def _send(self, content, code=200, headers=()):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for key, value in {**dict(headers), "Content-Length": len(content)}.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *given):
        pass


@contextmanager
def local_hub():
    """A hub with `models` (name -> path -> bytes), `private` (name -> bool), `asked` and its `address`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.models, server.private, server.asked = {}, {}, []
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
