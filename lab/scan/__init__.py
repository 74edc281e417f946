"""Looks for anybody's secrets in anybody's recordings: `lab scan`.

`readers` turn a file into entries (a flow, a request, a window of bytes), `work` gives each entry to the detector,
`workers` and `cluster` do that for many files at once, and `as_text`, `as_json`, `as_sarif` and `as_html` say what came
out.
"""
