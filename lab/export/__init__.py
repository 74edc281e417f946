"""A recording in the formats of other tools. Functions of a capture, without files and network: text or bytes come out.

`pcapng` and `key_log` are for Wireshark, `har` for browsers' tools, `flows` for mitmproxy.
"""
