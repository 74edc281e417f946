"""The operator of the service as an attacker: what it can do with nothing but what it has anyway.

It has the recording of its own front end, and in it the token of everybody who is logged in. It has its own database,
and writes into it what it likes. It has no key of any participant. To seal and to open something with keys of its own
it has what everybody has: the app. What the lab knows besides (planted values, device stores) is not used here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

from lab import capture
from lab.attack.near_match import Goal, search_among
from lab.e2ee.engines import engine_for
from lab.e2ee.files import FileKey, open_file
from lab.e2ee.fingerprint import Party
from lab.e2ee.identity import PublicDevice, read_device_list
from lab.e2ee.keys import KEY
from lab.e2ee.padding import pad
from lab.e2ee.prekeys import Handed
from lab.mail import ENVELOPE, FILE, Address
from lab.messenger.content import dump
from lab.messenger.operations import Operations, encode
from lab.messenger.wire import Route, Wire
from lab.model import Direction, Encryption, Observation, Observer
from lab.stage.stage import Venue

_AUTHORIZATION = re.compile(rb"^authorization: bearer (\S+)\r$", re.IGNORECASE | re.MULTILINE)

_BUSY_SECONDS = 5.0
"""How long the service may be writing to the database at the same time."""


class OperatorError(Exception):
    """The operator cannot do what the story tells, for lack of what it takes: one sentence."""


@dataclass(frozen=True, slots=True)
class _Swapped:
    """Keys that the operator hands out in place of a participant's: `own` is its device, `real` what stood there."""

    own: bytes
    real: bytes


