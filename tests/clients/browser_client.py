"""The unmodified openai package in a page of another origin, in headless Chromium, against
`chorus serve`: browser_client.py PROGRAM FOLDER. The page sends what came of it back to the server that it
is from. Skipped without Chromium, npm or a registry."""

import http.server
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading

from serving import Server, install_npm, skip

HERE = os.path.dirname(os.path.abspath(__file__))
results = queue.Queue()


class Pages(http.server.BaseHTTPRequestHandler):
    """The page, and the package's modules."""

    folder = ""

    def do_GET(self):  # noqa: N802, the base class's name
        path = self.path.split("?")[0]
        place = os.path.join(HERE, "browser_client.html") if path == "/" else os.path.join(
            self.folder, "node_modules", path.lstrip("/"))
        if not os.path.isfile(place):
            self.send_error(404)
            return
        with open(place, "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if path == "/" else "text/javascript")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        results.put(json.loads(body))

    def log_message(self, *_):
        pass


def browse(chromium, url):
    """What the page has sent."""
    with tempfile.TemporaryDirectory() as profile:
        browser = subprocess.Popen(
            [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--no-proxy-server", "--remote-debugging-port=0",
             f"--user-data-dir={profile}", url],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            return results.get(timeout=90)
        except queue.Empty:
            browser.terminate()
            raise AssertionError("no result: " + browser.stderr.read().decode()[-2000:]) from None
        finally:
            browser.terminate()
            try:
                browser.wait(20)
            except subprocess.TimeoutExpired:
                browser.kill()
                browser.wait()


def main(program, folder):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        skip("no Chromium")
    install_npm(folder, ["openai@4.104.0"])
    Pages.folder = folder
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{pages.server_port}"
    with Server(program, "--chat-template", "plain", "--cors-origin", origin) as server, \
            Server(program) as other:
        result = browse(chromium, f"{origin}/?server=http://127.0.0.1:{server.port}"
                                  f"&other=http://127.0.0.1:{other.port}")
        status, direct = server.post("/v1/completions", {
            "prompt": "Once upon a time", "max_tokens": 20, "seed": 42})
    pages.shutdown()
    assert status == 200
    text = direct["choices"][0]["text"]
    assert result["whole"] == text, result
    assert result["stream"] == text, result
    assert result["chat"] == text, result
    assert result["missing"]["status"] == 404 and "embeddings" in result["missing"]["error"], result
    origins = result["origins"]
    assert origins["status"] == 200 and origins["text"].startswith("Once upon a time"), origins
    for name in ("x-max-length", "x-seed", "x-model-name", "x-model-device", "x-request-id"):
        assert name in origins["headers"], origins
    assert origins["headers"]["x-model-requested"] == "gpt2", origins
    # Without --cors-origin the page learns nothing.
    assert isinstance(result["refused"], dict) and result["refused"]["status"] is None, result
    print("openai works in a page")


main(*sys.argv[1:])
