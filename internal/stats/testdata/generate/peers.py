"""Asks the real tools.

    python peers.py golden > ../peers.json     records the answers to the cases below
    python peers.py ask < cases.json           answers the cases on standard input

A case is {"function": ..., ...inputs}; the answer a number or a list of them. Samples are
given by a recipe that Go computes to the same bits (see sample), so that no data is stored.
Install with: python -m pip install -r requirements.txt
"""
import contextlib
import importlib.metadata
import json
import math
import os
import sys
import time
import warnings

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("NML_DISABLE_USAGE_LOGGING", "1")
warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
import scipy.stats as st


def sample(r):
    """n values: u = ((i*a + b) mod m)/m; its power; or a sum of four such; scaled, moved."""
    i = np.arange(r["n"], dtype=np.int64)

    def u(k):
        return ((i * (r["a"] + 2 * k) + r["b"] + 977 * k) % r["m"]) / float(r["m"])

    x = u(0)
    if r.get("sum"):
        x = (x + u(1)) + (u(2) + u(3))
    for _ in range(r.get("power", 1) - 1):
        x = x * u(0)
    if r.get("levels"):
        x = np.floor(x * r["levels"])
    x = x * r.get("scale", 1.0) + r.get("shift", 0.0)
    if r.get("missing"):
        x = np.where(i % r["missing"] == 0, np.nan, x)
    return x


def evidently(metric, e, a, categorical):
    from evidently.legacy.calculations import stattests
    from evidently.legacy.core import ColumnType
    name = {"psi": "psi", "kl_reverse": "kl_div", "js_distance": "jensenshannon", "wasserstein_normalised": "wasserstein",
            "kolmogorov_smirnov_p": "ks", "chi_squared_exact_p": "chisquare"}[metric]
    from evidently.legacy.calculations.stattests.registry import _registered_stat_tests
    test = next(iter(_registered_stat_tests[name].values()))
    # Evidently drops missing values before it calls a test.
    e, a = pd.Series(e).dropna(), pd.Series(a).dropna()
    kind = ColumnType.Categorical if categorical else ColumnType.Numerical
    return float(test(e, a, kind, None).drift_score)


