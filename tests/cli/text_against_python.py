"""--replace-invalid against Python's errors="replace", and what is refused against errors="strict".

usage: text_against_python.py CHORUS

What chorus takes the bytes for is seen by tokenizing and detokenizing them, which loses nothing. Seeds
are fixed, so a failure can be repeated.
"""

import random
import re
import subprocess
import sys

CHORUS = sys.argv[1]
PIECES = [b"x", b" ", "é".encode(), "€".encode(), "😀".encode(), "\U0010ffff".encode(), "\ufeff".encode(),
          b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",
          b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe\xff", b"\xff\xfe"]
WIDE = {"utf-16-le": (2, "little"), "utf-16-be": (2, "big"), "utf-32-le": (4, "little"), "utf-32-be": (4, "big")}


def random_bytes(choose):
    """Whole, truncated and overlong sequences, surrogates, and any bytes; no line ends."""
    parts = []
    for _ in range(choose.randint(0, 12)):
        if choose.random() < 0.3:
            parts.append(bytes(choose.randrange(256) for _ in range(choose.randint(1, 4))))
        else:
            piece = choose.choice(PIECES)
            parts.append(piece[:choose.randint(1, len(piece))] if choose.random() < 0.4 else piece)
    return b"".join(parts).replace(b"\n", b"")


def random_wide(choose, size, order):
    """Strings of code units, with lone surrogates and units that are no character, a line each; cut at the end."""
    units = [0x41, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xFEFF, 0x20AC, 0x0A]
    units += [0x110000, 0x1F600, 0xFFFFFFFF] if size == 4 else []
    data = b"".join(choose.choice(units).to_bytes(size, order) for _ in range(5000))
    return (0x41).to_bytes(size, order) + data + bytes(choose.randrange(256) for _ in range(choose.randrange(size)))


def run(arguments, data):
    return subprocess.run([CHORUS, *arguments], input=data, capture_output=True, timeout=120, check=False)


def text_of(data, arguments):
    ids = run(["tokenize", *arguments], data)
    assert ids.returncode == 0, ids.stderr
    return run(["detokenize", "-"], ids.stdout).stdout


def check(what, data, found, expected):
    if found != expected:
        sys.exit(f"{what}: {data.hex(' ')}\n found {found!r}\n expected {expected!r}")


def replaced(choose):
    """Many strings at once, a line each: no line end is ever part of what is ill-formed."""
    lines = [random_bytes(choose) for _ in range(20000)]
    found = text_of(b"\n".join(lines), ["--replace-invalid"]).split(b"\n")
    assert len(found) == len(lines), (len(found), len(lines))
    for i, (line, text) in enumerate(zip(lines, found)):
        codec = "utf-8-sig" if i == 0 else "utf-8"
        check("utf-8", line, text, line.decode(codec, "replace").encode())
    for end in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf0\x9f", b"\xed\xa0", b"\xe0\x80"):  # of the text itself
        data = b"end " + end
        check("end", data, text_of(data, ["--replace-invalid"]), data.decode("utf-8", "replace").encode())


def wide_replaced(choose):
    for name, (size, order) in WIDE.items():
        for _ in range(2):
            data = random_wide(choose, size, order)
            found = text_of(data, ["--replace-invalid", "--encoding", name])
            check(name, data, found, data.decode(name, "replace").encode())


def refused(choose):
    for _ in range(12):
        data = b"a" + random_bytes(choose)
        result = run(["tokenize"], data)
        try:
            data.decode("utf-8")
            check("accepted", data, result.returncode, 0)
        except UnicodeDecodeError as error:
            place = re.search(rb"not utf-8 at byte (\d+)", result.stderr)
            check("refused", data, (result.returncode, place and int(place[1])), (1, error.start))


def main():
    replaced(random.Random(1))
    wide_replaced(random.Random(2))
    refused(random.Random(3))
    print("ok")


main()
