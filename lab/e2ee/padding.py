"""How long things look: padding of messages and of files, applied before encryption.

Messages: ISO/IEC 7816-4 (one byte 0x80, then zeros) to multiples of 160 bytes, which is how Signal pads messages, so
that a reply of one word and one of a sentence have the same length on the wire.

Files: Padmé, from Nikitin, Barman, Lueks, Underwood, Hubaux and Ford, "Reducing Metadata Leakage from Encrypted Files
and Communication with PURBs", PETS 2019, section 4. Of a size up to M it leaks O(log log M) bits, as rounding to powers
of two does, and it costs at most 12 % (powers of two: 100 %).

Left out: cover traffic. Padding hides a size within a bucket; that something was sent, when and how often stays
visible, and so does a file whose size is the only one of its bucket. Padmé leaves sizes below 9 bytes as they are.
"""

from __future__ import annotations

from lab.e2ee.protocol import MESSAGE_BUCKET, E2EEError

_MARK = b"\x80"


def pad(plaintext: bytes, bucket: int = MESSAGE_BUCKET) -> bytes:
    """`plaintext`, the mark, and zeros up to the next multiple of `bucket` bytes; at least one byte longer."""
    return plaintext + _MARK + bytes(-(len(plaintext) + 1) % bucket)


def unpad(padded: bytes) -> bytes:
    """What was padded. E2EEError: there is no mark in front of the zeros at the end.

    Only for bytes that have been authenticated: this is not done in constant time, and for anybody who could change
    the padding and watch, it would be an oracle.
    """
    marked = padded.rstrip(b"\0")
    if not marked.endswith(_MARK):
        raise E2EEError("the padding is not in its form")
    return marked[: -len(_MARK)]


def padme(size: int) -> int:
    """The length in bytes to which Padmé pads `size` bytes.

    A length is kept to as many leading bits as it takes to write down the number of its bits; the others are rounded
    up to zeros. So lengths are like floating-point numbers whose mantissa is no longer than their exponent.
    """
    exponent = max(size.bit_length() - 1, 0)
    step = 1 << exponent - exponent.bit_length()
    return -(-size // step) * step
