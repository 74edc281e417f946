// Who is in the class, who is stuck, and what can be done for one learner.

import {el, say} from "./common.js";
import {allow, allowed, by, each, put, sure} from "./teacher_page.js";

export class Learners {
  #state = null;
  #order = [];
  #shown = null;
  #act;

  constructor(act) {
    this.#act = act;
    by("find").addEventListener("input", () => this.#list());
    by("unfinished").addEventListener("change", () => this.#list());
    // Nothing moves away below a pointer or a finger on a key; the order is put right afterwards.
    by("learners").addEventListener("pointerleave", () => this.#list());
    by("learners").addEventListener("focusout", () => queueMicrotask(() => this.#list()));
    by("learner-close").addEventListener("click", () => by("learner-box").close());
    by("learner-box").addEventListener("close", () => {
      this.#shown = null;
    });
    by("learner-reset").addEventListener("click", (event) => this.#reset(event.currentTarget));
    by("learner-remove").addEventListener("click", () => this.#remove());
    by("reset-all").addEventListener("click", (event) => this.#resetAll(event.currentTarget));
  }

  show(state) {
    this.#state = state;
    this.#list();
    if (this.#shown !== null) this.#one();
    allow(by("reset-all"), state.question !== null && state.actions.includes("reset"), by("reset-note"), say("reset_not_now"));
  }

  #list() {
    const state = this.#state;
    if (state === null) return;
    put(by("people-count"), `(${state.learners.length})`);
    by("people-none").hidden = state.learners.length > 0;
    by("people-tools").hidden = state.learners.length === 0;
    const wanted = by("find").value.normalize("NFC").trim().toLowerCase();
    const shown = this.#sorted(state.learners)
      .filter((one) => one.nickname.toLowerCase().includes(wanted))
      .filter((one) => !by("unfinished").checked || one.of === 0 || one.answered < one.of);
    put(by("people-shown"), say("people_shown", {shown: shown.length, of: state.learners.length}));
    each(by("learners"), shown, (one) => one.id, (one) => this.#row(one), (row, one) => this.#update(row, one));
  }

  #sorted(learners) {
    const list = by("learners");
    const places = new Map(this.#order.map((id, place) => [id, place]));
    const isHeld = list.matches(":hover") || list.contains(document.activeElement);
    const last = (one) => places.get(one.id) ?? Infinity;
    const sorted = [...learners].sort((one, other) => {
      if (isHeld && last(one) !== last(other)) return last(one) - last(other);
      return one.answered - other.answered || one.nickname.localeCompare(other.nickname) || one.id - other.id;
    });
    this.#order = sorted.map((one) => one.id);
    return sorted;
  }

  #row(one) {
    return el("li", {},
      el("button", {type: "button", class: "who", "aria-haspopup": "dialog", click: () => this.#open(one.id)}, el("bdi")),
      el("span", {class: "how"}), el("p", {class: "reason", dir: "auto"}));
  }

  #update(row, one) {
    const [button, how, reason] = row.children;
    put(button.firstChild, one.nickname);
    put(how, [...this.#done(one), ...(one.connected ? [] : [say("not_connected")])].join(" · "));
    row.classList.toggle("away", !one.connected);
    reason.hidden = !one.reason;
    put(reason, one.reason ? say("quoted", {text: one.reason}) : "");
  }

  /** How somebody is doing, in a few words. */
  #done({answered, of, right}) {
    const words = [];
    if (of) words.push(answered ? say("answered_of", {answered, of}) : say("answered_none"));
    if (right !== null && right !== undefined) words.push(say("right_of", {right, of}));
    return words;
  }

  #open(id) {
    this.#shown = id;
    this.#one();
    by("learner-box").showModal();
  }

  #one() {
    const one = this.#state.learners.find((other) => other.id === this.#shown);
    if (one === undefined) {
      by("learner-box").close();
      return;
    }
    put(by("learner-name"), one.nickname);
    put(by("learner-state"), [...this.#done(one), say(one.connected ? "connected" : "not_connected")].join(" · "));
    put(by("learner-reason"), one.reason ? say("quoted", {text: one.reason}) : say("no_reason"));
    allow(by("learner-reset"), this.#state.question !== null && this.#state.actions.includes("reset"));
  }

  async #reset(button) {
    if (!allowed(button)) return;
    const [learner, name] = [this.#shown, by("learner-name").textContent];
    by("learner-box").close();
    if (await sure(say("reset_one_title", {name}), say("reset_one_text"), say("reset_yes"))) this.#act("reset", {learner});
  }

  async #remove() {
    const [learner, name] = [this.#shown, by("learner-name").textContent];
    by("learner-box").close();
    if (!(await sure(say("remove_title", {name}), say("remove_text"), say("remove_yes")))) return;
    if (await this.#act("remove", {learner})) by("people-title").focus();
  }

  async #resetAll(button) {
    if (!allowed(button)) return;
    const count = this.#state.learners.length;
    if (await sure(say("reset_all_title", {count}), say("reset_all_text"), say("reset_yes"))) this.#act("reset", {});
  }
}
