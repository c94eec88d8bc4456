"""A server's life in operation, with real processes: operation.py PROGRAM FOLDER. Its log as JSON, and
what a line of it says."""

import json
import os
import signal
import subprocess
import sys
import time

from serving import Server


def wait_until(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


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
        server.get("/nothing")
        wait_until("no three lines of requests",
                   lambda: sum("request_id" in line for line in lines_of(server.read_log())) >= 3)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        lines = lines_of(server.read_log())
    messages = [line["message"] for line in lines if "message" in line]
    assert any(message.startswith("Listening on http://") for message in messages), messages
    assert any("storyteller is ready" in message for message in messages), messages
    errors = [line["error"] for line in lines if "error" in line]
    assert errors[0]["param"] == "temperature" and "-1" in errors[0]["message"], errors
    assert errors[1]["param"] == "max_length" and "5000" in errors[1]["message"], errors
    assert errors[2]["message"], errors
    assert all(line["client"] == "127.0.0.1" for line in lines if "request_id" in line)


def check_errors_at_start(program, folder):
    config = os.path.join(folder, "wrong.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write("[serve]\nporrt = 1\n")
    for arguments in (["--config", config], ["--port", "x"], ["--model", "/none.pt"],
                      ["--api-key-file", "/none"], ["--static-dir", "/none"], ["--nothing"]):
        failed = subprocess.run([program, "serve", "--log-json", "--host", "192.0.2.1", *arguments],
                                stderr=subprocess.PIPE, text=True, timeout=60)
        assert failed.returncode != 0, arguments
        assert any(line["level"] == "error" for line in lines_of(failed.stderr)), failed.stderr


def main(program, folder):
    os.makedirs(folder, exist_ok=True)
    check_json_log(program)
    check_errors_at_start(program, folder)


main(*sys.argv[1:])
