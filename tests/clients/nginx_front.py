"""deploy/nginx/chorus.conf in front of two servers, one of them killed under load: nginx_front.py
PROGRAM FOLDER. Requests that no server has begun to answer are tried at the other; the count of lost
ones is reported. What the file promises besides is looked at before: TLS, request ids, the client's
address, /metrics."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

from front import PROMPT, check_affinity, check_loss, logged, make_certificate
from serving import Server, skip

HERE = os.path.dirname(os.path.abspath(__file__))


class UnixConnection(http.client.HTTPConnection):
    """To a Unix socket instead of a port."""

    def __init__(self, path, timeout, tls=None):
        super().__init__("localhost", timeout=timeout)
        self.path = path
        self.tls = tls

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)
        if self.tls is not None:
            self.sock = self.tls.wrap_socket(self.sock, server_hostname="localhost")


def start_nginx(folder, front, servers):
    path = os.path.join(HERE, "..", "..", "deploy", "nginx", "chorus.conf")
    with open(path, encoding="utf-8") as file:
        conf = file.read()
    # A Unix socket: a port that is free now may be another's before nginx listens on it.
    assert conf.count("listen 8080;") == 1
    conf = conf.replace("listen 8080;", f"listen unix:{front};")
    assert conf.count("listen 8443 ssl http2;") == 1
    conf = conf.replace("listen 8443 ssl http2;", f"listen unix:{front}-tls ssl http2;")
    conf = conf.replace("/etc/ssl/chorus/", folder + "/")
    # In one pass: a port that was put in may begin with one that is to be replaced.
    ports = {"4444": servers[0].port, "4445": servers[1].port}
    conf = re.sub(r"127\.0\.0\.1:(4444|4445)\b", lambda m: f"127.0.0.1:{ports[m[1]]}", conf)
    main = (f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
            f"events {{ worker_connections 512; }}\nhttp {{ access_log off;\n"
            # To nginx whoever connects to a Unix socket has the address that this header says.
            "set_real_ip_from unix:; real_ip_header X-Test-Address;\n"
            + "".join(f"{name}_temp_path {folder}/{name};\n" for name in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + conf + "}\n")
    name = os.path.join(folder, "nginx.conf")
    with open(name, "w", encoding="utf-8") as file:
        file.write(main)
    checked = subprocess.run(["nginx", "-t", "-e", f"{folder}/error.log", "-p", folder, "-c", name],
                             capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    return subprocess.Popen(["nginx", "-e", f"{folder}/error.log", "-p", folder, "-c", name])


def read(front, prompt, headers=None):
    """The text, or None if it was lost: a status over 299, or it broke off."""
    connection = UnixConnection(front, timeout=30)
    try:
        connection.request("GET", "/generate/" + urllib.parse.quote(prompt) +
                           "?max_length=40&seed=1", headers=headers or {})
        response = connection.getresponse()
        text = response.read()
        return text if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def check_promises(front, servers, tls):
    def ask(target, headers, its_tls=None):
        path = front if its_tls is None else front + "-tls"
        connection = UnixConnection(path, timeout=30, tls=its_tls)
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response

    own = ask("/v1/models", {"X-Request-Id": "client-own-1", "X-Test-Address": "203.0.113.7"}, tls)
    assert own.status == 200 and own.getheader("X-Request-Id") == "client-own-1", own.headers
    assert logged(servers, "client-own-1")["client"] == "203.0.113.7", logged(servers, "client-own-1")
    # What a client says itself of where it comes from is not believed.
    ask("/v1/models", {"X-Request-Id": "client-own-2", "X-Test-Address": "203.0.113.8",
                       "X-Forwarded-For": "198.51.100.1"})
    assert logged(servers, "client-own-2")["client"] == "203.0.113.8", logged(servers, "client-own-2")
    made = ask("/v1/models", {}).getheader("X-Request-Id")
    assert made and logged(servers, made)["request_id"] == made
    for target in ("/metrics", "/metrics/", "//metrics", "/metrics?x", "/%6detrics", "/x/../metrics"):
        assert ask(target, {}).status == 403, target


def main(program, folder):
    if shutil.which("nginx") is None and not os.path.exists("/usr/sbin/nginx"):
        skip("no nginx")
    os.environ["PATH"] += ":/usr/sbin"
    os.makedirs(folder, exist_ok=True)
    # Not in `folder`: a Unix socket's path is short.
    options = ("--trusted-proxy", "127.0.0.1", "--log-json")
    tls = make_certificate(folder)
    with tempfile.TemporaryDirectory() as sockets, Server(program, *options) as one, \
            Server(program, *options) as two:
        front = os.path.join(sockets, "front")
        nginx = start_nginx(folder, front, (one, two))
        try:
            deadline = time.monotonic() + 30
            while read(front, PROMPT) is None:
                assert nginx.poll() is None, f"nginx did not start: see {folder}/error.log"
                assert time.monotonic() < deadline, "nginx does not answer"
                time.sleep(0.05)
            check_promises(front, (one, two), tls)
            check_affinity(lambda prompt: read(front, prompt), (one, two))
            check_loss(lambda prompt: read(front, prompt), (one, two))
        finally:
            nginx.terminate()
            nginx.wait(10)


main(*sys.argv[1:])
