"""What an app sends as a text message (SMS), and to whom."""

from __future__ import annotations

import pytest

from lab.messenger.content import Content
from lab.messenger.operations import PhoneCompany, TextMessage
from lab.messenger.wire import Route, Wire, WireError
from lab.model import Deed

from .conftest import Enrol, Peers, answer


def test_what_has_arrived_is_not_sent_again(enrol: Enrol) -> None:
    alice, bob = enrol("Alice", "Bob")
    conversation = alice.self.start_conversation([bob.account])
    message = alice.self.send(conversation, [bob.account], Content("Hello"))
    # This service has no text messages, which is how one sees that the app would have sent one.
    with pytest.raises(WireError, match=r"POST /v1/text-messages: 404"):
        alice.self.text_instead(message, [bob.account], "Hello")
    bob.self.receive()
    assert not alice.self.text_instead(message, [bob.account], "Hello")


def test_nothing_of_the_login_goes_with_it(enrol: Enrol, peer: Peers) -> None:
    (alice,) = enrol("Alice")
    fake = peer(answer({"texts": [{"id": "1", "sender": "bob", "message": None, "text": "Hi"}]}), answer())
    alice.self._wire._route = Route("https://chat.example", fake.address, None)
    assert alice.self.read_texts() == [Content("Hi")]
    fake.wait()
    requests = b"".join(connection.received for connection in fake.connections).lower()
    assert requests.startswith(b"get /v1/text-messages?recipient=alice-")
    assert b"delete /v1/text-messages/1 http/1.1" in requests
    assert b"authorization" not in requests
    (read,) = alice.told(Deed.READ)
    assert (read.peer, read.text) == ("bob", "Hi")


@pytest.mark.parametrize("nonsense", [{}, {"texts": {}}, {"texts": [1]}, {"texts": [{"id": "1", "sender": 1}]}])
def test_nonsense_is_refused(peer: Peers, nonsense: object) -> None:
    wire = Wire(Route("http://chat.example", peer(answer(nonsense)).address, None), lambda _: None)
    with pytest.raises(WireError, match="not of the agreed shape"):
        PhoneCompany(wire).waiting("bob")
    wire.close()


def test_a_text_message_may_be_in_place_of_another_one(peer: Peers) -> None:
    texts = [{"id": "1", "sender": "bob", "message": "2", "text": "Hi"}]
    wire = Wire(Route("http://chat.example", peer(answer({"texts": texts})).address, None), lambda _: None)
    assert PhoneCompany(wire).waiting("alice") == [TextMessage("1", "bob", "2", "Hi")]
    wire.close()
