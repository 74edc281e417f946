"""Imported where a stage of the tests has its service: what passwords cost is tested with the service, and here people
log in all the time."""

from __future__ import annotations

from lab.service import passwords

passwords._MEMORY = 64
