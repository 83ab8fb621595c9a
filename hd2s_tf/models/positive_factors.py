"""A matrix as a product of two with a ReLU between them that cuts nothing.

A separable convolution is such a product: patches are projected over space, and the projections, above zero, combined
over time. Of all projections the best are those of a singular value decomposition weighted by the patches that occur.
So that the ReLU leaves them as they are:

- Patches of features are not negative, and some direction among the projections is positive wherever there is anything
  at all. It is added to every projection until hardly any is negative. Unlike a constant, it leaves zero at zero, so
  that the padding at a window's ends stays right.
- Patches of pixels are negative and positive, but few projections say all of them: half as many, each with both signs.
"""

import numpy as np

# Of a ridge regression, as a share of the mean square of a column, times columns a row.
_RIDGE = 0.1
# Added to the weights of all directions, as a share of their mean, so that none is divided by zero.
_FLOOR = 1e-6
# Largest lift of a projection, in its standard deviations, and how positive a patch must be to count, as a share of the
# mean.
_LARGEST_LIFT, _PRESENT = 6.0, 0.1


def positive_factors(matrix: np.ndarray, patches: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors A [n,rank] and B [rank,m] for which x A B comes close to x M, with x A hardly ever negative.

    Where patches have negative values themselves, half the columns of A are the other half with the other sign, and
    relu(x A) B comes close to x M.

    Args:
      matrix: M [n,m].
      patches: rows x [N,n].
      rank: of the product.
    """
    square = np.float64(patches.T @ patches) / len(patches)
    values, vectors = np.linalg.eigh(square + _FLOOR * np.trace(square) / len(square) * np.eye(len(square)))
    signed = bool((patches < 0).any())
    _, _, right = np.linalg.svd((vectors * np.sqrt(values)) @ (vectors.T @ matrix), full_matrices=False)
    right = right[: rank // 2 if signed else rank]
    left = matrix @ right.T
    if signed:
        left, right = np.concatenate([left, -left], 1), np.concatenate([right, -right])
    else:
        left, right = _lifted(left, right, patches)
    # The matrix itself may have fewer directions.
    missing = rank - len(right)
    return np.pad(left, ((0, 0), (0, missing))), np.pad(right, ((0, missing), (0, 0)))


def _lifted(left: np.ndarray, right: np.ndarray, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same product of factors whose projections are not negative."""
    sign = np.where((patches @ left).sum(0) < 0, -1.0, 1.0)
    left, right = left * sign, right * sign[:, np.newaxis]
    projections = patches @ left
    # The direction in which the projections are closest to 1.
    square = projections.T @ projections
    square += ridge(square, len(projections))
    direction = np.linalg.solve(square, projections.sum(0))
    positive = projections @ direction
    present = positive > _PRESENT * positive.mean()
    needed = (-projections[present] / positive[present, np.newaxis]).max(0, initial=0.0)
    lift = np.minimum(needed, _LARGEST_LIFT * projections.std(0))
    # A (1 + direction lift') and the inverse of that on the other side (Sherman and Morrison).
    lifted = left + np.outer(left @ direction, lift)
    return lifted, right - np.outer(direction, lift @ right) / (1.0 + lift @ direction)


def ridge(square: np.ndarray, rows: int) -> np.ndarray:
    """What is added to the X'X [n,n] of a regression: the more, the fewer rows X has."""
    return _RIDGE / rows * np.trace(square) * np.eye(len(square))
