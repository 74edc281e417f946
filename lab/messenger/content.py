"""What one message says, and its JSON forms, with a text or an attachment or both.

In plaintext and TLS mode, as the service reads it:

    {"text": TEXT, "attachment": {"name": …, "type": …, "data": BASE64}}

In E2EE mode, inside an envelope; the file itself is encrypted and stored apart, as a blob with the id "id", and the
message has the key to it (see `lab.e2ee.files`):

    {"text": TEXT, "attachment": {"id": …, "name": …, "type": …, "size": …, "key": …, "blob": …, "plaintext": …}}
"""

from __future__ import annotations

import base64
import json
import mimetypes
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach: its name and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """Text, a file, or both."""

    text: str = ""
    file: File | None = None

    @property
    def size(self) -> int:
        """Bytes of the text (UTF-8) and the file together."""
        return len(self.text.encode()) + (len(self.file.data) if self.file else 0)


def to_json(content: Content) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if content.text:
        fields["text"] = content.text
    if content.file:
        fields["attachment"] = {
            "name": content.file.name,
            "type": media_type(content.file.name),
            "data": base64.b64encode(content.file.data).decode("ascii"),
        }
    return fields


def media_type(name: str) -> str:
    """What a file is, as far as its name says."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def from_json(fields: object) -> Content:
    """The content in `fields`; ValueError if it is none."""
    if not isinstance(fields, dict):
        raise ValueError("not a message: no JSON object")  # noqa: TRY004 - the content is wrong, not the caller
    text, attachment, file = fields.get("text"), fields.get("attachment"), None
    if text is not None and not is_text(text):
        raise ValueError("not a message: its text is no text")
    match attachment:
        case None:
            pass
        case {"name": str(name), "data": str(data)} if is_text(name):
            file = File(name, base64.b64decode(data, validate=True))
        case _:
            raise ValueError("not a message: its attachment is no file")
    if not text and file is None:
        raise ValueError("not a message: neither text nor a file")
    return Content(text or "", file)


def is_text(value: object) -> bool:
    """Whether this is text. JSON can also spell half of a surrogate pair, which cannot be sent or stored."""
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))


def dump(fields: dict[str, Any]) -> bytes:
    """JSON as participants send it: UTF-8, letters of every script as they are, no spaces."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
