"""Another text in an envelope that nobody can open: what encryption without authentication lets anybody do.

A stream cipher, and AES in counter mode is one, adds a stream of bits to the text: sealed = text xor stream. Whoever
adds the difference of two texts to the sealed one gets the other text sealed, without the key and without the stream
(Borisov, Goldberg and Wagner, "Intercepting Mobile Communications: The Insecurity of 802.11", MobiCom 2001, section
3.1). A tag over the envelope is what notices it.

What the attacker has to know: at which byte of the envelope the piece stands, and what it says now. Neither takes more
than a good guess: the forms of messages are public, the service knows the id of each conversation, and people write
"5pm" where they agree on a time. A guess that is wrong gives noise in that place, and nowhere else.
"""

from __future__ import annotations

import json

from lab.e2ee.static_x3dh import HEADER


def flip(envelope: bytes, at: int, old: bytes, new: bytes) -> bytes:
    """`envelope` with `new` in place of `old` in the text under it, for an envelope of `lab.e2ee.unauthenticated`.

    `at` is the first byte of `old` in the text. ValueError: the two have not the same length, or do not stand within
    the text.
    """
    start = HEADER + at
    if len(old) != len(new):
        raise ValueError("a text can only be replaced by one that has as many bytes")
    if at < 0 or start + len(old) > len(envelope):
        raise ValueError("the text to replace does not stand within the envelope")
    end = start + len(old)
    changed = (sealed ^ was ^ becomes for sealed, was, becomes in zip(envelope[start:end], old, new, strict=True))
    return envelope[:start] + bytes(changed) + envelope[end:]


def place(conversation: str, before: str) -> int:
    """The byte of a message at which the text goes on after `before`, the letters that the attacker expects first.

    The form is that of `lab.messenger.sealing`: {"conversation":"…","text":"…"}. The service gave the conversation its
    id, so it does not have to guess that one.
    """
    opening = {"conversation": conversation, "text": before}
    return len(json.dumps(opening, ensure_ascii=False, separators=(",", ":")).encode()) - len('"}')
