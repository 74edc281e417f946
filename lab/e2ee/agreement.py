"""The secret that a session begins with: X3DH revision 1 and PQXDH revision 3 (Signal), sections 2.2, 3.3 and 3.4.

Curve25519 with SHA-256, and for PQXDH ML-KEM-1024. The initiator computes from a verified bundle

    DH1 = DH(own identity, signed pre-key)      DH2 = DH(ephemeral, their identity)
    DH3 = DH(ephemeral, signed pre-key)         DH4 = DH(ephemeral, one-time pre-key), if there is one
    SS  = the secret encapsulated to a KEM pre-key (PQXDH)
    SK  = HKDF(salt 0, F || DH1 || DH2 || DH3 [|| DH4] [|| SS]), F = 32 bytes 0xFF

and the responder the same from the header. Where it differs from the papers, on purpose:

- Identity keys are X25519 and Ed25519 keys side by side, not one key with XEdDSA (see `keys`). No EncodeEC byte: each
  key stands at a fixed place under a label.
- The identity key of the initiator is not in the header. It comes from the signed device list of the account that the
  message is said to be from; the secret and the associated data are only right if it is.
- The associated data holds more than the two identity keys: both accounts with device numbers and all identity keys
  (else a key registered under a second name would take over messages: unknown key share; X3DH, section 4.8), version
  and suite (else the service could talk both sides down), and the header. ML-KEM binds its public key to the secret,
  so PQXDH does not ask for it here. It is given as a SHA-256 digest, since every message of the session carries it.

Left out: deleting secrets from memory for certain (Python lets go of them, it does not wipe), and authentication that
withstands a quantum computer: in PQXDH too it rests on X25519 and Ed25519. The first ciphertext is the session's work.

Wire form of the header: suite 1 | ephemeral key 32 | signed pre-key id 4 | one-time pre-key id 4 or 0, and for PQXDH
| KEM pre-key id 4 (that of the signed pre-key: the last-resort key) | ciphertext 1568.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lab.e2ee.codec import Reader, blocks, number
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.keys import (
    KEM_CIPHERTEXT,
    KEY,
    Random,
    agree,
    check_agreement_key,
    decapsulate,
    derive,
    encapsulate,
    new_agreement_key,
)
from lab.e2ee.prekeys import NO_KEY, Bundle, PreKeys
from lab.e2ee.protocol import SESSION_LABEL, SHARED_SECRET_LABEL, SUITE_NAMES, VERSION, E2EEError, Suite

_F = b"\xff" * KEY
"""Sets these derivations apart from anything signed or agreed with XEdDSA keys (X3DH, section 2.2)."""


@dataclass(frozen=True, slots=True)
class FirstHeader:
    """What the responder needs to compute the same secret.

    `ephemeral` is 32 bytes. `one_time_id` is 0 if there was no one-time key. For X3DH `kem_id` is 0 and `ciphertext`
    empty; for PQXDH `kem_id` is that of a one-time KEM key or `signed_id` itself (the last-resort key), `ciphertext`
    1568 bytes. E2EEError: anything else.
    """

    suite: Suite
    ephemeral: bytes
    signed_id: int
    one_time_id: int
    kem_id: int
    ciphertext: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_agreement_key(self.ephemeral)
        size = KEM_CIPHERTEXT if self.suite is Suite.PQXDH else 0
        if self.signed_id == NO_KEY or (self.kem_id != NO_KEY) != bool(size) or len(self.ciphertext) != size:
            raise E2EEError("the header of a first message is not as its suite wants it")

    def to_bytes(self) -> bytes:
        """41 bytes for X3DH, 1613 for PQXDH."""
        start = number(self.suite, 1) + self.ephemeral + number(self.signed_id) + number(self.one_time_id)
        return start + number(self.kem_id) + self.ciphertext if self.suite is Suite.PQXDH else start

    @classmethod
    def from_reader(cls, reader: Reader) -> FirstHeader:
        """The next header in `reader`. E2EEError: there is none, or its suite is unknown."""
        suite = _suite(reader.number(1))
        ephemeral, signed_id, one_time_id = reader.take(KEY), reader.number(), reader.number()
        if suite is Suite.X3DH:
            return cls(suite, ephemeral, signed_id, one_time_id, NO_KEY, b"")
        return cls(suite, ephemeral, signed_id, one_time_id, reader.number(), reader.take(KEM_CIPHERTEXT))


@dataclass(frozen=True, slots=True)
class Agreed[RatchetKey: (bytes, X25519PrivateKey)]:
    """What both sides have now: a secret of 32 bytes, associated data of 32 bytes, and the first key of the ratchet,
    which is the responder's signed pre-key: public for the initiator, private for the responder."""

    secret: bytes = field(repr=False)
    associated_data: bytes
    ratchet_key: RatchetKey = field(repr=False)


