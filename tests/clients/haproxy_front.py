"""deploy/haproxy/haproxy.cfg in front of real servers: haproxy_front.py PROGRAM FOLDER. What the file
promises (streams as they are made, TLS, request ids, the client's address, /metrics, the same server for
the same beginning), one of two servers killed under load, and a server that is replaced on its port
(--reuse-port) without a request lost."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse

from front import Load, PROMPT, check_affinity, check_loss, logged, make_certificate
from serving import Server, free_port, skip, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))


class Proxy:
    """HAProxy with the file from deploy/, on sockets that it inherits: a port that is free now may be
    another's before it listens on it. Use as a context."""

    def __init__(self, folder, ports):
        self.folder, self.plain, self.tls = folder, self._listening(), self._listening()
        with open(os.path.join(HERE, "..", "..", "deploy", "haproxy", "haproxy.cfg"), encoding="utf-8") as file:
            conf = file.read()

        def replace(old, new):
            nonlocal conf
            assert conf.count(old) == 1, old
            conf = conf.replace(old, new)

        replace("bind :8080 ", f"bind fd@{self.plain.fileno()} ")
        replace("bind :8443 ", f"bind fd@{self.tls.fileno()} ")
        replace("/etc/ssl/chorus/chorus.pem", f"{folder}/chorus.pem")
        replace("inter 2s", "inter 200ms")
        if len(ports) == 1:
            replace("    server two 127.0.0.1:4445 check\n", "")
        # In one pass: a port that was put in may begin with one that is to be replaced.
        by_old = dict(zip(("4444", "4445"), ports))
        conf = re.sub(r"127\.0\.0\.1:(4444|4445)\b", lambda m: f"127.0.0.1:{by_old[m[1]]}", conf)
        self.file = os.path.join(folder, f"haproxy-{len(ports)}.cfg")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(conf)
        checked = self._run("-c", wait=True)
        assert checked.returncode == 0, checked.stderr
        assert "WARNING" not in checked.stderr.upper(), checked.stderr
        self.process = self._run("-db")

    @staticmethod
    def _listening():
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        return listening

    def _run(self, option, wait=False):
        command = ["haproxy", option, "-f", self.file]
        descriptors = (self.plain.fileno(), self.tls.fileno())
        if wait:
            return subprocess.run(command, capture_output=True, text=True, pass_fds=descriptors, check=False)
        with open(os.path.join(self.folder, "haproxy.log"), "ab") as log:
            return subprocess.Popen(command, pass_fds=descriptors, stdout=log, stderr=log)

    def connect(self, source=None, tls=None):
        port = (self.plain if tls is None else self.tls).getsockname()[1]
        where = {"host": "localhost" if tls else "127.0.0.1", "port": port, "timeout": 30}
        if tls is not None:
            return http.client.HTTPSConnection(context=tls, **where)
        return http.client.HTTPConnection(source_address=(source, 0) if source else None, **where)

    def ask(self, target, headers=None, source=None, tls=None):
        with contextlib.closing(self.connect(source, tls)) as connection:
            connection.request("GET", target, headers=headers or {})
            response = connection.getresponse()
            response.text = response.read()
            return response

    def read(self, prompt):
        """The text, or None if it was lost: a status over 299, or it broke off."""
        try:
            response = self.ask("/generate/" + urllib.parse.quote(prompt) + "?max_length=40&seed=1")
            return response.text if response.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None

    def __enter__(self):
        wait_until(f"HAProxy does not answer: see {self.folder}/haproxy.log",
                   lambda: self.process.poll() is None and self.read(PROMPT) is not None)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.plain.close()
        self.tls.close()


def running(server):
    text = server.get("/metrics")[1].decode()
    return int(float(re.search(r"\nchorus_num_requests_running\{[^}]*\} (\S+)", text)[1]))


def check_promises(proxy, servers, tls):
    own = proxy.ask("/v1/models", {"X-Request-Id": "client-own-1"}, "127.0.0.7")
    assert own.status == 200 and own.getheader("X-Request-Id") == "client-own-1", own.headers
    assert logged(servers, "client-own-1")["client"] == "127.0.0.7", logged(servers, "client-own-1")
    # What a client says itself of where it comes from is not believed.
    proxy.ask("/v1/models", {"X-Request-Id": "client-own-2", "X-Forwarded-For": "198.51.100.1"}, "127.0.0.8")
    assert logged(servers, "client-own-2")["client"] == "127.0.0.8", logged(servers, "client-own-2")
    made = proxy.ask("/v1/models", tls=tls).getheader("X-Request-Id")
    assert made and logged(servers, made)["request_id"] == made
    for target in ("/metrics", "/metrics/", "//metrics", "/metrics?x", "/%6detrics", "/%2fmetrics"):
        assert proxy.ask(target).status == 403, target
    assert proxy.ask("/x/../metrics").status in (403, 404)
    assert proxy.ask("/health").status == 200


def check_streams(proxy, servers):
    """The first token is there while the text is still being made; and a reader who goes away ends it."""
    for _ in range(50):  # on a busy machine the text may be over before it is looked for, but not each time
        connection = proxy.connect()
        connection.request("GET", "/generate/Once%20upon?max_length=1024&seed=3&ignore_eos=true")
        response = connection.getresponse()
        assert response.status == 200
        assert response.read1(64), "nothing came"
        is_running = sum(map(running, servers)) == 1
        response.close()
        connection.close()
        wait_until("the text went on without its reader", lambda: sum(map(running, servers)) == 0)
        if is_running:
            return
    raise AssertionError("it came when all was made")


def check_replaced(program, folder, options):
    """Behind the proxy the server is replaced on its port, three times, under readers."""
    port = str(free_port())
    shared = ("--port", port, "--reuse-port", *options)
    server = Server(program, *shared, shared=True)
    try:
        with Proxy(folder, [port]) as proxy:
            load = Load(proxy.read)
            try:
                for _ in range(3):
                    load.more(30)
                    following = Server(program, *shared, shared=True)
                    server.process.send_signal(signal.SIGTERM)
                    assert server.process.wait(30) == 0, server.read_log()
                    server = following
                load.more(30)
            finally:
                lost = load.end()
            assert not lost, lost
            print(f"{len(load.results)} requests, the server replaced three times: none lost")
    finally:
        server.kill()


def main(program, folder):
    os.environ["PATH"] += ":/usr/sbin"
    if shutil.which("haproxy") is None:
        skip("no haproxy")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    tls = make_certificate(folder)
    with open(f"{folder}/chorus.pem", "wb") as both:
        for name in ("fullchain.pem", "privkey.pem"):
            with open(f"{folder}/{name}", "rb") as part:
                both.write(part.read())
    options = ("--trusted-proxy", "127.0.0.1", "--log-json")
    with Server(program, *options) as one, Server(program, *options) as two:
        with Proxy(folder, [one.port, two.port]) as proxy:
            check_promises(proxy, (one, two), tls)
            check_streams(proxy, (one, two))
            check_affinity(proxy.read, (one, two))
            check_loss(proxy.read, (one, two))
    check_replaced(program, folder, options)


main(*sys.argv[1:])
