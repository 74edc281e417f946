"""A message service over HTTP: accounts, profiles, conversations, messages, reports and an event stream.

It stores and relays what it is given, in the clear or not, and takes no part in what clients encrypt.
`lab.service.app` is the application, `lab.service.server` serves it on a port of its own, and `python -m lab.service`
runs any number of independent services on commands from standard input.
"""
