// The vote: one cell at a time, then all of them with one line of reason. Each choice is sent at once.

import {el, say} from "./common.js";
import {hints, lock} from "./learner_alone.js";
import {askAbout, button, heading, meaning, nameOf, storyAgain, verdict} from "./learner_parts.js";

const REASON = 200; // characters

/** One cell as a group of three radio buttons. */
function cellForm(lab, round, number) {
  const {question} = lab.state;
  const cell = question.cells[number];
  const [secret, observer] = cell.split("@");
  const first = round === 2 ? el("p", {class: "first-answer"}) : null;
  const radios = question.exposures.map((one) =>
    el("input", {type: "radio", name: cell, value: one.name, "aria-describedby": `means-${number}-${one.name}`}),
  );
  const group = el(
    "fieldset",
    {},
    el("legend", {}, askAbout(cell)),
    el(
      "ul",
      {class: "quiet means"},
      el("li", {}, el("b", {}, secret), ": ", meaning(question, "secrets", secret)),
      el("li", {}, el("b", {}, observer), ": ", meaning(question, "observers", observer)),
    ),
    first,
    question.exposures.map((one, index) =>
      el(
        "label",
        {class: `choice ${one.name}`},
        radios[index],
        el("b", {}, say(one.name)),
        el("span", {class: "quiet", id: `means-${number}-${one.name}`}, one.means),
      ),
    ),
  );
  for (const radio of radios) {
    // Not `disabled` while the class is paused: that would lose the focus.
    radio.addEventListener("click", (event) => {
      if (lab.state.paused) event.preventDefault();
    });
    radio.addEventListener("change", () => lab.choose(round, {[cell]: radio.value}));
  }
  return {
    cell,
    group,
    focus: () => (radios.find((one) => one.checked) || radios[0]).focus({preventScroll: true}),
    value: () => radios.find((one) => one.checked)?.value,
    update: () => {
      const shown = lab.mine.said(round, cell) ?? (round === 2 ? lab.mine.said(1, cell) : undefined);
      for (const radio of radios) if (radio.checked !== (radio.value === shown)) radio.checked = radio.value === shown;
      if (first !== null) firstAnswer(first, lab.mine.said(1, cell));
      group.setAttribute("aria-disabled", String(lab.state.paused));
    },
  };
}

function firstAnswer(place, said) {
  if (place.dataset.said === String(said)) return;
  place.dataset.said = String(said);
  if (said === undefined) place.textContent = say("no_first");
  else place.replaceChildren(`${say("your_first")} `, verdict(said));
}

/** All cells with what was said, and the reason. */
function overview(lab, round, goTo) {
  const {question, alone} = lab.state;
  const rows = question.cells.map((cell, number) => {
    const said = el("span");
    const row = button("", () => goTo(number, true), {class: "row"});
    row.append(el("span", {class: "name"}, nameOf(cell)), said, el("span", {class: "does"}, say("change")));
    return {cell, row: el("li", {}, row), said, shown: null};
  });
  const reason = el("textarea", {
    id: "reason", rows: "3", maxlength: String(REASON), dir: "auto", "aria-describedby": "reason-help",
    input: () => lab.explain(round, reason.value, false),
    change: () => lab.explain(round, reason.value, true),
  });
  const all = round === 2 ? button(say("confirm_all"), () => confirmAll(), {class: "first"}) : null;
  const done = el("p", {class: "big", role: "status"});
  const title = el("h2", {tabindex: "-1"}, say("overview"));

  const confirmAll = () => {
    const open = question.cells.filter((cell) => lab.mine.said(2, cell) === undefined && lab.mine.said(1, cell));
    if (open.length > 0) lab.choose(round, Object.fromEntries(open.map((cell) => [cell, lab.mine.said(1, cell)])));
    title.focus();
  };

  const update = () => {
    let count = 0;
    let open = 0;
    for (const one of rows) {
      const now = lab.mine.said(round, one.cell);
      const before = round === 2 ? lab.mine.said(1, one.cell) : undefined;
      if (now !== undefined) count += 1;
      else if (before !== undefined) open += 1;
      const state = JSON.stringify([now, before]);
      if (one.shown === state) continue;
      one.shown = state;
      const shown = now ?? before;
      if (shown === undefined) one.said.textContent = say("not_predicted");
      else {
        one.said.replaceChildren(verdict(shown));
        if (now === undefined) one.said.append(" ", el("span", {class: "quiet"}, say("not_confirmed")));
      }
    }
    if (all !== null) all.hidden = open === 0;
    const some = say(round === 2 ? "second_open" : "some_said", {count, of: rows.length});
    const text = count === rows.length ? say(alone ? "all_said_alone" : "all_said") : some;
    if (done.textContent !== text) done.textContent = text;
    const known = lab.mine.reason;
    if (document.activeElement !== reason && reason.value !== known) reason.value = known;
    reason.readOnly = lab.state.paused;
  };

  return {
    title,
    update,
    element: el(
      "div",
      {class: "overview"},
      title,
      done,
      el("ul", {class: "rows"}, rows.map((one) => one.row)),
      all,
      el("label", {for: "reason"}, say("reason")),
      el("p", {class: "quiet", id: "reason-help"}, say("reason_help")),
      reason,
      alone ? lock(lab) : null,
    ),
  };
}

