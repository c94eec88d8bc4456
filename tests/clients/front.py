"""What every proxy in front of two servers is held to (nginx_front.py, haproxy_front.py): the same
beginning goes to the same server, and one that dies costs only what it was answering."""

import json
import re
import ssl
import subprocess
import threading
import time

PROMPT = "The same beginning of a text"
READERS = 12
# What is read before one server is killed, and afterwards: as long as that takes on this machine.
ENOUGH = 4 * READERS
MOST_SECONDS = 60


def make_certificate(folder):
    """fullchain.pem and privkey.pem; what a client needs to believe them."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", f"{folder}/privkey.pem",
                    "-out", f"{folder}/fullchain.pem"], check=True, capture_output=True)
    return ssl.create_default_context(cafile=f"{folder}/fullchain.pem")


def logged(servers, request_id):
    """The line of a request in one of the servers' logs, which are JSON."""
    deadline = time.monotonic() + MOST_SECONDS
    while time.monotonic() < deadline:
        for line in "\n".join(server.read_log() for server in servers).splitlines():
            if request_id in line:
                return json.loads(line)
        time.sleep(0.02)
    raise AssertionError(f"no line of the log has {request_id}")


def answered(server):
    text = server.get("/metrics")[1].decode()
    return sum(int(count) for count in re.findall(
        r'chorus_http_requests_total\{route="/generate/PROMPT",status="200"\} (\d+)', text))


def check_affinity(read, servers):
    """`read(prompt)`: the text through the proxy, or None if it was lost."""
    before = [answered(server) for server in servers]
    for _ in range(6):
        assert read(PROMPT) is not None
    # An answer is counted once its last byte is sent, so its reader may be here before.
    deadline = time.monotonic() + MOST_SECONDS
    while True:
        counts = [answered(server) - count for server, count in zip(servers, before)]
        if sum(counts) >= 6 or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    # Maybe one more: of the one that was read first of all.
    assert min(counts) == 0 and max(counts) in (6, 7), counts


class Load:
    """Readers of texts that go on until end()."""

    def __init__(self, read):
        self.read, self.expected, self.results, self.different = read, {}, [], []
        self.lock, self.running = threading.Lock(), threading.Event()
        self.running.set()
        self.threads = [threading.Thread(target=self._reader, args=(number,)) for number in range(READERS)]
        for thread in self.threads:
            thread.start()

    def _reader(self, number):
        count = 0
        while self.running.is_set():
            prompt = f"Reader {number} begins {count % 5}"
            begun = time.monotonic()
            text = self.read(prompt)
            with self.lock:
                self.results.append((begun, time.monotonic(), text is not None))
                if text is not None and self.expected.setdefault(prompt, text) != text:
                    self.different.append(prompt)
            count += 1

    def more(self, count=ENOUGH):
        count += len(self.results)
        deadline = time.monotonic() + MOST_SECONDS
        while len(self.results) < count:
            assert time.monotonic() < deadline, f"only {len(self.results)} of {count} were answered"
            time.sleep(0.02)

    def end(self):
        """The requests that were lost, each as when it began and ended."""
        self.running.clear()
        for thread in self.threads:
            thread.join()
        assert not self.different, f"another server, another text: {self.different}"
        return [result for result in self.results if not result[2]]


def check_loss(read, servers):
    load = Load(read)
    try:
        load.more()
        servers[0].kill()
        killed = time.monotonic()
        load.more()
    finally:
        lost = load.end()
    late = [result for result in lost if result[0] > killed]
    print(f"{len(load.results)} requests of {READERS} readers, one of two servers killed in the middle: "
          f"{len(lost)} lost (being read when it died), {len(late)} of them begun afterwards")
    assert len(lost) <= READERS and not late, lost
