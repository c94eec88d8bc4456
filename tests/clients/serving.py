"""Starts `chorus serve` for tests with clients that are not ours, and ends it. Standard library only."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time


def skip(reason):
    """Ends the test as skipped: ctest knows the status."""
    print("SKIPPED:", reason)
    sys.exit(77)


class Server:
    """The program on a free port, with its log in a file. Use as a context. `ready_by`: a Unix socket
    on which it answers without TLS, if its port has that."""

    def __init__(self, program, *options, ready_by=None):
        self.log = tempfile.TemporaryFile()
        command = [program, "serve", "--port", "0", "--no-pin"]
        if "--threads" not in options:
            command += ["--threads", "1"]
        self.process = subprocess.Popen([*command, *options], stderr=self.log)
        self.port = self._wait_for_port()
        deadline = time.monotonic() + 60
        self.unix_socket = ready_by
        while self.get("/health")[0] != 200:
            if time.monotonic() > deadline:
                raise RuntimeError("the model was not loaded in time")
            time.sleep(0.05)

    def _wait_for_port(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.read_log().splitlines():
                found = re.search(r"Listening on https?://\S+:(\d+)", line)
                if found:
                    return int(found[1])
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
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        if kind is not None:
            print(self.read_log())
