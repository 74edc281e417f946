"""The messages of known sizes that the observers send each other before a story, to measure by (lab/inference.py)."""

OBSERVERS_OWN = "observer"
"""Who sent the calibration messages, in the transcript."""

CALIBRATION_TEXTS = (16, 240, 90)
CALIBRATION_FILES = (700, 9000, 3000)
"""Bytes of content in the observer's own messages (files only where the story sends files): the first two of each kind
give the line, the third checks it."""
