// The stage view, for the projector: what the class does, as one view for each phase. A view is built when its phase
// (or question) begins and changed in place from then on.

import {call, el, listen, say} from "./common.js";
import {PaneGrid} from "./stage_panes.js";
import {path} from "./stage_path.js";
import {Matrices, askedTable, votes} from "./stage_tables.js";
import {Zoom} from "./stage_zoom.js";

const byId = (id) => document.getElementById(id);

/** Fill an element anew, but only where what it shows is another one now. */
function fill(element, data, build) {
  const now = JSON.stringify(data);
  if (element.dataset.shows === now) return;
  element.dataset.shows = now;
  element.replaceChildren(...[build(data)].flat().filter(Boolean));
}

/** Show this text, or nothing at all. */
function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === "";
}

function count(name, number) {
  return say(number === 1 ? `${name}_one` : `${name}_many`, {count: number});
}

async function act(action, more) {
  const answer = await call("POST", "/api/act", {action, ...more});
  show(byId("trouble"), answer.ok ? "" : answer.body.error || say("connection_lost"));
}

const select = (cell) => act("select", {cell});

/** The address and the code, and how many are in. */
class Lobby {
  constructor() {
    this.address = el("p", {class: "address"});
    this.code = el("p", {class: "code"});
    this.picture = el("img", {class: "qr", alt: say("qr")});
    this.count = el("p", {class: "count"});
    this.root = el("div", {class: "lobby"},
      el("div", {},
        el("h2", {}, say("join_here")), this.address,
        el("h2", {}, say("code")), this.code, this.count),
      this.picture);
  }

  update(state) {
    show(this.address, state.url);
    show(this.code, state.code);
    if (this.picture.getAttribute("src") !== state.qr) this.picture.src = state.qr;
    show(this.count, state.connected === 0 ? say("in_none") : count("in", state.connected));
  }
}

/** What happens in the scenario: prose and steps. */
class Story {
  constructor({question}) {
    const story = el("div", {class: "prose"});
    // The lesson's own text, made from Markdown by the lab: no person in the class has typed any of it.
    story.innerHTML = question.story;
    this.root = el("div", {class: "story"},
      el("section", {class: "scrolls", tabindex: "0", role: "region", "aria-label": say("story")}, story),
      el("section", {class: "scrolls", tabindex: "0", role: "region", "aria-label": say("steps")},
        el("h2", {}, say("steps")),
        el("ol", {class: "steps"}, question.steps.map((step) => el("li", {}, el("b", {}, step.keyword.trim()), " ", step.text)))));
  }

  update() {}
}

/** The cells that the class is asked about: while it votes, talks, and after that. Never with a result. */
class Asked {
  constructor({question}) {
    this.lead = el("p", {class: "lead"});
    this.count = el("p", {class: "count"});
    this.root = el("div", {class: "asked"},
      el("div", {class: "above"}, this.lead, this.count),
      el("dl", {class: "words"}, question.exposures.map((one) => el("div", {},
        el("dt", {}, el("span", {class: `verdict ${one.name}`}, say(one.name))), el("dd", {}, one.means)))),
      el("div", {class: "scrolls", tabindex: "0", role: "region", "aria-label": say("cells")}, askedTable(question)));
  }

  update(state) {
    show(this.lead, say(`lead_${state.phase}`));
    const votes = ["first", "second"].includes(state.phase);
    show(this.count, votes ? say("answered", {answered: state.answered, connected: state.connected}) : "");
  }
}

/** The scenario as it is played: the path, the step, and what each observer gets. */
class Run {
  constructor(state) {
    this.path = el("div", {class: "path-holder"});
    this.step = el("p", {class: "step", "aria-live": "polite", tabindex: "0"});
    this.panes = new PaneGrid({byMode: false});
    this.root = el("div", {class: "run"}, this.path, this.step, this.panes.root);
    this.mode = state.question.mode;
    this.steps = state.question.steps;
  }

  update(state) {
    fill(this.path, {path: state.path, people: state.people}, ({path: stops, people}) => path(stops, people));
    show(this.step, this.said(state.run));
    this.panes.update([this.mode], state.question.observers.map((one) => one.name), state.panes);
  }

  said(run) {
    if (run?.failed) return run.failed;
    if (!run || run.of === 0) return say("starting");
    if (run.measured) return say("measured_now");
    if (run.step >= run.of) return say("measuring");
    const step = this.steps.find((one) => one.text === run.text);
    const values = {step: run.step + 1, of: run.of, text: step ? `${step.keyword.trim()} ${step.text}` : run.text};
    // A recording may stop before each message, where it cannot tell which step it is of.
    if (step) return say(run.waiting ? "next_step" : "step", values);
    return say(run.waiting ? "next_part" : "part", values);
  }
}

/** What was measured, and what the class had predicted. */
class Reveal {
  constructor({question}) {
    this.question = question;
    this.matrices = new Matrices(select);
    this.votes = el("div", {class: "scrolls votes", tabindex: "0", role: "region", "aria-label": say("votes")});
    this.root = el("div", {class: "reveal"}, this.matrices.root, this.votes);
  }

  update(state) {
    const measured = state.matrices[this.question.mode] || state.revealed?.cells || {};
    this.matrices.update([[this.question.mode, measured]], this.question.cells);
    const choices = this.question.exposures.map((one) => one.name);
    fill(this.votes, {cells: this.question.cells, choices, measured, votes: state.votes}, votes);
  }

