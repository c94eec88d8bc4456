"""Vercel's unmodified `ai` of npm against `chorus serve`: ai_client.py PROGRAM FOLDER."""

import os
import shutil
import subprocess
import sys

from serving import Server, install_npm

PACKAGES = ["ai@4.3.19", "@ai-sdk/openai-compatible@0.2.16"]


def main(program, folder):
    install_npm(folder, PACKAGES)
    here = os.path.dirname(os.path.abspath(__file__))
    script = shutil.copy(os.path.join(here, "ai_client.mjs"), folder)
    with Server(program, "--chat-template", "plain") as server:
        subprocess.run(["node", script, f"http://127.0.0.1:{server.port}"], check=True, timeout=120)


main(*sys.argv[1:])
