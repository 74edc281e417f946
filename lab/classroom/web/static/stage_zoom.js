// The evidence for one cell: its layers from the outside inwards, one at a time or below each other, and why it ends there.

import {el, say} from "./common.js";

export class Zoom {
  /** `close` is called when somebody is done with it. */
  constructor(close) {
    this.close = close;
    this.cell = null;
    this.heading = el("h2", {tabindex: "-1"});
    this.steps = el("ol", {class: "layers", "aria-label": say("layers")});
    this.content = el("div", {class: "scrolls", tabindex: "0", role: "region", "aria-label": say("layer")});
    this.end = el("p", {class: "end"});
    this.out = el("button", {type: "button", click: () => this.go(this.depth - 1)}, say("outwards"));
    this.in = el("button", {type: "button", click: () => this.go(this.depth + 1)}, say("inwards"));
    this.stack = el("button", {type: "button", click: () => this.turn()}, say("stacked"));
    this.root = el("section", {class: "zoom", hidden: true, "aria-label": say("evidence")},
      el("div", {class: "above"}, this.heading, el("button", {type: "button", click: () => this.close()}, say("close"))),
      this.steps, this.content, this.end,
      el("div", {class: "controls"}, this.out, this.in, this.stack, el("p", {class: "quiet"}, say("zoom_keys"))));
    document.addEventListener("keydown", (event) => this.key(event));
    this.depth = 0;
    this.stacked = false;
  }

  /** Show this cell's evidence; null: none is open. */
  update(cell, zoom, measured) {
    this.root.hidden = cell === null;
    const now = JSON.stringify([cell, zoom, measured]);
    if (now === this.shows) return;
    this.shows = now;
    const opened = cell !== null && cell !== this.cell;
    this.cell = cell;
    if (cell === null) return;
    const [secret, observer] = cell.split("@");
    this.heading.replaceChildren(say("cell", {secret, observer}), " ",
      measured ? el("span", {class: `verdict ${measured.exposure}`}, say(measured.exposure)) : "");
    this.zoom = zoom || {layers: [], end: say("no_evidence")};
    if (opened) this.depth = 0;
    this.draw();
    if (opened) this.heading.focus();
  }

  draw() {
    const {layers, end} = this.zoom;
    const last = Math.max(0, layers.length - 1);
    this.depth = Math.min(Math.max(0, this.depth), last);
    // Buttons stay the same elements while there are as many layers, so that the focus stays where it is.
    if (this.steps.childElementCount !== layers.length) {
      this.steps.replaceChildren(...layers.map((_, at) => el("li", {}, el("button", {type: "button", click: () => this.go(at)}))));
    }
    [...this.steps.children].forEach(({firstElementChild: button}, at) => {
      button.textContent = `${at + 1} ${layers[at].title}`;
      if (!this.stacked && at === this.depth) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    const shown = this.stacked ? layers : layers.slice(this.depth, this.depth + 1);
    this.content.replaceChildren(
      ...shown.map((layer) => el("article", {class: "layer"},
        el("h3", {}, layer.title), layer.note ? el("p", {}, layer.note) : null,
        layer.lines.length ? el("pre", {class: layer.lines.length > 8 ? "long" : null}, layer.lines.join("\n")) : null)));
    // Why it goes no further stands below the innermost layer, and stays in sight however long that layer is.
    this.end.textContent = end;
    this.end.hidden = !this.stacked && this.depth !== last;
    this.out.setAttribute("aria-disabled", String(this.stacked || this.depth === 0));
    this.in.setAttribute("aria-disabled", String(this.stacked || this.depth === last));
    this.stack.setAttribute("aria-pressed", String(this.stacked));
    this.content.scrollTop = 0;
  }

  go(depth) {
    const {layers} = this.zoom;
    if (depth < 0 || depth >= layers.length) return;
    this.depth = depth;
    if (this.stacked) this.content.children[depth].scrollIntoView({block: "start"});
    else this.draw();
  }

  turn() {
    this.stacked = !this.stacked;
    this.draw();
  }

  key(event) {
    if (this.root.hidden || event.altKey || event.ctrlKey || event.metaKey) return;
    const to = {
      ArrowRight: this.depth + 1, ArrowDown: this.depth + 1, ArrowLeft: this.depth - 1, ArrowUp: this.depth - 1,
      Home: 0, End: this.zoom.layers.length - 1,
    }[event.key];
    // In a layer that is longer than its place, arrows up and down scroll.
    const scrolls = event.target === this.content && this.content.scrollHeight > this.content.clientHeight;
    if (event.key === "Escape") this.close();
    else if (to === undefined || (scrolls && /Up|Down/.test(event.key))) return;
    else this.go(to);
    event.preventDefault();
  }
}
