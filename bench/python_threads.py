"""The talk's picture: tokens per second over the number of Python threads, Chorus beside PyTorch's loop.

usage: python_threads.py chorus MODEL OUT.json [--bench PROGRAM] [--bench-threads 14,32] [--threads 1,2,4,...]
                                [--tokens N] [--rounds R]
       python_threads.py pytorch MODEL.pt OUT.json --threads N [--inside 1] [--cache] [--tokens N] [--rounds R]
       python_threads.py draw OUT.svg MEASURED.json... [--title TEXT] [--caption LINE]...

`chorus` runs in any Python that can import chorus. So many threads begin at once, each with a prompt of 4 tokens and
a seed of its own, and make N tokens each; the rate is all tokens by the time from the first's begin to the last's
end, so it has the threads' start, the prompts and Python's own work in it. A round measures every number of threads
once. With --bench, `chorus bench` (the program) makes as many streams of as many tokens directly before it, in odd
rounds directly after it: first a round that warms up, as the threads have one, then one that counts. Its rate is of
its prompts and tokens together, too. "of_bench" is the median of the rounds' ratios.

A round of which other processes, or a virtual machine's host, took more than 5% of the processors' time is left out
and counted in "disturbed".

`pytorch` adds one point to OUT.json, in a process of its own: the talk's loop (softmax, topk, multinomial) over the
model of bench/gpt2_peer.py, with so many threads of PyTorch's inside each Python thread. The loop reads the whole
text again for each token, as the talk's does, or with --cache only the last token.

`draw` makes a picture of what several runs measured, without libraries.
"""

import argparse
import copy
import html
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

PROMPT_TOKENS = 4
DISTURBED = 0.05  # of the processors' time, taken by others; loading a model for chorus bench looks like 0.03


class Others:
    """What others took of the processors while the block ran, as a share: .share"""

    @staticmethod
    def now():
        """Seconds that all took of the processors, the host among them, and that this process and its ended children took."""
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])

    def __enter__(self):
        self.begin, (self.all, self.own) = time.perf_counter(), self.now()
        return self

    def __exit__(self, *_):
        total, own = self.now()
        seconds = time.perf_counter() - self.begin
        self.share = max(0.0, (total - self.all) - (own - self.own)) / (seconds * os.cpu_count())


def prompt_of(i):
    return [(i * 7919 + j * 10477 + 11) % 50000 for j in range(PROMPT_TOKENS)]


def rate_of_threads(count, generate):
    """Tokens per second of `count` threads that each call generate(i), which says how many it made."""
    barrier = threading.Barrier(count + 1)
    made, begins, ends = [0] * count, [0.0] * count, [0.0] * count
    failures = []

    def work(i):
        barrier.wait()
        begins[i] = time.perf_counter()
        try:
            made[i] = generate(i)
        except BaseException as error:
            failures.append(error)
        ends[i] = time.perf_counter()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    barrier.wait()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(made) / (max(ends) - min(begins))


def rate_of_bench(program, model, streams, tokens):
    output = subprocess.run([program, "bench", "--model", model, "--streams", str(streams), "--rounds", "1",
                             "--prompt-tokens", str(PROMPT_TOKENS), "--new-tokens", str(tokens), "--json"],
                            check=True, capture_output=True, text=True).stdout
    rates = {row["test"]: row["tokens_per_second"] for row in json.loads(output)["results"]}
    # pp: until every stream has its first token; tg: from then on.
    return streams * tokens / (streams * PROMPT_TOKENS / rates["pp"] + streams * (tokens - 1) / rates["tg"])


def summary(threads, rounds):
    """Of the rounds that nobody disturbed."""
    kept = [one for one in rounds if one["others"] <= DISTURBED]
    row = {"threads": threads, "rounds": len(kept), "disturbed": len(rounds) - len(kept)}
    if kept:
        rates = [one["rate"] for one in kept]
        row |= {"rate": statistics.median(rates), "lowest": min(rates), "highest": max(rates)}
        if "bench" in kept[0]:
            ratios = [one["rate"] / one["bench"] for one in kept]
            row |= {"bench": statistics.median(one["bench"] for one in kept), "of_bench": statistics.median(ratios),
                    "of_bench_lowest": min(ratios), "of_bench_highest": max(ratios)}
    return row | {"all": rounds}


