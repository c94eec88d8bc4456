"""The talk's picture: tokens per second over the number of Python threads, Chorus beside PyTorch's loop.

usage: python_threads.py measure MODEL.pt OUT.json [--chorus PROGRAM] [--threads 1,2,4,...] [--tokens N] [--rounds R]
       python_threads.py draw OUT.svg MEASURED.json...

`measure` runs in any Python that can import chorus, and PyTorch if it is there. So many threads begin at once, each
with a prompt of 4 tokens and a seed of its own, and make N tokens each; the rate is all tokens by the time from the
first's begin to the last's end, so it has the threads' start, the prompts and Python's own work in it. PyTorch's loop is the talk's:
softmax, topk, multinomial, the whole text read again for each token (bench/gpt2_peer.py), with as many threads inside
as processors are left for each. With --chorus, `chorus bench` is run with as many streams in the same round, directly
before: "of_bench" is the median over the rounds of the two rates' ratio, that of chorus bench being of its prompts
and tokens together, too. What other processes took of the processors
meanwhile is in "others".

`draw` makes a picture of what several Pythons measured, without libraries.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time

PROMPT_TOKENS = 4
PYTORCH_TOKENS = 12


def processors_busy():
    """Seconds that all processes, and that this one and its ended children, took of the processors."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


def rate_of_threads(count, tokens, generate):
    """(tokens per second, share of the processors that others took) of `count` threads that each make `tokens`."""
    barrier = threading.Barrier(count + 1)
    made = [0] * count
    failures = []

    def work(i):
        barrier.wait()
        try:
            made[i] = generate([(i * 7919 + j * 10477 + 11) % 50000 for j in range(PROMPT_TOKENS)], tokens, seed=i)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    busy, own = processors_busy()
    barrier.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    if failures:
        raise failures[0]
    busy_end, own_end = processors_busy()
    others = max(0.0, (busy_end - busy) - (own_end - own)) / (seconds * os.cpu_count())
    return sum(made) / seconds, others


def chorus_generate(engine):
    def generate(prompt, tokens, seed):
        return len(engine.generate(prompt, max_new_tokens=tokens, seed=seed, ignore_eos=True).ids)

    return generate


def pytorch_generate(path):
    import torch
    from gpt2_peer import Gpt2Peer

    peer = Gpt2Peer(torch.load(path, map_location="cpu"))

    def generate(prompt, tokens, seed):
        ids, generator = prompt, torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for _ in range(tokens):
                values, indices = torch.topk(torch.softmax(peer.forward(ids), dim=-1), 50, dim=-1)
                ids = ids + [indices[0, torch.multinomial(values[0], 1, generator=generator)].item()]
        return tokens

    return generate, torch


def rate_of_bench(program, model, streams, tokens):
    output = subprocess.run([program, "bench", "--model", model, "--streams", str(streams), "--rounds", "1",
                             "--prompt-tokens", str(PROMPT_TOKENS), "--new-tokens", str(tokens), "--json"],
                            check=True, capture_output=True, text=True).stdout
    rates = {row["test"]: row["tokens_per_second"] for row in json.loads(output)["results"]}
    # pp: until every stream has its first token; tg: from then on.
    return streams * tokens / (streams * PROMPT_TOKENS / rates["pp"] + streams * (tokens - 1) / rates["tg"])


