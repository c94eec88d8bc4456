"""The unmodified openai package of npm against `chorus serve`: openai_client.py PROGRAM FOLDER.
The package is installed into FOLDER the first time; without node, npm or a registry it is skipped."""

import os
import shutil
import subprocess
import sys

from serving import Server, install_npm

VERSION = "4.104.0"


def main(program, folder):
    install_npm(folder, [f"openai@{VERSION}"])
    here = os.path.dirname(os.path.abspath(__file__))
    script = shutil.copy(os.path.join(here, "openai_client.mjs"), folder)
    with Server(program, "--chat-template", "plain") as server:
        subprocess.run(["node", script, f"http://127.0.0.1:{server.port}"], check=True, timeout=120)


main(*sys.argv[1:])
