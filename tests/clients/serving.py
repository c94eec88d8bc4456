"""Starts `chorus serve` for tests with clients that are not ours, and ends it. Standard library only."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def skip(reason):
    """Ends the test as skipped, which ctest knows by the status, or as failed if all tests are required."""
    if os.environ.get("CHORUS_REQUIRE_ALL") == "1":
        sys.exit("FAILED: " + reason)
    print("SKIPPED:", reason)
    sys.exit(77)


def wait_until(what, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def free_port():
    """One that the system gives to nobody who asks for any: what runs beside this test does not take it."""
    while True:
        port = random.randrange(10000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def inheriting(program, listening, *options):
    """The command that gives the server a socket as systemd does: as descriptor 3, with its own process
    id in the environment, which only a shell in between can know."""
    script = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
    return ["bash", "-c", script, str(listening.fileno()), program, "serve", *options]


def install_npm(folder, packages):
    """Installs npm's packages, each with its version, into the folder, unless they are there."""
    stamp = os.path.join(folder, "packages.json")
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if json.load(file) == packages:
                return
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            skip(f"no {program}")
    os.makedirs(folder, exist_ok=True)
    result = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, *packages],
        capture_output=True, text=True, timeout=240, check=False)
    if result.returncode != 0:
        skip(f"npm could not install {packages}: " + result.stderr.strip()[-300:])
    with open(stamp, "w", encoding="utf-8") as file:
        json.dump(packages, file)


class Server:
    """The program on a free port, with its log in a file. Use as a context. `ready_by`: a Unix socket
    on which it answers without TLS, if its port has that, or it has none. `inherited`: a socket that
    listens on `port`, which it gets as from systemd. `shared`: others listen on its port, too.
    `patience`: how often it may begin anew because the port is taken, a tenth of a second apart."""

    def __init__(self, program, *options, ready_by=None, inherited=None, port=None, shared=False,
                 patience=0, environment=None):
        self.log = tempfile.TemporaryFile()
        own = ["--no-pin"] + ([] if "--threads" in options else ["--threads", "1"])
        command = [program, "serve", *([] if "--port" in options else ["--port", "0"]), *own, *options]
        if inherited is not None:
            command = inheriting(program, inherited, *own, *options)
        self.unix_socket = ready_by
        while True:
            self.process = subprocess.Popen(
                command, stderr=self.log, pass_fds=[inherited.fileno()] if inherited else [],
                env={**os.environ, **(environment or {})})
            try:
                self.port = port if inherited else self._wait_for_port()
                break
            except RuntimeError:
                if patience == 0:
                    raise
                patience -= 1
                time.sleep(0.1)
        try:
            self._wait_for_model(shared)
        except BaseException:
            self.kill()
            raise

    def _wait_for_model(self, shared):
        deadline = time.monotonic() + 120
        while True:
            # Of a shared port whoever answers may be another.
            is_ready = ("are ready: listening" in self.read_log() if shared
                        else self.get("/health")[0] == 200)
            if is_ready:
                return
            if time.monotonic() > deadline:
                raise RuntimeError("the model was not loaded in time")
            time.sleep(0.02)

    def _wait_for_port(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.read_log().splitlines():
                found = re.search(r"Listening on https?://\S+:(\d+)", line)
                if found:
                    return int(found[1])
                if line.startswith(f"Listening on {self.unix_socket}"):
                    return 0
            time.sleep(0.05)
        raise RuntimeError("the server did not start: " + self.read_log())

    def read_log(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode()

    def connect(self, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if self.unix_socket is not None:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(timeout)
            connection.sock.connect(self.unix_socket)
        return connection

    def get(self, target, timeout=30):
        connection = self.connect(timeout)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def post(self, target, body, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("POST", target, json.dumps(body),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        if kind is not None:
            print(self.read_log())
