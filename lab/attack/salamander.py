"""One sealed file, two keys, two pictures: AES-GCM does not say under which key something was sealed.

Found by Dodis, Grubbs, Ristenpart and Woodage, "Fast Message Franking: From Invisible Salamanders to Encryptment"
(CRYPTO 2018), who showed it on the abuse reports of a large messenger; Albertini, Duong, Gueron, Kölbl, Luykx and
Schmieg, "How to Abuse and Fix Authenticated Encryption Without Key Commitment" (USENIX Security 2022), did it with many
file formats. The tag of AES-GCM tells whether somebody who has no key has changed something. That whoever does have the
keys chooses the bytes so that two of them fit was never part of its promise.

How it is made:

1. Each key gives another stream of bits that is added to the file (counter mode), so every byte of the blob says
   something under each of the two keys, and one can be chosen freely. A JPEG begins with a comment of any content, and
   the BMP goes there. What is behind the last pixel of the BMP nobody looks at, and the rest of the JPEG goes there.
2. Only the first two bytes have to be right in both ("BM", and 0xffd8). Keys are drawn until two of them agree there:
   some hundreds, since any one of one kind may go with any one of the other kind.
3. The tag is a sum over all blocks of the blob, each multiplied by a power of a number that depends on the key (GHASH,
   NIST SP 800-38D, section 6.4). The tags under both keys are equal if the last block, which neither picture needs, has
   the value that solves one linear equation.

The result is a blob of `lab.e2ee.files` and two keys for it, each of which passes all checks of `open_file`. What does
stop it is in `lab.e2ee.franking`. Ciphers and tags here come from `cryptography` too; only the equation is solved in
Python, in a field that no product computes in like this: neither fast nor in constant time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from lab.e2ee.files import FileKey, gcm_parameters
from lab.e2ee.keys import KEY, Random
from lab.e2ee.padding import padme
from lab.e2ee.protocol import VERSION

_BLOCK = 16
_TAG = 16
_SHARED = 2
"""Bytes that both files need as they are."""
_JPEG_START = b"\xff\xd8"
_BMP_START = b"BM"
_COMMENT = b"\xff\xfe"
_COMMENT_HEAD = 6
"""Bytes of a JPEG before the content of a comment that stands first. In a BMP the file size is there, which its readers
pass over."""
_LONGEST = 4 + 0xFFFF
"""Bytes of a JPEG up to the end of the longest comment."""

_NO_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Salamander:
    """One blob and two keys. The files that they open are the two pictures, each with something behind its end."""

    blob: bytes
    bmp: FileKey
    jpeg: FileKey


def salamander(bmp: bytes, jpeg: bytes, random: Random) -> Salamander:
    """A blob that is `bmp` under one key and `jpeg` under the other.

    ValueError: they are not of these formats, or the BMP has more than 65,539 bytes. E2EEError: more than a file may.
    """
    if bmp[:_SHARED] != _BMP_START or jpeg[:_SHARED] != _JPEG_START or not _COMMENT_HEAD < len(bmp) <= _LONGEST:
        raise ValueError("this takes a BMP of at most 65,539 bytes and a JPEG")
    # The second file has all of the BMP as a comment between its first two bytes and the others.
    needed = len(bmp) + len(jpeg) - _SHARED + _BLOCK
    size = _without_padding(needed)
    one, other = _agreeing_keys(size, random)
    streams = [_stream(key) for key in (one, other)]
    comment = _JPEG_START + _COMMENT + (len(bmp) - 4).to_bytes(2, "big")
    rest = jpeg[_SHARED:].ljust(size - len(bmp) - _BLOCK, b"\0")
    sealed = b"".join(
        (
            _xor(comment, streams[1]),
            _xor(bmp[_COMMENT_HEAD:], streams[0][_COMMENT_HEAD:]),
            _xor(rest, streams[1][len(bmp) :]),
        )
    )
    sealed += _last_block(sealed, (one, other), streams)
    files = [_xor(sealed, stream) for stream in streams]
    blob = bytes([VERSION]) + sealed + _tag(one, files[0])
    keys = (_finished(key, blob, file) for key, file in zip((one, other), files, strict=True))
    return Salamander(blob, *keys)


def _without_padding(needed: int) -> int:
    """The least size of a file that is not padded when it is sealed, and fills its last block."""
    size = padme(needed)
    while size % _BLOCK or padme(size) != size:
        size = padme(size + 1)
    return size


def _agreeing_keys(size: int, random: Random) -> tuple[FileKey, FileKey]:
    """A key for the BMP and one for the JPEG under which the same two bytes begin both files."""
    bmps: dict[bytes, FileKey] = {}
    jpegs: dict[bytes, FileKey] = {}
    while not (both := bmps.keys() & jpegs.keys()):
        for start, found, name, media_type in (
            (_BMP_START, bmps, "picture.bmp", "image/bmp"),
            (_JPEG_START, jpegs, "picture.jpg", "image/jpeg"),
        ):
            key = FileKey(name, media_type, size, random(KEY), _NO_DIGEST, _NO_DIGEST)
            found[_xor(start, _stream(key, _SHARED))] = key
    beginning = both.pop()
    return bmps[beginning], jpegs[beginning]


def _last_block(sealed: bytes, keys: tuple[FileKey, FileKey], streams: list[bytes]) -> bytes:
    """The block that makes the tags equal.

    With the block X in the last place, GHASH has X * H^2 in it (only the block with the lengths comes after it), so
    tag = tag with zeros + X * H^2 under each key; both are equal for X = (difference of tags) / (sum of the H^2).
    """
    zeros = sealed + bytes(_BLOCK)
    tags = [int.from_bytes(_tag(key, _xor(zeros, stream)), "big") for key, stream in zip(keys, streams, strict=True)]
    squares = [_multiply(point, point) for point in map(_point, keys)]
    block = _multiply(tags[0] ^ tags[1], _inverse(squares[0] ^ squares[1]))
    return block.to_bytes(_BLOCK, "big")


def _stream(key: FileKey, length: int | None = None) -> bytes:
    """What is added to the file: what zeros are sealed as."""
    aes_key, nonce, _ = gcm_parameters(key)
    size = key.size if length is None else length
    return AESGCM(aes_key).encrypt(nonce, bytes(size), None)[:size]


def _tag(key: FileKey, file: bytes) -> bytes:
    aes_key, nonce, associated_data = gcm_parameters(key)
    return AESGCM(aes_key).encrypt(nonce, file, associated_data)[-_TAG:]


def _point(key: FileKey) -> int:
    """H, whose powers the blocks are multiplied by: a block of zeros, encrypted (SP 800-38D, section 7.1)."""
    encryptor = Cipher(AES256(gcm_parameters(key)[0]), ECB()).encryptor()  # noqa: S305 - a single block
    return int.from_bytes(encryptor.update(bytes(_BLOCK)), "big")


def _finished(key: FileKey, blob: bytes, file: bytes) -> FileKey:
    return FileKey(
        key.name, key.media_type, key.size, key.key, hashlib.sha256(blob).digest(), hashlib.sha256(file).digest()
    )


def _xor(data: bytes, stream: bytes) -> bytes:
    """`data`, added to as much of `stream`."""
    return (int.from_bytes(data) ^ int.from_bytes(stream[: len(data)])).to_bytes(len(data))


_TOP = 1 << 127
_REDUCTION = 0xE1 << 120


def _multiply(one: int, other: int) -> int:
    """The product in GF(2^128) with the bits in the order of GHASH: the highest stands for 1 (SP 800-38D, 6.3)."""
    product = 0
    for place in range(127, -1, -1):
        if one >> place & 1:
            product ^= other
        other = other >> 1 ^ (_REDUCTION if other & 1 else 0)
    return product


def _inverse(value: int) -> int:
    """What gives 1 when multiplied by `value`, not zero: value^(2^128 - 2)."""
    result, power = _TOP, value
    for _ in range(127):
        power = _multiply(power, power)
        result = _multiply(result, power)
    return result