def measure(arguments):
    import chorus

    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    result = {"python": sys.version.split()[0], "free_threaded": not gil, "model": os.path.basename(arguments.model),
              "processors": os.cpu_count(), "tokens": arguments.tokens, "rounds": arguments.rounds, "chorus": []}
    engine = chorus.Engine(arguments.model, prefix_cache=False)
    generate = chorus_generate(engine)
    rate_of_threads(1, 8, generate)
    for count in arguments.threads:
        rounds = []
        for _ in range(arguments.rounds):
            bench = rate_of_bench(arguments.chorus, arguments.model, count, arguments.tokens) if arguments.chorus else None
            rate, others = rate_of_threads(count, arguments.tokens, generate)
            rounds.append({"rate": rate, "others": others, "bench": bench})
        row = {"threads": count, "rate": statistics.median(one["rate"] for one in rounds),
               "others": statistics.median(one["others"] for one in rounds), "rounds": rounds}
        if arguments.chorus:
            row["of_bench"] = statistics.median(one["rate"] / one["bench"] for one in rounds)
        result["chorus"].append(row)
        print(json.dumps({name: value for name, value in row.items() if name != "rounds"}), file=sys.stderr, flush=True)
    try:
        if arguments.no_pytorch:
            raise ImportError("not wanted")
        peer, torch = pytorch_generate(arguments.model)
    except ImportError as error:
        print(f"no PyTorch here: {error}", file=sys.stderr)
    else:
        result["pytorch_version"] = torch.__version__
        result["pytorch"] = []
        for count in arguments.threads:
            torch.set_num_threads(max(1, os.cpu_count() // count))
            rate, others = rate_of_threads(count, PYTORCH_TOKENS, peer)
            result["pytorch"].append({"threads": count, "rate": rate, "others": others})
            print(json.dumps(result["pytorch"][-1]), file=sys.stderr, flush=True)
    with open(arguments.out, "w") as file:
        json.dump(result, file, indent=1)


# --- The picture.

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 70, 210, 56, 56
COLOURS = ["#1b6ac9", "#c2571a", "#3a8a3f", "#8a3a85", "#666666", "#a08000"]


def lines_of(measured):
    lines = []
    for result in measured:
        kind = "free-threaded" if result["free_threaded"] else "with the lock"
        where = f"Python {'.'.join(result['python'].split('.')[:2])}, {kind}"
        for name, label in (("chorus", "Chorus"), ("pytorch", f"PyTorch {result.get('pytorch_version', '')[:4]} loop")):
            if result.get(name):
                lines.append((label, where, [(row["threads"], row["rate"]) for row in result[name]]))
    return lines


def nice_step(most):
    raw = most / 5
    power = 10 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)


def draw(path, measured):
    lines = lines_of(measured)
    counts = sorted({threads for _, _, points in lines for threads, _ in points})
    step = nice_step(max(rate for _, _, points in lines for _, rate in points))
    most = step * math.ceil(max(rate for _, _, points in lines for _, rate in points) / step)
    first, last = math.log2(counts[0]), math.log2(max(counts[-1], counts[0] * 2))

    def x(threads):
        return LEFT + (math.log2(threads) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(rate):
        return HEIGHT - BOTTOM - rate / most * (HEIGHT - TOP - BOTTOM)

    result = measured[0]
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           'font-size="13" fill="#333">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           f'<text x="{LEFT}" y="24" font-size="16">Tokens per second of so many Python threads</text>',
           f'<text x="{LEFT}" y="43" fill="#777">{result["model"]}, f32, {result["processors"]} processors; '
           "one engine for all threads</text>"]
    for i in range(round(most / step) + 1):
        at = y(i * step)
        svg.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="#ddd"/>')
        svg.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{i * step:g}</text>')
    for threads in counts:
        svg.append(f'<text x="{x(threads):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{threads}</text>')
    svg.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">threads</text>')
    # Labels beside the lines' ends, moved apart where they would lie on one another.
    places = sorted((y(points[-1][1]), i) for i, (_, _, points) in enumerate(lines))
    label_y, previous = {}, -math.inf
    for at, i in places:
        previous = label_y[i] = max(at, previous + 34)
    for i, (label, where, points) in enumerate(lines):
        colour = COLOURS[i % len(COLOURS)]
        corners = " ".join(f"{x(threads):.1f},{y(rate):.1f}" for threads, rate in points)
        svg.append(f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="2"/>')
        svg.extend(f'<circle cx="{x(threads):.1f}" cy="{y(rate):.1f}" r="3.5" fill="{colour}"/>' for threads, rate in points)
        at = label_y[i] - 2
        svg.append(f'<text x="{WIDTH - RIGHT + 14}" y="{at:.1f}" fill="{colour}">{label}: {points[-1][1]:.0f}</text>')
        svg.append(f'<text x="{WIDTH - RIGHT + 14}" y="{at + 15:.1f}" fill="#777" font-size="11">{where}</text>')
    svg.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(svg) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("model")
    measuring.add_argument("out")
    measuring.add_argument("--chorus", help="the program, for chorus bench")
    measuring.add_argument("--threads", type=lambda text: [int(one) for one in text.split(",")],
                           default=[1, 2, 4, 8, 14, 32])
    measuring.add_argument("--no-pytorch", action="store_true")
    measuring.add_argument("--tokens", type=int, default=64)
    measuring.add_argument("--rounds", type=int, default=3)
    drawing = commands.add_parser("draw")
    drawing.add_argument("svg")
    drawing.add_argument("measured", nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "measure":
        measure(arguments)
    else:
        draw(arguments.svg, [json.load(open(path)) for path in arguments.measured])


main()