class Operator:
    """The operator of the service at `venue`.

    `recording` gives what its front end has recorded of this session so far, `tell` gets what it reads by swapping
    keys. It knows how all apps of the session encrypt, and whether texts are `padded`.

    OperatorError, and WireError where its own service refuses it, come out of `write_as`; E2EEError where the keys that
    it finds in its own database make no sense.
    """

    def __init__(
        self,
        venue: Venue,
        encryption: Encryption,
        recording: Callable[[], bytes],
        tell: Callable[[Observation], None],
        *,
        padded: bool,
    ) -> None:
        self._venue = venue
        self._engine = engine_for(encryption, os.urandom)
        self._recording = recording
        self._tell = tell
        self._padded = padded
        self._swapped: dict[Address, _Swapped] = {}

    def write_as(self, author: str, recipient: str, text: str) -> None:
        """Post `text` to the account `recipient` with the token of the account `author`, sealed as well as it goes.

        It says that it is from the first device of `author`, with whose private keys it is not sealed: those are of a
        device that the operator has made up.
        """
        with closing(Wire(Route(self._venue.url, self._venue.address, self._venue.authority), lambda _: None)) as wire:
            wire.login(self._token(author))
            operations = Operations(wire)
            conversation = self._conversation(author, recipient)
            if conversation is None:
                conversation = operations.start_conversation([recipient], "")
            operations.post(conversation, self._forged(conversation, author, recipient, text))

    def swap_keys(self, owner: str) -> None:
        """From now on, hand out keys of the operator's own for each device of the account `owner`."""
        with self._database() as database:
            rows = database.execute(
                "SELECT device, signed FROM devices WHERE account = ? AND signed IS NOT NULL", (owner,)
            ).fetchall()
            for number, signed in rows:
                made = self._engine.publish(self._engine.create(owner, number), 1)
                self._swapped[owner, number] = _Swapped(made.device, signed)
                database.execute(
                    "UPDATE devices SET signed = ? WHERE account = ? AND device = ?", (made.signed, owner, number)
                )

    def near_keys(self, one: str, other: str) -> dict[str, bytes]:
        """For each of two accounts an account key in its place (Ed25519, private).

        With it, the first and the last digit of the safety number stay as they are on the phone of the other one. Takes
        some thirty tries.
        """
        with self._database() as database:
            parties = {account: _party(database, account) for account in (one, other)}
        return {
            impersonated: search_among(
                Goal(parties[victim], parties[impersonated], 1, 1), os.urandom(KEY), count()
            ).private_key
            for victim, impersonated in ((one, other), (other, one))
        }

    def pass_on(self, sender: str, recipient: str) -> None:
        """Read the last message from `sender`, which is sealed for swapped keys of `recipient`, and seal it anew for
        the real ones. E2EEError: it does not open."""
        with self._database() as database:
            rows = database.execute(
                "SELECT envelopes.message, envelopes.device, envelopes.data, messages.device FROM envelopes"
                " JOIN messages ON messages.id = envelopes.message WHERE recipient = ? AND sequence ="
                " (SELECT max(sequence) FROM messages WHERE sender = ?)",
                (recipient, sender),
            ).fetchall()
            sealed = [row for row in rows if (recipient, row[1]) in self._swapped]
            if not sealed:
                raise OperatorError("the operator has swapped no key that this message is sealed for")
            for message, number, envelope, from_device in sealed:
                swapped = self._swapped[recipient, number]
                peer = _listed(database, sender, from_device)
                opened = self._engine.open(swapped.own, None, peer, envelope)
                self._tell(Observation(Observer.SERVER, ENVELOPE, "", Direction.AT_REST, time.time(), opened.plaintext))
                anew = self._seal(opened.device, _listed(database, recipient, number), swapped.real, opened.plaintext)
                database.execute(
                    "UPDATE envelopes SET data = ? WHERE message = ? AND recipient = ? AND device = ?",
                    (anew, message, recipient, number),
                )

    def review(self, report: str) -> tuple[str, bytes | None]:
        """What the service has established about a report, and the file that is under the key which was handed over.

        Whoever has a copy of the database can open it as well, since the key is there. OperatorError: there is no such
        report; E2EEError: the file does not open.
        """
        with self._database() as database:
            row = database.execute(
                "SELECT finding, file, data FROM reports LEFT JOIN blobs ON blobs.id = reports.blob"
                " WHERE reports.id = ?",
                (report,),
            ).fetchone()
        if row is None:
            raise OperatorError("the operator has got no such report")
        finding, key, blob = row
        if key is None or blob is None:
            return finding, None
        try:
            fields = json.loads(key)
        except (ValueError, RecursionError):
            fields = None
        file = open_file(blob, FileKey.from_json(fields))
        for observer in (Observer.SERVER, Observer.DATABASE):
            self._tell(Observation(observer, FILE, "", Direction.AT_REST, time.time(), file))
        return finding, file

    def _token(self, account: str) -> str:
        """The token that `account` has sent last. The database tells whose it is: it holds a digest of each."""
        with self._database() as database:
            digests = {
                digest for (digest,) in database.execute("SELECT digest FROM tokens WHERE account = ?", (account,))
            }
        for line in reversed(self._recording().splitlines()):
            if b'"http.header"' in line:
                header = capture.decode(line.decode())
                found = _AUTHORIZATION.search(header.data) if isinstance(header, Observation) else None
                if found is not None and hashlib.sha256(found[1]).digest() in digests:
                    return found[1].decode("latin-1")
        raise OperatorError(f"the front end has recorded no token of {account}")

    def _conversation(self, one: str, other: str) -> str | None:
        """The conversation between these two and nobody else, if there is one."""
        with self._database() as database:
            found = database.execute(
                "SELECT id FROM conversations JOIN members ON conversation = id WHERE title IS NULL GROUP BY id"
                " HAVING count(*) = 2 AND sum(account IN (?, ?)) = 2",
                (one, other),
            ).fetchone()
        return None if found is None else str(found[0])

    def _forged(self, conversation: str, author: str, recipient: str, text: str) -> dict[str, Any]:
        """What to post: an envelope for each device of the two but the one that it is said to be from."""
        plaintext = dump({"conversation": conversation, "text": text})
        with self._database() as database:
            rows = database.execute(
                "SELECT account, device, signed FROM devices WHERE account IN (?, ?) ORDER BY device",
                (author, recipient),
            ).fetchall()
            claimed = min(number for account, number, _ in rows if account == author)
            made_up = self._engine.create(author, claimed)
            envelopes = [
                {
                    "recipient": account,
                    "device": number,
                    "data": encode(
                        self._seal(
                            made_up,
                            _listed(database, account, number),
                            self._real(account, number, signed),
                            pad(plaintext) if self._padded else plaintext,
                        )
                    ),
                }
                for account, number, signed in rows
                if (account, number) != (author, claimed)
            ]
        return {"id": str(uuid4()), "device": claimed, "envelopes": envelopes}

    def _real(self, account: str, number: int, signed: bytes) -> bytes:
        """What the participant's own device has published, whatever is handed out."""
        swapped = self._swapped.get((account, number))
        return signed if swapped is None else swapped.real

    def _seal(self, own: bytes, peer: PublicDevice, signed: bytes, plaintext: bytes) -> bytes:
        """An envelope for the device `peer` that has published `signed`, sealed by the device `own`."""
        # One-time keys are left where they are: keys work without, and nobody misses any.
        session = self._engine.begin(own, None, peer, Handed(signed, None, None))
        return self._engine.seal(own, session, plaintext).message

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """The service's own database, which it has open at the same time; committed at the end."""
        path = self._venue.behind.directory / "database.sqlite"
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as database, database:
            yield database


def _party(database: sqlite3.Connection, account: str) -> Party:
    """An account with the key in its device list."""
    (data,) = database.execute("SELECT data FROM device_lists WHERE account = ?", (account,)).fetchone()
    return Party.of_account(account, read_device_list(data, account).account_key)


def _listed(database: sqlite3.Connection, account: str, number: int) -> PublicDevice:
    """What the device list of `account` says about one of its devices."""
    (data,) = database.execute("SELECT data FROM device_lists WHERE account = ?", (account,)).fetchone()
    return read_device_list(data, account).find(number)
