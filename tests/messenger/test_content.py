"""What a message says survives its JSON form, and what is no message is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lab.messenger.content import Content, File, dump, from_json, to_json

files = st.builds(File, st.text(), st.binary(max_size=500))
contents = st.builds(Content, st.text(), st.none() | files)

HELLO = {"name": "hello.txt", "type": "text/plain", "data": "aGVsbG8="}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(contents)
def test_a_message_comes_back_as_it_was(content: Content) -> None:
    assume(content.text or content.file)
    assert from_json(json.loads(dump(to_json(content)))) == content


def test_text_and_file_have_the_form_that_is_described() -> None:
    assert to_json(Content("Hi", File("hello.txt", b"hello"))) == {"text": "Hi", "attachment": HELLO}
    assert to_json(Content("Hi")) == {"text": "Hi"}
    assert to_json(Content(file=File("hello.txt", b"hello"))) == {"attachment": HELLO}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("map.png", "image/png"), ("plan.pdf", "application/pdf"), ("plan", "application/octet-stream")],
)
def test_the_type_of_a_file_follows_from_its_name(name: str, media_type: str) -> None:
    assert to_json(Content(file=File(name, b"")))["attachment"]["type"] == media_type


def test_an_empty_file_is_a_file() -> None:
    content = Content(file=File("empty", b""))
    assert from_json(to_json(content)) == content


def test_what_the_service_delivers_is_read_whatever_else_it_says() -> None:
    assert from_json({"id": "1", "sender": "alice", "text": "Hi", "attachment": None, "envelope": None}) == Content(
        "Hi"
    )
    assert from_json({"id": "1", "text": None, "attachment": HELLO}) == Content(file=File("hello.txt", b"hello"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "neither text nor a file"),
        ({"text": ""}, "neither text nor a file"),
        ({"text": None, "attachment": None, "envelope": "AAAA"}, "neither text nor a file"),
        ({"text": 5}, "no text"),
        ({"text": 0}, "no text"),
        ({"text": ["Hi"]}, "no text"),
        ({"text": []}, "no text"),
        ({"text": "\ud800"}, "no text"),
        ({"text": "Hi", "attachment": HELLO | {"name": "\udfff"}}, "no file"),
        ({"text": "Hi", "attachment": {}}, "no file"),
        ({"text": "Hi", "attachment": []}, "no file"),
        ({"text": "Hi", "attachment": "hello.txt"}, "no file"),
        ({"text": "Hi", "attachment": {"name": "hello.txt"}}, "no file"),
        ({"text": "Hi", "attachment": {"data": "aGVsbG8="}}, "no file"),
        ({"text": "Hi", "attachment": HELLO | {"name": None}}, "no file"),
        ({"text": "Hi", "attachment": HELLO | {"data": 5}}, "no file"),
        ({"text": "Hi", "attachment": HELLO | {"data": "aGVsbG8"}}, "padding"),
        ({"text": "Hi", "attachment": HELLO | {"data": "aGVs bG8="}}, "base64"),
        ({"text": "Hi", "attachment": HELLO | {"data": "aGVsbG8é"}}, "ASCII"),
        ([], "no JSON object"),
        ("Hi", "no JSON object"),
        (None, "no JSON object"),
    ],
)
def test_what_is_no_message_is_refused(fields: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_json(fields)
    assert from_json({"text": "Hi", "attachment": HELLO}).file == File("hello.txt", b"hello")


@given(json_values | st.fixed_dictionaries({}, optional={"text": json_values, "attachment": json_values}))
def test_arbitrary_json_is_a_message_or_a_value_error(fields: Any) -> None:
    try:
        content = from_json(fields)
    except ValueError:
        return
    assert content.text or content.file


def test_letters_of_every_script_are_sent_as_they_are() -> None:
    assert dump({"text": "Grüße ☕", "to": [1, 2]}) == '{"text":"Grüße ☕","to":[1,2]}'.encode()


@given(contents)
def test_the_size_is_that_of_the_bytes(content: Content) -> None:
    fields = to_json(content)
    data = base64.b64decode(fields.get("attachment", {}).get("data", ""))
    assert content.size == len(fields.get("text", "").encode()) + len(data)


def test_a_letter_may_be_more_than_one_byte() -> None:
    assert Content("ü").size == 2
    assert Content("ü", File("name does not count", b"123")).size == 5
