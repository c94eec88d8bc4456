"""The unmodified openai package of npm against `chorus serve`: openai_client.py PROGRAM FOLDER.
The package is installed into FOLDER the first time; without node, npm or a registry it is skipped."""

import os
import shutil
import subprocess
import sys

from serving import Server, skip

VERSION = "4.104.0"


def install(folder):
    if os.path.isdir(os.path.join(folder, "node_modules", "openai")):
        return
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            skip(f"no {program}")
    os.makedirs(folder, exist_ok=True)
    result = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, f"openai@{VERSION}"],
        capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        skip("npm could not install openai: " + result.stderr.strip()[-300:])


def main(program, folder):
    install(folder)
    here = os.path.dirname(os.path.abspath(__file__))
    script = shutil.copy(os.path.join(here, "openai_client.mjs"), folder)
    with Server(program) as server:
        subprocess.run(["node", script, f"http://127.0.0.1:{server.port}"], check=True, timeout=120)


main(*sys.argv[1:])
