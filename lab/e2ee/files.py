"""Files and voice messages: encrypted once with a key of their own, stored anywhere, the key sent in a message.

Implements the pattern of encrypted attachments in Signal and Matrix with AES-256-GCM: key, nonce and associated data
by HKDF-SHA256 from 32 random bytes that are used for one file only, so that no pair of key and nonce comes twice.
Sizes are padded with Padmé (see `padding`) before encryption.

The blob, in bytes:

    version 1 | AES-256-GCM ciphertext of the padded file, with its tag 16

Two digests travel with the key, inside the end-to-end encrypted message:

- that of the blob is compared before anything is decrypted, so a store that hands out another blob reaches neither
  cipher nor padding;
- that of the plaintext is compared afterwards. AES-GCM does not commit to its key: whoever makes a blob can make it so
  that it opens under two keys to two different files, with valid tags (`lab.attack.salamander` does), and the digest of
  the blob is the same for both. What pins the content is the digest of the plaintext. So whoever quotes, reports or
  compares a file uses that one and the message it came in, never the blob.

Left out: reading a file in parts (nothing is given out before all of it was checked, so all of it is in memory), and
previews.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab.e2ee.codec import blocks, number
from lab.e2ee.keys import KEY, Random, derive
from lab.e2ee.padding import padme
from lab.e2ee.protocol import FILE_LABEL, MAX_FILE, MAX_FILE_NAME, MAX_MEDIA_TYPE, VERSION, E2EEError

_DIGEST = 32
_NONCE = 12
_TAG = 16


@dataclass(frozen=True, slots=True)
class FileKey:
    """What a message carries so that its reader can open a file. Whoever has it can read the file.

    E2EEError: a field that no file sealed here has.
    """

    name: str
    """As its sender calls it, which may be anything, up to MAX_FILE_NAME bytes: not a path to write to."""
    media_type: str
    size: int
    """Bytes of the file itself."""
    key: bytes = field(repr=False)
    """32 bytes; not shown, so that it does not end up in logs."""
    blob_digest: bytes
    """SHA-256 of the blob, 32 bytes."""
    plaintext_digest: bytes
    """SHA-256 of the file itself, 32 bytes: what pins its content."""

    def __post_init__(self) -> None:
        if len(_utf8(self.name)) > MAX_FILE_NAME or len(_utf8(self.media_type)) > MAX_MEDIA_TYPE:
            raise E2EEError("the name or the type of a file is too long")
        if not 0 <= self.size <= MAX_FILE:
            raise E2EEError("a file is larger than it may be")
        if (len(self.key), len(self.blob_digest), len(self.plaintext_digest)) != (KEY, _DIGEST, _DIGEST):
            raise E2EEError("the key or a digest of a file has a wrong length")

    def to_json(self) -> dict[str, str | int]:
        """{"name", "type", "size", and "key", "blob_digest", "plaintext_digest" in base64}"""
        return {
            "name": self.name,
            "type": self.media_type,
            "size": self.size,
            "key": _text(self.key),
            "blob_digest": _text(self.blob_digest),
            "plaintext_digest": _text(self.plaintext_digest),
        }

    @classmethod
    def from_json(cls, fields: object) -> FileKey:
        """What `to_json` gave; fields of other names are ignored. E2EEError: anything else."""
        match fields:
            case {
                "name": str(name),
                "type": str(media_type),
                "size": int(size),
                "key": str(key),
                "blob_digest": str(blob_digest),
                "plaintext_digest": str(plaintext_digest),
            } if not isinstance(size, bool):
                return cls(name, media_type, size, _bytes(key), _bytes(blob_digest), _bytes(plaintext_digest))
        raise E2EEError("this is not the key of a file")


def seal_file(name: str, media_type: str, data: bytes, random: Random) -> tuple[bytes, FileKey]:
    """The blob to store, and the key to send in a message. E2EEError: data, name or type are too long."""
    key = random(KEY)
    # Checked before the work is done: a FileKey can only be made of what may be sent.
    draft = FileKey(name, media_type, len(data), key, bytes(_DIGEST), _sha256(data))
    aes_key, nonce, associated_data = gcm_parameters(draft)
    padded = data + bytes(padme(len(data)) - len(data))
    blob = bytes([VERSION]) + AESGCM(aes_key).encrypt(nonce, padded, associated_data)
    return blob, FileKey(name, media_type, draft.size, key, _sha256(blob), draft.plaintext_digest)


def open_file(blob: bytes, key: FileKey) -> bytes:
    """The file. E2EEError: this is not the blob that belongs to `key`, or its content is not the one announced."""
    if len(blob) != 1 + padme(key.size) + _TAG or blob[0] != VERSION:
        raise E2EEError("this is not the file that the message speaks of")
    # Before decryption: what a store has changed or swapped is never looked into.
    if not hmac.compare_digest(_sha256(blob), key.blob_digest):
        raise E2EEError("this is not the file that the message speaks of")
    aes_key, nonce, associated_data = gcm_parameters(key)
    try:
        padded = AESGCM(aes_key).decrypt(nonce, blob[1:], associated_data)
    except InvalidTag:
        raise E2EEError("the file does not open with this key") from None
    data, padding = padded[: key.size], padded[key.size :]
    # After decryption: a blob can be made to open under a second key, but not to the same plaintext.
    if not hmac.compare_digest(_sha256(data), key.plaintext_digest):
        raise E2EEError("the file is not the one that the message announced")
    if any(padding):
        raise E2EEError("something is hidden in the padding of the file")
    return data


def gcm_parameters(key: FileKey) -> tuple[bytes, bytes, bytes]:
    """Key, nonce and associated data for AES-256-GCM; the name and the type cannot be exchanged without the file."""
    material = derive(key.key, salt=None, info=FILE_LABEL, length=KEY + _NONCE)
    described = blocks(FILE_LABEL, bytes([VERSION]), _utf8(key.name), _utf8(key.media_type), number(key.size))
    return material[:KEY], material[KEY:], described


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # JSON can spell half a surrogate pair, which is no character.
        raise E2EEError("the name or the type of a file is no text") from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise E2EEError("the key or a digest of a file is not in base64") from None
