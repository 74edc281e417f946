"""A phone with WireGuard switched on, small enough to read: handshake, transport messages, and IPv4 with TCP and UDP.

Section numbers are those of WireGuard's paper (Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel", NDSS
2017). Nothing here is shared with mitmproxy's side, which is the point: what a phone prints must be what it takes.
TCP is as little as loopback needs: segments in order, acknowledged one by one, sent again when nothing comes.
"""

from __future__ import annotations

import hmac
import itertools
import secrets
import socket
import ssl
import struct
import time
from base64 import b64decode
from collections.abc import Callable
from configparser import ConfigParser
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2s
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
LABEL_MAC1 = b"mac1----"

INITIATION, RESPONSE, TRANSPORT = 1, 2, 4
TCP, UDP = 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

SEGMENT = 1000
"""Bytes of data in one TCP segment, well below what fits into any tunnel."""

GUARD_SECONDS = 120.0
"""A test that waits so long has failed."""

AGAIN_SECONDS = 1.0
"""What was not acknowledged for so long is sent again."""


class SilenceError(Exception):
    """Nothing came for GUARD_SECONDS."""


@dataclass(frozen=True)
class Configuration:
    """What stands in the text that is shown to the phone."""

    private_key: bytes
    address: str
    server_key: bytes
    endpoint: tuple[str, int]

    @classmethod
    def parse(cls, text: str) -> Self:
        parser = ConfigParser()
        parser.read_string(text)
        host, _, port = parser["Peer"]["Endpoint"].rpartition(":")
        return cls(
            b64decode(parser["Interface"]["PrivateKey"]),
            parser["Interface"]["Address"].partition("/")[0],
            b64decode(parser["Peer"]["PublicKey"]),
            (host.strip("[]"), int(port)),
        )


def _hash(*parts: bytes) -> bytes:
    return blake2s(b"".join(parts)).digest()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, blake2s).digest()


def _kdf(count: int, key: bytes, data: bytes) -> list[bytes]:
    """Section 5.4: HKDF with HMAC-BLAKE2s."""
    secret, made = _hmac(key, data), [b""]
    for number in range(1, count + 1):
        made.append(_hmac(secret, made[-1] + bytes([number])))
    return made[1:]


def _nonce(counter: int) -> bytes:
    return bytes(4) + counter.to_bytes(8, "little")


def _public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


class Handshake:
    """Section 5.4: the initiator's side of Noise_IKpsk2, without a pre-shared key and without cookies."""

    def __init__(self, private_key: bytes, server_key: bytes) -> None:
        self._static = X25519PrivateKey.from_private_bytes(private_key)
        self._ephemeral = X25519PrivateKey.generate()
        self._server = X25519PublicKey.from_public_bytes(server_key)
        self.index = secrets.token_bytes(4)
        chain = _hash(CONSTRUCTION)
        seen = _hash(_hash(chain, IDENTIFIER), server_key)
        ephemeral = _public(self._ephemeral)
        (chain,) = _kdf(1, chain, ephemeral)
        seen = _hash(seen, ephemeral)
        chain, key = _kdf(2, chain, self._ephemeral.exchange(self._server))
        static = ChaCha20Poly1305(key).encrypt(_nonce(0), _public(self._static), seen)
        seen = _hash(seen, static)
        chain, key = _kdf(2, chain, self._static.exchange(self._server))
        stamp = ChaCha20Poly1305(key).encrypt(_nonce(0), _tai64n(), seen)
        self._chain, self._seen = chain, _hash(seen, stamp)
        message = bytes([INITIATION, 0, 0, 0]) + self.index + ephemeral + static + stamp
        mac1 = blake2s(message, key=_hash(LABEL_MAC1, server_key), digest_size=16).digest()
        self.initiation = message + mac1 + bytes(16)

    def finish(self, response: bytes) -> tuple[bytes, ChaCha20Poly1305, ChaCha20Poly1305]:
        """The server's index, and the keys to send and to receive with. InvalidTag: it is not from this server."""
        kind, index, mine, ephemeral, empty = struct.unpack_from("<I4s4s32s16s", response)
        if (kind, mine) != (RESPONSE, self.index):
            raise ValueError("this is no answer to the handshake")
        theirs = X25519PublicKey.from_public_bytes(ephemeral)
        (chain,) = _kdf(1, self._chain, ephemeral)
        (chain,) = _kdf(1, chain, self._ephemeral.exchange(theirs))
        (chain,) = _kdf(1, chain, self._static.exchange(theirs))
        chain, mixed, key = _kdf(3, chain, bytes(32))
        ChaCha20Poly1305(key).decrypt(_nonce(0), empty, _hash(_hash(self._seen, ephemeral), mixed))
        send, receive = _kdf(2, chain, b"")
        return index, ChaCha20Poly1305(send), ChaCha20Poly1305(receive)


