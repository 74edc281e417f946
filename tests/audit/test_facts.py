"""Sizes and times as rows of the matrix: worked out, hidden by padding, written into tables and compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from lab.audit.canary import Canary
from lab.audit.window import Audit, LeakError, UndecidedError, Window
from lab.model import Exposure, LabError

type Client = requests.Session

SIZES = (300, 40, 170, 700, 100)
ASKED = "text 100"
SIZE, TIME = f"size of {ASKED}", f"time of {ASKED}"


def as_it_is(size: int) -> bytes:
    return os.urandom(size)


def padded(size: int) -> bytes:
    return os.urandom(-(-size // 256) * 256)


def planted(audit: Audit) -> list[Canary]:
    return [audit.secret(f"text {size}", draw=lambda size=size: os.urandom(size // 2).hex()) for size in SIZES]


def observed(audit: Audit, service: str, client: Client, seal: Callable[[int], bytes]) -> Window:
    """Each text is sent as so many random bytes, and confirmed."""
    with audit.observe(service, tls=True) as lab:
        for text in audit.secrets.values():
            client.post(f"{lab.url}/messages", data=seal(len(text)), verify=lab.ca).raise_for_status()
            lab.confirm(text)
    return lab


def verdict(lab: Window, row: str, observer: str = "network") -> tuple[Exposure, str]:
    cell = lab.matrix.cell(row, observer)
    return cell.exposure, cell.reason


def test_size_and_time_are_rows_beside_what_is_read(audit: Audit, service: str, client: Client) -> None:
    texts = planted(audit)
    assert audit.infer(texts[-1]) == (SIZE, TIME)
    lab = observed(audit, service, client, as_it_is)
    assert lab.matrix.rows == (*audit.secrets, SIZE, TIME)
    for observer in (lab.network, lab.server):
        observer.infers(SIZE, TIME)
        observer.hides(*texts)
        with pytest.raises(LeakError, match=f"^{SIZE} is inferred at {observer.name}, expected: hidden"):
            observer.hides(SIZE)
    rows = {(one.row, one.observer): one for one in lab.matrix.inferences}
    assert all(one.holds for one in rows.values())
    assert abs(rows[SIZE, "network"].estimate - 100) <= 16
    assert verdict(lab, TIME)[1] == "every estimate is within its tolerance and beats the guess (the middle of the day)"


def test_padding_hides_a_size_and_a_table_notices_that_it_has_gone(
    audit: Audit, service: str, client: Client, tmp_path: Path
) -> None:
    planted(audit)
    audit.infer(ASKED, "size")
    lab = observed(audit, service, client, padded)
    lab.network.hides(SIZE)
    lab.server.hides(SIZE)
    with pytest.raises(LeakError, match="texts of 40 and of 170 bytes look exactly the same, so it is hidden"):
        lab.network.infers(ASKED)
    audit.update = True
    lab.matches("leaks.md")
    assert f"| {SIZE} | hidden  | hidden |\n" in (tmp_path / "leaks.md").read_text("utf-8")
    audit.update = False
    lab.matches("leaks.md")
    table = (tmp_path / "leaks.md").read_text("utf-8").replace("a test", "a test (2)")
    (tmp_path / "leaks.md").write_text(table, "utf-8")
    other = observed(audit, service, client, as_it_is)
    with pytest.raises(LeakError) as caught:
        other.matches("leaks.md")
    said = str(caught.value)
    assert f"  - NEW LEAK: {SIZE} at network: the table says hidden, measured: inferred\n" in said
    assert f"  secret:    {ASKED} = {audit.secrets[ASKED]}\n" in said
    assert "; true: 100 bytes; a guess without the record: 62 bytes, as half of all short messages" in said


def test_a_size_that_only_misses_is_not_hidden(audit: Audit, service: str, client: Client) -> None:
    planted(audit)
    audit.infer(ASKED, "size")
    lab = observed(audit, service, client, lambda size: os.urandom(size + (500 if size == 100 else 0)))
    exposure, reason = verdict(lab, SIZE)
    assert exposure is Exposure.INCONCLUSIVE
    assert "where 100 is true (bytes)" in reason
    with pytest.raises(UndecidedError, match=f"nothing can be said about {SIZE} at network"):
        lab.matches("leaks.md")
    with pytest.raises(UndecidedError, match=f"nothing can be said about {SIZE} at network"):
        lab.network.infers(SIZE)


def test_among_requests_that_look_alike_the_time_does_not_come_out(audit: Audit, service: str, client: Client) -> None:
    texts = planted(audit)
    audit.infer(ASKED, "time")
    with audit.observe(service, tls=True) as lab:
        for text in texts:
            client.post(f"{lab.url}/messages", data=os.urandom(400), verify=lab.ca).raise_for_status()
            if text.name == ASKED:
                client.post(f"{lab.url}/messages", data=os.urandom(400), verify=lab.ca).raise_for_status()
            lab.confirm(text)
    exposure, reason = verdict(lab, TIME)
    assert exposure is Exposure.INCONCLUSIVE
    assert "besides them 2 requests are as large as a text" in reason


def test_small_requests_in_between_do_not_disturb_it(audit: Audit, service: str, client: Client) -> None:
    texts = planted(audit)
    audit.infer(ASKED, "time")
    with audit.observe(service, tls=True) as lab:
        for text in texts:
            client.post(f"{lab.url}/messages", data=os.urandom(400), verify=lab.ca).raise_for_status()
            lab.confirm(text)
            client.get(f"{lab.url}/cookie?none", verify=lab.ca).raise_for_status()
    lab.network.infers(TIME)
    lab.server.infers(TIME)


def test_without_confirmation_or_others_nothing_comes_out(audit: Audit, service: str, client: Client) -> None:
    body = audit.secret("body")
    unsent = audit.secret("unsent")
    audit.infer(body)
    audit.infer(unsent)
    with audit.observe(service, tls=True) as lab:
        client.post(f"{lab.url}/messages", data=os.urandom(400), verify=lab.ca).raise_for_status()
        lab.confirm(body)
    assert "nobody confirmed that unsent arrived" in verdict(lab, "size of unsent")[1]
    assert "nobody confirmed that unsent arrived" in verdict(lab, "time of unsent")[1]
    assert "needs 3 other texts that were confirmed, here are 0" in verdict(lab, "size of body")[1]
    assert "needs 2 others that were confirmed, here are 0" in verdict(lab, "time of body")[1]


def test_nobody_works_out_sizes_from_files(audit: Audit, service: str, client: Client, tmp_path: Path) -> None:
    texts = planted(audit)
    audit.infer(ASKED, "size")
    with audit.observe(service, tls=True) as lab:
        log = lab.watch(tmp_path / "app.log")
        for text in texts:
            client.post(f"{lab.url}/messages", data=os.urandom(len(text)), verify=lab.ca).raise_for_status()
            lab.confirm(text)
        (tmp_path / "app.log").write_text("received\n", "utf-8")
    log.hides(ASKED)
    with pytest.raises(LabError, match=r"ask lab\.network or lab\.server"):
        log.hides(SIZE)
    audit.update = True
    lab.matches("leaks.md")
    assert f"| {SIZE} | inferred | inferred |         |\n" in (tmp_path / "leaks.md").read_text("utf-8")
    audit.update = False
    lab.matches("leaks.md")


def test_wrong_use_is_refused(audit: Audit) -> None:
    audit.secret("body")
    with pytest.raises(LabError, match="'mood' is nothing that is worked out: take size or time"):
        audit.infer("body", "mood")
    with pytest.raises(LabError, match="is no secret of this audit"):
        audit.infer("nobody", "size")
