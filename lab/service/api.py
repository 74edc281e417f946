"""The operations on accounts, conversations, messages and the event stream, all below /v1."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from lab.service import schemas
from lab.service.accounts import Accounts
from lab.service.authentication import session
from lab.service.config import Config
from lab.service.conversations import Conversations
from lab.service.devices import Devices
from lab.service.events import Events, stream
from lab.service.lifetimes import Lifetimes
from lab.service.messages import Messages
from lab.service.openapi import SECURITY
from lab.service.opt_in import OptIns
from lab.service.profiles import Profiles
from lab.service.reports import Reports
from lab.service.texts import Texts

_STREAM_RESPONSES: dict[int | str, Any] = {
    200: {"description": "A stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
    503: {"description": "Too many event streams are open"},
}


def public_api(accounts: Accounts) -> APIBlueprint:
    """The operations that need no token."""
    api = APIBlueprint("public", __name__, url_prefix="/v1")

    @api.post("/accounts")
    @api.input(schemas.Credentials)
    @api.output(schemas.NewAccount, 201)
    @api.doc(summary="Create an account and log in", responses=[409])
    def create_account(json_data: schemas.Credentials) -> schemas.NewAccount:
        token, expires = accounts.create(json_data.name, json_data.password)
        return schemas.NewAccount(name=json_data.name, token=token, expires=expires)

    @api.post("/login")
    @api.input(schemas.Credentials)
    @api.output(schemas.Token)
    @api.doc(summary="Log in", responses=[401, 429])
    def login(json_data: schemas.Credentials) -> schemas.Token:
        token, expires = accounts.login(json_data.name, json_data.password)
        return schemas.Token(token=token, expires=expires)

    return api


def text_message_api(texts: Texts) -> APIBlueprint:
    """Text messages, which need no token and no TLS."""
    api = APIBlueprint("text messages", __name__, url_prefix="/v1/text-messages")

    @api.post("")
    @api.input(schemas.NewText)
    @api.output(schemas.Posted, 201)
    @api.doc(summary="Send a text message")
    def post_text(json_data: schemas.NewText) -> schemas.Posted:
        return texts.post(json_data)

    @api.get("")
    @api.input(schemas.OfPhone, location="query")
    @api.output(schemas.Texts)
    @api.doc(summary="Fetch one's text messages")
    def fetch_texts(query_data: schemas.OfPhone) -> schemas.Texts:
        return schemas.Texts(texts=texts.waiting(query_data.recipient))

    @api.delete("/<text>")
    @api.output({}, 204)
    @api.doc(summary="Say that a text message has arrived")
    def deliver_text(text: str) -> Response:
        texts.deliver(text)
        return _nothing()

    return api


def add_account_operations(api: APIBlueprint, accounts: Accounts, events: Events) -> None:
    """Logging out, and the simple form of keys: one for each account."""

    @api.delete("/login")
    @api.output({}, 204)
    @api.doc(summary="Log out", security=SECURITY)
    def logout() -> Response:
        accounts.logout(session())
        events.end(lambda subscription: subscription.session.digest == session().digest)
        return _nothing()

    @api.put("/keys")
    @api.input(schemas.NewKeys)
    @api.output(schemas.Keys)
    @api.doc(summary="Publish one public key, for clients without devices", security=SECURITY)
    def publish_keys(json_data: schemas.NewKeys) -> schemas.Keys:
        accounts.publish_keys(session().account, json_data.bundle)
        return schemas.Keys(name=session().account, bundle=json_data.bundle)

    @api.get("/accounts/<name>/keys")
    @api.output(schemas.Keys)
    @api.doc(summary="Get someone's one public key, for clients without devices", security=SECURITY)
    def get_keys(name: str) -> schemas.Keys:
        return schemas.Keys(name=name, bundle=accounts.keys(name))


def add_conversation_operations(
    api: APIBlueprint, conversations: Conversations, lifetimes: Lifetimes, opt_ins: OptIns
) -> None:
    """Conversations, their members, how long messages are kept, and whether both sides have agreed to encrypt."""

    @api.post("/conversations")
    @api.input(schemas.NewConversation)
    @api.output(schemas.Conversation, 201)
    @api.doc(summary="Start a conversation", security=SECURITY)
    def create_conversation(json_data: schemas.NewConversation) -> schemas.Conversation:
        return conversations.create(session().account, json_data.members, json_data.title)

    @api.get("/conversations")
    @api.output(schemas.Conversations)
    @api.doc(summary="List one's conversations", security=SECURITY)
    def list_conversations() -> schemas.Conversations:
        return schemas.Conversations(conversations=conversations.of(session().account))

    @api.post("/conversations/<conversation>/members")
    @api.input(schemas.NewMember)
    @api.output(schemas.Conversation)
    @api.doc(summary="Add a member to a conversation", security=SECURITY, responses=[409])
    def add_member(conversation: str, json_data: schemas.NewMember) -> schemas.Conversation:
        opt_ins.check_newcomer(session().account, conversation)
        return conversations.add(session().account, conversation, json_data.account)

    @api.delete("/conversations/<conversation>/members/<account>")
    @api.output({}, 204)
    @api.doc(summary="Remove a member from a conversation, or leave it", security=SECURITY)
    def remove_member(conversation: str, account: str) -> Response:
        conversations.remove(session().account, conversation, account)
        return _nothing()

    @api.put("/conversations/<conversation>/lifetime")
    @api.input(schemas.Lifetime)
    @api.output(schemas.Lifetime)
    @api.doc(summary="Say how long the content of messages is kept from now on", security=SECURITY)
    def set_lifetime(conversation: str, json_data: schemas.Lifetime) -> schemas.Lifetime:
        lifetimes.set(session().account, conversation, json_data.seconds)
        return json_data

    @api.get("/conversations/<conversation>/encryption")
    @api.output(schemas.ChatEncryption)
    @api.doc(summary="Say whether a conversation is encrypted because its members have agreed", security=SECURITY)
    def get_encryption(conversation: str) -> schemas.ChatEncryption:
        return opt_ins.of(session().account, conversation)

    @api.post("/conversations/<conversation>/encryption")
    @api.output(schemas.ChatEncryption)
    @api.doc(summary="Offer encryption, or accept it", security=SECURITY, responses=[409])
    def agree_to_encryption(conversation: str) -> schemas.ChatEncryption:
        return opt_ins.agree(session().account, conversation)


def add_message_operations(api: APIBlueprint, messages: Messages, opt_ins: OptIns) -> None:
    """Messages and receipts."""

    @api.post("/conversations/<conversation>/messages")
    @api.input(schemas.NewMessage)
    @api.output(schemas.Posted, 201)
    @api.doc(summary="Send a message", security=SECURITY, responses=[409])
    def post_message(conversation: str, json_data: schemas.NewMessage) -> schemas.Posted:
        opt_ins.check_message(session().account, conversation, json_data)
        return messages.post(session().account, conversation, json_data)

    @api.get("/conversations/<conversation>/messages")
    @api.input(schemas.Reader, location="query")
    @api.output(schemas.Messages)
    @api.doc(summary="List the messages of a conversation", security=SECURITY)
    def list_messages(conversation: str, query_data: schemas.Reader) -> schemas.Messages:
        return schemas.Messages(messages=messages.of(session().account, query_data.device, conversation))

    @api.get("/messages/<message>")
    @api.input(schemas.Reader, location="query")
    @api.output(schemas.MessageStatus)
    @api.doc(summary="Get a message and its receipts", security=SECURITY)
    def get_message(message: str, query_data: schemas.Reader) -> schemas.MessageStatus:
        return messages.status(session().account, query_data.device, message)

    @api.post("/messages/<message>/receipts")
    @api.input(schemas.NewReceipt)
    @api.output(schemas.Receipt)
    @api.doc(summary="Acknowledge a message", security=SECURITY, responses=[403])
    def acknowledge(message: str, json_data: schemas.NewReceipt) -> schemas.Receipt:
        return messages.acknowledge(session().account, message, json_data.state)


def add_profile_operations(api: APIBlueprint, profiles: Profiles) -> None:
    """Profiles."""

    @api.put("/profile")
    @api.input(schemas.NewProfile)
    @api.output(schemas.Profile)
    @api.doc(summary="Say something about oneself", security=SECURITY)
    def put_profile(json_data: schemas.NewProfile) -> schemas.Profile:
        return profiles.put(session().account, json_data)

    @api.get("/accounts/<name>/profile")
    @api.output(schemas.Profile)
    @api.doc(summary="Get what someone says about themselves", security=SECURITY)
    def get_profile(name: str) -> schemas.Profile:
        return profiles.of(name)


def add_report_operations(api: APIBlueprint, reports: Reports) -> None:
    """Reports to the operator."""

    @api.post("/reports")
    @api.input(schemas.NewReport)
    @api.output(schemas.FiledReport, 201)
    @api.doc(summary="Report a message to the operator", security=SECURITY, responses=[403, 404])
    def report(json_data: schemas.NewReport) -> schemas.FiledReport:
        return reports.add(session().account, json_data)


def add_event_operations(
    api: APIBlueprint,
    config: Config,
    devices: Devices,
    conversations: Conversations,
    messages: Messages,
    events: Events,
) -> None:
    """The event stream."""

    @api.get("/events")
    @api.input(schemas.After, location="query")
    @api.doc(summary="Receive messages as server-sent events", security=SECURITY, responses=_STREAM_RESPONSES)
    def receive_events(query_data: schemas.After) -> Response:
        reader, device = session(), query_data.device
        disconnected = request.environ.get("waitress.client_disconnected", lambda: False)
        subscription = events.subscribe(reader, device)
        if device is not None:
            try:
                # Only now: a device removed from the list from here on finds its stream ended.
                devices.check(reader.account, device)
            except BaseException:
                subscription.close()
                raise
        body = stream(
            subscription,
            read=lambda after: messages.after(reader.account, device, after),
            members=lambda changed: conversations.members(reader.account, changed),
            after=query_data.after,
            heartbeat=config.heartbeat,
            gone=lambda: disconnected() or config.clock() >= reader.expires,
        )
        response = Response(body, content_type="text/event-stream")
        # Not in the generator: a response that is never read would not get there.
        response.call_on_close(subscription.close)
        return response


def _nothing() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
