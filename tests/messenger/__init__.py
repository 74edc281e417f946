"""Participants: what they say, keep, send and receive."""
