"""Just enough of a TLS 1.2 client (RFC 5246) to leave out one check that every TLS library makes: that the server has
the private key of the certificate it shows. It checks the certificate's name in no way, and takes one cipher suite,
ECDHE with ECDSA and AES-128-GCM (RFC 5289), and one curve, X25519 (RFC 8422).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECONDS = 120
VERSION = b"\x03\x03"
CHANGE_CIPHER_SPEC, HANDSHAKE, DATA = 20, 22, 23
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, KEY_EXCHANGE, HELLO_DONE, CLIENT_KEY_EXCHANGE, FINISHED = (
    *(1, 2, 11, 12, 14, 16, 20),
)
SUITE = b"\xc0\x2b"
EXTENSIONS = b"".join(
    (
        b"\x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17",  # groups: X25519, and P-256 for the certificate
        b"\x00\x0b\x00\x02\x01\x00",  # points: uncompressed
        b"\x00\x0d\x00\x04\x00\x02\x04\x03",  # signatures: ECDSA with SHA-256
    )
)


@dataclass(frozen=True)
class HalfClient:
    """Visits a server; `checks_key` says whether it looks at the server's signature of the key exchange."""

    checks_key: bool

    def __call__(self, target) -> None:
        with socket.create_connection(("127.0.0.1", target.port), SECONDS) as raw:
            _Talk(raw).run(self.checks_key)


class _Talk:
    def __init__(self, raw: socket.socket) -> None:
        self._raw, self._file = raw, raw.makefile("rb")
        self._said = bytearray()
        self._buffer = b""

    def run(self, checks_key: bool) -> None:
        ours = os.urandom(32)
        hello = VERSION + ours + b"\x00" + vector(SUITE, 2) + b"\x01\x00" + vector(EXTENSIONS, 2)
        self._send(CLIENT_HELLO, hello)
        shown: dict[int, bytes] = {}
        while HELLO_DONE not in shown:
            kind, body = self._receive()
            shown[kind] = body
        theirs = shown[SERVER_HELLO][2:34]
        exchange = shown[KEY_EXCHANGE]
        parameters, signature = exchange[:36], exchange[40:]
        assert parameters[:4] == b"\x03\x00\x1d\x20"
        first = shown[CERTIFICATE][6:]
        certificate = x509.load_der_x509_certificate(first[: int.from_bytes(shown[CERTIFICATE][3:6])])
        if checks_key:
            certificate.public_key().verify(signature, ours + theirs + parameters, ec.ECDSA(hashes.SHA256()))
        own = X25519PrivateKey.generate()
        secret = own.exchange(X25519PublicKey.from_public_bytes(parameters[4:]))
        master = prf(secret, b"master secret", ours + theirs, 48)
        keys = prf(master, b"key expansion", theirs + ours, 40)
        self._send(CLIENT_KEY_EXCHANGE, vector(own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), 1))
        self._record(CHANGE_CIPHER_SPEC, b"\x01")
        finished = prf(master, b"client finished", hashlib.sha256(self._said).digest(), 12)
        self._sealed(HANDSHAKE, bytes([FINISHED]) + vector(finished, 3), keys, 0)
        self._sealed(DATA, b"GET / HTTP/1.1\r\n\r\n", keys, 1)
        while self._file.read(1000):
            pass

    def _send(self, kind: int, body: bytes) -> None:
        message = bytes([kind]) + vector(body, 3)
        self._said += message
        self._record(HANDSHAKE, message)

    def _receive(self) -> tuple[int, bytes]:
        """The next handshake message."""
        while len(self._buffer) < 4 or len(self._buffer) < 4 + int.from_bytes(self._buffer[1:4]):
            head = self._file.read(5)
            assert head[:1] == bytes([HANDSHAKE]), head
            self._buffer += self._file.read(int.from_bytes(head[3:]))
        end = 4 + int.from_bytes(self._buffer[1:4])
        message, self._buffer = self._buffer[:end], self._buffer[end:]
        self._said += message
        return message[0], message[4:]

    def _record(self, kind: int, body: bytes) -> None:
        self._raw.sendall(bytes([kind]) + VERSION + vector(body, 2))

    def _sealed(self, kind: int, body: bytes, keys: bytes, number: int) -> None:
        """RFC 5288, 3: the nonce is half secret, half the number of the record."""
        sequence = number.to_bytes(8)
        about = sequence + bytes([kind]) + VERSION + len(body).to_bytes(2)
        self._record(kind, sequence + AESGCM(keys[:16]).encrypt(keys[32:36] + sequence, body, about))


def vector(content: bytes, size: int) -> bytes:
    return len(content).to_bytes(size) + content


def prf(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246, 5."""
    seed, found = label + seed, b""
    block = seed
    while len(found) < length:
        block = hmac.digest(secret, block, "sha256")
        found += hmac.digest(secret, block + seed, "sha256")
    return found[:length]
