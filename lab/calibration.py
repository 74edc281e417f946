"""The messages of its own with which an observer finds out what a message of known size looks like. Pure.

Those who send them and those who judge share this: it says what is sent, `inference` what is made of it.
"""

from __future__ import annotations

OBSERVERS_OWN = "observer"
"""Who sent the calibration messages, in the transcript."""

CALIBRATION_TEXTS = (16, 240, 90)
CALIBRATION_FILES = (700, 9000, 3000)
"""Bytes of content in the observer's own messages (files only where the story sends files): the first two of each kind
give the line, the third checks it."""
