"""What one service is configured with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one service; all durations are seconds, all sizes bytes."""

    database: Path
    """The SQLite file; created, readable by its owner only, if it does not exist."""
    log: Path
    """The access and error log; created likewise, else appended to."""
    secure_delete: bool = True
    """Whether what is deleted is overwritten: by SQLite, and in its write-ahead log once messages were deleted.

    Set either way: the default of SQLite itself is not to, but some builds of it do.
    """
    text_messages: bool = False
    """Whether text messages (SMS) are delivered as well, in the clear and for whoever asks."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch: for stored times, token expiry and the login limit."""
    token_lifetime: float = 24 * 60 * 60
    login_failures: int = 5
    """Failed logins an account name may have within `login_window`."""
    login_window: float = 60
    max_body: int = 1024 * 1024
    threads: int = 32
    """Requests answered at once; an open event stream is one of them."""
    max_streams: int = 24
    """Event streams open at once; fewer than `threads`, so that other requests are still answered."""
    heartbeat: float = 15
    """Silence on an event stream after which a comment is sent."""
