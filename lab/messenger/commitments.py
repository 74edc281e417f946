"""Message franking in the app: what a sender posts beside a sealed message, so that a report of it can be checked.

The opening travels inside the envelopes, as the field "opening"; the commitment goes beside them, where the service
keeps it (see `lab.e2ee.franking`). It is to the text and the key of the file, which has the digest of what the file
holds: whoever shows another text or another file later cannot open it.

Left out: to insist on a commitment. A message without any is read here like all others, since there are apps that post
none; an app that knew none such would refuse it, because it could not be reported.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from lab.e2ee import franking
from lab.e2ee.keys import KEY, Random
from lab.e2ee.protocol import E2EEError
from lab.messenger.attachments import Attachment
from lab.messenger.operations import encode

_OPENING = "opening"


def add(fields: Mapping[str, Any], random: Random) -> dict[str, Any]:
    """The fields of a message, with an opening of its own."""
    return {**fields, _OPENING: encode(random(KEY))}


def beside(fields: Mapping[str, Any]) -> dict[str, str]:
    """What is posted beside a message with these fields: {"commitment": …}, or nothing if there is no opening."""
    if _OPENING not in fields:
        return {}
    return {"commitment": encode(franking.commitment(_content(fields), _decode(fields[_OPENING])))}


def check(fields: Mapping[str, Any], sealed: Mapping[str, Any], commitment: str | None) -> dict[str, Any]:
    """`fields`, the checked ones among those that were `sealed`, with the opening if it came with a commitment.

    E2EEError: the two do not go together, or only one of them is there. The reader could not report such a message.
    """
    opening = sealed.get(_OPENING)
    if opening is None and commitment is None:
        return dict(fields)
    if opening is None or commitment is None:
        raise E2EEError("a message has come without what it could be reported with")
    franking.check(_content(fields), _decode(opening), _decode(commitment))
    return {**fields, _OPENING: opening}


def report(message: str, fields: Mapping[str, Any], attachment: Attachment | None) -> dict[str, Any]:
    """What is handed over about a message with these fields, with `attachment` for its file."""
    file = {} if attachment is None else {"file": _file(attachment), "blob": attachment.blob}
    opening = {_OPENING: fields[_OPENING]} if _OPENING in fields else {}
    return {"message": message, "text": fields.get("text", ""), **file, **opening}


def _content(fields: Mapping[str, Any]) -> bytes:
    attachment = fields.get("attachment")
    key = None if attachment is None else Attachment.from_json(attachment).key
    return franking.message_content(fields.get("text", ""), key)


def _file(attachment: Attachment) -> str:
    return franking.file_content(attachment.key).decode()


def _decode(text: object) -> bytes:
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise E2EEError("a commitment or its opening is not in base64")
