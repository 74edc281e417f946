"""The JSON shapes of the interface: what is accepted, what is answered, and the OpenAPI description of both."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

MAX_MEMBERS = 64
_MAX_ATTACHMENT = 512 * 1024
_MAX_BUNDLE = 8 * 1024


def _decode(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        decoded = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        decoded = None
    # What was accepted comes back the same, so only the canonical form of base64 is.
    if decoded is None or base64.b64encode(decoded).decode() != value:
        raise ValueError("Input should be base64 (RFC 4648, section 4) with padding")
    return decoded


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$"), Field(description="Name of an account.")
]
Seconds = Annotated[float, Field(description="Seconds since the epoch.")]
Bytes = Annotated[
    bytes,
    PlainValidator(_decode),
    PlainSerializer(_encode),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
State = Literal["delivered", "read"]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Credentials(_Shape):
    """An account name and its password."""

    name: Name
    password: Annotated[str, StringConstraints(min_length=8, max_length=256)]


class Token(_Shape):
    """A bearer token."""

    token: str
    expires: Seconds


class NewAccount(Token):
    """An account that was made, and a first token for it."""

    name: Name


class NewKeys(_Shape):
    """Public keys in whatever form the clients agree on."""

    bundle: Annotated[Bytes, Field(max_length=_MAX_BUNDLE)]


class Keys(_Shape):
    """The public keys of an account."""

    name: Name
    bundle: Bytes


class NewConversation(_Shape):
    """The members of a conversation; whoever creates it is one in any case."""

    members: Annotated[list[Name], Field(min_length=1, max_length=MAX_MEMBERS)]


class Conversation(_Shape):
    """A conversation and its members in alphabetical order."""

    id: str
    members: list[Name]


class Conversations(_Shape):
    """Conversations, oldest first."""

    conversations: list[Conversation]


class Attachment(_Shape):
    """A file."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    type: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    data: Annotated[Bytes, Field(max_length=_MAX_ATTACHMENT)]


class Content(_Shape):
    """A message the service can read: a text, an attachment or both."""

    text: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    attachment: Attachment | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.text is None and self.attachment is None:
            raise ValueError("Content should have a text or an attachment")
        return self


class NewEnvelope(_Shape):
    """Data for one recipient."""

    recipient: Name
    data: Bytes


class NewMessage(_Shape):
    """Either content for every other member, or one envelope for each of them."""

    content: Content | None = None
    envelopes: Annotated[list[NewEnvelope], Field(max_length=MAX_MEMBERS)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.content is None) == (self.envelopes is None):
            raise ValueError("A message should have either content or envelopes")
        return self


class Posted(_Shape):
    """A message that was accepted."""

    id: str
    time: Seconds


class Message(_Shape):
    """A message as its reader gets it; `envelope` is the one addressed to the reader."""

    id: str
    sequence: int
    conversation: str
    sender: Name
    time: Seconds
    text: str | None
    attachment: Attachment | None
    envelope: Bytes | None


class Messages(_Shape):
    """Messages, oldest first."""

    messages: list[Message]


class NewReceipt(_Shape):
    """What became of a message."""

    state: State


class Receipt(_Shape):
    """What became of a message at one recipient, and when the service learned of it."""

    account: Name
    state: State
    time: Seconds


class MessageStatus(Message):
    """A message and its receipts, oldest first."""

    receipts: list[Receipt]


class After(BaseModel):
    """Where an event stream starts. Not strict: a query has only strings."""

    after: Annotated[int, Field(ge=0, lt=2**63, description="Sequence number of the last message known.")] = 0
