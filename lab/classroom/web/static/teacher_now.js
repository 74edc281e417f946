// Which phase it is, what to do next, and the buttons for it.

import {el, say} from "./common.js";
import {allow, allowed, attribute, by, put} from "./teacher_page.js";

/** The action that leads on from each phase; of several, the first that is possible now. */
const ONWARDS = {
  lobby: ["pick"],
  story: ["open"],
  first: ["close"],
  discuss: ["open", "run"],
  second: ["close"],
  closed: ["run"],
  run: ["reveal", "step"],
  reveal: ["pick"],
  play: ["judge"],
};

/** Those that have a button of their own here, in this order; the others are offered where they belong. */
const OFFERED = ["open", "close", "run", "step", "rest", "reveal", "stop", "lobby", "judge", "end_play"];

/** Milliseconds in which a second press was meant for what the button said before. */
const TOO_SOON = 600;

const LABELS = {
  open: (state) => (state.phase === "discuss" ? "open_second" : "open_first"),
  close: (state) => (state.phase === "second" ? "close_second" : "close_first"),
};

const label = (action, state) => say(LABELS[action] ? LABELS[action](state) : `do_${action}`);

export class Now {
  #state = null;
  #timer = null;
  #act;
  #pick;

  /** `act` asks for an action; `pick` leads to where a question is picked. */
  constructor(act, pick) {
    this.#act = act;
    this.#pick = pick;
    by("main-action").addEventListener("click", (event) => this.#press(event.currentTarget));
  }

  show(state) {
    this.#state = state;
    put(by("phase"), say(`phase_${state.phase}`));
    put(by("next"), whatNext(state));
    by("paused").hidden = !state.paused;
    for (const item of by("phases").children) {
      if (item.dataset.phase === state.phase) attribute(item, "aria-current", "step");
      else item.removeAttribute("aria-current");
    }
    by("phases").hidden = state.phase === "play";
    put(by("counts"), counts(state));
    this.#buttons(state);
  }

  #buttons(state) {
    const main = by("main-action");
    const onwards = state.run?.failed ? ["stop"] : ONWARDS[state.phase];
    const action = onwards.find((one) => state.actions.includes(one));
    const shown = action ?? (isUnderWay(state) ? "step" : onwards[0]);
    if (main.dataset.action && main.dataset.action !== shown) this.#rest();
    main.dataset.action = shown;
    put(main, label(shown, state));
    allow(main, action !== undefined && this.#timer === null);

    const others = OFFERED.filter((one) => one !== action && one !== state.phase && state.actions.includes(one));
    const row = by("other-actions");
    const hadFocus = row.contains(document.activeElement);
    for (const button of [...row.children]) if (!others.includes(button.dataset.action)) button.remove();
    let place = row.firstElementChild;
    for (const one of others) {
      let button = row.querySelector(`[data-action="${one}"]`);
      if (button === null) {
        button = el("button", {type: "button", "data-action": one, click: (event) => this.#press(event.currentTarget)});
        row.insertBefore(button, place);
      } else {
        place = button.nextElementSibling;
      }
      put(button, label(one, state));
    }
    if (hadFocus && !row.contains(document.activeElement)) main.focus();
  }

  /** Take no second press for a moment. */
  #rest() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#buttons(this.#state);
    }, TOO_SOON);
    allow(by("main-action"), false);
  }

  #press(button) {
    if (!allowed(button)) return;
    const {action} = button.dataset;
    if (action === "pick") {
      this.#pick();
    } else {
      this.#rest();
      this.#act(action);
    }
  }
}

/** Are there steps left to play? */
const isUnderWay = ({phase, run}) => phase === "run" && !run.failed && !run.measured && (run.of === 0 || run.step < run.of);

function whatNext(state) {
  if (state.phase === "lobby" && state.learners.length === 0) return say("next_lobby_empty");
  if (state.phase === "lobby") return say(state.plays ? "next_lobby" : "next_lobby_no_play");
  if (state.phase === "first" || state.phase === "second") {
    return say(everyone(state) ? "next_all_answered" : `next_${state.phase}`);
  }
  if (state.phase === "run" && state.run) {
    if (state.run.failed) return say("next_run_failed");
    if (state.run.measured) return say("next_run_measured");
    if (state.run.of > 0 && state.run.step === state.run.of) return say("next_run_measuring");
    return say(state.run.waiting ? "next_run" : "next_run_wait");
  }
  if (state.phase === "play" && state.play?.judging) return say("next_play_judging");
  return say(`next_${state.phase}`);
}

/** Has everybody answered, who could? */
export function everyone(state) {
  return state.learners.length > 0 && state.learners.every((one) => one.of > 0 && one.answered === one.of);
}

function counts(state) {
  const {answered, connected, learners} = state;
  const numbers = {answered, connected, joined: learners.length};
  return say(state.question ? "counts_question" : "counts", numbers);
}
