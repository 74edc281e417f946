"""Password hashes: Argon2id in the PHC string format."""

from __future__ import annotations

import base64
import secrets
from concurrent.futures import ThreadPoolExecutor

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

# One of the settings that the OWASP password storage recommendations call equal: the one with the least memory.
_MEMORY = 7 * 1024  # KiB
_ITERATIONS = 5
_LANES = 1
_SALT_SIZE = 16
_HASH_SIZE = 32


class Passwords:
    """Makes and checks hashes, one at a time.

    One thread of its own does it, so that the memory a hash takes is taken once: the C library keeps it for each
    thread that ever made one, and many logins at once would take it many times.
    """

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    def hash(self, password: str) -> str:
        """A new hash with a salt of its own."""
        return self._worker.submit(_hash, password).result()

    def verify(self, password: str, phc: str) -> bool:
        """Whether `phc` is a hash of `password`; compared in constant time."""
        return self._worker.submit(_verify, password, phc).result()

    def decoy(self) -> str:
        """A hash of no known password: as costly to check as a real one, at no cost to make."""
        salt, digest = (
            base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (_SALT_SIZE, _HASH_SIZE)
        )
        return f"$argon2id$v=19$m={_MEMORY},t={_ITERATIONS},p={_LANES}${salt}${digest}"

    def close(self) -> None:
        """Finish what was begun and let the thread end."""
        self._worker.shutdown()


def _hash(password: str) -> str:
    salt = secrets.token_bytes(_SALT_SIZE)
    argon2 = Argon2id(salt=salt, length=_HASH_SIZE, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY)
    return argon2.derive_phc_encoded(password.encode())


def _verify(password: str, phc: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password.encode(), phc)
    except InvalidKey:
        return False
    return True