def initiate(device: DeviceKeys, bundle: Bundle, suite: Suite, random: Random) -> tuple[Agreed[bytes], FirstHeader]:
    """Agrees with the device of `bundle`; draws 32 bytes. E2EEError: it is this device, or a key is not acceptable.

    The ciphertext of PQXDH takes its randomness inside `cryptography`, see `keys.encapsulate`.
    """
    _check_two(device.public, bundle.device)
    ephemeral = new_agreement_key(random)
    secrets = [
        agree(device.identity, bundle.signed),
        agree(ephemeral, bundle.device.identity),
        agree(ephemeral, bundle.signed),
    ]
    if bundle.one_time is not None:
        secrets.append(agree(ephemeral, bundle.one_time))
    kem_id, ciphertext = NO_KEY, b""
    if suite is Suite.PQXDH:
        kem_id = bundle.kem_id
        shared, ciphertext = encapsulate(bundle.kem)
        secrets.append(shared)
    public = ephemeral.public_key().public_bytes_raw()
    header = FirstHeader(suite, public, bundle.signed_id, bundle.one_time_id, kem_id, ciphertext)
    data = _associated_data(device.public, bundle.device, header)
    return Agreed(_secret(suite, secrets), data, bundle.signed), header


def respond(device: DeviceKeys, prekeys: PreKeys, peer: PublicDevice, header: FirstHeader) -> Agreed[X25519PrivateKey]:
    """The same secret, for the one who was away. Changes nothing: `prekeys.used` comes when a message under the secret
    has authenticated, else anybody could use up one-time keys with made-up headers.

    E2EEError: a pre-key is unknown or used up, the message came before, or `peer` is this device. A header that was
    changed, or is not by `peer`, gives another secret and other associated data: the message does not authenticate.
    """
    _check_two(device.public, peer)
    keys = prekeys.private_keys(device, peer, header)
    secrets = [
        agree(keys.signed, peer.identity),
        agree(device.identity, header.ephemeral),
        agree(keys.signed, header.ephemeral),
    ]
    if keys.one_time is not None:
        secrets.append(agree(keys.one_time, header.ephemeral))
    if keys.kem is not None:
        secrets.append(decapsulate(keys.kem, header.ciphertext))
    return Agreed(_secret(header.suite, secrets), _associated_data(peer, device.public, header), keys.signed)


def _secret(suite: Suite, secrets: list[bytes]) -> bytes:
    # The suite's name in the info: one protocol's secret is never that of the other.
    info = SHARED_SECRET_LABEL + b"_" + SUITE_NAMES[suite]
    return derive(_F + b"".join(secrets), salt=None, info=info, length=KEY)


def _associated_data(initiator: PublicDevice, responder: PublicDevice, header: FirstHeader) -> bytes:
    parts = (bytes((VERSION, header.suite)), initiator.to_bytes(), responder.to_bytes(), header.to_bytes())
    return hashlib.sha256(blocks(SESSION_LABEL, *parts)).digest()


def _check_two(own: PublicDevice, other: PublicDevice) -> None:
    # With one identity key on both sides the roles are all that is different: what one wrote could come back to it.
    if own.identity == other.identity or (own.account, own.device) == (other.account, other.device):
        raise E2EEError("a device has no session with itself")


def _suite(value: int) -> Suite:
    try:
        return Suite(value)
    except ValueError:
        raise E2EEError("a suite is unknown") from None
