"""deploy/nginx/chorus.conf in front of two servers, one of them killed under load: nginx_front.py
PROGRAM FOLDER. Requests that no server has begun to answer are tried at the other; the count of lost
ones is reported."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

from serving import Server, skip

HERE = os.path.dirname(os.path.abspath(__file__))
READERS = 12
SECONDS = 6


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_nginx(folder, port, servers):
    path = os.path.join(HERE, "..", "..", "deploy", "nginx", "chorus.conf")
    with open(path, encoding="utf-8") as file:
        conf = file.read()
    conf = conf.replace("listen 8080", f"listen 127.0.0.1:{port}")
    # In one pass: a port that was put in may begin with one that is to be replaced.
    ports = {"4444": servers[0].port, "4445": servers[1].port}
    conf = re.sub(r"127\.0\.0\.1:(4444|4445)\b", lambda m: f"127.0.0.1:{ports[m[1]]}", conf)
    main = (f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
            f"events {{ worker_connections 512; }}\nhttp {{ access_log off;\n"
            + "".join(f"{name}_temp_path {folder}/{name};\n" for name in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + conf + "}\n")
    name = os.path.join(folder, "nginx.conf")
    with open(name, "w", encoding="utf-8") as file:
        file.write(main)
    return subprocess.Popen(["nginx", "-e", f"{folder}/error.log", "-p", folder, "-c", name])


def read(port, prompt, headers=None):
    """The text, or None if it was lost: a status over 299, or it broke off."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
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


def check_affinity(port, servers):
    before = [answered(server) for server in servers]
    for _ in range(6):
        assert read(port, "The same beginning of a text") is not None
    counts = [answered(server) - count for server, count in zip(servers, before)]
    assert sorted(counts) == [0, 6], counts


def check_loss(port, servers):
    expected, results, running = {}, [], threading.Event()
    lock = threading.Lock()
    running.set()

    def reader(number):
        count = 0
        while running.is_set():
            prompt = f"Reader {number} begins {count % 5}"
            begun = time.monotonic()
            text = read(port, prompt)
            with lock:
                results.append((begun, time.monotonic(), text is not None))
                if text is not None:
                    assert expected.setdefault(prompt, text) == text, "another server, another text"
            count += 1

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 2)
    servers[0].kill()
    killed = time.monotonic()
    time.sleep(SECONDS / 2)
    running.clear()
    for thread in threads:
        thread.join()
    lost = [result for result in results if not result[2]]
    late = [result for result in lost if result[0] > killed]
    print(f"{len(results)} requests of {READERS} readers, one of two servers killed after "
          f"{SECONDS / 2} s: {len(lost)} lost (being read when it died), {len(late)} of them begun "
          f"afterwards")
    assert len(lost) <= READERS and not late, lost
    assert len(results) > 2 * READERS


def main(program, folder):
    if shutil.which("nginx") is None and not os.path.exists("/usr/sbin/nginx"):
        skip("no nginx")
    os.environ["PATH"] += ":/usr/sbin"
    os.makedirs(folder, exist_ok=True)
    with Server(program) as one, Server(program) as two:
        port = free_port()
        nginx = start_nginx(folder, port, (one, two))
        try:
            for _ in range(100):
                if read(port, "a") is not None:
                    break
                time.sleep(0.05)
            check_affinity(port, (one, two))
            check_loss(port, (one, two))
        finally:
            nginx.terminate()
            nginx.wait(10)


main(*sys.argv[1:])
