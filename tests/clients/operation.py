"""A server's life in operation, with real processes: operation.py PROGRAM FOLDER. Its log as JSON, and
what a line of it says; SIGHUP, with keys and certificates that are right and wrong; --check; Unix
sockets; what systemd is told."""

import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from serving import Server, wait_until


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def lines_of(text):
    """Every line is a JSON object with a time, a level and a message or a request."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert {"time", "level"} < line.keys() and ("message" in line or "request_id" in line), line
    return lines


def check_json_log(program):
    with Server(program, "--log-json", "--trusted-proxy", "127.0.0.0/8") as server:
        server.post("/v1/completions", {"prompt": "x", "temperature": -1})
        server.get("/generate/x?max_length=5000")
        server.get("/api/generate/SECRET%22SECRET%22%20SECRET")
        wait_until("no three lines of requests",
                   lambda: sum("request_id" in line for line in lines_of(server.read_log())) >= 3)
        # What clients send may be a prompt.
        assert "SECRET" not in server.read_log(), server.read_log()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        lines = lines_of(server.read_log())
    messages = [line["message"] for line in lines if "message" in line]
    assert any(message.startswith("Listening on http://") for message in messages), messages
    assert any("storyteller is ready" in message for message in messages), messages
    # A line is written when its answer has been sent: the next one's may come before it.
    errors = sorted((line["error"] for line in lines if "error" in line),
                    key=lambda error: ("temperature", "max_length", None).index(error["param"]))
    assert errors[0]["param"] == "temperature" and "-1" in errors[0]["message"], errors
    assert errors[1]["param"] == "max_length" and "5000" in errors[1]["message"], errors
    assert errors[2]["code"] == "not_found" and errors[2]["message"], errors
    assert all(line["client"] == "127.0.0.1" for line in lines if "request_id" in line)


def check_errors_quote_nothing_in_the_log(program):
    """What of a message the client wrote: names that it made up, and values, in every form of error."""
    bodies = ['{"SECRET": 1, "SECRET": 2}', '{"prompt": "x", "guided_SECRET": 1}', '{"prompt": "x", "SECRET": 1}',
              '{"prompt": "x", "stop": {"SECRET": 1}}', '{"prompt": "x", "max_tokens": "SECRET"}']
    with Server(program, "--log-json") as server:
        for body in bodies:
            connection = server.connect(30)
            connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert response.status in (200, 400) and response.read(), (body, response.status)
            connection.close()
        server.get("/generate/x?SECRET=1")
        wait_until("no line for each request",
                   lambda: sum("request_id" in line for line in lines_of(server.read_log())) > len(bodies))
        assert "SECRET" not in server.read_log(), server.read_log()


def check_prompts_are_logged_if_asked_for(program):
    with Server(program, "--log-json", "--log-prompts") as server:
        server.get("/api/generate/SECRET")
        wait_until("no prompt", lambda: server.read_log().count("SECRET") == 2)  # target and message


def check_errors_at_start(program, folder):
    config = os.path.join(folder, "wrong.toml")
    write(config, "[serve]\nporrt = 1\n")
    for arguments in (["--config", config], ["--port", "x"], ["--model", "/none.pt"],
                      ["--api-key-file", "/none"], ["--static-dir", "/none"], ["--nothing"]):
        failed = subprocess.run([program, "serve", "--log-json", "--host", "192.0.2.1", *arguments],
                                stderr=subprocess.PIPE, text=True, timeout=60)
        assert failed.returncode != 0, arguments
        assert any(line["level"] == "error" for line in lines_of(failed.stderr)), failed.stderr


def make_certificate(folder, name):
    """A certificate and its key, as paths."""
    paths = [os.path.join(folder, f"{name}.{kind}") for kind in ("pem", "key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "1", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", paths[1], "-out", paths[0]],
                   check=True, capture_output=True)
    return paths


def status(server, key):
    connection = server.connect()
    try:
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def reload(server, count):
    """SIGHUP; waits until the log has that many lines that say so, and one more behind the last: what came of it."""
    server.process.send_signal(signal.SIGHUP)

    def is_told():
        _, *told = server.read_log().split("SIGHUP: keys and certificates are read again")
        return len(told) == count and re.search(r"(the keys (were|stay)|the certificate (is|stays)) ", told[-1])

    wait_until("no line of SIGHUP, or of what came of it", is_told)
    assert server.process.poll() is None, server.read_log()


def check_keys_are_read_again(program, folder):
    keys = os.path.join(folder, "keys")
    write(keys, "first\n")
    with Server(program, "--api-key-file", keys) as server:
        assert (status(server, "first"), status(server, "second")) == (200, 401)
        write(keys, "\ufeffsecond\n# a remark\n")
        reload(server, 1)
        assert (status(server, "first"), status(server, "second")) == (401, 200)
        # A file that cannot be used changes nothing, and above all opens nothing.
        for count, text in enumerate(("# none\n", None), 2):
            if text is None:
                os.remove(keys)
            else:
                write(keys, text)
            reload(server, count)
            assert (status(server, "first"), status(server, "second"), status(server, "")) == \
                (401, 200, 401), text
        assert server.read_log().count("the keys stay as they were") == 2, server.read_log()


def check_certificates_are_read_again(program, folder):
    (one, one_key), (two, two_key) = make_certificate(folder, "one"), make_certificate(folder, "two")
    certificate, key = os.path.join(folder, "used.pem"), os.path.join(folder, "used.key")
    shutil.copy(one, certificate)
    shutil.copy(one_key, key)
    trust = ssl.create_default_context()
    trust.load_verify_locations(one)
    trust.load_verify_locations(two)

    def name(server):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain, \
                trust.wrap_socket(plain, server_hostname="localhost") as tls:
            return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"]

    with tempfile.TemporaryDirectory() as sockets:
        path = os.path.join(sockets, "socket")
        with Server(program, "--tls-cert", certificate, "--tls-key", key, "--unix-socket", path,
                    ready_by=path) as server:
            assert name(server) == "one"
            kept = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10)
            plain = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            kept.sock = trust.wrap_socket(plain, server_hostname="localhost")
            shutil.copy(two, certificate)
            reload(server, 1)  # the key is still the other's
            assert name(server) == "one" and "the certificate stays as it was" in server.read_log()
            shutil.copy(two_key, key)
            reload(server, 2)
            assert name(server) == "two"
            write(certificate, "broken")
            reload(server, 3)
            assert name(server) == "two"
            kept.request("GET", "/plaintext")  # a connection from before goes on
            assert kept.getresponse().read() == b"Hello, World!"
            kept.close()


def check_hangups_end_nothing(program):
    """Nothing to read again; before the model is there; many at once; beside requests."""
    command = [program, "serve", "--port", "0", "--no-pin", "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    text = process.stderr.readline()
    assert "Listening on" in text
    for _ in range(100):
        process.send_signal(signal.SIGHUP)
    while "nothing to read again" not in text:
        line = process.stderr.readline()
        assert line, text
        text += line
    assert process.poll() is None
    process.terminate()
    text += process.communicate(timeout=60)[1]
    assert process.returncode == 0 and "nothing to read again" in text, text
    assert "SIGTERM: draining" in text and "stopped: all requests were answered" in text, text


def check(program, *arguments):
    done = subprocess.run([program, "serve", "--check", *arguments], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


def check_check(program, folder):
    keys = os.path.join(folder, "keys-to-check")
    write(keys, "a\nb\n")
    certificate, key = make_certificate(folder, "checked")
    with socket.socket() as taken:  # it listens on nothing, so an address that is taken is no error
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, out, err = check(program, "--port", port, "--api-key-file", keys, "--tls-cert",
                               certificate, "--tls-key", key, "--model", "a=gpt2", "--model",
                               "storyteller")
    assert code == 0 and err == "", err
    for expected in (f"address: https://127.0.0.1:{port}", "keys: 2 of", "certificate: /CN=checked",
                     "model a: gpt2, to be fetched", "model storyteller: "):
        assert expected in out, out
    assert check(program, "--host", "0.0.0.0")[1].count("EVERYBODY") == 1
    write(keys, "# none\n")
    write(os.path.join(folder, "broken.pt"), "nothing")
    other = make_certificate(folder, "other")[1]
    code, out, err = check(program, "--api-key-file", keys, "--tls-cert", certificate, "--tls-key",
                           other, "--static-dir", "/none", "--model", "/none.pt", "--model",
                           "b=" + os.path.join(folder, "broken.pt"), "--host", "no.such.invalid")
    assert code == 1, out
    for expected in ("keys-to-check: expected a key", other, "/none: ", "/none.pt: no such", "broken.pt",
                     "no.such.invalid"):
        assert expected in err, err
    assert check(program, "--no-tcp")[0] == 1
    code, out, err = check(program, "--port", "x")
    assert code == 2 and out == "", err


def check_unix_sockets(program):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        options = ("--unix-socket", path, "--no-tcp")
        for mode, text in ((0o600, "0600"), (0o666, "666"), (0o660, "660")):
            with Server(program, *options, "--unix-socket-mode", text, ready_by=path):
                assert os.stat(path).st_mode & 0o777 == mode, text
                refused = subprocess.run([program, "serve", *options], capture_output=True, text=True,
                                         timeout=30)
                assert refused.returncode == 1 and "another server listens there" in refused.stderr
            assert not os.path.exists(path)
        for text in ("0999", "1777", "rw", "", "-1", "0o660"):
            refused = subprocess.run([program, "serve", *options, "--unix-socket-mode", text],
                                     capture_output=True, timeout=30)
            assert refused.returncode == 2, text
        # One that takes over: the old one's end leaves the new one's socket.
        with Server(program, *options, ready_by=path) as old, \
                Server(program, *options, "--reuse-port", ready_by=path, shared=True) as new:
            old.process.send_signal(signal.SIGTERM)
            assert old.process.wait(30) == 0
            assert new.get("/plaintext")[0] == 200


def check_what_systemd_is_told(program, folder):
    """By the documented protocol, with a socket of our own in systemd's place."""
    keys = os.path.join(folder, "keys-of-service")
    write(keys, "one\n")
    with tempfile.TemporaryDirectory() as sockets, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = os.path.join(sockets, "notify")
        manager.bind(path)
        manager.settimeout(30)
        with Server(program, "--api-key-file", keys, environment={"NOTIFY_SOCKET": path}) as server:
            def told(expected):
                while True:
                    lines = manager.recv(4096).decode().splitlines()
                    if expected in lines:
                        return lines
                    assert lines[0].startswith(("EXTEND_TIMEOUT_USEC=", "READY=1")), lines
            told("READY=1")
            server.process.send_signal(signal.SIGHUP)
            lines = told("RELOADING=1")
            assert any(line.startswith("MONOTONIC_USEC=") for line in lines), lines
            told("READY=1")
            server.process.send_signal(signal.SIGTERM)
            told("STOPPING=1")


