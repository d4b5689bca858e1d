"""The matrices of short convolutions with few products, by Toom and Cook, in exact fractions.

A correlation of r taps w with n = m + r - 1 values x, y[i] = sum over a of x[i + a] w[a], is y = A ((G w) * (B x)): n
products for m outputs, instead of m * r. It evaluates two polynomials at n points and interpolates their product. Its
transposes give x from y and w, and w from x and y, with the same three matrices.

source: Winograd, Arithmetic complexity of computations (1980); Lavin & Gray, arXiv:1509.09308; the choice of points:
Barabasz, Anderson, Soodhalter & Gregg, arXiv:1803.10986
"""

from fractions import Fraction

import numpy as np

# The finite points for tiles of m outputs and phases whose longest has r taps; infinity is always a point too. Shorter
# phases use the first of them, so that phases share points. Among fractions with denominator 8, these minimise the root
# of the sum over points of |A's column|^2 |G's row|^2 |B's row|^2, which measures how much rounding is amplified: 0, 1,
# -1, 2, -2 amplify it two to three times as much. Pairs p, -p come together.
ODD = (1, -1, 0)
POINTS = {
    (1, 1): (),
    (1, 2): (0,),
    (1, 3): (0, 1),
    (2, 1): (0,),
    (2, 2): (1, -1),
    (2, 3): ODD,
    (3, 1): (1, -1),
    (3, 2): ODD,
    (3, 3): (Fraction(5, 4), Fraction(-5, 4), Fraction(3, 8), Fraction(-3, 8)),
    (4, 1): ODD,
    (4, 2): (Fraction(5, 4), Fraction(-5, 4), Fraction(3, 8), Fraction(-3, 8)),
    (4, 3): (Fraction(3, 2), Fraction(-3, 2), Fraction(5, 8), Fraction(-5, 8), 0),
}


def matrices(outputs: int, taps: int, longest: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (m, n), G (n, r) and B (n, n) of F(m, r) in float64, n = m + r - 1; the first point is infinity.

    longest: taps of the longest phase, with which this one shares its points; `taps` by default
    """
    points = POINTS.get((outputs, longest or taps))
    if points is None or taps > (longest or taps):
        raise ValueError(
            f"F({outputs}, {taps}) is not among the sizes for which points with small rounding errors are known"
        )
    finite = [Fraction(p) for p in points[: outputs + taps - 2]]
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
