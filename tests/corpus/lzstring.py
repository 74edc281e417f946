"""LZString as its JavaScript library writes it (after the published algorithm of pieroxy's lz-string)."""

from __future__ import annotations

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
URI = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"


def to_base64(text: str) -> str:
    digits = "".join(BASE64[value] for value in _compress(text, 6))
    return digits + "=" * (-len(digits) % 4)


def to_uri(text: str) -> str:
    return "".join(URI[value] for value in _compress(text, 6))


def to_utf16(text: str) -> str:
    """For storages that hold only valid text."""
    return "".join(chr(value + 32) for value in _compress(text, 15)) + " "


def to_bytes(text: str) -> bytes:
    """compressToUint8Array: 16-bit units, the high byte first."""
    return b"".join(value.to_bytes(2) for value in _compress(text, 16))


def _compress(text: str, width: int) -> list[int]:
    bits: list[int] = []
    codes: dict[str, int] = {}
    fresh: set[str] = set()
    room, size = 2, 2

    def put(value: int, count: int) -> None:
        bits.extend(value >> place & 1 for place in range(count))

    def grow() -> None:
        nonlocal room, size
        room -= 1
        if room == 0:
            room = 2**size
            size += 1

    def emit(phrase: str) -> None:
        if phrase in fresh:
            wide = ord(phrase) > 255
            put(int(wide), size)
            put(ord(phrase), 16 if wide else 8)
            grow()
            fresh.remove(phrase)
        else:
            put(codes[phrase], size)
        grow()

    phrase = ""
    for unit in _units(text):
        if unit not in codes:
            codes[unit] = len(codes) + 3
            fresh.add(unit)
        if phrase + unit in codes:
            phrase += unit
            continue
        emit(phrase)
        codes[phrase + unit] = len(codes) + 3
        phrase = unit
    if phrase:
        emit(phrase)
    put(2, size)
    bits += [0] * (width - len(bits) % width)
    return [int("".join(map(str, bits[at : at + width])), 2) for at in range(0, len(bits), width)]


def _units(text: str) -> list[str]:
    data = text.encode("utf-16-be")
    return [chr(int.from_bytes(data[at : at + 2])) for at in range(0, len(data), 2)]