class Trickle(http.server.BaseHTTPRequestHandler):
    """A model's files, of which one comes by 20 KB a second."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "10000000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 2000)
                time.sleep(0.1)
        except OSError:
            pass

    def log_message(self, *arguments):
        pass


def check_slow_downloads_are_told(program, folder):
    """Every ten seconds; and SIGTERM ends a server that is still fetching."""
    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    environment = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
                   "CHORUS_CACHE": os.path.join(folder, "cache")}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([program, "serve", "--port", "0", "--model", "m=gpt2", "--log-json"],
                                   stderr=log, env=environment)
        try:
            told = re.compile(r"model m: fetching config.json: 0\.\d of 10.0 MB after 1\d s")
            wait_until("nothing is told of a slow download",
                       lambda: told.search(os.pread(log.fileno(), 1 << 20, 0).decode()))
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
        text = os.pread(log.fileno(), 1 << 20, 0).decode()
        assert any("SIGTERM: draining" in line["message"] for line in lines_of(text)), text
    hub.shutdown()


def check_two_names_of_one_model(program):
    """name=PATH twice with one file: one copy of the weights, and both names answer."""
    def resident(server):
        with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    names = ("--kv-memory", "8MB", "--model", "one=storyteller")
    with Server(program, *names) as alone, Server(program, *names, "--model", "two=storyteller") as both:
        assert "model two is one by another name" in both.read_log(), both.read_log()
        for server in (alone, both):
            assert server.get("/generate/Once?max_length=20&seed=1")[0] == 200
        assert resident(both) < 1.2 * resident(alone), (resident(both), resident(alone))
        models = json.loads(both.get("/v1/models")[1])["data"]
        assert [model["id"] for model in models] == ["one", "two"], models
        assert models[0]["digest"] == models[1]["digest"]
        texts = [both.get(f"/generate/Once?max_length=20&seed=1&model={name}")[1] for name in ("one", "two")]
        assert texts[0] == texts[1]
        running = re.findall(r"chorus_num_requests_running\{model_name=\"(\w+)\"", both.get("/metrics")[1].decode())
        assert running == ["one"], running
    print("ok: two names of one model")


def main(program, folder):
    os.makedirs(folder, exist_ok=True)
    check_json_log(program)
    check_errors_quote_nothing_in_the_log(program)
    check_prompts_are_logged_if_asked_for(program)
    check_errors_at_start(program, folder)
    check_keys_are_read_again(program, folder)
    check_certificates_are_read_again(program, folder)
    check_hangups_end_nothing(program)
    check_two_names_of_one_model(program)
    check_check(program, folder)
    check_unix_sockets(program)
    check_what_systemd_is_told(program, folder)
    check_slow_downloads_are_told(program, folder)


main(*sys.argv[1:])