  focus(cell) {
    this.matrices.focus(cell);
  }
}

/** Messages that somebody types here, in up to three modes next to each other. */
class Play {
  constructor() {
    this.count = el("p", {class: "count"});
    this.trouble = el("p", {class: "error", id: "play-trouble"});
    this.panes = new PaneGrid({byMode: true});
    this.matrices = new Matrices(null);
    this.missing = el("p", {class: "missing"});
    this.matrices.root.prepend(this.missing);
    this.turn = el("button", {type: "button", click: () => this.show(!this.matrices.root.hidden)});
    this.text = el("input", {id: "text", name: "text", autocomplete: "off", maxlength: "500", required: true,
      "aria-describedby": "play-trouble"});
    this.who = el("select", {id: "who", name: "who"});
    const form = el("form", {class: "type", submit: (event) => this.send(event)},
      el("label", {for: "who"}, say("who_types")), this.who,
      el("label", {for: "text"}, say("message")), this.text,
      el("button", {class: "first"}, say("send")), this.count, this.turn);
    this.root = el("div", {class: "play"},
      this.trouble,
      this.panes.root, this.matrices.root, form);
    this.judged = "";
    this.show(true);
  }

  /** Either what the observers hold, or who could read it. */
  show(panes) {
    this.panes.root.hidden = !panes;
    this.matrices.root.hidden = panes;
    this.turn.textContent = say(panes ? "show_result" : "show_panes");
  }

  update(state) {
    const {modes, interceptor, messages, judging, trouble} = state.play;
    show(this.count, judging ? say("measuring") : messages === 0 ? say("messages_none") : count("messages", messages));
    if (this.refused !== trouble) show(this.trouble, trouble || "");
    this.refused = trouble;
    const people = state.people.length ? state.people : ["alice", "bob"];
    fill(this.who, people, () => people.map((who) => el("option", {value: who}, who)));
    const observers = ["network", ...(interceptor === "none" ? [] : ["interceptor"]), "server", "database"];
    this.panes.update(modes, observers, state.panes);
    const tables = modes.filter((mode) => state.matrices?.[mode]).map((mode) => [mode, state.matrices[mode]]);
    this.matrices.update(tables, []);
    const missing = modes.filter((mode) => !state.matrices?.[mode]);
    show(this.missing, tables.length && missing.length ? say("not_measured", {modes: missing.join(", ")}) : "");
    this.turn.hidden = tables.length === 0;
    const judged = JSON.stringify(tables);
    if (judged !== this.judged) this.show(tables.length === 0);
    this.judged = judged;
  }

  async send(event) {
    event.preventDefault();
    const text = this.text.value.trim();
    if (text === "") return;
    const answer = await call("POST", "/api/play", {text, who: this.who.value});
    this.text.setAttribute("aria-invalid", String(!answer.ok));
    show(this.trouble, answer.ok ? this.refused || "" : answer.body.error || say("connection_lost"));
    if (answer.ok) {
      if (this.text.value.trim() === text) this.text.value = "";
      this.show(true);
    }
    this.text.focus();
  }
}

const VIEWS = {
  lobby: Lobby, story: Story, first: Asked, discuss: Asked, second: Asked, closed: Asked, run: Run, reveal: Reveal, play: Play,
};

let shown = {key: "", view: null};
const zoom = new Zoom(() => select(null));

function update(state) {
  const View = VIEWS[state.phase];
  const key = `${View.name} ${state.question?.id ?? ""}`;
  if (shown.key !== key) {
    shown = {key, view: new View(state)};
    byId("view").replaceChildren(shown.view.root, zoom.root);
    show(byId("trouble"), "");
  }
  document.body.dataset.phase = state.phase;
  header(state);
  shown.view.update(state);
  const zooms = Boolean(state.selected) && ["run", "reveal"].includes(state.phase);
  shown.view.root.hidden = zooms;
  const was = zoom.cell;
  zoom.update(zooms ? state.selected : null, state.zoom, state.matrices?.[state.question?.mode]?.[state.selected]);
  if (was && !zooms) shown.view.focus?.(was);
  byId("paused").hidden = !state.paused;
  byId("page").inert = state.paused;
}

function header(state) {
  const {question} = state;
  show(byId("heading"), question ? `${question.lesson_title} – ${question.title}` : say(state.phase === "play" ? "free_play" : "title"));
  show(byId("about"), question ? `${say("question", {number: question.number})} · ${say(`mode_${question.mode}`)}` : setup(state.play));
  const played = ["run", "reveal"].includes(state.phase);
  show(byId("join"), played || state.phase === "lobby" ? "" : say("join", {url: state.url, code: state.code}));
  show(byId("replay"), state.replay && played ? recording(state.replay) : "");
}

/** The defences of free play, and who stands in for the service. */
function setup(play) {
  if (!play) return "";
  const {padded, pinned, interceptor} = play;
  const extras = [padded && say("padded"), pinned && say("pinned"), interceptor !== "none" && say(`interceptor_${interceptor}`)];
  return extras.filter(Boolean).join(" ");
}

/** What is played in place of a live run; speed 0 is all of a step at once. */
function recording({file, speed}) {
  if (speed === 0) return say("replay_at_once", {file});
  return say("replay", {file, speed: new Intl.NumberFormat(document.documentElement.lang).format(speed)});
}

listen("/events?face=stage", {state: update});
