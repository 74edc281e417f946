"""Files in end-to-end encrypted messages: encrypted and stored at the service as a blob, the key put in the message."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.e2ee.files import FileKey, open_file, seal_file
from lab.e2ee.protocol import E2EEError
from lab.messenger.content import Content, File, is_text, media_type
from lab.messenger.operations import Operations


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file that is sealed already, and the key that goes into the message."""

    blob: bytes
    key: FileKey


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where the blob of a file is, and the key to it."""

    blob: str
    key: FileKey

    def to_json(self) -> dict[str, Any]:
        return {"id": self.blob, **self.key.to_json()}

    @classmethod
    def from_json(cls, fields: object) -> Attachment:
        """What `to_json` gave. E2EEError: anything else."""
        match fields:
            case {"id": str(blob)} if is_text(blob):
                return cls(blob, FileKey.from_json(fields))
        raise E2EEError("this is not a file in a message")


def store(content: Content, operations: Operations, sealed: SealedFile | None = None) -> dict[str, Any]:
    """The fields of a message with `content`, whose file is at the service by then: as it was `sealed`, or sealed now.

    WireError: it could not be stored. E2EEError: the file, or its name, is too long.
    """
    fields: dict[str, Any] = {"text": content.text} if content.text else {}
    if content.file is not None:
        name = content.file.name
        if sealed is None:
            sealed = SealedFile(*seal_file(name, media_type(name), content.file.data, os.urandom))
        fields["attachment"] = Attachment(operations.upload(sealed.blob), sealed.key).to_json()
    return fields


def check(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` without what does not belong into a message. E2EEError: they are none."""
    text, attachment = _read(fields)
    return {**({"text": text} if text else {}), **({"attachment": attachment.to_json()} if attachment else {})}


def fetch(fields: Mapping[str, Any], operations: Operations) -> Content:
    """The content of a message with these fields. E2EEError: they are none, or its file is not the one announced.

    WireError: the service does not have the file, or was not reached.
    """
    text, attachment = _read(fields)
    if attachment is None:
        return Content(text)
    data = open_file(operations.download(attachment.blob), attachment.key)
    return Content(text, File(attachment.key.name, data))


def _read(fields: Mapping[str, Any]) -> tuple[str, Attachment | None]:
    text, attachment = fields.get("text", ""), fields.get("attachment")
    if not is_text(text):
        raise E2EEError("what the envelope holds is no message: its text is no text")
    if not text and attachment is None:
        raise E2EEError("what the envelope holds is no message: neither text nor a file")
    return text, None if attachment is None else Attachment.from_json(attachment)
