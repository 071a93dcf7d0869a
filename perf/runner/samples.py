"""Statistics of repeated measurements on machines that are busy with other things as well."""
import math
import random
import statistics


def median_row(rows, key):
    """The row of those measured whose `key` is the (lower) median: its figures belong together."""
    return sorted(rows, key=lambda row: row[key])[(len(rows) - 1) // 2]


def trimmed_mean(values, cut=0.2):
    """Mean without the lowest and highest fifth: one disturbed round does not decide."""
    ordered = sorted(values)
    drop = int(len(ordered) * cut)
    return statistics.fmean(ordered[drop:len(ordered) - drop])


def ratio_with_interval(blocks, confidence=0.95, resamples=10_000, seed=1):
    """(ratio, lower, upper) of tree to reference from ABBA blocks.

    A block is (a1, b1, b2, a2): reference, tree, tree, reference, measured in this order, so that a
    drift over the block hits both alike. Ratios are averaged as logarithms; the interval is the
    percentile bootstrap over blocks.
    """
    if len(blocks) < 2:
        raise ValueError("an interval needs two blocks at least")
    logs = []
    for block in blocks:
        if len(block) != 4 or min(block) <= 0:
            raise ValueError(f"not a block of four positive figures: {block}")
        a1, b1, b2, a2 = block
        logs.append(math.log((b1 + b2) / (a1 + a2)))
    source = random.Random(seed)
    means = sorted(trimmed_mean(source.choices(logs, k=len(logs))) for _ in range(resamples))
    tail = (1 - confidence) / 2
    lower = means[int(tail * resamples)]
    upper = means[min(resamples - 1, int((1 - tail) * resamples))]
    return math.exp(trimmed_mean(logs)), math.exp(lower), math.exp(upper)
