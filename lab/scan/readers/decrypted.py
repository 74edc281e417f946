"""What TLS connections in a capture carried, for whoever has their keys: Wireshark's tshark decrypts it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from lab.scan.entry import Entry, Read, Unread, on_the_way
from lab.scan.readers.packets import HELD, OVERLAP, STREAM, Connection, Packets
from lab.scan.source import Source
from lab.temporary import temporary_folder

_FIELDS = ("tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "data.data")
_BELOW = re.compile(
    r"_ws\..*|frame|data|eth|ethertype|vlan|ieee8021ad|sll|null|raw|loop|pppoes|ppp|mpls|ip|ipv6|ipv6\..*|ah|tcp|tls"
)
"""The protocols that may be dissected. Without the others, tshark shows what TLS carries as plain bytes."""
_LISTING_SECONDS = 60


class _Piece(NamedTuple):
    """What one packet brought of a TCP stream, by tshark's own number of it, decrypted."""

    stream: int
    sender: tuple[bytes, int]
    receiver: tuple[bytes, int]
    data: bytes


def read_decrypted(source: Source, packets: Packets, keylog: Path | None) -> Iterator[Read]:
    """The decrypted view of a capture that `packets` has read to its end: nothing where nobody gave any key."""
    if (keylog is None and not packets.keys) or not packets.tls:
        return
    end = source.size
    program = shutil.which("tshark")
    if program is None:
        why = "only the encrypted view was searched: TLS keys are used by tshark, which is not installed"
        yield Unread(why, end, place="tcp.stream")
        return
    streams = _Streams(packets.tls, end)
    try:
        with source.path() as path, temporary_folder("lab-scan-") as home:
            for piece in _pieces(program, path, keylog, home):
                yield from streams.add(piece)
    except (OSError, subprocess.SubprocessError, ValueError):
        yield Unread("only part of the decrypted view was searched: tshark failed", end, place="tcp.stream")
    yield from streams.rest()
    if shut := len(packets.tls) - len(streams.opened):
        why = f"the keys open nothing in {shut} of {len(packets.tls)} TLS connections: searched as they are"
        yield Unread(why, end, place="tcp.stream")


class _Streams:
    """The decrypted streams while their pieces come in."""

    def __init__(self, tls: list[Connection], end: int) -> None:
        # The same ports may serve several connections, one after the other.
        self._expected = list(reversed(tls))
        self._end = end
        self._streams: dict[int, Connection] = {}
        self._held = 0

    @property
    def opened(self) -> set[int]:
        """The flows of which something was decrypted."""
        return {stream.flow for stream in self._streams.values()}

    def add(self, piece: _Piece) -> Iterator[Read]:
        stream = self._streams.get(piece.stream)
        if stream is None:
            ends = {piece.sender, piece.receiver}
            at = next((at for at in reversed(range(len(self._expected))) if self._expected[at].ends == ends), None)
            if at is None:
                return
            begun = self._expected.pop(at)
            stream = self._streams[piece.stream] = Connection(begun.flow, begun.client, begun.server)
        half = stream.side(piece.sender)
        half.append(piece.data)
        self._held += len(piece.data)
        if half.held >= STREAM or self._held > HELD:
            yield from self.rest(OVERLAP)

    def rest(self, kept: int = 0) -> Iterator[Read]:
        """What came and was not searched; `kept` bytes of each stream are held for what stands on the border."""
        self._held = 0
        for stream in self._streams.values():
            observations, bases = [], {}
            for direction, half in stream.halves.items():
                for stretch in half.drain(kept):
                    observations.append(on_the_way(stream.flow, "tcp.stream", direction, stretch.data))
                    bases[direction] = stretch.base
                self._held += half.held
            if observations:
                yield Entry(stream.flow, tuple(observations), self._end, bases, decoders=("tls",), window=True)


def _pieces(program: str, capture: Path, keylog: Path | None, home: Path) -> Iterator[_Piece]:
    """What TLS carries, packet by packet, as tshark decrypts it. OSError, SubprocessError, ValueError: it failed."""
    settings = home / ".config" / "wireshark"
    settings.mkdir(parents=True)
    # Nobody's own preferences have a say, only these.
    environment = {"HOME": str(home), "LC_ALL": "C.UTF-8"}
    listed = subprocess.run(
        [program, "-G", "protocols"],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=_LISTING_SECONDS,
    ).stdout
    names = (line.rsplit("\t")[2] for line in listed.splitlines() if line.count("\t") >= 2)
    above = (name for name in names if not _BELOW.fullmatch(name))
    (settings / "disabled_protos").write_text("".join(f"{name}\n" for name in above), encoding="utf-8")
    keys = () if keylog is None else ("-o", f"tls.keylog_file:{keylog.absolute()}")
    command = [program, "-n", "-r", str(capture.absolute()), *keys, "-o", "tcp.reassemble_out_of_order:TRUE"]
    command += ["-Y", "tls && data", "-T", "fields", *(part for field in _FIELDS for part in ("-e", field))]
    with _running(command, environment) as lines:
        for line in lines:
            stream, source4, source6, source_port, target4, target6, target_port, data = line.rstrip("\n").split("\t")
            # Tunnels give several addresses; the last ones are those of the connection.
            sender = ip_address((source6 or source4).rsplit(",", 1)[-1]).packed, int(source_port)
            receiver = ip_address((target6 or target4).rsplit(",", 1)[-1]).packed, int(target_port)
            yield _Piece(int(stream), sender, receiver, bytes.fromhex(data.replace(",", "")))


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[Iterator[str]]:
    """The lines that a program prints. It is ended when the context is left, and a failure is CalledProcessError."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            yield iter(process.stdout or ())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
