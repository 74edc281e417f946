// The learner's page: one view for each phase of the class, changed when the service says so.

import {call, el, listen, say} from "./common.js";
import {actions, lessons} from "./learner_alone.js";
import {closeEvidence} from "./learner_evidence.js";
import {forget, isIn} from "./learner_kept.js";
import {Mine} from "./learner_mine.js";
import {Outbox} from "./learner_outbox.js";
import {play} from "./learner_play.js";
import {reveal} from "./learner_reveal.js";
import {vote} from "./learner_vote.js";
import {closed, discuss, lobby, run, story} from "./learner_waiting.js";

const VIEWS = {lobby, story, first: vote, discuss, second: vote, closed, run, reveal, play};
const SPREAD = 1000; // milliseconds over which the phones of a class ask again

const place = document.getElementById("view");
const news = document.getElementById("news");
const paused = document.getElementById("paused");
const late = document.getElementById("late");

const mine = new Mine();
const outbox = new Outbox(sent);
let shown = {key: null, view: null, bar: null};
let allLessons = null;
let timer = 0;
let arrivals = 0; // of choices at the service

/** What the views are given. */
const lab = {
  state: null,
  mine,
  kept: {kind: "", text: ""},
  gone,
  choose(round, predictions) {
    if (!isOpen(round)) return;
    Object.assign(mine.rounds[round], predictions);
    outbox.choose(lab.state.question.id, round, predictions);
    update();
  },
  explain(round, text, isDone) {
    // A field that goes away with its view says once more that it has changed.
    if (!isOpen(round)) return;
    const reason = text.replace(/\s+/g, " ");
    mine.reason = reason;
    outbox.explain(lab.state.question.id, round, reason.trim(), isDone);
  },
  allSent: () => outbox.settled(),
  async lessons() {
    if (allLessons === null) {
      const answer = await call("GET", "/api/lessons");
      if (!answer.ok) throw new Error("no lessons");
      allLessons = answer.body;
    }
    return allLessons;
  },
};

function isOpen(round) {
  const {phase, question} = lab.state;
  return (phase === "first" || phase === "second") && question.round === round;
}

/** The class does not know us any more: the page to join says so. */
function gone() {
  location.replace("/");
}

function sent(what, body) {
  if (what === "gone") return gone();
  if (what === "saved") arrivals += 1;
  if (what === "late") {
    late.textContent = say("too_late");
    late.hidden = false;
    return refresh();
  }
  const text = {saved: "saved", waiting: "kept_here", sending: lab.kept.kind === "waiting" ? "kept_here" : "sending"};
  lab.kept =
    what === "refused"
      ? {kind: "refused error", text: body.error || say("no_answer")}
      : {kind: what === "sending" && lab.kept.kind === "waiting" ? "waiting" : what, text: say(text[what])};
  if (what === "refused") refresh();
  else update();
}

/** Ask for what the service has of ours; what has not arrived there yet stays. */
async function refresh() {
  const question = lab.state.question?.id ?? null;
  const before = arrivals;
  const answer = await call("GET", "/api/me");
  if (answer.status === 401) return gone();
  if (!answer.ok) return;
  // It is about another question, or older than what has arrived since.
  if (question !== (lab.state.question?.id ?? null) || before !== arrivals) return refresh();
  mine.take(answer.body, (round) => outbox.pending(question, round));
  document.getElementById("nickname").textContent = mine.nickname;
  isIn(mine.nickname);
  update();
}

function update() {
  // Between two views nothing is there to change.
  if (shown.view === null) return;
  shown.view.update();
  if (shown.bar !== null) shown.bar.update();
}

function make() {
  const {state} = lab;
  const hadFocus = document.activeElement === document.body || place.contains(document.activeElement);
  closeEvidence();
  shown.view = (state.alone && state.phase === "lobby" ? lessons : VIEWS[state.phase])(lab);
  shown.bar = state.alone ? actions(lab) : null;
  place.replaceChildren(shown.view.element, ...(shown.bar === null ? [] : [shown.bar.element]));
  const title = place.querySelector("h1");
  document.title = `${title.textContent} – ${say("lab")}`;
  scrollTo(0, 0);
  if (hadFocus) title.focus({preventScroll: true});
}

function arrived(state) {
  const before = lab.state;
  lab.state = state;
  const {phase, question, alone} = state;
  const isAsked = phase === "first" || phase === "second";
  const isNew = before === null || before.question?.id !== question?.id;
  if (isNew) mine.ask();
  if (before?.phase !== phase) {
    late.hidden = true;
    lab.kept = {kind: "", text: ""};
  }
  outbox.accept(isAsked ? {question: question.id, round: question.round} : null, state.paused);

  paused.hidden = !state.paused;
  document.body.classList.toggle("is-paused", state.paused);
  const key = [phase, question?.id, alone].join(" ");
  if (shown.key === key) update();
  else {
    shown.key = key;
    make();
    if (before !== null) news.textContent = say(`news_${phase}`);
  }
  if (before !== null && before.paused !== state.paused) news.textContent = say(state.paused ? "paused" : "resumed");

  if (before === null || (alone && phase === "lobby")) refresh();
  // Where nothing else is new, answers were reset; where a question or free play is new, there may be some of ours.
  else if (isSame(before, state) || (isNew && phase !== "story") || (phase === "play" && before.phase !== phase)) {
    later();
  }
}

const isSame = (one, other) => JSON.stringify({...one, version: 0}) === JSON.stringify({...other, version: 0});

/** Refresh soon, not at the same moment as the whole class. */
function later() {
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.random() * SPREAD);
}

function leaveAsked() {
  const dialog = el(
    "dialog",
    {"aria-labelledby": "leave-title"},
    el("h2", {id: "leave-title"}, say("leave_ask")),
    el("p", {}, say("leave_text")),
    el(
      "div",
      {class: "line"},
      el("button", {type: "button", click: () => dialog.close()}, say("stay")),
      el("button", {type: "button", class: "first", click: leave}, say("leave")),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function leave() {
  const answer = await call("POST", "/api/leave", {});
  if (!answer.ok && answer.status === 0) return;
  forget();
  location.replace("/");
}

document.getElementById("leave").addEventListener("click", leaveAsked);
let wasLost = false;
const source = listen("/events?face=learner", {
  state: arrived,
  own(own) {
    mine.messages = own.messages;
    update();
  },
  removed: gone,
});
source.addEventListener("error", () => {
  wasLost = true;
});
source.addEventListener("open", () => {
  if (wasLost && lab.state !== null) later();
  if (wasLost) outbox.flush();
  wasLost = false;
});
