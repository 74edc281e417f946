"""What came out, as JUnit XML: fooled is a failure, no verdict an error, not served is skipped.

There is no standard; elements and attributes are those that pytest's own report has.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from lab.clients.case import Report, Verdict

ELEMENTS = {Verdict.FOOLED: "failure", Verdict.NO_VERDICT: "error", Verdict.NOT_SERVED: "skipped"}
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0, 2.2 does not let in, not even escaped."""


def to_junit(report: Report) -> str:
    counts = report.counts
    attributes = {
        "name": "lab clients",
        "tests": str(len(report.results)),
        "failures": str(counts[Verdict.FOOLED]),
        "errors": str(counts[Verdict.NO_VERDICT]),
        "skipped": str(counts[Verdict.NOT_SERVED]),
    }
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", attributes)
    for result in report.results:
        case = ElementTree.SubElement(suite, "testcase", classname="lab.clients", name=_clean(result.case.name))
        if result.verdict in ELEMENTS:
            said = ElementTree.SubElement(case, ELEMENTS[result.verdict], message=_clean(result.detail))
            said.text = _clean(f"{result.case.name}: {result.case.what}\n{result.said}".strip())
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
