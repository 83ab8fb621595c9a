"""Processes that another one started."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Makes this process end when the one that started it does, even if that one is killed."""

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
