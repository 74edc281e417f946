// Panes: what each observer got, piece by piece. Pieces are appended and never built again, so that nothing flickers
// and nobody loses the place that they are reading.

import {el, say} from "./common.js";

const NEWEST = 60; // as many pieces of a pane as a document holds
const KEPT = 400; // as many as stay on the page
const END = 8; // pixels from the end that still count as the end
const AROUND = new Set(["sender", "recipient", "password", "service"]); // what stands around a message, not in it
const DIRECTIONS = {"to service": "to_service", "to client": "to_client", "at rest": "at_rest"};

const numbers = new Intl.NumberFormat(document.documentElement.lang);

function bytes(size) {
  return say(size === 1 ? "bytes_one" : "bytes_many", {count: numbers.format(size)});
}

function label(secret, whose) {
  return whose ? `${secret} · ${whose}` : secret;
}

function marked([text, secret, whose]) {
  if (!secret) return text;
  return el("mark", {}, el("span", {class: "text"}, text), " ", el("span", {class: "name"}, label(secret, whose)));
}

function item(piece) {
  const direction = DIRECTIONS[piece.direction];
  return el("li", {class: "piece arrives"},
    el("p", {class: "what"}, el("b", {}, piece.what), " ",
      el("span", {class: `way ${direction}`}, say(direction)), " · ", bytes(piece.size)),
    piece.parts.length ? el("p", {class: "bytes"}, piece.parts.map(marked)) : null);
}

/** What one observer got in one mode. */
class Pane {
  constructor(observer, mode, heading, enlarge) {
    this.status = el("p", {class: "status"});
    this.latest = el("p", {class: "latest"}); // of the marked texts, so that a message stays in sight
    this.list = el("ol", {class: "pieces"});
    this.box = el("div", {class: "scrolls", tabindex: "0", role: "region",
      "aria-label": say("pane", {observer, mode})}, this.list);
    this.back = el("button", {type: "button", class: "newest", hidden: true, click: () => this.toEnd()}, say("newest"));
    this.root = el("section", {class: "pane", "data-observer": observer},
      el("div", {class: "head"}, el(heading, {}, enlarge || observer), this.status), this.latest, this.box, this.back);
    this.at = 0; // where it was scrolled to
    this.follows = true;
    this.box.addEventListener("scroll", () => this.scrolled());
    new ResizeObserver(() => this.keep()).observe(this.box);
    this.clear();
  }

  clear() {
    this.last = 0;
    this.size = 0;
    this.missed = false;
    this.found = new Set();
    this.sample = null;
    this.list.replaceChildren();
    this.toEnd();
    this.tell();
  }

  update(pieces) {
    const newest = pieces.length ? pieces.at(-1).number : 0;
    if (newest < this.last) this.clear(); // another run has begun
    const fresh = pieces.filter((piece) => piece.number > this.last);
    if (fresh.length === 0) return;
    // Only the newest pieces come along: if none of them was known, others may have come before them.
    if (fresh.length === pieces.length && pieces.length >= NEWEST) this.missed = true;
    for (const piece of fresh) this.count(piece);
    this.last = newest;
    this.list.append(...fresh.map(item));
    if (this.follows) while (this.list.childElementCount > KEPT) this.list.firstElementChild.remove();
    this.tell();
    this.keep();
  }

  count(piece) {
    this.size += piece.size;
    for (const part of piece.parts) {
      const [, secret, whose] = part;
      if (!secret) continue;
      this.found.add(secret); // without a name: those of a whole class would leave no room for anything else
      if (!AROUND.has(secret) || !this.sample || AROUND.has(this.sample[1])) this.sample = part;
    }
  }

  tell() {
    const size = this.missed ? say("at_least", {bytes: bytes(this.size)}) : bytes(this.size);
    const what = [...this.found].sort((one, other) => AROUND.has(one) - AROUND.has(other)).join(", ");
    const text = what ? say("found", {what}) : this.last ? say("none_found", {bytes: size}) : say("nothing_yet");
    if (this.status.textContent !== text) this.status.textContent = text;
    this.root.classList.toggle("reads", what !== "");
    this.latest.hidden = this.sample === null;
    if (this.sample) this.latest.replaceChildren(marked(this.sample));
  }

  scrolled() {
    const {scrollTop, clientHeight, scrollHeight} = this.box;
    // A pane that is not shown has no height, and nobody has scrolled it.
    if (clientHeight === 0) return;
    // Only who goes back has scrolled: a pane whose place on the screen got smaller is not at its end either.
    if (scrollTop + clientHeight >= scrollHeight - END) this.follows = true;
    else if (scrollTop < this.at - END) this.follows = false;
    this.at = scrollTop;
    this.back.hidden = this.follows;
  }

  keep() {
    if (!this.follows) return;
    this.box.scrollTop = this.box.scrollHeight;
    this.at = this.box.scrollTop;
  }

  toEnd() {
    this.follows = true;
    if (!this.back.hidden) this.box.focus({preventScroll: true});
    this.back.hidden = true;
    this.keep();
  }
}

/** Panes side by side: of one mode the observers next to each other; of several modes a column for each mode, and a
    row for each observer, so that the same message stands at the same height. One of these rows can be enlarged: then of
    the others only that stays which can be read there. */
export class PaneGrid {
  constructor({byMode}) {
    this.root = el("div", {class: "panes"});
    this.byMode = byMode;
    this.shape = "";
    this.all = new Map();
    this.large = "";
  }

  update(modes, observers, panes) {
    const shape = JSON.stringify([modes, observers]);
    if (shape !== this.shape) this.build(modes, observers);
    this.shape = shape;
    for (const [mode, observer, pane] of this.all.values()) pane.update(panes?.[mode]?.[observer] || []);
  }

  build(modes, observers) {
    this.all.clear();
    this.observers = observers;
    const columns = modes.map((mode) => {
      const made = observers.map((observer) => {
        // Nobody can stand in for the service with a certificate where none is shown.
        if (observer === "interceptor" && mode === "plaintext") return el("p", {class: "nobody quiet"}, say("no_interceptor"));
        const pane = this.byMode ? new Pane(observer, mode, "h3", this.enlarges(observer)) : new Pane(observer, mode, "h2");
        this.all.set(`${mode} ${observer}`, [mode, observer, pane]);
        return pane.root;
      });
      return this.byMode ? el("div", {class: "column"}, el("h2", {}, say(`mode_${mode}`)), made) : made;
    });
    this.root.classList.toggle("by-mode", this.byMode);
    this.root.classList.toggle("wide", !this.byMode && observers.length <= 3);
    this.root.style.setProperty("--columns", this.byMode ? modes.length : observers.length);
    this.root.replaceChildren(...columns.flat());
    this.enlarge(observers.includes(this.large) ? this.large : "");
  }

  enlarges(observer) {
    return el("button", {type: "button", "data-enlarges": observer, "aria-label": say("enlarge", {observer}),
      click: () => this.enlarge(this.large === observer ? "" : observer)}, observer);
  }

  enlarge(observer) {
    this.large = observer;
    const rows = this.observers.map((one) => (observer === "" || one === observer ? "minmax(0, 1fr)" : "3.6em"));
    this.root.style.setProperty("--rows", rows.join(" "));
    for (const [, one, pane] of this.all.values()) {
      pane.root.classList.toggle("large", one === observer);
      pane.root.classList.toggle("small", observer !== "" && one !== observer);
    }
    for (const button of this.root.querySelectorAll("[data-enlarges]")) {
      button.setAttribute("aria-pressed", String(button.dataset.enlarges === observer));
    }
  }
}
