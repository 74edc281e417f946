// Tables of cells: what the class is asked, what was measured, and how it had voted.

import {el, say} from "./common.js";

const STEPS = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};

function split(cell) {
  const [secret, observer] = cell.split("@");
  return {secret, observer};
}

function named(cell) {
  return say("cell", split(cell));
}

function verdict(exposure) {
  return el("span", {class: `verdict ${exposure}`}, say(exposure));
}

function unique(names) {
  return [...new Set(names)];
}

/** The cells of a question, to be predicted: rows are secrets, columns are observers. */
export function askedTable(question) {
  const asked = new Set(question.cells);
  const means = (list, name) => list.find((one) => one.name === name)?.means || "";
  const rows = unique(question.cells.map((cell) => split(cell).secret));
  const columns = question.observers.map((one) => one.name).filter((name) => question.cells.some((cell) => split(cell).observer === name));
  const choices = question.exposures.map((one) => one.name);
  return el("table", {class: "cells"},
    el("caption", {}, say("who_can_read")),
    el("thead", {}, el("tr", {}, el("td", {}), columns.map((name) =>
      el("th", {scope: "col"}, name, el("span", {class: "means"}, means(question.observers, name)))))),
    el("tbody", {}, rows.map((secret) => el("tr", {},
      el("th", {scope: "row"}, secret, el("span", {class: "means"}, means(question.secrets, secret))),
      columns.map((observer) => asked.has(`${secret}@${observer}`)
        ? el("td", {class: "asks"}, choices.map((one) => el("span", {}, say(one))))
        : el("td", {class: "quiet"}, say("not_asked")))))));
}

/** What was measured, as one table: a group of columns for each mode. `choose` is called with the cell that somebody
    opens; in free play, which has nothing to open, it is null, and the reason for a cell stands below the table. */
export class Matrices {
  constructor(choose) {
    this.choose = choose;
    this.table = el("div", {class: "scrolls", role: "region", tabindex: "0", "aria-label": say("matrix")});
    this.reason = el("p", {class: "reason"});
    this.root = el("div", {class: "matrices"}, this.table, this.reason);
    this.table.addEventListener("keydown", (event) => this.move(event));
    this.shows = "";
  }

  update(tables, asked) {
    const now = JSON.stringify([tables, asked]);
    if (this.shows === now) return;
    this.shows = now;
    this.reason.textContent = this.choose ? say("open_cell") : say("why_cell");
    this.table.replaceChildren(tables.length ? this.build(tables, new Set(asked)) : "");
  }

  build(tables, asked) {
    const secrets = unique(tables.flatMap(([, cells]) => Object.keys(cells).map((cell) => split(cell).secret)));
    const columns = tables.map(([, cells]) => unique(Object.keys(cells).map((cell) => split(cell).observer)));
    // Where cells cannot be opened, it is free play, and modes are told apart.
    const several = this.choose === null;
    const wide = columns.flat().length;
    return el("table", {class: `matrix ${several ? "several" : ""} ${wide > 9 ? "many" : wide > 3 ? "wide" : ""}`},
      el("caption", {}, say("measured_table")),
      el("thead", {},
        several ? el("tr", {}, el("td", {}), tables.map(([mode], at) =>
          el("th", {scope: "colgroup", colspan: columns[at].length, class: "mode"}, mode))) : null,
        el("tr", {}, el("td", {}), columns.flatMap((names) => names.map((name, at) =>
          el("th", {scope: "col", class: at === 0 ? "begins" : null}, name))))),
      el("tbody", {}, secrets.map((secret) => el("tr", {}, el("th", {scope: "row"}, secret),
        tables.flatMap(([mode, cells], at) => columns[at].map((observer, place) =>
          this.cell(`${secret}@${observer}`, cells, asked, mode, place === 0)))))));
  }

  cell(name, cells, asked, mode, begins) {
    const one = cells[name];
    const kind = [asked.has(name) ? "asked" : "", begins ? "begins" : ""].join(" ").trim();
    if (!one) return el("td", {class: kind || null});
    return el("td", {class: kind || null},
      el("button", {type: "button", class: "cell", "data-cell": name, click: () => this.open(name, one, mode)},
        el("span", {class: "unseen"}, `${named(name)}: `), verdict(one.exposure),
        asked.has(name) ? el("span", {class: "note"}, say("asked")) : null));
  }

  open(name, one, mode) {
    if (this.choose) this.choose(name);
    else this.reason.textContent = say("reason", {mode, cell: named(name), verdict: say(one.exposure), reason: one.reason});
  }

  focus(cell) {
    this.table.querySelector(`[data-cell="${CSS.escape(cell)}"]`)?.focus();
  }

  /** Arrows go from cell to cell. */
  move(event) {
    const way = STEPS[event.key];
    const at = event.target.closest("td");
    if (!way || !at) return;
    const row = at.parentElement;
    const rows = [...row.parentElement.children];
    const next = rows[rows.indexOf(row) + way[0]]?.children[[...row.children].indexOf(at) + way[1]];
    const button = next?.querySelector("button");
    if (!button) return;
    event.preventDefault();
    button.focus();
  }
}

function vote(title, counted, choices, measured) {
  const all = choices.reduce((sum, one) => sum + (counted?.[one] || 0), 0);
  if (all === 0) return el("div", {class: "vote"}, el("p", {class: "round"}, title), el("p", {class: "quiet"}, say("nobody_voted")));
  return el("div", {class: "vote"},
    el("p", {class: "round"}, title),
    el("ul", {}, choices.map((one) => {
      const share = (counted[one] || 0) / all;
      const bar = el("span", {class: "fill"});
      bar.style.inlineSize = `${Math.round(share * 100)}%`;
      return el("li", {class: one === measured ? "is" : null},
        say("votes_for", {verdict: say(one), count: counted[one] || 0}),
        one === measured ? el("span", {class: "unseen"}, ` (${say("as_measured")})`) : null,
        el("span", {class: `bar ${one}`, "aria-hidden": "true"}, bar));
    })));
}

/** Beside each asked cell's measured verdict: how the class had voted, first and second. */
export function votes({cells, choices, measured, votes: rounds}) {
  return [
    el("h2", {}, say("votes")),
    el("ol", {class: cells.length > 4 ? "many" : null}, cells.map((cell) => el("li", {class: "compared"},
      el("h3", {}, named(cell), " ", measured[cell]
        ? el("span", {class: "is-measured"}, say("measured_is"), " ", verdict(measured[cell].exposure)) : null),
      vote(say("first_vote"), rounds?.first?.[cell], choices, measured[cell]?.exposure),
      vote(say("second_vote"), rounds?.second?.[cell], choices, measured[cell]?.exposure)))),
  ];
}
