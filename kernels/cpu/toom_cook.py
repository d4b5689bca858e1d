"""The matrices of short convolutions with few products, by Toom and Cook, in exact fractions.

A correlation of r taps w with n = m + r - 1 values x, y[i] = sum over a of x[i + a] w[a], is y = A ((G w) * (B x)): n
products for m outputs, instead of m * r. It evaluates two polynomials at n points and interpolates their product; its
transpositions give x from y and w, and w from x and y, with the same three matrices.

source: Winograd, Arithmetic complexity of computations (1980); Lavin & Gray, arXiv:1509.09308; the choice of points:
Barabasz, Anderson, Soodhalter & Gregg, arXiv:1803.10986
"""

from fractions import Fraction

import numpy as np

# Infinity comes first: what a shorter algorithm uses is the beginning of what a longer one uses, so that phases with
# different numbers of taps share their points. The sixth point in this place rounds half as much as -2 would.
INFINITY = None
POINTS = (INFINITY, 0, 1, -1, 2, Fraction(-1, 2))


def matrices(outputs: int, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (m, n), G (n, r) and B (n, n) of F(m, r) in float64, n = m + r - 1 at most six."""
    count = outputs + taps - 1
    if count > len(POINTS):
        raise ValueError(f"F({outputs}, {taps}) needs {count} points, but only {len(POINTS)} are known to round well")
    finite = [Fraction(p) for p in POINTS[1:count]]
    A = [[Fraction(i == outputs - 1)] + [p**i for p in finite] for i in range(outputs)]
    G = [[Fraction(k == taps - 1) for k in range(taps)]]
    B = [_polynomial(finite)]
    for p in finite:
        others = [q for q in finite if q != p]
        scale = _product(p - q for q in others)
        G.append([p**k / scale for k in range(taps)])
        B.append([*_polynomial(others), Fraction(0)])
    return tuple(np.array(matrix, float) for matrix in (A, G, B))


def _product(factors):
    result = Fraction(1)
    for factor in factors:
        result *= factor
    return result


def _polynomial(roots):
    """The coefficients of the polynomial with these roots, the constant first and a leading 1."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *coefficients], [*(-root * c for c in coefficients), Fraction(0)]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients
