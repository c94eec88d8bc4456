"""The page that the program serves, in the distribution's Chromium: web_page.py PROGRAM FOLDER TEST, where
TEST is types, stream, page or front. Packages of npm are installed into FOLDER the first time; without node, npm,
a registry, Chromium or nginx a test is skipped, unless $CHORUS_REQUIRE_ALL says that they must be there."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "clients"))
from serving import Server, free_port, skip, wait_until  # noqa: E402

ROOT = os.path.join(HERE, "..", "..")
PACKAGES = os.path.join(HERE, "package.json")


def install(folder):
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            skip(f"no {program}")
    os.makedirs(folder, exist_ok=True)
    with open(PACKAGES, encoding="utf-8") as file:
        wanted = json.load(file)["devDependencies"]
    for name, version in wanted.items():
        try:
            with open(os.path.join(folder, "node_modules", name, "package.json"), encoding="utf-8") as file:
                is_there = json.load(file)["version"] == version
        except OSError:
            is_there = False
        if is_there:
            continue
        shutil.copy(PACKAGES, folder)
        for _ in range(3):
            result = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder],
                capture_output=True, text=True, timeout=300)
            if result.returncode == 0:
                return
        skip("npm could not install its packages: " + result.stderr.strip()[-300:])


def node(folder, script, *arguments):
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        skip("no chromium")
    for name in os.listdir(HERE):
        if name.endswith(".mjs"):
            shutil.copy(os.path.join(HERE, name), folder)
    subprocess.run(["node", script, *arguments], check=True, timeout=900, cwd=folder)


def check_types(folder):
    with open(os.path.join(HERE, "tsconfig.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["include"] = [os.path.join(os.path.realpath(ROOT), "web", "*.js")]
    path = os.path.join(folder, "tsconfig.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    subprocess.run([os.path.join(folder, "node_modules", ".bin", "tsc"), "-p", path], check=True, timeout=120)


def check_stream(folder):
    web = os.path.join(folder, "web")
    os.makedirs(web, exist_ok=True)
    for name in os.listdir(os.path.join(ROOT, "web")):
        if name.endswith(".js"):
            shutil.copy(os.path.join(ROOT, "web", name), web)
    shutil.copy(os.path.join(HERE, "stream_test.mjs"), folder)
    subprocess.run(["node", "stream_test.mjs"], check=True, timeout=120, cwd=folder)


def check_page(program, folder):
    server = Server(program, "--log-level", "warn")
    try:
        node(folder, "page_test.mjs", f"http://127.0.0.1:{server.port}", str(server.process.pid))
    except BaseException:
        print(server.read_log())
        raise
    finally:
        server.kill()


NGINX = """{user}daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off;
{temporary}
server {{ listen 127.0.0.1:{port};
  location /some/where/ {{ proxy_pass http://unix:{socket}:/; proxy_http_version 1.1; proxy_buffering off;
    proxy_set_header Host $http_host; }}
}} }}
"""


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
        return True
    except OSError:
        return False


def check_front(program, folder):
    os.environ["PATH"] += ":/usr/sbin"
    if shutil.which("nginx") is None:
        skip("no nginx")
    with tempfile.TemporaryDirectory() as place:
        keys = os.path.join(place, "keys")
        with open(keys, "w", encoding="utf-8") as file:
            file.write("open-sesame-of-the-test\n")
        path = os.path.join(place, "chorus")
        port = free_port()
        names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        with open(os.path.join(place, "nginx.conf"), "w", encoding="utf-8") as file:
            # Root's workers would be nobody, who may not go into the folder.
            user = "user root;\n" if os.geteuid() == 0 else ""
            file.write(NGINX.format(user=user, folder=place, port=port, socket=path,
                                    temporary="\n".join(f"{name}_temp_path {place}/{name};" for name in names)))
        with Server(program, "--api-key-file", keys, "--unix-socket", path) as server:
            nginx = subprocess.Popen(["nginx", "-e", f"{place}/error.log", "-p", place, "-c", f"{place}/nginx.conf"])
            try:
                wait_until("nginx did not start", lambda: nginx.poll() is not None or is_open(port))
                assert nginx.poll() is None, "nginx did not start"
                node(folder, "front_test.mjs", f"http://127.0.0.1:{port}/some/where/", "open-sesame-of-the-test", keys,
                     str(server.process.pid))
            finally:
                nginx.terminate()
                nginx.wait(10)


def main(program, folder, test):
    install(folder)
    if test == "types":
        check_types(folder)
    elif test == "stream":
        check_stream(folder)
    elif test == "page":
        check_page(program, folder)
    else:
        check_front(program, folder)


main(*sys.argv[1:])
