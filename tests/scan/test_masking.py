"""No secret is in any output unless asked for, in whatever encoding it was found."""

from __future__ import annotations

import base64
import codecs
import gzip
import hashlib
import html
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from lab.cli import main
from lab.scan.wanted import MASK

from .conftest import MAIL, TOKEN, Scan

ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "capitals": bytes.upper,
    "hex": lambda value: value.hex().encode(),
    "base64": base64.b64encode,
    "base64 of base64": lambda value: base64.b64encode(base64.b64encode(b"user " + value)),
    "percent": lambda value: quote(value, safe="").encode(),
    "every character percent": lambda value: b"".join(b"%%%02x" % byte for byte in value),
    "json": lambda value: json.dumps({"user": value.decode()}).encode(),
    "html": lambda value: html.escape(value.decode()).encode(),
    "rot13": lambda value: codecs.encode(value.decode(), "rot13").encode(),
    "reversed": lambda value: value[::-1],
    "utf-16": lambda value: value.decode().encode("utf-16"),
    "gzip": lambda value: gzip.compress(b"user=" + value + b"&again=" + base64.b64encode(value)),
    "sha256": lambda value: hashlib.sha256(value).hexdigest().encode(),
}


def written(value: bytes) -> list[str]:
    """How the value must not be readable in an output."""
    text = value.decode()
    forms = [text, value.hex(), base64.b64encode(value).decode().rstrip("=")[:-1], text[::-1], quote(text, safe="")]
    return [*forms, codecs.encode(text, "rot13"), base64.b64encode(base64.b64encode(b"user " + value)).decode()[8:40]]


def readable_in(output: str, value: bytes) -> list[str]:
    return [form for form in written(value) if form.lower() in output.lower()]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_output_holds_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    monkeypatch.chdir(tmp_path)
    encoded = ENCODINGS[encoding](MAIL.encode())
    (tmp_path / "a.log").write_bytes(b"before it: " + encoded + b" | and once more: " + encoded + b" and after it")
    (tmp_path / "secrets").write_text(f"mail={MAIL}\n", encoding="utf-8")
    (tmp_path / "secrets").chmod(0o600)
    reports = [part for kind in ("json", "html", "sarif") for part in (f"--{kind}", kind)]
    status = main(["scan", "a.log", "--secrets", "secrets", *reports])
    out, err = capsys.readouterr()
    assert (status, err) == (1, "")
    for output in (out, *((tmp_path / kind).read_text("utf-8") for kind in ("json", "html", "sarif"))):
        assert "mail" in output
        assert readable_in(output, MAIL.encode()) == []


def test_surroundings_stay_and_every_character_of_the_match_is_covered(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "a").write_text(f"login ok user={MAIL}; from 10.0.0.1", encoding="utf-8")
    (found,) = scan(tmp_path / "a").findings
    assert found["excerpt"] == f"login ok user={MASK * len(MAIL)}; from 10.0.0.1"


def test_another_secret_beside_it_is_covered_too(tmp_path: Path, scan: Scan) -> None:
    hidden = base64.b64encode(TOKEN.encode()).decode()
    (tmp_path / "a").write_text(f"user={MAIL}&t={hidden}&x", encoding="utf-8")
    done = scan(tmp_path / "a", secrets=[f"mail={MAIL}", f"token={TOKEN}"])
    assert len(done.findings) == 2
    assert readable_in(json.dumps(done.document), TOKEN.encode()) == []
    assert all(MASK in one["excerpt"] for one in done.findings)


NAMES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capitals": str.upper,
    "percent": lambda value: quote(value, safe=""),
    "hex": lambda value: value.encode().hex(),
    "base64": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "reversed": lambda value: value[::-1],
    "sha256": lambda value: hashlib.sha256(value.encode()).hexdigest(),
}


@pytest.mark.parametrize("form", NAMES)
def test_no_output_holds_the_secret_as_the_name_of_a_file_or_of_a_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = NAMES[form](TOKEN)
    request = {"method": "GET", "url": "https://a.example/", "headers": [{"name": f"X-{name}", "value": MAIL}]}
    Path(f"to-{name}.har").write_text(json.dumps({"log": {"entries": [{"request": request}]}}), encoding="utf-8")
    wanted = ["--secret", f"token={TOKEN}", "--secret", f"mail={MAIL}"]
    reports = [part for kind in ("json", "html", "sarif") for part in (f"--{kind}", kind)]
    outputs = []
    for path, status in ((f"to-{name}.har", 1), (f"not-there-{name}", 2)):
        assert main(["scan", path, *wanted, *reports]) == status
        outputs += capsys.readouterr()
    outputs += [(tmp_path / kind).read_text("utf-8") for kind in ("json", "html", "sarif")]
    assert [output for output in outputs if name in output] == []
    assert MASK in outputs[0].split("flow")[0]
    assert main(["scan", f"to-{name}.har", *wanted, "--show-secrets"]) == 1
    assert f"to-{name}.har" in capsys.readouterr().out


def test_files_whose_covered_names_are_the_same_keep_their_findings(tmp_path: Path, scan: Scan) -> None:
    for name in (TOKEN, TOKEN.upper()):
        (tmp_path / name).write_text(TOKEN, encoding="utf-8")
    found = scan(tmp_path, secrets=[f"token={TOKEN}"]).findings
    assert len(found) == 2
    assert {Path(one["file"]).name for one in found} == {MASK * len(TOKEN)}


@pytest.mark.parametrize("shift", range(0, 80, 7))
def test_what_an_excerpt_cuts_off_is_covered(tmp_path: Path, scan: Scan, shift: int) -> None:
    (tmp_path / "a").write_text(f"{MAIL}{'.' * shift}{MAIL}{'.' * shift}{MAIL}", encoding="utf-8")
    for one in scan(tmp_path / "a").findings:
        pieces = [MAIL[at : at + 4] for at in range(len(MAIL) - 3)]
        assert [piece for piece in pieces if piece in one["excerpt"]] == []


def test_secrets_are_shown_where_that_was_asked_for(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "a").write_text(f"user={MAIL}", encoding="utf-8")
    done = scan(tmp_path / "a", "--show-secrets")
    assert MAIL in done.findings[0]["excerpt"]
    assert MAIL in done.out
