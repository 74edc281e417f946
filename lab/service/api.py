"""The operations of the interface, all below /v1."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, request

from lab.service import schemas
from lab.service.accounts import Accounts, Session
from lab.service.config import Config
from lab.service.conversations import Conversations
from lab.service.events import Events, stream
from lab.service.openapi import SECURITY
from lab.service.problems import ProblemError

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


def member_api(config: Config, accounts: Accounts, conversations: Conversations, events: Events) -> APIBlueprint:
    """The operations that need a token."""
    api = APIBlueprint("member", __name__, url_prefix="/v1")

    @api.before_request
    def authenticate() -> None:
        authorization = request.authorization
        if authorization is None or authorization.type != "bearer" or not authorization.token:
            raise ProblemError(401, "A bearer token is needed.", {"WWW-Authenticate": "Bearer"})
        g.session = accounts.session(authorization.token)
        request.environ["REMOTE_USER"] = g.session.account

    def session() -> Session:
        found: Session = g.session
        return found

    @api.delete("/login")
    @api.output({}, 204)
    @api.doc(summary="Log out", security=SECURITY)
    def logout() -> Response:
        accounts.logout(session())
        events.end(lambda subscription: subscription.session.digest == session().digest)
        response = Response(status=204)
        del response.headers["Content-Type"]
        return response

    @api.put("/keys")
    @api.input(schemas.NewKeys)
    @api.output(schemas.Keys)
    @api.doc(summary="Publish one's public keys", security=SECURITY)
    def publish_keys(json_data: schemas.NewKeys) -> schemas.Keys:
        accounts.publish_keys(session().account, json_data.bundle)
        return schemas.Keys(name=session().account, bundle=json_data.bundle)

    @api.get("/accounts/<name>/keys")
    @api.output(schemas.Keys)
    @api.doc(summary="Get someone's public keys", security=SECURITY)
    def get_keys(name: str) -> schemas.Keys:
        return schemas.Keys(name=name, bundle=accounts.keys(name))

    @api.post("/conversations")
    @api.input(schemas.NewConversation)
    @api.output(schemas.Conversation, 201)
    @api.doc(summary="Start a conversation", security=SECURITY)
    def create_conversation(json_data: schemas.NewConversation) -> schemas.Conversation:
        return conversations.create(session().account, json_data.members)

    @api.get("/conversations")
    @api.output(schemas.Conversations)
    @api.doc(summary="List one's conversations", security=SECURITY)
    def list_conversations() -> schemas.Conversations:
        return schemas.Conversations(conversations=conversations.of(session().account))

    @api.post("/conversations/<conversation>/messages")
    @api.input(schemas.NewMessage)
    @api.output(schemas.Posted, 201)
    @api.doc(summary="Send a message", security=SECURITY)
    def post_message(conversation: str, json_data: schemas.NewMessage) -> schemas.Posted:
        return conversations.post(session().account, conversation, json_data)

    @api.get("/conversations/<conversation>/messages")
    @api.output(schemas.Messages)
    @api.doc(summary="List the messages of a conversation", security=SECURITY)
    def list_messages(conversation: str) -> schemas.Messages:
        return schemas.Messages(messages=conversations.messages(session().account, conversation))

    @api.get("/messages/<message>")
    @api.output(schemas.MessageStatus)
    @api.doc(summary="Get a message and its receipts", security=SECURITY)
    def get_message(message: str) -> schemas.MessageStatus:
        return conversations.status(session().account, message)

    @api.post("/messages/<message>/receipts")
    @api.input(schemas.NewReceipt)
    @api.output(schemas.Receipt)
    @api.doc(summary="Acknowledge a message", security=SECURITY, responses=[403])
    def acknowledge(message: str, json_data: schemas.NewReceipt) -> schemas.Receipt:
        return conversations.acknowledge(session().account, message, json_data.state)

    @api.get("/events")
    @api.input(schemas.After, location="query")
    @api.doc(summary="Receive messages as server-sent events", security=SECURITY, responses=_STREAM_RESPONSES)
    def receive_events(query_data: schemas.After) -> Response:
        reader = session()
        disconnected = request.environ.get("waitress.client_disconnected", lambda: False)
        subscription = events.subscribe(reader)
        body = stream(
            subscription,
            read=lambda after: conversations.after(reader.account, after),
            after=query_data.after,
            heartbeat=config.heartbeat,
            gone=lambda: disconnected() or config.clock() >= reader.expires,
        )
        response = Response(body, content_type="text/event-stream")
        # Not in the generator: a response that is never read would not get there.
        response.call_on_close(subscription.close)
        return response

    return api