def _tai64n() -> bytes:
    now = time.time_ns()
    return struct.pack(">QI", 2**62 + 10 + now // 10**9, now % 10**9)


class Tunnel:
    """The phone: the tunnel is up once the handshake is done. For one thread."""

    def __init__(self, configuration: Configuration) -> None:
        self._address = configuration.address
        family = socket.AF_INET6 if ":" in configuration.endpoint[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.connect(configuration.endpoint)
        self._handshake = Handshake(configuration.private_key, configuration.server_key)
        self._counter = itertools.count()
        self._ports = itertools.count(40_000 + secrets.randbelow(10_000))
        self._connections: dict[int, Connection] = {}
        self._datagrams: dict[int, Datagrams] = {}

    def knock(self) -> None:
        """Send the first message of the handshake, and wait for nothing."""
        self.socket.send(self._handshake.initiation)

    def __enter__(self) -> Self:
        self.knock()
        self.socket.settimeout(GUARD_SECONDS)
        self._index, self._sending, self._receiving = self._handshake.finish(self.socket.recv(1 << 16))
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def connect(self, address: tuple[str, int]) -> Connection:
        """A TCP connection through the tunnel."""
        port = next(self._ports)
        self._connections[port] = connection = Connection(self, port, address)
        connection.open()
        return connection

    def ask(self, data: bytes, address: tuple[str, int]) -> bytes:
        """Send a datagram; the one that comes back."""
        datagrams = self.datagrams(address)
        datagrams.send(data)
        self.until(lambda: bool(datagrams.received), lambda: datagrams.send(data))
        return datagrams.received[0]

    def datagrams(self, address: tuple[str, int]) -> Datagrams:
        """UDP through the tunnel."""
        port = next(self._ports)
        self._datagrams[port] = datagrams = Datagrams(self, port, address)
        return datagrams

    def until(self, done: Callable[[], bool], again: Callable[[], None]) -> None:
        """Take packets until `done`; do something `again` after a silence."""
        latest = time.monotonic() + GUARD_SECONDS
        self.socket.settimeout(AGAIN_SECONDS)
        while not done():
            if time.monotonic() > latest:
                raise SilenceError
            try:
                self._got(self.socket.recv(1 << 16))
            except TimeoutError:
                again()

    def send(self, protocol: int, to: str, payload: bytes, checksum_at: int) -> None:
        """Send one packet, with the checksum of TCP or UDP filled in at this offset of its payload."""
        ends = socket.inet_aton(self._address) + socket.inet_aton(to)
        whole = checksum(ends + struct.pack(">BBH", 0, protocol, len(payload)) + payload)
        payload = payload[:checksum_at] + whole + payload[checksum_at + 2 :]
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + ends
        packet = head[:10] + checksum(head) + head[12:] + payload
        counter = next(self._counter)
        sealed = self._sending.encrypt(_nonce(counter), packet + bytes(-len(packet) % 16), b"")
        self.socket.send(struct.pack("<I4sQ", TRANSPORT, self._index, counter) + sealed)

    def _got(self, message: bytes) -> None:
        kind, index, counter = struct.unpack_from("<I4sQ", message)
        if (kind, index) != (TRANSPORT, self._handshake.index):
            return
        packet = self._receiving.decrypt(_nonce(counter), message[16:], b"")
        if not packet:  # only to say that it is still there
            return
        begin, end = (packet[0] & 0x0F) * 4, int.from_bytes(packet[2:4])
        protocol, payload = packet[9], packet[begin:end]
        assert checksum(packet[:begin]) == bytes(2)
        assert checksum(packet[12:20] + struct.pack(">BBH", 0, protocol, len(payload)) + payload) == bytes(2)
        port = int.from_bytes(payload[2:4])
        if protocol == TCP and port in self._connections:
            self._connections[port].got(payload)
        elif protocol == UDP and port in self._datagrams:
            self._datagrams[port].received.append(payload[8:])


def checksum(data: bytes) -> bytes:
    """RFC 1071; of data that has its own checksum in it, it is nothing but zeros."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2)


class Datagrams:
    """What goes from one port to another one and back (RFC 768)."""

    def __init__(self, tunnel: Tunnel, port: int, address: tuple[str, int]) -> None:
        self._tunnel = tunnel
        self._port = port
        self._address = address
        self.received: list[bytes] = []

    def send(self, data: bytes) -> None:
        head = struct.pack(">HHHH", self._port, self._address[1], 8 + len(data), 0)
        self._tunnel.send(UDP, self._address[0], head + data, checksum_at=6)


class Connection:
    """TCP (RFC 9293), as far as a patient client needs it."""

    def __init__(self, tunnel: Tunnel, port: int, address: tuple[str, int]) -> None:
        self._tunnel = tunnel
        self._port = port
        self._address = address
        self._sequence = secrets.randbits(32)
        self._acknowledged = self._sequence
        self._expected = 0
        self._received = bytearray()
        self.refused = False
        self.ended = False
        """The other side has sent everything."""

    def open(self) -> None:
        self._send(SYN)
        if self.refused:
            raise ConnectionRefusedError

    def sendall(self, data: bytes) -> None:
        for at in range(0, len(data), SEGMENT):
            self._send(ACK | PSH, data[at : at + SEGMENT])

    def recv(self) -> bytes:
        """What has come; b"" at the end."""
        self._tunnel.until(lambda: bool(self._received) or self.ended, lambda: None)
        found = bytes(self._received)
        self._received.clear()
        return found

    def read(self) -> bytes:
        """Everything up to the end."""
        return b"".join(iter(self.recv, b""))

    def close(self) -> None:
        if not self.refused:
            self._send(ACK | FIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def got(self, segment: bytes) -> None:
        sequence, acknowledged = struct.unpack_from(">II", segment, 4)
        flags, data = segment[13], segment[(segment[12] >> 4) * 4 :]
        if flags & RST:
            self.refused = self.ended = True
            return
        if flags & ACK:
            self._acknowledged = acknowledged
        if flags & SYN:
            self._expected = (sequence + 1) % 2**32
        elif sequence == self._expected:
            self._received += data
            self._expected = (sequence + len(data) + bool(flags & FIN)) % 2**32
            self.ended = self.ended or bool(flags & FIN)
        if data or flags & (SYN | FIN):
            self._segment(ACK, self._sequence)

    def _send(self, flags: int, data: bytes = b"") -> None:
        """Send a segment, and wait until it has arrived."""
        first = self._sequence
        self._sequence = (first + len(data) + bool(flags & (SYN | FIN))) % 2**32
        self._segment(flags, first, data)
        self._tunnel.until(
            lambda: self.refused or self._acknowledged == self._sequence, lambda: self._segment(flags, first, data)
        )

    def _segment(self, flags: int, sequence: int, data: bytes = b"") -> None:
        ports = self._port, self._address[1]
        head = struct.pack(">HHIIBBHHH", *ports, sequence, self._expected, 5 << 4, flags, 0xFFFF, 0, 0)
        self._tunnel.send(TCP, self._address[0], head + data, checksum_at=16)


class Secured:
    """TLS over such a connection."""

    def __init__(self, connection: Connection, context: ssl.SSLContext, name: str) -> None:
        self._connection = connection
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)
        try:
            self._do(self._tls.do_handshake)
        except ssl.SSLError:
            connection.read()  # the other side has taken notice
            raise

    def sendall(self, data: bytes) -> None:
        self._do(lambda: self._tls.write(data))

    def read(self) -> bytes:
        """Everything up to the end."""
        found = b""
        with suppress(ssl.SSLZeroReturnError, ssl.SSLEOFError):
            while piece := self._do(lambda: self._tls.read(1 << 16)):
                found += piece
        return found

    def _do[T](self, what: Callable[[], T]) -> T:
        while True:
            try:
                return what()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._connection.recv()
                self._in.write(data) if data else self._in.write_eof()
            finally:
                self._flush()

    def _flush(self) -> None:
        if self._out.pending:
            self._connection.sendall(self._out.read())
