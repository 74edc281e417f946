"""Versions, suites, labels and limits of the end-to-end encryption: all of them stand here.

A label goes into every derivation, signature and associated data, so that bytes made for one purpose mean nothing to
another one. Whoever changes a form on the wire changes `VERSION`, and old and new refuse each other.
"""

from __future__ import annotations

from enum import IntEnum

VERSION = 1
"""First byte of everything on the wire. No other version is understood, so there is none to be talked down to."""


class Suite(IntEnum):
    """How a session is set up. Both: X25519, Ed25519, HKDF-SHA256, HMAC-SHA256, AES-256-GCM."""

    X3DH = 1
    """Signal's X3DH, revision 1: no protection of today's messages from a quantum computer of tomorrow."""
    PQXDH = 2
    """Signal's PQXDH, revision 3, with ML-KEM-1024 (FIPS 203)."""


SUITE_NAMES = {
    Suite.X3DH: b"X3DH_CURVE25519_SHA-256",
    Suite.PQXDH: b"CURVE25519_SHA-256_ML-KEM-1024",
}
"""What follows the application's own label in the info of the key derivation (PQXDH, 2.2: curve, hash and KEM)."""


class Kind(IntEnum):
    """What an envelope carries: its second byte."""

    FIRST = 1
    """A message of a session that its reader may not know yet, with what is needed to set it up."""
    MESSAGE = 2
    """A message of a session that both sides have."""
    GROUP = 3
    """A message under a sender key."""


SHARED_SECRET_LABEL = b"mitm-lab/1 session set-up"
ROOT_LABEL = b"mitm-lab/1 root step"
MESSAGE_LABEL = b"mitm-lab/1 message key"
SESSION_LABEL = b"mitm-lab/1 session"
DEVICE_LIST_LABEL = b"mitm-lab/1 device list"
SIGNED_PRE_KEY_LABEL = b"mitm-lab/1 signed pre-key and last-resort KEM pre-key"
ONE_TIME_KEM_LABEL = b"mitm-lab/1 one-time KEM pre-key"
GROUP_LABEL = b"mitm-lab/1 group message"
SENDER_KEY_LABEL = b"mitm-lab/1 sender key"
FILE_LABEL = b"mitm-lab/1 file"
COMMITMENT_LABEL = b"mitm-lab/1 commitment to a message"
COMMITMENT_STAMP_LABEL = b"mitm-lab/1 stamp over a commitment"
CIPHERTEXT_STAMP_LABEL = b"mitm-lab/1 stamp over a sealed file"
STATIC_X3DH_LABEL = b"mitm-lab/1 static X3DH"
UNAUTHENTICATED_LABEL = b"mitm-lab/1 static X3DH without authentication"
LOG_ENTRY_LABEL = b"mitm-lab/1 key log entry"
TREE_HEAD_LABEL = b"mitm-lab/1 key log tree head"
DEVICE_STATE_LABEL = b"mitm-lab/1 device state"
STORE_LABEL = b"mitm-lab/1 device store"
STORE_NAME_LABEL = b"mitm-lab/1 device store, names of rows"
OLM_FALLBACK_KEY_LABEL = b"mitm-lab/1 Olm fallback key"
OLM_ONE_TIME_KEY_LABEL = b"mitm-lab/1 Olm one-time key"
OLM_MESSAGE_LABEL = b"mitm-lab/1 Olm message"
MEGOLM_MESSAGE_LABEL = b"mitm-lab/1 Megolm message"
MEGOLM_SENDER_KEY_LABEL = b"mitm-lab/1 Megolm sender key"

MAX_SKIP = 1_000
"""A message further ahead in its chain than this is refused before a single key is derived for it."""
MAX_STORED = 2_000
"""Keys kept for messages that have not arrived yet; the oldest one is dropped for a newer one."""
MAX_SESSIONS = 5
"""Sessions kept with one other device: both sides may begin at the same time, and either may begin anew."""
MAX_DEVICES = 8
"""Devices of one account."""
ONE_TIME_KEYS = 10
"""One-time pre-keys of each kind that a device keeps at the service."""
MAX_KEPT_KEYS = 100
"""Private one-time pre-keys of each kind that a device keeps; the oldest one goes for a newer one. A service that hands
them all out to nobody cannot make the state of a device grow."""
MAX_REMEMBERED = 1_000
"""First messages without a one-time key that a device remembers until its signed pre-key is replaced twice."""
MAX_READERS = 5
"""Sender keys of one device in one group that are kept to read: a message under the one before may be on its way."""
MAX_PLAINTEXT = 1 << 20
"""Bytes of one message."""
MAX_ACCOUNT = 64
"""Bytes of an account name."""

FINGERPRINT_VERSION = 0
"""What Signal's numeric fingerprint hashes before everything else, as 2 bytes."""
FINGERPRINT_ITERATIONS = 5_200
"""Times that each half of a safety number is hashed: what one try of a forger costs."""
SCANNABLE_VERSION = 2
"""The form of the code that is scanned in place of reading a safety number aloud."""
SIGNAL_KEY_KIND = b"\x05"
"""What Signal puts before a Curve25519 key when it writes one down."""
ACCOUNT_KEY_KIND = b"\xed"
"""The same for the Ed25519 key of an account here; 0xed is its number in multicodec, and none that Signal uses."""

TEXTBOOK_RSA_BITS = 2048
TEXTBOOK_RSA_EXPONENT = 65_537
TEXTBOOK_RSA_PLAINTEXT = 190
"""Bytes that OAEP with SHA-256 leaves of 2048 bits: 256 - 2 * 32 - 2 (RFC 8017, section 7.1.1)."""
MESSAGE_BUCKET = 160
"""Messages are padded to multiples of so many bytes, as Signal's are."""
MAX_FILE = 1 << 26
"""Bytes of one file."""
MAX_FILE_NAME = 255
"""Bytes of the name of a file: what file systems take."""
MAX_MEDIA_TYPE = 127
"""Bytes of a media type: enough for every registered one (RFC 6838, section 4.2)."""


class E2EEError(Exception):
    """What was received is malformed, not authentic, not meant for this reader, or too much. One sentence.

    The only error that comes out of this package for bytes from outside. It does not say which check failed where an
    attacker could learn from that.
    """
