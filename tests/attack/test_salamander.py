"""Mallory seals one file that is a flower under one key and an insult under the other, and Bob reports it."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import struct
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from report import chromium

from lab.attack.pictures import CELL, Cells, Colour, bmp, flower, insult, jpeg
from lab.attack.salamander import Salamander, salamander
from lab.e2ee.files import FileKey, open_file
from lab.e2ee.franking import (
    CiphertextReport,
    Delivery,
    Report,
    commit,
    file_content,
    review_ciphertexts,
    stamp,
    stamp_ciphertext,
    verify,
    verify_ciphertext,
)
from lab.e2ee.protocol import E2EEError

SERVICE_KEY = os.urandom(32)
TO_BOB = Delivery("mallory", "bob")


@pytest.fixture(scope="module")
def made() -> Salamander:
    return salamander(flower(b"with love"), insult(b"no love"), os.urandom)


def gcm(blob: bytes, key: FileKey) -> bytes:
    """The blob opened by `cryptography` alone, from the description of its form."""
    material = HKDF(SHA256(), 44, None, b"mitm-lab/1 file").derive(key.key)
    parts = b"mitm-lab/1 file", b"\x01", key.name.encode(), key.media_type.encode(), key.size.to_bytes(4, "big")
    data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return AESGCM(material[:32]).decrypt(material[32:], blob[1:], data)


# One blob, two pictures


def test_both_keys_open_the_same_bytes_with_the_same_tag_to_different_files(made: Salamander) -> None:
    one, other = gcm(made.blob, made.bmp), gcm(made.blob, made.jpeg)
    assert made.bmp.key != made.jpeg.key
    assert one != other
    remarks = (b"with love", b"no love")
    assert [[remark in file for remark in remarks] for file in (one, other)] == [[True, False], [False, True]]
    assert [open_file(made.blob, key) for key in (made.bmp, made.jpeg)] == [one, other]
    assert made.bmp.blob_digest == made.jpeg.blob_digest == hashlib.sha256(made.blob).digest()
    assert made.bmp.plaintext_digest != made.jpeg.plaintext_digest


def test_who_has_none_of_the_keys_still_changes_nothing_unnoticed(made: Salamander) -> None:
    for at in range(1, len(made.blob), 7919):
        changed = bytearray(made.blob)
        changed[at] ^= 1
        for key in (made.bmp, made.jpeg):
            with pytest.raises(InvalidTag):
                gcm(bytes(changed), key)


def test_a_third_key_does_not_open_it(made: Salamander) -> None:
    with pytest.raises(InvalidTag):
        gcm(made.blob, replace(made.bmp, key=os.urandom(32)))


def without_comments(data: bytes) -> bytes:
    """A JPEG up to its end, without the comments in front of its first table."""
    at = 2
    while data[at : at + 2] == b"\xff\xfe":
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + length
    rest = data[at:]
    return data[:2] + rest[: rest.index(b"\xff\xd9") + 2]


colours = st.tuples(*[st.integers(0, 255)] * 3)
pictures = st.integers(1, 6).flatmap(
    lambda width: st.lists(st.lists(colours, min_size=width, max_size=width), min_size=1, max_size=6)
)


@settings(max_examples=15, deadline=None)
@given(pictures, pictures, st.integers())
def test_any_two_pictures_go_together(one: Cells, other: Cells, seed: int) -> None:
    shown, hidden = bmp(one), jpeg(other)
    made = salamander(shown, hidden, random.Random(seed).randbytes)  # noqa: S311 - so that what fails can be seen again
    opened = open_file(made.blob, made.bmp)
    # All but the size of the file, which readers of pictures do not look at.
    assert (opened[:2], opened[6 : len(shown)]) == (shown[:2], shown[6:])
    assert without_comments(open_file(made.blob, made.jpeg)) == hidden


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (insult(), flower()),
        (flower(), flower()),
        (b"BM", insult()),
        (flower() + bytes(6_000), insult()),
        (b"", b""),
    ],
    ids=["swapped", "no-jpeg", "no-header", "too-long", "nothing"],
)
def test_what_does_not_go_together_is_refused(one: bytes, other: bytes) -> None:
    with pytest.raises(ValueError, match="takes a BMP"):
        salamander(one, other, os.urandom)


# As a browser shows it

DECODE = """
(async () => {
  const file = await (await fetch("data:%s;base64,%s")).blob();
  const picture = await createImageBitmap(file);
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const drawn = canvas.getContext("2d");
  drawn.drawImage(picture, 0, 0);
  const data = drawn.getImageData(0, 0, picture.width, picture.height).data;
  const rows = [];
  for (let y = %d; y < picture.height; y += %d) {
    const row = [];
    for (let x = %d; x < picture.width; x += %d) row.push([...data.slice(4 * (y * picture.width + x)).slice(0, 3)]);
    rows.push(row);
  }
  return rows;
})()
"""


def test_a_browser_shows_both_pictures(made: Salamander) -> None:
    program = chromium.find()
    if program is None:
        pytest.skip("no Chromium on the path; on Debian: apt-get install chromium")
    with chromium.opened(program) as page:

        def cells(media_type: str, data: bytes) -> list[list[list[int]]]:
            """The colour in the middle of each cell."""
            text = base64.b64encode(data).decode()
            script = DECODE % (media_type, text, CELL // 2, CELL, CELL // 2, CELL)
            found: list[list[list[int]]] = page.run(script)
            return found

        seen = cells("image/bmp", open_file(made.blob, made.bmp))
        assert seen == cells("image/bmp", flower())
        assert (len(seen), len(seen[0])) == (15, 21)
        assert colour(seen[5][10]) == (150, 85, 30)
        assert colour(seen[0][0]) == (150, 205, 245)
        seen = cells("image/jpeg", open_file(made.blob, made.jpeg))
        assert seen == cells("image/jpeg", insult())
        assert near(colour(seen[0][0]), (190, 25, 35))
        assert near(colour(seen[8][1]), (255, 255, 255))


def colour(found: list[int]) -> Colour:
    red, green, blue = found
    return red, green, blue


def near(one: Colour, other: Colour) -> bool:
    """The same but for the rounding of a JPEG."""
    return all(abs(first - second) <= 4 for first, second in zip(one, other, strict=True))


# The report


def by_ciphertext(blob: bytes, key: FileKey) -> CiphertextReport:
    """What Bob reports of a message with `key` in it, where sealed files are stamped."""
    return CiphertextReport(TO_BOB, blob, key, stamp_ciphertext(SERVICE_KEY, TO_BOB, blob))


def by_commitment(blob: bytes, key: FileKey) -> Report:
    """The same, where commitments are stamped."""
    content = file_content(key)
    opening, commitment = commit(content, os.urandom)
    return Report(TO_BOB, blob, content, opening, commitment, stamp(SERVICE_KEY, TO_BOB, commitment))


def test_where_ciphertexts_are_stamped_the_moderator_sees_the_flower_only(made: Salamander) -> None:
    """Mallory sends the flower, then the insult. Bob sees both and reports both."""
    reports = [by_ciphertext(made.blob, key) for key in (made.bmp, made.jpeg)]
    assert review_ciphertexts(reports, SERVICE_KEY) == (open_file(made.blob, made.bmp),)


def test_with_commitments_the_moderator_sees_what_bob_has_seen(made: Salamander) -> None:
    reports = [by_commitment(made.blob, key) for key in (made.bmp, made.jpeg)]
    seen = [verify(report, SERVICE_KEY) for report in reports]
    assert seen == [open_file(made.blob, key) for key in (made.bmp, made.jpeg)]


def test_where_ciphertexts_are_stamped_what_was_never_sent_can_be_reported(made: Salamander) -> None:
    sent = by_ciphertext(made.blob, made.bmp)
    assert verify_ciphertext(replace(sent, key=made.jpeg), SERVICE_KEY) == open_file(made.blob, made.jpeg)


def test_with_commitments_it_is_refused(made: Salamander) -> None:
    sent = by_commitment(made.blob, made.bmp)
    with pytest.raises(E2EEError, match="committed"):
        verify(replace(sent, content=file_content(made.jpeg)), SERVICE_KEY)
    content = file_content(made.jpeg)
    opening, commitment = commit(content, os.urandom)
    with pytest.raises(E2EEError, match="has not delivered"):
        verify(replace(sent, content=content, opening=opening, commitment=commitment), SERVICE_KEY)
    assert verify(sent, SERVICE_KEY) == open_file(made.blob, made.bmp)
