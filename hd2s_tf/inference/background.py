"""Work before and after the network in threads with bounded queues, so that memory stays flat."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def prefetched(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """Yields the items, which a thread takes from their iterator up to `depth` ahead.

    What the iterator raises is raised here, at its place. The thread ends with this generator, also when that is closed
    early.
    """
    iterator = iter(items)
    pool = concurrent.futures.ThreadPoolExecutor(1)
    try:
        pending = collections.deque(pool.submit(next, iterator, _END) for _ in range(depth))
        while (item := pending.popleft().result()) is not _END:
            pending.append(pool.submit(next, iterator, _END))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)


class Background:
    """A context that does work in threads, in the given order if there is one thread, and waits at its end.

    Args:
      threads: how many.
      most: pieces of work that wait or run at a time; further ones make `do` wait.
    """

    def __init__(self, threads: int, most: int) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)
        self._most = most
        self._pending: collections.deque[concurrent.futures.Future] = collections.deque()

    def do(self, work: Callable, *arguments: object) -> None:
        """Hands work to the threads; raises what earlier work raised."""
        if len(self._pending) >= self._most:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(work, *arguments))

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, error_type: type | None, *_: object) -> None:
        self._pool.shutdown(cancel_futures=error_type is not None)
        if error_type is None:
            for pending in self._pending:
                pending.result()
