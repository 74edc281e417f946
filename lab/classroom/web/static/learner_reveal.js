// What was measured beside what the learner said, cell by cell.

import {el, say} from "./common.js";
import {showEvidence} from "./learner_evidence.js";
import {button, heading, meaning, nameOf, prose, storyAgain, verdict} from "./learner_parts.js";

const REASONS = "en"; // the language of the reasons that the lab gives for what it has measured, in all classes

/** right, wrong, undecided, disputed or not_predicted. What was measured decides, where the lesson says the same. */
function grade(said, measured) {
  if (measured === undefined || measured.exposure === "inconclusive") return "undecided";
  if (measured.disputed) return "disputed";
  if (said === undefined) return "not_predicted";
  return said === measured.exposure ? "right" : "wrong";
}

const line = (name, ...what) => [el("dt", {}, name), el("dd", {}, ...what)];

function measuredWords(question, measured) {
  const means = meaning(question, "exposures", measured.exposure);
  return [verdict(measured.exposure), means === "" ? null : el("span", {class: "quiet says"}, means)];
}

function sayOutcome(kind, measured) {
  if (kind === "undecided") return say("undecided");
  if (kind === "disputed") return say("disputed", {claimed: measured.claimed, measured: measured.exposure});
  return say(kind);
}

function result(lab, cell) {
  const {question, revealed} = lab.state;
  const measured = revealed.cells[cell] || {exposure: "inconclusive", reason: "", disputed: false, claimed: ""};
  const first = lab.mine.said(1, cell);
  const second = lab.mine.said(2, cell);
  const said = lab.mine.counts(cell);
  const kind = grade(said, measured);
  const texts = revealed.explanations[cell] || {};
  const isSaidTwice = second !== undefined && first !== undefined;
  const wasWrong = kind === "right" && isSaidTwice && first !== second ? texts[first] : undefined;
  const explained = kind === "wrong" ? texts[said] : wasWrong;
  return el(
    "li",
    {class: `result ${kind}`},
    el("h3", {}, nameOf(cell)),
    el("p", {class: "outcome"}, sayOutcome(kind, measured)),
    el(
      "dl",
      {class: "compare"},
      isSaidTwice ? line(say("said_first"), verdict(first)) : null,
      said === undefined ? null : line(say(isSaidTwice ? "said_then" : "said"), verdict(said)),
      line(say("measured_is"), ...measuredWords(question, measured)),
    ),
    measured.reason === ""
      ? null
      : el("p", {class: "quiet"}, say("because"), " ", el("span", {lang: REASONS}, `${measured.reason}.`)),
    wasWrong === undefined ? null : el("h4", {}, say("why_first_wrong")),
    explained === undefined ? null : prose(explained),
    kind === "wrong" && explained === undefined ? el("p", {}, say("no_explanation")) : null,
    evidenceButton(question, cell),
  );
}

function evidenceButton(question, cell) {
  const label = say("evidence_of", {cell: nameOf(cell)});
  return button(say("evidence"), () => showEvidence(question.id, cell), {"aria-label": label});
}

/** The cells of the table that nobody was asked about. */
function others(lab) {
  const {question, revealed} = lab.state;
  const cells = Object.keys(revealed.cells).filter((cell) => !question.cells.includes(cell));
  if (cells.length === 0) return null;
  return el(
    "details",
    {class: "again"},
    el("summary", {}, say("other_cells", {count: cells.length})),
    el(
      "ul",
      {class: "rows"},
      cells.map((cell) => {
        const row = button("", () => showEvidence(question.id, cell), {class: "row"});
        const {exposure} = revealed.cells[cell];
        const does = el("span", {class: "does"}, say("evidence"));
        row.append(el("span", {class: "name"}, nameOf(cell)), verdict(exposure), does);
        return el("li", {}, row);
      }),
    ),
  );
}

function score(lab) {
  const {question, revealed} = lab.state;
  const kinds = question.cells.map((cell) => grade(lab.mine.counts(cell), revealed.cells[cell]));
  const count = (kind) => kinds.filter((one) => one === kind).length;
  const left = count("undecided") + count("disputed");
  return say(left === 0 ? "score" : "score_left", {right: count("right"), of: kinds.length - left, left});
}

export function reveal(lab) {
  const {question} = lab.state;
  const total = el("p", {class: "big"});
  const reason = el("p", {dir: "auto"});
  const results = el("ol", {class: "results"});
  const shown = new Map();
  let table = null;

  // Only what changed is made anew: somebody may be reading, with the focus on a button.
  const update = () => {
    total.textContent = score(lab);
    const own = lab.mine.reason;
    reason.textContent = own === "" ? "" : say("your_reason", {reason: own});
    const {cells, explanations} = lab.state.revealed;
    for (const cell of question.cells) {
      const state = JSON.stringify([lab.mine.said(1, cell), lab.mine.said(2, cell), cells[cell], explanations[cell]]);
      const before = shown.get(cell);
      if (before !== undefined && before.state === state) continue;
      const item = result(lab, cell);
      if (before === undefined) results.append(item);
      else before.item.replaceWith(item);
      shown.set(cell, {state, item});
    }
    if (table === null) table = others(lab);
  };
  update();
  return {
    element: el(
      "section",
      {},
      heading(say("reveal")),
      total,
      reason,
      el("h2", {}, say("cell_by_cell")),
      results,
      table,
      storyAgain(question),
    ),
    update,
  };
}
