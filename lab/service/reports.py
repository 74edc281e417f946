"""Reports: what a recipient shows the operator of a message, and whether the operator can know that it was sent.

Where contents are end-to-end encrypted, the service cannot look for itself. So a client may post a commitment beside
the envelopes, and put what opens it inside. The service keeps it with the message, as it keeps who sent that. Whoever
reports the message hands over what they read, and the opening; a second text for the same commitment would be a
collision of SHA-256.

    commitment = HMAC-SHA-256(opening, blocks(label, blocks(text, file)))

`blocks` puts the length of each part in front of it, 4 bytes in network order, so that no two pairs look alike. This is
message franking: Grubbs, Lu, Ristenpart, "Message Franking via Committing Authenticated Encryption" (CRYPTO 2017);
Dodis, Grubbs, Ristenpart, Woodage, "Fast Message Franking" (CRYPTO 2018).

Left out: a real service does not keep messages for this. It stamps commitment, sender and recipient with a key of its
own, and whoever reports brings the stamp back (see `lab.e2ee.franking`). And nobody is told what became of a report:
that is for whoever runs the service to read, in its database.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any, Literal

from sqlalchemy import Row, bindparam, insert, select

from lab.service.messages import joined, no_message
from lab.service.problems import ProblemError
from lab.service.schemas import FiledReport, NewReport
from lab.service.storage import Storage, messages, reports

type Finding = Literal["recipient says so", "was sent", "was not sent"]
"""What the service could establish about a report."""

LABEL = b"mitm-lab/1 commitment to a message"

_ID_SIZE = 16

_REPORTED = select(messages).select_from(joined).where(messages.c.id == bindparam("message"))
_ADD = insert(reports)


class Reports:
    """The reports that one service has got."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    def add(self, reporter: str, new: NewReport) -> FiledReport:
        """Store a report, and what could be established; raises ProblemError (403 sender, 404 stranger)."""
        with self._storage.writing() as connection:
            row = connection.execute(_REPORTED, {"reader": reporter, "message": new.message}).one_or_none()
            if row is None:
                raise no_message()
            if row.sender == reporter:
                raise ProblemError(403, "Only a recipient can report a message.")
            filed = FiledReport(id=secrets.token_urlsafe(_ID_SIZE), message=new.message, time=self._clock())
            connection.execute(
                _ADD,
                {
                    "id": filed.id,
                    "created": filed.time,
                    "message": new.message,
                    "sender": row.sender,
                    "reporter": reporter,
                    "text": new.text,
                    "file": new.file,
                    "blob": new.blob,
                    "finding": _finding(row, new),
                },
            )
        return filed


def commitment(opening: bytes, text: str, file: str) -> bytes:
    """What a client that sends this has posted beside it, 32 bytes; `opening` has 32 bytes, too."""
    return hmac.digest(opening, _blocks(LABEL, _blocks(text.encode(), file.encode())), "sha256")


def _finding(message: Row[Any], new: NewReport) -> Finding:
    text, file = new.text or "", new.file or ""
    if message.text is not None or message.attachment is not None:
        # It was not encrypted, so the service has it, and needs nobody to say what it was.
        return "was sent" if (text, file) == (message.text or "", "") else "was not sent"
    if message.commitment is None:
        return "recipient says so"
    # Without an opening it does not open either: else a liar would leave it out.
    if new.opening is None or not hmac.compare_digest(commitment(new.opening, text, file), message.commitment):
        return "was not sent"
    return "was sent"


def _blocks(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
