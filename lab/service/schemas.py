"""The JSON shapes of the interface: what is accepted, what is answered, and the OpenAPI description of both."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from lab.service.fields import Bytes, Device, Name, Seconds, Shape

MAX_MEMBERS = 64
MAX_DEVICES = 16
MAX_LIFETIME = 24 * 60 * 60
_MAX_ATTACHMENT = 512 * 1024
_MAX_BUNDLE = 8 * 1024
_DIGEST = 32

_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]
State = Literal["delivered", "read"]
Digest = Annotated[Bytes, Field(min_length=_DIGEST, max_length=_DIGEST)]


class Credentials(Shape):
    """An account name and its password."""

    name: Name
    password: Annotated[str, StringConstraints(min_length=8, max_length=256)]


class Token(Shape):
    """A bearer token."""

    token: str
    expires: Seconds


class NewAccount(Token):
    """An account that was made, and a first token for it."""

    name: Name


class NewKeys(Shape):
    """One public key, for clients without devices, in whatever form they agree on."""

    bundle: Annotated[Bytes, Field(max_length=_MAX_BUNDLE)]


class Keys(Shape):
    """The one public key of an account whose clients have no devices."""

    name: Name
    bundle: Bytes


class NewConversation(Shape):
    """The members of a conversation; whoever creates it is one in any case."""

    members: Annotated[list[Name], Field(min_length=1, max_length=MAX_MEMBERS)]
    title: Title | None = None


class Conversation(Shape):
    """A conversation and its members in alphabetical order."""

    id: str
    members: list[Name]
    title: str | None


class Conversations(Shape):
    """Conversations, oldest first."""

    conversations: list[Conversation]


class NewMember(Shape):
    """Someone to be added to a conversation."""

    account: Name


class Members(Shape):
    """The members of a conversation in alphabetical order, as its members see them; nobody else sees any."""

    conversation: str
    members: list[Name]


class ChatEncryption(Shape):
    """Whether the members of a conversation have agreed to encrypt it end to end: who offers it, and whether the other
    one has accepted."""

    offered_by: Name | None
    accepted: bool


class Lifetime(Shape):
    """How long text and attachment of a message are kept from when it is posted.

    0: until every other member has read it; null: for good.
    """

    seconds: Annotated[int, Field(ge=0, le=MAX_LIFETIME)] | None


class Attachment(Shape):
    """A file."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    type: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    data: Annotated[Bytes, Field(max_length=_MAX_ATTACHMENT)]


class Content(Shape):
    """A message the service can read: a text, an attachment or both."""

    text: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    attachment: Attachment | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.text is None and self.attachment is None:
            raise ValueError("Content should have a text or an attachment")
        return self


class NewEnvelope(Shape):
    """Data for one device, or for an account without devices; none if it gets what is shared and nothing else."""

    recipient: Name
    device: Device | None = None
    data: Bytes | None = None


class NewMessage(Shape):
    """Either content for every other member, or envelopes: one for each device of each member but the one that sends.

    A member without devices has one envelope without a number. `device` is the one that sends, `shared` a ciphertext
    for all that have an envelope, `commitment` what a report of it is held against. With an `id` of the client's
    choice, posting it again changes nothing.
    """

    id: Annotated[str, StringConstraints(pattern=_UUID), Field(description="A UUID in lower case.")] | None = None
    device: Device | None = None
    content: Content | None = None
    shared: Bytes | None = None
    commitment: Digest | None = None
    envelopes: Annotated[list[NewEnvelope], Field(max_length=MAX_MEMBERS * MAX_DEVICES)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.content is None) == (self.envelopes is None):
            raise ValueError("A message should have either content or envelopes")
        if self.envelopes is None:
            if self.shared is not None or self.commitment is not None:
                raise ValueError("Only what has envelopes should share something or have a commitment")
            return self
        if len({(each.recipient, each.device) for each in self.envelopes}) != len(self.envelopes):
            raise ValueError("Each recipient should have one envelope")
        if self.shared is None and any(each.data is None for each in self.envelopes):
            raise ValueError("An envelope should have data where nothing is shared")
        return self


class Posted(Shape):
    """A message that was accepted."""

    id: str
    time: Seconds


class Message(Shape):
    """A message as its reader gets it.

    `device` is the one that sent it; `envelope` is the one addressed to the reader's device, or to the reader if the
    message was sent when there were no devices; `shared` and `commitment` are there for whom an envelope is.
    """

    id: str
    sequence: int
    conversation: str
    sender: Name
    device: Device | None
    time: Seconds
    text: str | None
    attachment: Attachment | None
    envelope: Bytes | None
    shared: Bytes | None
    commitment: Bytes | None


class Messages(Shape):
    """Messages, oldest first."""

    messages: list[Message]


class NewReceipt(Shape):
    """What became of a message."""

    state: State


class Receipt(Shape):
    """What became of a message at one recipient, and when the service learned of it."""

    account: Name
    state: State
    time: Seconds


class MessageStatus(Message):
    """A message and its receipts, oldest first."""

    receipts: list[Receipt]


class NewProfile(Shape):
    """What an account says about itself."""

    display_name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    status: Annotated[str, StringConstraints(max_length=500)]


class Profile(NewProfile):
    """What an account says about itself, and its name."""

    name: Name


class NewReport(Shape):
    """What a recipient says that a message was: its text, the key to its file, or both.

    `blob` is the id of the sealed file, `opening` what came inside the message and opens its commitment.
    """

    message: Annotated[str, StringConstraints(pattern=_UUID)]
    text: Annotated[str, StringConstraints(max_length=100_000)] | None = None
    file: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    blob: Annotated[str, StringConstraints(max_length=100)] | None = None
    opening: Digest | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.text is None and self.file is None:
            raise ValueError("A report should have a text or a file")
        return self


class FiledReport(Shape):
    """A report that was accepted."""

    id: str
    message: str
    time: Seconds


class NewText(Shape):
    """A text message: whom it is from, as the sender says, and whom it is for.

    `message` is the id of the message in whose place it is sent, if there is one.
    """

    sender: Name
    recipient: Name
    message: Annotated[str, StringConstraints(pattern=_UUID)] | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=1600)]


class Text(Shape):
    """A text message as its recipient gets it."""

    id: str
    sender: Name
    message: str | None
    time: Seconds
    text: str


class Texts(Shape):
    """Text messages, oldest first."""

    texts: list[Text]


class OfPhone(BaseModel):
    """Whose phone asks. Not strict: a query has only strings."""

    recipient: Name


class Reader(BaseModel):
    """Which device reads. Not strict: a query has only strings."""

    device: Annotated[Device | None, Field(description="The one of one's devices that reads.")] = None


class After(Reader):
    """Where an event stream starts."""

    after: Annotated[int, Field(ge=0, lt=2**63, description="Sequence number of the last message known.")] = 0
