"""Signals that have to wait."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def undisturbed(*signals: signal.Signals) -> Iterator[None]:
    """These signals come afterwards. Processes started inside never get them."""
    if sys.platform == "win32":
        yield
        return
    came: list[int] = []
    handlers: dict[signal.Signals, Any] = {}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # which processes inherit
    try:
        if threading.current_thread() is threading.main_thread():
            # The mask is this thread's own: another one may take the signal, and Python then tells the main thread.
            handlers = {each: signal.signal(each, lambda number, _: came.append(number)) for each in signals}
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for each, handler in handlers.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
        for number in came:
            signal.raise_signal(number)
