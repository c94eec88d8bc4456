"""deploy/nginx/chorus.conf in front of two servers, one of them killed under load: nginx_front.py
PROGRAM FOLDER. Requests that no server has begun to answer are tried at the other; the count of lost
ones is reported. What the file promises besides is looked at before: TLS, request ids, the client's
address, /metrics."""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from serving import Server, skip

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT = "The same beginning of a text"
READERS = 12
# What is read before one server is killed, and afterwards: as long as that takes on this machine.
ENOUGH = 4 * READERS
MOST_SECONDS = 60


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


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", f"{folder}/privkey.pem",
                    "-out", f"{folder}/fullchain.pem"], check=True, capture_output=True)
    return ssl.create_default_context(cafile=f"{folder}/fullchain.pem")


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


def answered(server):
    text = server.get("/metrics")[1].decode()
    return sum(int(count) for count in re.findall(
        r'chorus_http_requests_total\{route="/generate/PROMPT",status="200"\} (\d+)', text))


def check_promises(front, servers, tls):
    def ask(target, headers, its_tls=None):
        path = front if its_tls is None else front + "-tls"
        connection = UnixConnection(path, timeout=30, tls=its_tls)
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response

    def logged(request_id):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for line in "\n".join(server.read_log() for server in servers).splitlines():
                if request_id in line:
                    return json.loads(line)
            time.sleep(0.02)
        raise AssertionError(f"no line of the log has {request_id}")

    own = ask("/v1/models", {"X-Request-Id": "client-own-1", "X-Test-Address": "203.0.113.7"}, tls)
    assert own.status == 200 and own.getheader("X-Request-Id") == "client-own-1", own.headers
    assert logged("client-own-1")["client"] == "203.0.113.7", logged("client-own-1")
    # What a client says itself of where it comes from is not believed.
    ask("/v1/models", {"X-Request-Id": "client-own-2", "X-Test-Address": "203.0.113.8",
                       "X-Forwarded-For": "198.51.100.1"})
    assert logged("client-own-2")["client"] == "203.0.113.8", logged("client-own-2")
    made = ask("/v1/models", {}).getheader("X-Request-Id")
    assert made and logged(made)["request_id"] == made
    for target in ("/metrics", "/metrics/", "//metrics", "/metrics?x", "/%6detrics", "/x/../metrics"):
        assert ask(target, {}).status == 403, target


def check_affinity(front, servers):
    before = [answered(server) for server in servers]
    for _ in range(6):
        assert read(front, PROMPT) is not None
    # An answer is counted once its last byte is sent, so its reader may be here before.
    deadline = time.monotonic() + 10
    while True:
        counts = [answered(server) - count for server, count in zip(servers, before)]
        if sum(counts) >= 6 or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    # Maybe one more: of the one that was read first of all.
    assert min(counts) == 0 and max(counts) in (6, 7), counts


def check_loss(front, servers):
    expected, results, different, running = {}, [], [], threading.Event()
    lock = threading.Lock()
    running.set()

    def reader(number):
        count = 0
        while running.is_set():
            prompt = f"Reader {number} begins {count % 5}"
            begun = time.monotonic()
            text = read(front, prompt)
            with lock:
                results.append((begun, time.monotonic(), text is not None))
                if text is not None and expected.setdefault(prompt, text) != text:
                    different.append(prompt)
            count += 1

    def wait_for(count):
        deadline = time.monotonic() + MOST_SECONDS
        while len(results) < count:
            assert time.monotonic() < deadline, f"only {len(results)} of {count} were answered"
            time.sleep(0.02)

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        wait_for(ENOUGH)
        servers[0].kill()
        killed = time.monotonic()
        wait_for(len(results) + ENOUGH)
    finally:
        running.clear()
    for thread in threads:
        thread.join()
    lost = [result for result in results if not result[2]]
    late = [result for result in lost if result[0] > killed]
    print(f"{len(results)} requests of {READERS} readers, one of two servers killed in the middle: "
          f"{len(lost)} lost (being read when it died), {len(late)} of them begun afterwards")
    assert not different, f"another server, another text: {different}"
    assert len(lost) <= READERS and not late, lost


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
            check_affinity(front, (one, two))
            check_loss(front, (one, two))
        finally:
            nginx.terminate()
            nginx.wait(10)


main(*sys.argv[1:])