def measure_chorus(arguments):
    import chorus

    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    engine = chorus.Engine(arguments.model, prefix_cache=False)
    seed = 0

    def generate(i):  # no two have one seed, so that each round draws other texts, as chorus bench does
        options = {"max_new_tokens": arguments.tokens, "seed": seed + i, "ignore_eos": True}
        return len(engine.generate(prompt_of(i), **options).ids)

    result = {"library": "Chorus", "version": chorus.__version__, "dtype": engine.info.dtype,
              "tokens": arguments.tokens, "python": sys.version.split()[0], "free_threaded": not gil}
    rounds = {count: [] for count in arguments.threads}
    rate_of_threads(max(arguments.threads), generate)  # warms up
    for turn in range(1, arguments.rounds + 1):
        for count in arguments.threads:
            seed += 1000

            def threads():
                return {"rate": rate_of_threads(count, generate)}

            def bench():
                if not arguments.bench or count not in arguments.bench_threads:
                    return {}
                return {"bench": rate_of_bench(arguments.bench, arguments.model, count, arguments.tokens)}

            with Others() as others:
                first, second = (threads, bench) if turn % 2 else (bench, threads)
                values = first() | second()
            rounds[count].append(values | {"others": others.share})
            print(turn, count, json.dumps(rounds[count][-1]), file=sys.stderr, flush=True)
        result["points"] = [summary(count, rounds[count]) for count in arguments.threads]
        pathlib.Path(arguments.out).write_text(json.dumps(result, indent=1))  # what there is so far
    for row in result["points"]:
        print(json.dumps({name: value for name, value in row.items() if name != "all"}), file=sys.stderr)


def measure_pytorch(arguments):
    os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.inside)  # of which torch knows nothing
    import torch

    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from gpt2_peer import Gpt2Peer

    torch.set_num_threads(arguments.inside)
    peer = Gpt2Peer(torch.load(arguments.model, map_location="cpu"))

    def generate(i):
        own = copy.copy(peer)  # the weights are shared, the cache is not
        own.generate(prompt_of(i), PROMPT_TOKENS + arguments.tokens, top_k=50, seed=i, use_cache=arguments.cache)
        return arguments.tokens

    rate_of_threads(1, generate)  # warms up
    (count,) = arguments.threads
    rounds = []
    for _ in range(arguments.rounds):
        with Others() as others:
            rate = rate_of_threads(count, generate)
        rounds.append({"rate": rate, "others": others.share})
    if "rate" not in summary(count, rounds):
        raise SystemExit(f"others took {max(one['others'] for one in rounds):.0%} of the processors: not kept")
    result = {"library": "PyTorch", "version": torch.__version__, "dtype": "f32", "inside": arguments.inside,
              "cache": arguments.cache, "tokens": arguments.tokens, "python": sys.version.split()[0],
              "free_threaded": False, "points": []}
    if os.path.exists(arguments.out):
        before = json.loads(pathlib.Path(arguments.out).read_text())
        if {**before, "points": []} != result:
            raise SystemExit(f"{arguments.out} is of another measurement")
        result = before
    point = summary(count, rounds)
    result["points"] = sorted([one for one in result["points"] if one["threads"] != count] + [point],
                              key=lambda one: one["threads"])
    print(json.dumps(point), file=sys.stderr)
    pathlib.Path(arguments.out).write_text(json.dumps(result, indent=1))


# --- The picture.

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 66, 224, 66, 84
COLOURS = ["#0072b2", "#56b4e9", "#d55e00", "#cc79a7", "#009e73", "#e69f00"]  # told apart without red and green, too
LABEL = 36  # the height of a line's name


def name_of(result):
    if result["library"] == "Chorus":
        lock = "without the lock" if result["free_threaded"] else "with the lock"
        return f"Chorus, {result['dtype']}", f"Python {'.'.join(result['python'].split('.')[:2])}, {lock}"
    loop = "the last token alone (KV cache)" if result["cache"] else "the talk's loop, all tokens again"
    return f"PyTorch {'.'.join(result['version'].split('.')[:2])}, {result['dtype']}", loop


def nice_step(most):
    raw = most / 5
    power = 10 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)


