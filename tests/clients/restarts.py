"""Restarts that lose no request, with real processes: restarts.py PROGRAM FOLDER. A new server beside
the old one (--reuse-port), a drain that lets go of its port at once, sockets that systemd holds."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading

from serving import Server, free_port, inheriting, skip, wait_until


class Standing:
    """Readers of a port, each request on a connection of its own or (keep_alive) on one until it is
    closed; what they get and what they lose."""

    def __init__(self, port, readers, keep_alive):
        self.port, self.keep_alive, self.going = port, keep_alive, True
        self.texts, self.lost, self.count = {}, [], 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.read, args=(number,)) for number in range(readers)]
        for thread in self.threads:
            thread.start()

    def read(self, number):
        connection = None
        while self.going:
            target = f"/generate/Reader%20{number}?max_length=16&seed={number}"
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", target,
                                   headers={} if self.keep_alive else {"Connection": "close"})
                response = connection.getresponse()
                text = response.read()
                right = response.status == 200 and self.texts.setdefault(number, text) == text
                if not self.keep_alive or response.getheader("Connection") == "close":
                    connection.close()
                    connection = None
                with self.lock:
                    self.count += 1
                    if not right:
                        self.lost.append((response.status, text))
            except (OSError, http.client.HTTPException) as error:
                connection = None
                with self.lock:
                    self.lost.append(repr(error))

    def more(self, count):
        enough = self.count + count
        wait_until(f"not {count} more requests: {self.lost}", lambda: self.count >= enough, 240)

    def end(self):
        self.going = False
        for thread in self.threads:
            thread.join()
        return self.count, self.lost


def check_restarts_lose_nothing(program):
    """With --reuse-port a new server is started beside the old one, which is then told to end; four
    times, under readers that connect anew for each request and readers that keep their connections."""
    port = str(free_port())
    options = ("--port", port, "--reuse-port")
    server = Server(program, *options, shared=True)
    standing = [Standing(int(port), 6, keep_alive) for keep_alive in (False, True)]
    try:
        for _ in range(4):
            for one in standing:
                one.more(10)
            following = Server(program, *options, shared=True)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0, server.read_log()
            server = following
        for one in standing:
            one.more(10)
    finally:
        results = [one.end() for one in standing]
        server.process.terminate()
        server.process.wait(30)
    print("four restarts under load:", ", ".join(f"{count} requests, {len(lost)} lost"
                                                 for count, lost in results))
    assert not any(lost for _, lost in results), [lost[:3] for _, lost in results]


def check_drain_lets_go_at_once(program):
    """A reader is still being answered, and another server can have the port already. For how long he is, is the
    machine's affair: if it was too short, he asks for more."""
    for samples in (4, 16, 64, 128):
        port = str(free_port())
        with Server(program, "--port", port, "--drain-timeout", "120") as server:
            reader = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
            reader.request("POST", "/v1/completions", json.dumps(
                {"prompt": "x", "max_tokens": 1000, "n": samples, "ignore_eos": True, "stream": True}),
                {"Content-Type": "application/json"})
            response = reader.getresponse()
            response.read(1)
            rest = []
            reading = threading.Thread(target=lambda: rest.append(response.read()))
            reading.start()
            server.process.send_signal(signal.SIGTERM)
            with Server(program, "--port", port, patience=600) as following:
                assert following.get("/plaintext")[0] == 200
                is_at_once = server.process.poll() is None
                reading.join()
                assert rest and rest[0].endswith(b"data: [DONE]\n\n")
                assert server.process.wait(60) == 0
        if is_at_once:
            return
    raise AssertionError("the port was free only when the reader had all")


def check_socket_activation(program):
    """systemd-socket-activate listens and starts the server at the first connection; then, as systemd
    does at a restart, one server after the other gets the same socket."""
    activate = shutil.which("systemd-socket-activate")
    if activate:
        port = str(free_port())
        process = subprocess.Popen([activate, "-l", f"127.0.0.1:{port}", program, "serve", "--no-pin",
                                    "--threads", "1"], stderr=subprocess.PIPE, text=True)
        try:
            wait_until("nobody listens", lambda: is_open(port))
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
            connection.request("GET", "/plaintext")
            assert connection.getresponse().read() == b"Hello, World!"
            connection.close()
        finally:
            process.terminate()
            log = process.communicate(timeout=30)[1]
        assert process.returncode == 0 and f"Listening on http://127.0.0.1:{port}, once" in log, log

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(512)
        port = held.getsockname()[1]
        standing = None
        for _ in range(3):
            with Server(program, inherited=held, port=port) as server:
                standing = standing or Standing(port, 6, keep_alive=False)
                standing.more(20)
                server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(30) == 0, server.read_log()
        with Server(program, inherited=held, port=port):
            standing.more(20)
            count, lost = standing.end()
        print(f"three restarts with a socket that is held: {count} requests, {len(lost)} lost")
        assert not lost, lost[:3]

    with socket.socket() as useless:  # bound, and not listening
        useless.bind(("127.0.0.1", 0))
        refused = subprocess.run(inheriting(program, useless), capture_output=True, text=True,
                                 pass_fds=[useless.fileno()], timeout=30)
        assert refused.returncode == 1 and "LISTEN_FDS: expected listening" in refused.stderr, refused


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
        return True
    except OSError:
        return False


def main(program, folder):
    check_socket_activation(program)
    check_drain_lets_go_at_once(program)
    check_restarts_lose_nothing(program)
    if not shutil.which("systemd-socket-activate"):
        skip("no systemd-socket-activate; the rest passed")


main(*sys.argv[1:])
