"""The database: SQLite in write-ahead mode, its tables and how a transaction is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import (
    URL,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),  # Argon2id hash in PHC string format
    Column("created", Float, nullable=False),
)
tokens = Table(
    "tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # SHA-256 of the token
    Column("account", ForeignKey("accounts.name"), nullable=False),
    Column("expires", Float, nullable=False),
)
keys = Table(  # of accounts whose clients have no devices
    "keys",
    metadata,
    Column("account", ForeignKey("accounts.name"), primary_key=True),
    Column("bundle", LargeBinary, nullable=False),
)
device_lists = Table(
    "device_lists",
    metadata,
    Column("account", ForeignKey("accounts.name"), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
devices = Table(
    "devices",
    metadata,
    Column("account", ForeignKey("device_lists.account"), primary_key=True),
    Column("device", Integer, primary_key=True),
    Column("signed", LargeBinary),
)
one_time_keys = Table(
    "one_time_keys",
    metadata,
    Column("account", Text, primary_key=True),
    Column("device", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    ForeignKeyConstraint(["account", "device"], ["devices.account", "devices.device"], ondelete="CASCADE"),
)
conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created", Float, nullable=False),
    Column("title", Text),
)
members = Table(
    "members",
    metadata,
    Column("conversation", ForeignKey("conversations.id"), primary_key=True),
    Column("account", ForeignKey("accounts.name"), primary_key=True),
    Column("joined", Integer, nullable=False),  # sequence number of the last message posted before
    Index("members_account", "account"),
)
opt_ins = Table(  # conversations that are end-to-end encrypted because both members have agreed
    "opt_ins",
    metadata,
    Column("conversation", ForeignKey("conversations.id"), primary_key=True),
    Column("offered_by", ForeignKey("accounts.name"), nullable=False),
    Column("accepted", Boolean, nullable=False),
)
lifetimes = Table(  # of messages that are posted from now on
    "lifetimes",
    metadata,
    Column("conversation", ForeignKey("conversations.id"), primary_key=True),
    Column("seconds", Integer, nullable=False),  # 0: until everybody has read it
)
messages = Table(
    "messages",
    metadata,
    Column("id", Text, unique=True, nullable=False),
    Column("sequence", Integer, primary_key=True),
    Column("conversation", ForeignKey("conversations.id"), nullable=False),
    Column("sender", ForeignKey("accounts.name"), nullable=False),
    Column("created", Float, nullable=False),
    Column("text", Text),
    Column("attachment_name", Text),
    Column("attachment_type", Text),
    Column("attachment", LargeBinary),
    Column("device", Integer),  # of the sender; it may have left the list since
    Column("shared", LargeBinary),
    Column("lifetime", Integer),  # as in `lifetimes` when it was posted
    Column("deleted", Float),  # when its text and attachment were; who wrote to whom and when stays
    Column("commitment", LargeBinary),
    Index("messages_conversation", "conversation", "sequence"),
    Index("messages_expiring", "created", sqlite_where=text("lifetime > 0 AND deleted IS NULL")),
    # A sequence number is never given twice, not even after the last message has been deleted.
    sqlite_autoincrement=True,
)
envelopes = Table(
    "envelopes",
    metadata,
    Column("message", ForeignKey("messages.id"), nullable=False),
    Column("recipient", ForeignKey("accounts.name"), nullable=False),
    Column("device", Integer),
    Column("data", LargeBinary),
    # Not checked where there is no device. Nothing is left for a device that is not in the list any more.
    ForeignKeyConstraint(["recipient", "device"], ["devices.account", "devices.device"], ondelete="CASCADE"),
    Index("envelopes_message", "message", "recipient", "device", unique=True),
    Index("envelopes_device", "recipient", "device"),
)
receipts = Table(
    "receipts",
    metadata,
    Column("message", ForeignKey("messages.id"), primary_key=True),
    Column("account", ForeignKey("accounts.name"), primary_key=True),
    Column("state", Text, primary_key=True),
    Column("time", Float, nullable=False),
)
text_messages = Table(  # of the phone company's service, in the clear
    "text_messages",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, unique=True, nullable=False),
    Column("sender", ForeignKey("accounts.name"), nullable=False),
    Column("recipient", ForeignKey("accounts.name"), nullable=False),
    Column("created", Float, nullable=False),
    Column("message", Text),  # of the messenger, in whose place it was sent
    Column("text", Text, nullable=False),
    Column("delivered", Float),
)
blobs = Table(
    "blobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", ForeignKey("accounts.name"), nullable=False),
    Column("created", Float, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
profiles = Table(
    "profiles",
    metadata,
    Column("account", ForeignKey("accounts.name"), primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("status", Text, nullable=False),
)
reports = Table(
    "reports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created", Float, nullable=False),
    Column("message", Text, nullable=False),  # which may be gone by now
    Column("sender", ForeignKey("accounts.name"), nullable=False),
    Column("reporter", ForeignKey("accounts.name"), nullable=False),
    Column("text", Text),
    Column("file", Text),
    Column("blob", Text),
    Column("finding", Text, nullable=False),
)
log_key = Table(
    "log_key",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1: there is one
    Column("private", LargeBinary, nullable=False),  # Ed25519, 32 bytes
)
log_entries = Table(  # what was once in a device list stays here
    "log_entries",
    metadata,
    Column("number", Integer, primary_key=True),  # from 0, without gaps
    Column("account", ForeignKey("accounts.name"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("log_entries_account", "account", "version", unique=True),
)
log_nodes = Table(
    "log_nodes",
    metadata,
    Column("number", Integer, primary_key=True),  # see lab.service.merkle
    Column("hash", LargeBinary, nullable=False),
)

_BUSY_TIMEOUT = 5000  # milliseconds a writer waits for another one


@cache
def _schema() -> tuple[str, ...]:
    """What makes the tables and indexes that are not there yet. To have it in words once makes opening quick."""
    tables = metadata.sorted_tables
    indexes = sorted((index for table in tables for index in table.indexes), key=lambda index: str(index.name))
    statements: list[DDLElement] = [CreateTable(table, if_not_exists=True) for table in tables]
    statements += [CreateIndex(index, if_not_exists=True) for index in indexes]
    return tuple(str(statement.compile(dialect=sqlite.dialect())) for statement in statements)


class Storage:
    """One SQLite database with mode 0600. Its connections are shared by threads, one transaction at a time each."""

    def __init__(self, path: Path, *, secure_delete: bool) -> None:
        """Open or create the database; raises OSError or sqlalchemy.exc.DBAPIError if it cannot be."""
        # SQLite would create it with the process's umask; the write-ahead log takes over the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        # Errors are logged, and parameters are what people wrote.
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)), hide_parameters=True, pool_size=8, max_overflow=-1
        )
        # A writer takes the write lock at once: one that began by reading could not wait for another writer any more.
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        self._secure_delete = secure_delete

        @event.listens_for(self._engine, "connect")
        def connect(connection: SqliteConnection, _record: object) -> None:
            connection.isolation_level = None  # sqlite3 leaves BEGIN to the listener below
            for pragma in (
                f"busy_timeout = {_BUSY_TIMEOUT}",
                "journal_mode = WAL",
                "synchronous = NORMAL",
                "foreign_keys = ON",
                f"secure_delete = {'ON' if secure_delete else 'OFF'}",
            ):
                connection.execute(f"PRAGMA {pragma}").close()

        @event.listens_for(self._engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

        try:
            with self.writing() as connection:
                for statement in _schema():
                    connection.exec_driver_sql(statement)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database throughout."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or rolled back by an exception. Writers take turns."""
        with self._writer.begin() as connection:
            yield connection

    def erase(self) -> None:
        """Where what is deleted is to be overwritten: empty the write-ahead log, which still holds it as it was.

        Readers that take longer than the busy timeout keep it from being emptied; then the next call does it.
        """
        if self._secure_delete:
            # Not in a transaction, where SQLite would refuse.
            with closing(self._engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every connection; the last one moves the write-ahead log into the database and removes it."""
        self._engine.dispose()
