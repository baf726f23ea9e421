"""Answers one question a line, {"function": ..., "inputs": {...}}, with the seconds that the
work took and its result. It stays up, so that neither its start nor an import is timed."""
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
import time

import numpy as np
import pandas as pd
from statsmodels.stats import power, proportion


def timed(work):
    begin = time.perf_counter()
    value = work()
    return {"seconds": time.perf_counter() - begin, "value": float(value)}


def repeated(inputs, work):
    """The time of inputs["as"] calls, measured on fewer."""
    out = timed(lambda: [work() for _ in range(inputs["calls"])][-1])
    out["seconds"] *= inputs["as"] / inputs["calls"]
    return out


def versions(inputs):
    names = ["numpy", "pandas", "pyarrow", "scipy", "statsmodels"]
    return {"text": "Python " + platform.python_version() + ", " + ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names)}


def psi_samples(inputs):
    expected, actual = np.fromfile(inputs["expected"]), np.fromfile(inputs["actual"])

    def work():
        edges = np.percentile(expected, np.linspace(0, 100, 11))
        edges[0], edges[-1] = -np.inf, np.inf
        p = np.histogram(expected, edges)[0] / len(expected) + 1e-8
        q = np.histogram(actual, edges)[0] / len(actual) + 1e-8
        return np.sum((q - p) * np.log(q / p))

    return timed(work)


def histogram(inputs):
    values, edges = np.fromfile(inputs["values"]), np.array(inputs["edges"])
    edges[0], edges[-1] = -np.inf, np.inf
    return repeated(inputs, lambda: np.histogram(values, edges)[0][0])


def to_parquet(inputs):
    if not os.path.exists(inputs["parquet"]):
        pd.read_csv(inputs["csv"], float_precision="round_trip").to_parquet(inputs["parquet"])
    return {}


def profile(inputs):
    def work():
        if inputs["file"].endswith(".parquet"):
            column = pd.read_parquet(inputs["file"], columns=["score"])["score"]
        else:
            # As its users call it; float_precision="round_trip" would be exact, and slower.
            column = pd.read_csv(inputs["file"], usecols=["score"])["score"]
        if inputs["whole"]:
            missing = column.isna().sum()
            if missing > 0:
                column = column.dropna()
            description = column.min(), column.max(), column.mean(), column.std()  # noqa: F841, as a profile has them
            with open(inputs["file"], "rb") as file:
                hashlib.file_digest(file, "sha256").hexdigest()
        values = column.to_numpy()
        edges = np.quantile(values, np.linspace(0, 1, 11))
        open_edges = edges.copy()
        open_edges[0], open_edges[-1] = -np.inf, np.inf
        np.histogram(values, open_edges)
        return edges[1]

    return timed(work)


def proportion_samples(inputs):
    return repeated(inputs, lambda: proportion.samplesize_proportions_2indep_onetail(0.01, 0.1, 0.8, ratio=1, alpha=0.025, alternative="larger"))


def proportion_power(inputs):
    return repeated(inputs, lambda: proportion.power_proportions_2indep(0.01, 0.1, 14749, ratio=1, alpha=0.025, alternative="larger", return_results=False))


def t_samples(inputs):
    return repeated(inputs, lambda: power.TTestIndPower().solve_power(0.2, None, 0.05, 0.8, 1.0))


def t_power(inputs):
    return repeated(inputs, lambda: power.TTestIndPower().power(0.2, 394, 0.05, 1.0))


def z_samples(inputs):
    return repeated(inputs, lambda: power.NormalIndPower().solve_power(0.2, None, 0.05, 0.8, 1.0))


def z_power(inputs):
    return repeated(inputs, lambda: power.NormalIndPower().power(0.2, 394, 0.05, 1.0))


for line in sys.stdin:
    question = json.loads(line)
    try:
        reply = globals()[question["function"]](question["inputs"] or {})
    except Exception as e:  # noqa: BLE001, it is said to the other side
        reply = {"error": f"{question['function']}: {e!r}"}
    print(json.dumps(reply), flush=True)
