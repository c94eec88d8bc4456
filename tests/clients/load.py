"""wrk against a server: rates, latencies, and whether every answer is the same. Standard library
only."""

import os
import re
import subprocess


SAME_TEXT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "same_text.lua")


def run_wrk(url, seconds, connections=14, threads=2, script=SAME_TEXT):
    """`script`: a path, or none. Returns {"requests_per_second", "latency", "errors", "different", "output"}."""
    command = ["wrk", f"-c{connections}", f"-t{threads}", f"-d{seconds}s", "--latency",
               "--timeout", "30s"]
    if script is not None:
        command += ["-s", script]
    output = subprocess.run([*command, url], capture_output=True, text=True, check=True,
                            timeout=seconds + 60).stdout
    errors = sum(int(count) for line in re.findall(r"Socket errors: (.*)", output)
                 for count in re.findall(r"\d+", line))
    errors += sum(int(count) for count in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    different = re.search(r"different=(\d+) failed=(\d+)", output)
    return {
        "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
        "latency": dict(re.findall(r"(50|75|90|99)%\s+([\d.]+m?u?s)", output)),
        "errors": errors + (int(different.group(2)) if different else 0),
        "different": int(different.group(1)) if different else None,
        "output": output,
    }
