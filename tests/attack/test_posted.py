"""What the operator knows from what passes: files, texts, and lists of devices."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.attack import posted
from lab.attack.accounts import DeviceLists
from lab.attack.posted import Blobs, address_of, fields_of
from lab.e2ee.files import seal_file
from lab.e2ee.identity import DeviceKeys, sign_device_list
from lab.e2ee.padding import pad
from lab.e2ee.protocol import E2EEError
from lab.messenger.content import dump


def test_a_file_is_read_with_the_key_in_the_message_and_with_no_other() -> None:
    blobs = Blobs()
    blob, key = seal_file("map.png", "image/png", b"the map", os.urandom)
    blobs.keep("1", blob)
    blobs.keep("2", blob[:-1])
    texts = [dump({"attachment": {"id": which, **key.to_json()}}) for which in ("1", "2", "3")]
    assert [one for one in blobs.read(texts) if one[0] == "opened.file"] == [("opened.file", b"the map")]
    assert [data for place, data in blobs.read(texts) if place == "opened.envelope"] == texts


def test_the_oldest_file_goes_for_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posted, "_FILES", 5000)
    blobs = Blobs()
    sealed = [seal_file("a", "b", bytes([number]) * 2000, os.urandom) for number in range(3)]
    for number, (blob, _) in enumerate(sealed):
        blobs.keep(str(number), blob)
    texts = [dump({"attachment": {"id": str(number), **key.to_json()}}) for number, (_, key) in enumerate(sealed)]
    read = [data[:1] for place, data in blobs.read(texts) if place == "opened.file"]
    assert read == [b"\1", b"\2"]


@pytest.mark.parametrize("text", [b'{"text":"Hi"}', pad(b'{"text":"Hi"}')])
def test_a_text_is_read_padded_or_not(text: bytes) -> None:
    assert fields_of(text) == {"text": "Hi"}


@pytest.mark.parametrize("text", [b"", b"Hi", b"\0", b"\x80", pad(b"Hi"), b"[1]"])
def test_what_is_no_message_says_nothing(text: bytes) -> None:
    assert fields_of(text) == {}


def test_an_envelope_is_for_a_device() -> None:
    assert address_of({"recipient": "bob", "device": 2, "data": None}) == ("bob", 2)
    assert address_of({"recipient": "bob", "device": None}) is None
    assert address_of("bob") is None


def test_a_list_is_kept_if_its_account_has_signed_it() -> None:
    device = DeviceKeys.new("bob", 1, os.urandom).public
    data = sign_device_list(Ed25519PrivateKey.generate(), "bob", 1, (device,))
    lists = DeviceLists()
    for account, wrong in (("alice", data), ("bob", data[:-1]), ("bob", data[:-1] + bytes([data[-1] ^ 1]))):
        lists.learn(account, wrong)
        with pytest.raises(E2EEError, match="no device list of this account"):
            lists.device((account, 1))
    lists.learn("bob", data)
    assert lists.device(("bob", 1)) == device
    with pytest.raises(E2EEError, match="no such device"):
        lists.device(("bob", 2))
