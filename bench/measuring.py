"""What the measurements of this folder share: whether others disturbed one, and medians of the rest.
Linux; standard library only."""

import os
import statistics
import time

DISTURBED = 0.1  # of the processors' time taken by other processes


class Load:
    """What share of the processors' time other processes took while the block ran, in `others`."""

    def __enter__(self):
        self.others, self.start = 1.0, self.now()
        return self

    def __exit__(self, *_):
        busy, own, wall = (end - start for end, start in zip(self.now(), self.start))
        self.others = max(0.0, busy - own) / (wall * os.cpu_count())

    @staticmethod
    def now():
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        times = os.times()  # of this process and of the ended ones that it started
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        return busy, sum(times[:4]), time.perf_counter()


def wait_for_idle(seconds):
    """Waits so long at most."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with Load() as load:
            time.sleep(0.3)
        if load.others < DISTURBED:
            return


# Measurements are pairs of a value and of what others took meanwhile.


def undisturbed(measurements):
    """The values of those that others left alone; if there is none, of the one they disturbed least."""
    good = [value for value, others in measurements if others < DISTURBED]
    return good or [min(measurements, key=lambda measurement: measurement[1])[0]]


def count_disturbed(measurements):
    return sum(others >= DISTURBED for _, others in measurements)


def median(measurements):
    return statistics.median(undisturbed(measurements))


def spread(measurements, scale=1.0):
    """The median, and the least and the most if there are several."""
    values = [value * scale for value in undisturbed(measurements)]
    digits = 0 if min(values) >= 100 else 1 if min(values) >= 1 else 3
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"
