"""Audits of software that is not the lab's own: observers before any service, controls, verdicts.

`lab.audit.window` is the heart: secrets, taps before a URL, paths that are watched, and what each of them got. The
pytest fixture `leaklab` and the command `lab audit` are faces of it.
"""
