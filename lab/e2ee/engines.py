"""Which engine stands behind the seam: one place where the names of lessons and captures become cryptography."""

from __future__ import annotations

from lab.e2ee.engine import Engine
from lab.e2ee.keys import Random
from lab.e2ee.protocol import Suite
from lab.e2ee.ratcheted import Ratcheted
from lab.model import Encryption, LabError


def engine_for(encryption: Encryption, random: Random) -> Engine:
    """The engine called `encryption`. LabError: it needs a package that is not installed."""
    match encryption:
        case Encryption.PQXDH:
            return Ratcheted(Suite.PQXDH, random)
        case Encryption.X3DH:
            return Ratcheted(Suite.X3DH, random)
        case Encryption.STATIC:
            from lab.e2ee.static_x3dh import StaticX3dh

            return StaticX3dh(random)
        case Encryption.CTR:
            from lab.e2ee.unauthenticated import Unauthenticated

            return Unauthenticated(random)
        case Encryption.RSA:
            from lab.e2ee.textbook_rsa import TextbookRsa

            return TextbookRsa(random)
        case Encryption.OLM:
            try:
                from lab.e2ee.olm import OlmEngine
            except ModuleNotFoundError:
                raise LabError("the encryption olm needs another package: pip install 'mitm-lab[olm]'") from None
            return OlmEngine()
