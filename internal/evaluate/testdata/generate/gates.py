"""Figures of gates, from the formulas alone: what model_version_test.go expects.

Needs nothing but Python. The AUC's variance is computed in another way than the
evaluator's: Q1 = P(two positives outrank one negative) by integrating over the
negative's score, with the trapezium rule.
"""
from math import ceil, erf, exp, pi, sqrt
from statistics import NormalDist

N = NormalDist()
CRITICAL = N.inv_cdf(0.975)


def auc_error(a, p, n):
    d = sqrt(2) * N.inv_cdf(a)
    step, q = 1e-3, 0.0
    for i in range(-9000, 9001):
        z = i * step
        q += step * exp(-z * z / 2) / sqrt(2 * pi) * N.cdf(d - z) ** 2
    return sqrt((a * (1 - a) + (p - 1) * (q - a * a) + (n - 1) * (q - a * a)) / (p * n))


def show(name, margin, error, samples, guess):
    se = error(samples)
    z = margin / se
    need = next(n for n in range(guess, 10**6) if margin >= CRITICAL * error(n) * (1 - 1e-12))
    assert need > guess, name
    print(f"{name}: standard_error {se:.3g} z {z:.3g} p_value {N.cdf(-z):.3g} required {need}")


def binomial(p, share):
    return lambda n: sqrt(p * (1 - p) / (n * share))


show("accuracy", 0.02, binomial(0.9, 1), 400, 1)
show("recall", 0.1, binomial(0.7, 0.1), 2000, 10)
show("fpr", 0.01, binomial(0.02, 0.8), 1000, 2)
show("precision", 0.1, binomial(0.4, 0.05 * 0.8 / 0.5), 1000, 20)
show("auc", 0.05, lambda n: auc_error(0.8, 0.1 * n, 0.9 * n), 500, 780)
show("rmse", 0.1, lambda n: 2 / sqrt(2 * n), 450, 1)
show("rmse with std_dev", 0.1, lambda n: 8 / (2 * 2 * sqrt(n)), 400, 1)
show("mae", 0.1, lambda n: sqrt((pi / 2 - 1) / n), 100, 1)
show("mean", 2, lambda n: 10 / sqrt(n / 4), 100, 1)
show("perfect", 0.05, binomial(0.95, 1), 20, 1)