def label_places(heights):
    """For each line's end a place for its name: near it, LABEL apart from the others, and on the page."""
    places = sorted((height, i) for i, height in enumerate(heights))
    found, limit = {}, HEIGHT - BOTTOM - LABEL * len(heights) + LABEL / 2
    previous = -math.inf
    for height, i in places:
        limit += LABEL
        previous = found[i] = max(min(height, limit), previous + LABEL)
    return found


def draw(path, measured, title, captions):
    lines = [(*name_of(result), [(point["threads"], point["rate"]) for point in result["points"] if "rate" in point])
             for result in measured]
    counts = sorted({threads for _, _, points in lines for threads, _ in points})
    largest = max(rate for _, _, points in lines for _, rate in points)
    step = nice_step(largest)
    most = step * math.ceil(largest / step)
    first, last = math.log2(counts[0]), math.log2(max(counts[-1], counts[0] * 2))

    def x(threads):
        return LEFT + (math.log2(threads) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(rate):
        return HEIGHT - BOTTOM - rate / most * (HEIGHT - TOP - BOTTOM)

    svg = []

    def text(x, y, content, anchor="start", **attributes):
        more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
        svg.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{html.escape(content)}</text>')

    svg.append(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
               'font-family="sans-serif" font-size="13" fill="#333">')
    svg.append(f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff"/>')
    text(LEFT, 28, title, font_size=16)
    text(LEFT, 48, "tokens per second of all threads together", fill="#666")
    for i in range(round(most / step) + 1):
        at = y(i * step)
        svg.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="#{"ddd" if i else "333"}"/>')
        text(LEFT - 8, at + 4, f"{i * step:g}", "end")
    for threads in counts:
        text(x(threads), HEIGHT - BOTTOM + 20, str(threads), "middle")
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 40, "Python threads", "middle")
    for i, caption in enumerate(captions):
        text(LEFT, HEIGHT - 26 + 15 * i, caption, font_size=11, fill="#666")
    places = label_places([y(points[-1][1]) for _, _, points in lines])
    for i, (label, where, points) in enumerate(lines):
        colour = COLOURS[i % len(COLOURS)]
        corners = " ".join(f"{x(threads):.1f},{y(rate):.1f}" for threads, rate in points)
        svg.append(f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="2"/>')
        svg.extend(f'<circle cx="{x(threads):.1f}" cy="{y(rate):.1f}" r="3.5" fill="{colour}"/>' for threads, rate in points)
        text(WIDTH - RIGHT + 14, places[i] - 1, f"{label}: {points[-1][1]:.0f}", fill=colour, font_weight="bold")
        text(WIDTH - RIGHT + 14, places[i] + 14, where, fill="#666", font_size=11)
    svg.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(svg) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def numbers(text):
        return [int(one) for one in text.split(",")]

    for name, threads, rounds in (("chorus", "1,2,4,8,14,32", 5), ("pytorch", None, 1)):
        measuring = commands.add_parser(name)
        measuring.add_argument("model")
        measuring.add_argument("out")
        measuring.add_argument("--threads", type=numbers, required=threads is None, default=threads)
        measuring.add_argument("--tokens", type=int, default=64)
        measuring.add_argument("--rounds", type=int, default=rounds)
        if name == "chorus":
            measuring.add_argument("--bench", metavar="PROGRAM", help="the program chorus, for chorus bench")
            measuring.add_argument("--bench-threads", type=numbers, default="14,32", help="where it is asked")
        else:
            measuring.add_argument("--inside", type=int, default=1, help="threads of PyTorch's in each Python thread")
            measuring.add_argument("--cache", action="store_true", help="the loop keeps keys and values")
    drawing = commands.add_parser("draw")
    drawing.add_argument("svg")
    drawing.add_argument("measured", nargs="+")
    drawing.add_argument("--title", default="One copy of GPT-2 124M, many Python threads")
    drawing.add_argument("--caption", action="append", default=[], help="a line below; at most two")
    arguments = parser.parse_args()
    if arguments.command == "chorus":
        measure_chorus(arguments)
    elif arguments.command == "pytorch":
        measure_pytorch(arguments)
    else:
        measured = [json.loads(pathlib.Path(path).read_text()) for path in arguments.measured]
        draw(arguments.svg, measured, arguments.title, arguments.caption)


if __name__ == "__main__":
    main()
