// Free play: how the services are set up, and what alice and bob say.

import {call, el, say} from "./common.js";
import {allow, allowed, by, each, put} from "./teacher_page.js";

export class Play {
  #state = null;
  #act;

  constructor(act) {
    this.#act = act;
    by("setup-form").addEventListener("change", () => this.#ready());
    by("setup-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    by("play-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(event.currentTarget);
    });
  }

  show(state) {
    this.#state = state;
    const {play} = state;
    by("play").hidden = state.phase !== "play";
    by("play-box").hidden = state.phase === "play" || !state.plays;
    by("pick-box").hidden = state.phase === "play";
    if (state.phase === "play" && play) this.#on(play);
    this.#ready();
  }

  #on(play) {
    const setup = [
      [say("modes"), play.modes.join(", ")],
      [say("interceptor"), say(`interceptor_${play.interceptor}`)],
      [say("defences"), [play.padded && say("padded"), play.pinned && say("pinned")].filter(Boolean).join("; ") || say("none")],
    ];
    each(by("play-setup"), setup, ([name]) => name, ([name]) => el("div", {}, el("dt", {}, name), el("dd")),
      (row, [, text]) => put(row.lastElementChild, text));
    by("play-trouble").hidden = !play.trouble;
    put(by("play-trouble"), play.trouble);
  }

  #setup() {
    const data = new FormData(by("setup-form"));
    return {
      modes: data.getAll("mode"),
      padded: data.has("padded"),
      interceptor: data.get("interceptor"),
      pinned: data.has("pinned"),
    };
  }

  #ready() {
    if (this.#state === null) return;
    const now = this.#state.actions.includes("play");
    const some = this.#setup().modes.length > 0;
    allow(by("start-play"), now && some, by("start-note"), say(now ? "play_no_mode" : "play_not_now"));
  }

  async #start() {
    if (!allowed(by("start-play"))) return;
    if (await this.#act("play", this.#setup())) {
      by("work").scrollTop = 0;
      by("play-text").focus();
    }
  }

  async #send(form) {
    const field = by("play-text");
    const text = field.value;
    if (!text.trim()) return;
    const who = new FormData(form).get("who");
    const answer = await call("POST", "/api/play", {text, who});
    put(by("play-news"), answer.ok ? say("play_sent", {who, text}) : answer.body.error ?? "");
    by("play-news").classList.toggle("error", !answer.ok);
    if (answer.ok && field.value === text) field.value = "";
    field.focus();
  }
}
