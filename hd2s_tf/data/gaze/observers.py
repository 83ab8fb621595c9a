"""Choices among observers: some of them for a data set, halves to predict each other."""

from collections.abc import Iterator, Sequence

import numpy as np

from hd2s_tf.errors import BadInputError


def choose(observers: Sequence[str], wanted: str) -> list[str]:
    """The observers that are wanted, in order.

    Args:
      observers: names.
      wanted: "all", "odd", "even" (by their order, the first being odd), or names separated by commas.

    Raises:
      BadInputError: a name that nobody has, or nobody is left.
    """
    if wanted == "all":
        return list(observers)
    if wanted in ("odd", "even"):
        chosen = list(observers)[wanted == "even" :: 2]
    else:
        names = [name.strip() for name in wanted.split(",") if name.strip()]
        unknown = [name for name in names if name not in observers]
        if unknown:
            raise BadInputError(f"no observer {unknown[0]!r}: there are {', '.join(observers)}")
        chosen = [name for name in observers if name in names]
    if not chosen:
        raise BadInputError(f"no observer is left of {len(observers)} with {wanted!r}")
    return chosen


def halves(count: int, repeats: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random halves of `count` observers, `repeats` times: int arrays of those who predict and those predicted."""
    generator = np.random.default_rng(seed)
    for _ in range(repeats):
        order = generator.permutation(count)
        yield np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def each_from_the_others(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each observer as the one predicted, all others as those who predict."""
    for one in range(count):
        yield np.delete(np.arange(count), one), np.array([one])