def nannyml(metric, e, a, categorical):
    from nannyml.chunk import SizeBasedChunker
    from nannyml.drift.univariate.methods import FeatureType, MethodFactory
    from nannyml.thresholds import StandardDeviationThreshold
    key = {"js_distance_base2": "jensen_shannon", "hellinger": "hellinger", "kolmogorov_smirnov": "kolmogorov_smirnov",
           "wasserstein": "wasserstein", "l_infinity": "l_infinity", "chi_squared": "chi2"}[metric]
    kind = FeatureType.CATEGORICAL if categorical else FeatureType.CONTINUOUS
    e, a = pd.Series(e, name="x"), pd.Series(a, name="x")
    if categorical:
        e, a = e.astype("object"), a.astype("object")
    m = MethodFactory.create(key=key, feature_type=kind, chunker=SizeBasedChunker(chunk_size=max(len(e) // 2, 1)),
                             threshold=StandardDeviationThreshold())
    m._fit(e)
    return float(m._calculate(a))


def azure(metric, e, a, categorical):
    """Not the tool, which needs its own platform: its source, read, written with numpy."""
    e, a = e[~np.isnan(e)], a[~np.isnan(a)]
    if metric == "wasserstein_normalised":
        return st.wasserstein_distance(e, a) / max(np.std(e, ddof=1), 0.001)
    if metric == "kolmogorov_smirnov_p":
        return st.ks_2samp(e, a).pvalue
    if categorical:
        keys = sorted(set(e) | set(a))
        ce, ca = [np.array([(x == k).sum() for k in keys]) for x in (e, a)]
    else:
        bins = math.ceil(math.log2(min(len(e), len(a))) + 1)
        low, high = min(e.min(), a.min()), max(e.max(), a.max())
        width = (high - low) / bins
        edges = [low + i * width for i in range(bins + 1)]
        ce, ca = np.histogram(e, edges)[0], np.histogram(a, edges)[0]
    if metric == "psi":
        p, q = (ce + 1) / (len(e) + len(ce)), (ca + 1) / (len(a) + len(ca))
        return float(np.sum((q - p) * np.log(q / p)))
    if metric == "chi_squared_exact_p":
        return st.chisquare(ca, ce * (len(a) / len(e))).pvalue
    from scipy.spatial.distance import jensenshannon
    return float(jensenshannon(ce / len(e), ca / len(a), base=2))


def answer(c):
    f = c["function"]
    if f == "engine":
        engine = {"evidently": evidently, "nannyml": nannyml, "azure": azure}[c["engine"]]
        with contextlib.redirect_stdout(sys.stderr):
            return engine(c["metric"], sample(c["expected"]), sample(c["actual"]), c.get("categorical", False))
    if f == "ks":
        r = st.ks_2samp(sample(c["expected"]), sample(c["actual"]), method={"asymptotic": "asymp"}.get(c["method"], c["method"]))
        return [r.statistic, r.pvalue]
    if f == "kstwo":
        return float(st.kstwo.sf(c["d"], c["n"]))
    if f == "wasserstein":
        return st.wasserstein_distance(sample(c["expected"]), sample(c["actual"]))
    if f == "mann_whitney":
        e, a = sample(c["expected"]), sample(c["actual"])
        ties = len(set(e) | set(a)) < len(e) + len(a)
        r = st.mannwhitneyu(e, a, method="asymptotic" if ties or max(len(e), len(a)) > 50 else "exact")
        return [r.statistic, r.pvalue]
    if f == "quantile":
        return [float(v) for v in np.percentile(sample(c["expected"]), c["q"])]
    if f == "chi2":
        r = st.chi2_contingency(np.array(c["table"]), correction=c["yates"])
        return [r[0], r[1]]
    # statsmodels
    from statsmodels.stats import power as sp, proportion as prop
    side = "two-sided" if c.get("two_sided", True) else "larger"
    if f == "z_power":
        return float(sp.NormalIndPower().power(c["effect"], c["n1"], c["alpha"], c["ratio"], side))
    if f == "t_power":
        return float(sp.TTestIndPower().power(c["effect"], c["n1"], c["alpha"], ratio=c["ratio"], alternative=side))
    if f == "t_samples":
        return float(sp.TTestIndPower().solve_power(c["effect"], None, c["alpha"], c["power"], c["ratio"], side))
    if f == "proportion_samples":
        n = prop.samplesize_proportions_2indep_onetail(c["p1"] - c["p2"], c["p2"], c["power"], ratio=c["ratio"],
                                                       alpha=c["alpha"] / 2 if c["two_sided"] else c["alpha"], alternative="larger")
        return float(n)
    if f == "proportion_power":
        r = prop.power_proportions_2indep(c["p1"] - c["p2"], c["p2"], c["n1"], ratio=c["ratio"], alpha=c["alpha"], alternative=side)
        return float(r.power)
    if f == "chi2_power":
        return float(sp.GofChisquarePower().power(c["w"], c["n"], c["alpha"], c["bins"]))
    if f == "interval":
        return [float(v) for v in prop.proportion_confint(c["x"], c["n"], c["alpha"], c["method"])]
    raise ValueError(f)


def golden_cases():
    normal = lambda n, b=1, shift=0.0, scale=1.0, **k: dict(n=n, a=7919, b=b, m=10007, sum=True, shift=shift, scale=scale, **k)
    skewed = lambda n, b=1, shift=0.0, **k: dict(n=n, a=5471, b=b, m=99991, power=4, scale=3.0, shift=shift, **k)
    levels = lambda n, k, b=1, **kw: dict(n=n, a=104729, b=b, m=99991, levels=k, **kw)
    pairs = [
        ("same shape", normal(1000), normal(500, 4231)),
        ("small window", normal(1000), normal(57, 4231)),
        ("shifted", normal(800), normal(300, 777, 0.35)),
        ("scaled", normal(800), normal(300, 777, -1.0, 1.6)),
        ("skewed", skewed(900), skewed(400, 333)),
        ("skewed, beyond", skewed(900), skewed(400, 333, 0.7)),
        ("missing", normal(700, missing=9), normal(350, 99, missing=7)),
        ("few levels", levels(600, 6), levels(250, 7, 55)),
        ("twenty levels", levels(600, 20), levels(250, 20, 55)),
        ("many levels", levels(600, 40), levels(250, 41, 55)),
        ("constant", dict(n=50, a=0, b=0, m=7, shift=2.0), dict(n=30, a=0, b=0, m=7, shift=2.0)),
        ("large", skewed(12_000), skewed(3000, 17, -0.2)),
        ("large, same", normal(12_000), normal(11_000, 17)),
    ]
    numbers = dict(evidently=["psi", "kl_reverse", "js_distance", "wasserstein_normalised", "kolmogorov_smirnov_p"],
                   nannyml=["js_distance_base2", "hellinger", "kolmogorov_smirnov", "wasserstein"],
                   azure=["psi", "js_distance_base2", "wasserstein_normalised", "kolmogorov_smirnov_p"])
    categories = dict(evidently=["psi", "kl_reverse", "js_distance", "chi_squared_exact_p"],
                      nannyml=["js_distance_base2", "hellinger", "l_infinity", "chi_squared"],
                      azure=["psi", "js_distance_base2", "chi_squared_exact_p"])
    for name, e, a in pairs:
        for engine, metrics in numbers.items():
            for metric in metrics:
                if engine == "azure" and (name == "constant" or metric == "kolmogorov_smirnov_p" and name.startswith("large")):
                    continue
                yield dict(function="engine", engine=engine, metric=metric, name=name, expected=e, actual=a)
        if e.get("levels"):
            for engine, metrics in categories.items():
                for metric in metrics:
                    yield dict(function="engine", engine=engine, metric=metric, name=name, expected=e, actual=a, categorical=True)
    two = levels(90, 2), dict(levels(60, 3, 7), scale=1.0)
    yield dict(function="engine", engine="nannyml", metric="chi_squared", name="two levels", expected=levels(90, 2), actual=levels(61, 2, 7), categorical=True)
    yield dict(function="engine", engine="nannyml", metric="l_infinity", name="a new level", expected=two[0], actual=two[1], categorical=True)
    for name, e, a in pairs[:6]:
        for method in ["auto", "exact", "asymptotic"]:
            yield dict(function="ks", expected=e, actual=a, method=method)
        yield dict(function="wasserstein", expected=e, actual=a)
        yield dict(function="mann_whitney", expected=e, actual=a)
        yield dict(function="quantile", expected=e, q=[0, 1, 10, 33.3, 50, 90, 99.9, 100])
    yield dict(function="mann_whitney", expected=normal(20), actual=normal(31, 7, 0.2))
    for n in [1, 2, 3, 7, 20, 139, 140, 141, 500, 4000, 99_999, 200_000]:
        for z in [0.3, 0.55, 0.8, 0.9, 1.2, 1.6, 1.9, 2.3, 3.2]:
            if z / math.sqrt(n) < 1:
                yield dict(function="kstwo", d=z / math.sqrt(n), n=n)


def main():
    if sys.argv[1] == "golden":
        out = []
        for c in golden_cases():
            c["want"] = answer(c)
            out.append(c)
        versions = {p: importlib.metadata.version(p) for p in ["evidently", "nannyml", "numpy", "pandas", "scipy", "statsmodels"]}
        note = "recorded by testdata/generate/peers.py; azure is its source rewritten, not the tool"
        print("{\"versions\": " + json.dumps(versions) + ", \"note\": " + json.dumps(note) + ", \"cases\": [")
        print(",\n".join(json.dumps(c) for c in out) + "\n]}")
    elif sys.argv[1] == "ask":
        print(json.dumps([answer(c) for c in json.load(sys.stdin)]))
    elif sys.argv[1] == "time":
        bench()


def bench():
    """Seconds a call of what the Go benchmarks time."""
    def best(f, times=3):
        out = []
        for _ in range(times):
            t = time.perf_counter(); f(); out.append(time.perf_counter() - t)
        return min(out)
    rng = np.random.default_rng(1)
    e, a = rng.standard_normal(1_000_000), rng.standard_normal(1_000_000)

    def psi():
        edges = np.percentile(e, np.linspace(0, 100, 11)); edges[0], edges[-1] = -np.inf, np.inf
        p = np.histogram(e, edges)[0] / len(e) + 1e-8
        q = np.histogram(a, edges)[0] / len(a) + 1e-8
        return np.sum((q - p) * np.log(q / p))
    edges = np.percentile(e, np.linspace(0, 100, 11)); edges[0], edges[-1] = -np.inf, np.inf
    from statsmodels.stats import power as sp, proportion as prop
    print(json.dumps({
        "histogram": best(lambda: np.histogram(a, edges)) / len(a),
        "psi": best(psi),
        "ks": best(lambda: st.ks_2samp(e[:100_000], a[:100_000])),
        "wasserstein": best(lambda: st.wasserstein_distance(e[:100_000], a[:100_000])),
        "t_samples": best(lambda: sp.TTestIndPower().solve_power(0.2, None, 0.05, 0.8, 1.0)),
        "t_power": best(lambda: sp.TTestIndPower().power(0.2, 394, 0.05, 1.0)),
        "chi2_samples": best(lambda: sp.GofChisquarePower().solve_power(0.1, None, 0.05, 0.8, n_bins=10)),
        "proportion_samples": best(lambda: prop.samplesize_proportions_2indep_onetail(0.01, 0.1, 0.8, ratio=1, alpha=0.025, alternative="larger")),
    }))


if __name__ == "__main__":
    main()
