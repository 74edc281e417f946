"""Is *your* client fooled? Shows a TLS client certificates that are wrong in one way each: `lab clients`.

`case` has the words and the verdict (pure), `forging` makes certificates, `builtin` and `limbo` are the two collections
of cases, `serving` is the server that waits for the client, `running` brings client and server together, `as_text`,
`as_json` and `as_junit` say what came out.
"""
