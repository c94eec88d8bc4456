"""Python's unmodified openai, requests, httpx and LangChain against `chorus serve`:
python_clients.py PROGRAM FOLDER. The packages of python_clients.txt are installed into FOLDER the first
time; where they cannot be had, the test is skipped."""

import os
import subprocess
import sys

from serving import Server, skip

HERE = os.path.dirname(os.path.abspath(__file__))


def install(folder):
    """The environment's interpreter."""
    python = os.path.join(folder, "python", "bin", "python")
    stamp = os.path.join(folder, "installed.txt")
    with open(os.path.join(HERE, "python_clients.txt"), encoding="ascii") as file:
        wanted = file.read()
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as file:
            if file.read() == wanted:
                return python
    os.makedirs(folder, exist_ok=True)
    commands = [
        [sys.executable, "-m", "venv", "--clear", os.path.join(folder, "python")],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
         "--timeout", "30", "--retries", "1", "-r", os.path.join(HERE, "python_clients.txt")]]
    for command in commands:
        result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
        if result.returncode != 0:
            skip("Python's clients cannot be installed: " + result.stderr.strip()[-300:])
    with open(stamp, "w", encoding="ascii") as file:
        file.write(wanted)
    return python


def main(program, folder):
    python = install(folder)
    with Server(program, "--chat-template", "plain") as server:
        subprocess.run([python, os.path.join(HERE, "python_clients_inside.py"),
                        f"http://127.0.0.1:{server.port}"], check=True, timeout=150)


main(*sys.argv[1:])
