"""Benchmarks: `python -m tests.bench.NAME` measures one thing, `make bench` all of them.

They print numbers and fail nothing, and pytest does not collect them: how fast a machine is says nothing about
whether the code is right. Ratios are medians of paired rounds, because machines have other things to do as well.
"""
