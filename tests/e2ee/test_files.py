"""Alice sends a photo: the blob lies in a store that she does not trust, the key goes to Bob in a message."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee import files
from lab.e2ee.files import FileKey, open_file, seal_file
from lab.e2ee.padding import padme
from lab.e2ee.protocol import MAX_FILE, E2EEError

PHOTO = b"\xff\xd8\xff\xe0 the old mill at dusk " * 40
NOT_THE_FILE = "not the file that the message speaks of"


def seal(data: bytes = PHOTO) -> tuple[bytes, FileKey]:
    return seal_file("mühle.jpg", "image/jpeg", data, os.urandom)


def key_of_other_blob(key: FileKey, blob: bytes) -> FileKey:
    """The key as a dishonest sender would send it: it announces `blob`."""
    return replace(key, blob_digest=hashlib.sha256(blob).digest())


def material_of(key: FileKey) -> tuple[bytes, bytes]:
    """Key and nonce, as the form says; written down here once more, independently."""
    material = HKDF(SHA256(), 44, None, b"mitm-lab/1 file").derive(key.key)
    return material[:32], material[32:]


def cipher_of(key: FileKey) -> tuple[AESGCM, bytes]:
    aes, nonce = material_of(key)
    return AESGCM(aes), nonce


def associated_data_of(key: FileKey) -> bytes:
    size = key.size.to_bytes(4, "big")
    parts = (b"mitm-lab/1 file", b"\x01", key.name.encode(), key.media_type.encode(), size)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


# What works


def test_bob_gets_the_photo_with_its_name() -> None:
    blob, key = seal()
    assert open_file(blob, key) == PHOTO
    assert (key.name, key.media_type, key.size) == ("mühle.jpg", "image/jpeg", len(PHOTO))


def test_the_store_sees_nothing_of_it() -> None:
    blob, key = seal()
    assert b"mill" not in blob
    assert b"jpg" not in blob
    assert key.key not in blob
    assert len(blob) == 1 + padme(len(PHOTO)) + 16 > 17 + len(PHOTO)


def test_files_of_similar_size_have_blobs_of_one_size() -> None:
    assert len({len(seal(bytes(size))[0]) for size in range(59_393, 61_441, 100)}) == 1


def test_the_same_photo_sent_twice_is_two_unlike_blobs() -> None:
    (one, one_key), (other, other_key) = seal(), seal()
    assert one[1:] != other[1:]
    assert one_key.key != other_key.key


def test_the_key_travels_as_json() -> None:
    blob, key = seal()
    sent = json.dumps({"attachment": key.to_json()})
    assert open_file(blob, FileKey.from_json(json.loads(sent)["attachment"])) == PHOTO


@given(st.binary(max_size=3_000), st.text(st.characters(codec="utf-8"), max_size=40))
@settings(max_examples=50)
def test_every_file_comes_back(data: bytes, name: str) -> None:
    blob, key = seal_file(name, "application/octet-stream", data, os.urandom)
    assert open_file(blob, FileKey.from_json(json.loads(json.dumps(key.to_json())))) == data


def test_the_form_is_the_one_that_is_written_down() -> None:
    blob, key = seal(b"nine byte")
    aead, nonce = cipher_of(key)
    assert blob[:1] == b"\x01"
    assert aead.decrypt(nonce, blob[1:], associated_data_of(key)) == b"nine byte\0"


# What the store may try


def test_a_blob_changed_in_any_byte_is_refused() -> None:
    blob, key = seal(b"a small photo")
    for place in range(len(blob)):
        changed = bytearray(blob)
        changed[place] ^= 1
        with pytest.raises(E2EEError, match=NOT_THE_FILE):
            open_file(bytes(changed), key)


def test_a_blob_that_is_cut_or_made_longer_is_refused() -> None:
    blob, key = seal(b"a small photo")
    for size in range(len(blob)):
        with pytest.raises(E2EEError, match=NOT_THE_FILE):
            open_file(blob[:size], key)
    with pytest.raises(E2EEError, match=NOT_THE_FILE):
        open_file(blob + b"\0", key)


def test_another_blob_of_the_same_sender_is_refused() -> None:
    _, key = seal()
    other, _ = seal()
    with pytest.raises(E2EEError, match=NOT_THE_FILE):
        open_file(other, key)


def test_a_wrong_blob_is_refused_before_anything_is_decrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    blob, key = seal()
    monkeypatch.setattr(files, "AESGCM", None)  # would raise TypeError
    with pytest.raises(E2EEError, match=NOT_THE_FILE):
        open_file(blob[:-1] + bytes([blob[-1] ^ 1]), key)


# What a dishonest sender may try: the digest of the blob fits


def test_a_blob_that_does_not_open_is_refused() -> None:
    blob, key = seal()
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    with pytest.raises(E2EEError, match="does not open"):
        open_file(changed, key_of_other_blob(key, changed))


def test_a_blob_of_another_version_is_refused() -> None:
    blob, key = seal()
    changed = b"\x02" + blob[1:]
    with pytest.raises(E2EEError, match=NOT_THE_FILE):
        open_file(changed, key_of_other_blob(key, changed))


@pytest.mark.parametrize("changed", [{"name": "mill.exe"}, {"media_type": "text/html"}, {"size": len(PHOTO) - 1}])
def test_the_file_cannot_be_given_another_name_type_or_size(changed: dict[str, Any]) -> None:
    blob, key = seal()
    with pytest.raises(E2EEError, match="does not open"):
        open_file(blob, replace(key, **changed))


def test_a_file_other_than_the_one_announced_is_refused() -> None:
    blob, key = seal()
    with pytest.raises(E2EEError, match="not the one that the message announced"):
        open_file(blob, replace(key, plaintext_digest=hashlib.sha256(b"another photo").digest()))


def test_nothing_can_be_hidden_in_the_padding() -> None:
    _, key = seal()
    aead, nonce = cipher_of(key)
    padded = PHOTO + b"and more of it".ljust(padme(len(PHOTO)) - len(PHOTO), b"!")
    blob = b"\x01" + aead.encrypt(nonce, padded, associated_data_of(key))
    with pytest.raises(E2EEError, match="hidden in the padding"):
        open_file(blob, key_of_other_blob(key, blob))


# One blob, two keys, two files: AES-GCM does not commit to its key


def times(one: int, other: int) -> int:
    """Multiplication in the field of GHASH (NIST SP 800-38D, section 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if other >> bit & 1:
            product ^= one
        one = one >> 1 ^ (0xE1 << 120 if one & 1 else 0)
    return product


def inverse(one: int) -> int:
    result, power = 1 << 127, one  # 1 << 127 is the one of this field
    for _ in range(127):
        power = times(power, power)
        result = times(result, power)
    return result


def encrypt_block(key: bytes, data: bytes) -> int:
    # One block of plain AES is what GCM is made of; nothing is kept secret here.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return int.from_bytes(encryptor.update(data), "big")


def padded_to_block(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def salamander(keys: list[tuple[bytes, bytes]], ciphertext: bytes, associated_data: bytes) -> bytes:
    """`ciphertext` (whole blocks) with its last block changed so that one tag is valid under both (key, nonce)."""
    lengths = (8 * len(associated_data)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    hashed = padded_to_block(associated_data) + ciphertext[:-16] + bytes(16) + lengths
    sums, squares = [], []
    for key, nonce in keys:
        h = encrypt_block(key, bytes(16))
        ghash = 0
        for start in range(0, len(hashed), 16):
            ghash = times(ghash ^ int.from_bytes(hashed[start : start + 16], "big"), h)
        sums.append(ghash ^ encrypt_block(key, nonce + b"\0\0\0\x01"))
        squares.append(times(h, h))
    last = times(sums[0] ^ sums[1], inverse(squares[0] ^ squares[1]))
    tag = sums[0] ^ times(last, squares[0])
    return ciphertext[:-16] + last.to_bytes(16, "big") + tag.to_bytes(16, "big")


def test_one_blob_with_two_keys_shows_nobody_a_file_that_was_not_announced() -> None:
    size = 64
    assert padme(size) == size
    described = FileKey("mill.jpg", "image/jpeg", size, os.urandom(32), bytes(32), bytes(32))
    twin = replace(described, key=os.urandom(32))
    materials, associated_data = [material_of(key) for key in (described, twin)], associated_data_of(described)
    sealed = salamander(materials, os.urandom(size), associated_data)
    # It is real: both keys open the same bytes, the tag is valid under both, and what comes out differs.
    one, other = (AESGCM(key).decrypt(nonce, sealed, associated_data) for key, nonce in materials)
    assert one != other

    blob = b"\x01" + sealed
    announced = replace(key_of_other_blob(described, blob), plaintext_digest=hashlib.sha256(one).digest())
    assert open_file(blob, announced) == one
    # Same blob, same digest of the blob, same digest of the file: the other key would show the other file.
    with pytest.raises(E2EEError, match="not the one that the message announced"):
        open_file(blob, replace(announced, key=twin.key))


# Keys from outside


def fields(**changed: object) -> dict[str, object]:
    return {**seal()[1].to_json(), **changed}


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "key",
        {},
        fields(name=None),
        fields(name="\ud800"),
        fields(type="\udfff"),
        fields(name="n" * 256),
        fields(type="t" * 128),
        fields(size="5"),
        fields(size=5.0),
        fields(size=True),
        fields(size=-1),
        fields(size=MAX_FILE + 1),
        fields(size=10**100),
        fields(key="AAAA"),
        fields(key=""),
        fields(key="?" * 44),
        fields(key=f"{fields()['key']}\n"),
        fields(key="ä" * 44),
        fields(key="A"),
        fields(blob_digest="AAAA"),
        fields(plaintext_digest="AAAA"),
        {name: value for name, value in fields().items() if name != "plaintext_digest"},
    ],
)
def test_what_is_no_key_of_a_file_is_refused(wrong: object) -> None:
    with pytest.raises(E2EEError):
        FileKey.from_json(wrong)


def test_what_a_later_version_may_add_is_not_in_the_way() -> None:
    blob, key = seal()
    assert FileKey.from_json({**key.to_json(), "preview": "…"}) == key
    assert open_file(blob, key) == PHOTO


@given(
    st.dictionaries(
        st.sampled_from(["name", "type", "size", "key", "blob_digest", "plaintext_digest"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=50), st.lists(st.integers(), max_size=2)),
    )
)
def test_any_other_json_gives_one_kind_of_error(value: dict[str, object]) -> None:
    with pytest.raises(E2EEError):
        FileKey.from_json(value)


def test_the_key_does_not_show_where_objects_are_printed() -> None:
    _, key = seal()
    assert repr(key.key) not in repr(key)


@pytest.mark.parametrize(
    ("name", "media_type", "data"),
    [("n" * 256, "text/plain", b""), ("a.txt", "t" * 128, b""), ("\ud800", "text/plain", b"")],
)
def test_alice_cannot_seal_what_bob_would_refuse(name: str, media_type: str, data: bytes) -> None:
    with pytest.raises(E2EEError):
        seal_file(name, media_type, data, os.urandom)


def test_a_file_that_is_too_large_is_not_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE", len(PHOTO) - 1)
    with pytest.raises(E2EEError, match="larger than it may be"):
        seal()
