"""Ctrl-C as something to wait for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupt() -> Iterator[int]:
    """A descriptor that becomes readable after Ctrl-C, and after any other signal that has a handler.

    An exception wherever the program happens to be could tear a tap's answer from its question. What Python runs for a
    signal would come too late: it waits until the program goes on, which may have begun to wait just before.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.signal(signal.SIGINT, lambda *_: None)  # what has no handler wakes nobody
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGINT, before)
        os.close(reader)
        os.close(writer)
