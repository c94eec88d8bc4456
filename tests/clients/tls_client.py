"""curl over TLS against `chorus serve`, with a certificate made for the test: tls_client.py PROGRAM
FOLDER."""

import os
import shutil
import subprocess
import sys

from serving import Server, skip


def main(program, folder):
    for tool in ("curl", "openssl"):
        if shutil.which(tool) is None:
            skip(f"no {tool}")
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
                    "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    with Server(program, "--tls-cert", "cert.pem", "--tls-key", "key.pem",
                "--unix-socket", "plain.socket", ready_by="plain.socket") as server:
        base = f"https://localhost:{server.port}"
        common = ["curl", "-sS", "--max-time", "30", "--cacert", "cert.pem"]
        text = subprocess.run([*common, "-N", base + "/generate/Once?max_length=20&seed=1",
                               base + "/plaintext"], check=True, capture_output=True).stdout
        assert text.startswith(b"Once") and text.endswith(b"Hello, World!"), text
        old = subprocess.run([*common, "--tls-max", "1.1", base + "/plaintext"], check=False,
                             capture_output=True)
        assert old.returncode != 0, "TLS 1.1 was accepted"
        plain = subprocess.run(["curl", "-s", "--max-time", "10",
                                f"http://127.0.0.1:{server.port}/plaintext"],
                               check=False, capture_output=True)
        assert plain.returncode != 0 and plain.stdout == b"", plain


main(*sys.argv[1:])
