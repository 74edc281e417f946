"""The operations on the log of keys, all below /v1: for clients that check what they are told about others."""

from __future__ import annotations

from apiflask import APIBlueprint

from lab.service import key_log_schemas as schemas
from lab.service.authentication import session
from lab.service.key_log import KeyLog
from lab.service.openapi import SECURITY


def add_log_operations(api: APIBlueprint, log: KeyLog) -> None:
    """Tree heads, proofs and entries."""

    @api.get("/log/head")
    @api.output(schemas.TreeHead)
    @api.doc(summary="Get the latest signed tree head of the log of keys", security=SECURITY)
    def get_log_head() -> schemas.TreeHead:
        return log.head()

    @api.get("/log/consistency")
    @api.input(schemas.TwoSizes, location="query")
    @api.output(schemas.Consistency)
    @api.doc(summary="Get the proof that the log only grew between two sizes", security=SECURITY, responses=[404])
    def get_log_consistency(query_data: schemas.TwoSizes) -> schemas.Consistency:
        return log.consistency(query_data.first, query_data.second)

    @api.get("/log/entries")
    @api.input(schemas.Stretch, location="query")
    @api.output(schemas.Entries)
    @api.doc(summary="Read the log", security=SECURITY)
    def list_log_entries(query_data: schemas.Stretch) -> schemas.Entries:
        return log.entries(query_data.start, query_data.end)

    @api.get("/log/own-entries")
    @api.output(schemas.OwnEntries)
    @api.doc(summary="List the entries of one's own account, with the device lists", security=SECURITY)
    def list_own_log_entries() -> schemas.OwnEntries:
        return log.own(session().account)

    @api.get("/accounts/<name>/log-entry")
    @api.output(schemas.Inclusion)
    @api.doc(summary="Get someone's latest entry in the log, with the proof that it is in it", security=SECURITY)
    def get_log_entry(name: str) -> schemas.Inclusion:
        return log.latest(name)
