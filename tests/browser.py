"""Pages in headless Chromium, where it is at hand."""

import http.server
import json
import shutil
import subprocess
import threading
from functools import partial

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--no-first-run", "--no-proxy-server", "--remote-debugging-port=0"]
FLAGS += [f"--disable-{name}" for name in ("gpu", "quic", "background-networking", "component-update", "sync")]


class Server(http.server.ThreadingHTTPServer):
    """Files of a folder, and what a page in it said by POST."""

    def __init__(self, folder):
        self.said, self.asked, self.found = threading.Event(), [], None
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_POST(self):
                outer.found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                outer.said.set()

            def log_message(self, *_):
                outer.asked.append(self.path)

        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))


def in_browser(folder, script):
    """What a page beside the files of a folder says by `fetch("/found", {method: "POST", body: ...})`; it is JSON.

    script: the whole page, which may show others in a frame.
    """
    (folder / "driver.html").write_text(script)
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/driver.html"
        command = [BROWSER, *FLAGS, f"--user-data-dir={folder.parent / 'profile'}", url]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            try:
                assert server.said.wait(300), f"the page said nothing; it asked for {server.asked}"
            finally:
                browser.terminate()
                server.shutdown()
                thread.join()
        return server.found


def dumped(url, profile, seconds=3):
    """The document that a page is after so many seconds of its own time, and what it said on its console."""
    command = [
        BROWSER,
        *(flag for flag in FLAGS if "port" not in flag),
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
    ]
    command += [f"--virtual-time-budget={1000 * seconds}", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


WIDE = """<!doctype html><script type="module">
const found = {};
for (const width of [390, 1280]) {
  const frame = document.createElement("iframe");
  frame.width = width;
  frame.height = 800;
  frame.src = "NAME";
  document.body.append(frame);
  await new Promise((resolve) => { frame.onload = resolve; });
  const whole = frame.contentDocument.documentElement;
  const cut = [...whole.querySelectorAll("p, h1, h2, figure, pre, .box, nav")]
    .filter((one) => one.getBoundingClientRect().right > width + 1).map((one) => one.outerHTML.slice(0, 90));
  found[width] = [whole.scrollWidth, whole.clientWidth, cut, whole.querySelectorAll("figure svg").length];
}
await fetch("/found", { method: "POST", body: JSON.stringify(found) });
</script>"""


def assert_fits(folder, name):
    """The page of that name in a folder is no wider than a telephone, nor than a screen, and nothing sticks out."""
    found = in_browser(folder, WIDE.replace("NAME", name))
    for width, (wanted, there, cut, figures) in found.items():
        assert wanted <= there <= int(width), (width, wanted)
        assert not cut, (width, cut)
        assert figures
