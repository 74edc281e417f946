"""A bad example, for encryption without authentication: nobody can read along, and anybody can change what is read.

The key agreement of `static_x3dh`, with all that is wrong there, and AES-256 in counter mode (NIST SP 800-38A, section
6.5) in place of AES-256-GCM. One thing is missing against it: the tag. The operator of the service still reads nothing.
But counter mode only adds a stream of bits to the text, so:

- Who flips a bit of the envelope flips the same bit of the text, without any key. Who knows or guesses what stands at a
  place writes there whatever has the same length (`lab.attack.bitflip`): "5pm" becomes "6pm".
- The reader's device has nothing to notice it by. It decrypts whatever comes, also what was cut short or lengthened at
  the end. What was made by somebody else, or for somebody else, gives noise. Whoever expects a message in its form
  will refuse noise, but that is luck and no check.
- The reader does not know who wrote either: who knows the text in one envelope can put any other of its length there.

    envelope   version 1 | ephemeral key 32 | ciphertext, as long as the text
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from lab.e2ee.codec import Reader
from lab.e2ee.engine import Opened, Sealed
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.keys import KEY, Random, derive
from lab.e2ee.protocol import UNAUTHENTICATED_LABEL
from lab.e2ee.static_x3dh import HEADER, StaticX3dh, agree_to_read, agree_to_write, opened_session, opened_state

_COUNTER = 16
"""Bytes of the first counter block."""


def seal(device: DeviceKeys, peer: PublicDevice, peer_signed_pre_key: bytes, plaintext: bytes, random: Random) -> bytes:
    """The envelope from `device` to `peer`, 33 bytes longer than the plaintext.

    `peer_signed_pre_key` is the X25519 key, 32 bytes, of a verified bundle. Draws 32 bytes. E2EEError: it is not
    acceptable.
    """
    header, secret = agree_to_write(device, peer, peer_signed_pre_key, random)
    return header + _with_stream(secret, plaintext)


def open_sealed(device: DeviceKeys, signed_pre_key: X25519PrivateKey, peer: PublicDevice, envelope: bytes) -> bytes:
    """The plaintext of an envelope, if `peer` made it for `device` and nobody changed it; else any other bytes.

    E2EEError: it is of another version, has no ephemeral key, or one that is not acceptable.
    """
    reader = Reader(envelope)
    header = reader.take(HEADER)
    return _with_stream(agree_to_read(device, signed_pre_key, peer, header), reader.rest())


def _with_stream(secret: bytes, data: bytes) -> bytes:
    """Encrypts and decrypts: it is the same. The ephemeral key is new for each message, and so is the stream."""
    derived = derive(secret, salt=None, info=UNAUTHENTICATED_LABEL, length=KEY + _COUNTER)
    cipher = Cipher(AES256(derived[:KEY]), CTR(derived[KEY:])).encryptor()
    return cipher.update(data) + cipher.finalize()


class Unauthenticated(StaticX3dh):
    """An `Engine` with the states and the published keys of `StaticX3dh`, and envelopes that nobody checks."""

    def seal(self, device: bytes, session: bytes, plaintext: bytes) -> Sealed:
        envelope = seal(opened_state(device)[0], *opened_session(session), plaintext, self._random)
        return Sealed(session, envelope)

    def open(self, device: bytes, session: bytes | None, peer: PublicDevice, envelope: bytes) -> Opened:
        return Opened(device, session or b"", open_sealed(*opened_state(device), peer, envelope))