export function vote(lab) {
  const {question} = lab.state;
  const round = question.round;
  const cells = question.cells.map((_, number) => cellForm(lab, round, number));
  const last = cells.length;
  const progress = el("p", {class: "progress"});
  const bar = el("progress", {max: String(last), "aria-hidden": "true"});
  const kept = el("p", {class: "kept", role: "status"});
  const steps = el("div", {class: "bar"}, kept);
  const back = button(say("back"), () => goTo(at - 1));
  const next = el("button", {class: "first"});
  let at = 0;
  let isOne = false; // one cell is changed, and then all are shown again

  const goTo = (number, one = false) => {
    at = Math.max(0, Math.min(last, number));
    isOne = one;
    arrange();
    scrollTo(0, 0);
    if (at === last) sum.title.focus({preventScroll: true});
    else cells[at].focus();
  };
  const sum = overview(lab, round, goTo);

  const goOn = (event) => {
    event.preventDefault();
    if (at === last) return;
    const {cell, value} = cells[at];
    // Going on says yes to what is shown.
    if (round === 2 && value() !== undefined && lab.mine.said(2, cell) === undefined) lab.choose(2, {[cell]: value()});
    goTo(isOne ? last : at + 1);
  };

  const arrange = () => {
    cells.forEach((one, number) => {
      one.group.hidden = number !== at;
    });
    sum.element.hidden = at !== last;
    progress.textContent = at < last ? say("progress", {number: at + 1, of: last}) : say("progress_all", {of: last});
    bar.value = at;
    back.hidden = at === 0;
    next.hidden = at === last;
    label();
  };

  const label = () => {
    if (at === last) return;
    const said = lab.mine.said(round, cells[at].cell);
    const isShown = cells[at].value() !== undefined;
    const text = round === 2 && said === undefined && isShown ? "confirm_next" : said === undefined ? "skip" : "next";
    const shown = say(isOne && text !== "confirm_next" ? "to_overview" : text);
    if (next.textContent !== shown) next.textContent = shown;
  };

  const update = () => {
    for (const one of cells) one.update();
    sum.update();
    label();
    if (kept.textContent !== lab.kept.text) kept.textContent = lab.kept.text;
    kept.className = `kept ${lab.kept.kind}`;
  };
  steps.append(back, next);
  update();
  arrange();
  return {
    element: el(
      "section",
      {class: "vote"},
      heading(say(round === 2 ? "second" : lab.state.alone ? "first_alone" : "first")),
      round === 2 ? el("p", {}, say("second_text")) : null,
      el("div", {class: "where"}, progress, bar),
      el("form", {submit: goOn}, cells.map((one) => one.group), sum.element, steps),
      lab.state.alone ? hints(lab) : null,
      storyAgain(question),
    ),
    update,
  };
}
