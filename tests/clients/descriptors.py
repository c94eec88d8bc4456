"""A server that has no descriptors left, and one that a single address floods: descriptors.py PROGRAM
FOLDER. The limit of the real process is lowered while it runs."""

import json
import os
import resource
import shutil
import socket
import sys
import time

from serving import Server, wait_until


def open_descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def cpu_seconds(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(connection, target):
    connection.request("GET", target)
    response = connection.getresponse()
    return response.status, response.read()


def check_no_descriptors(program, folder):
    """What cannot be accepted waits, without the server turning in circles; what is connected is served,
    files are a 503 that says why, and afterwards all is as before."""
    with open(os.path.join(folder, "file.txt"), "w", encoding="utf-8") as file:
        file.write("content")
    with Server(program, "--static-dir", folder, "--ui-dir", folder) as server:
        connected = [server.connect() for _ in range(5)]
        for connection in connected:
            assert ask(connection, "/plaintext")[0] == 200
        assert ask(connected[0], "/file.txt") == (200, b"content")
        number = open_descriptors(server)
        begun = time.monotonic()
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (number, 4096))
        waiting = [server.connect(timeout=60) for _ in range(10)]
        for connection in waiting:
            connection.request("GET", "/plaintext")
        time.sleep(0.3)
        before = cpu_seconds(server)
        time.sleep(2)
        spent = cpu_seconds(server) - before
        assert spent < 0.5, f"{spent} s of 2 while nothing could be accepted"
        for connection in connected:
            assert ask(connection, "/plaintext")[0] == 200
        for target in ("/file.txt", "/", "/nothing"):
            status, body = ask(connected[1], target)
            error = json.loads(body)["error"]
            assert status == 503 and error["code"] == "descriptors", (target, status, body)
            assert "ulimit -n" in error["message"], body
        connected[1].request("POST", "/file.txt", "{}")
        response = connected[1].getresponse()
        assert (response.status, json.loads(response.read())["error"]["code"]) == (503, "descriptors")
        assert ask(connected[2], "/generate/Once?max_length=5&seed=1")[0] == 200
        assert ask(connected[2], "/metrics")[0] == 200
        log = server.read_log()
        seconds = time.monotonic() - begun
        assert 1 <= log.count("accepting a connection: Too many open files") <= 2 + seconds, log
        # Each that goes makes room for one that waits.
        for connection in connected:
            connection.close()
        for connection in waiting[:5]:
            assert connection.getresponse().read() == b"Hello, World!"
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        for connection in waiting[5:]:
            assert connection.getresponse().read() == b"Hello, World!"
        assert server.get("/file.txt") == (200, b"content")


def check_flood(program):
    """4,100 silent sockets of one address, of 4,096 that may be: another's requests have their time, and
    so have that one's own."""
    silent, wanted = [], 4100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * wanted:
        wanted = 400
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options = ("--max-connections", str(wanted - 4), "--first-byte-timeout", "60")
    with Server(program, *options) as server:
        def took(address):
            begun = time.monotonic()
            with socket.create_connection(("127.0.0.1", server.port), 30, (address, 0)) as one:
                one.sendall(b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while piece := one.recv(65536):
                    answer += piece
            assert answer.startswith(b"HTTP/1.1 200"), answer
            return time.monotonic() - begun
        quiet = max(took("127.0.0.2") for _ in range(50))
        for _ in range(wanted):
            silent.append(socket.create_connection(("127.0.0.1", server.port), 30, ("127.0.0.9", 0)))
        times = [took("127.0.0.2") for _ in range(200)] + [took("127.0.0.9") for _ in range(20)]
        # Whoever waited for the place of a silent one would wait for its first byte: a minute.
        assert max(times) < 20.0, f"{max(times)} s; {quiet} s without the others"
        metrics = server.get("/metrics")[1].decode()
        assert "\nchorus_http_connections_put_out_total 0" not in metrics, metrics
        for one in silent:
            one.close()
    print(f"  {wanted} silent sockets: others' slowest {1000 * max(times):.0f} ms, without them {1000 * quiet:.0f} ms")


def main():
    program, folder = sys.argv[1:3]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    check_no_descriptors(program, folder)
    print("ok: no descriptors left")
    check_flood(program)
    print("ok: a flood of silent sockets")


main()
