"""Law of sqrt(NM/(N+M)) W1/sd between two large samples of one normal distribution.

In the limit it is L = int |B(F(x))| dx with B a Brownian bridge. Z = int B(F(x)) dx is
standard normal, and B(F(x)) = Z phi(x) + R(x) with R independent of Z: given R, L is
convex in Z and P(L > x | R) = Phi(z1) + 1 - Phi(z2) at the two roots. Averaging that over
simulated R gives the far tail with few draws. Prints log(P(L > x) / P(|Z| > x)) for
x = 0, 0.125, ..., 8, the table of wasserstein_law.go, with its relative standard error.
"""
import sys
import numpy as np
from scipy.stats import norm

rng = np.random.default_rng(20261123)
draws, chunk = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000, 500
x = np.linspace(-7, 7, 1121)
dx = x[1] - x[0]
u = norm.cdf(x)
phi = norm.pdf(x)
z = np.arange(-10, 10.0001, 0.05)
at = np.arange(0, 8.01, 0.125)
total = np.zeros(len(at)); square = np.zeros(len(at)); mean = 0.0
for _ in range(draws // chunk):
    steps = rng.standard_normal((chunk, len(x))) * np.sqrt(np.diff(np.concatenate([[0], u])))
    w = np.cumsum(steps, axis=1)
    end = w[:, -1:] + rng.standard_normal((chunk, 1)) * np.sqrt(1 - u[-1])
    b = w - u * end
    big = b.sum(axis=1, keepdims=True) * dx
    r = b - big * phi
    mean += np.abs(b).sum(axis=1).mean() * dx
    L = np.empty((chunk, len(z)))
    for i, v in enumerate(z):
        L[:, i] = np.abs(v * phi + r).sum(axis=1) * dx
    for i in range(chunk):
        k = L[i].argmin()
        # Beyond the grid L grows by 1 a unit of z.
        z1 = -np.interp(at, L[i, k::-1], -z[k::-1])
        z2 = np.interp(at, L[i, k:], z[k:])
        p = np.where(at < L[i, k], 1.0, norm.cdf(z1) + norm.sf(z2))
        total += p; square += p * p
p = total / draws
error = np.sqrt(np.maximum(square / draws - p * p, 0) / draws) / p
print("mean", mean / (draws // chunk))
for a, v, e in zip(at, p, error):
    print(f"{a:6.3f} {v:.6g} {np.log(v / (2 * norm.sf(a))):.6f} {e:.2g}")
