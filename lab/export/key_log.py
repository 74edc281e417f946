"""What opens the TLS connections of a recording: the participants' own key log, in NSS format as Wireshark takes it."""

from __future__ import annotations

from lab.model import Capture, LabError, Mode


def to_key_log(capture: Capture) -> str:
    """The lines of all participants, each under its name. LabError: there are none."""
    if capture.story.mode is Mode.PLAINTEXT:
        raise LabError("there are no TLS keys in plaintext mode: the packets can be read as they are")
    if not capture.tls_keys:
        raise LabError("the recording holds no TLS keys: no participant connected, or an older lab made it")
    return "".join(f"# {keys.who}\n{keys.lines}" for keys in capture.tls_keys)
