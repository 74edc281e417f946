// The teacher's page. Each state that arrives is shown in place; what the teacher does is asked of the service, and
// shows when the next state arrives.

import {call, listen, say} from "./common.js";
import {Answers, runSays} from "./teacher_answers.js";
import {Learners} from "./teacher_learners.js";
import {everyone, Now} from "./teacher_now.js";
import {allow, allowed, by, put} from "./teacher_page.js";
import {Picker} from "./teacher_pick.js";
import {Play} from "./teacher_play.js";

const KEYS_ON = "lab-teacher-keys";

let state = null;

async function act(action, values = {}) {
  const answer = await call("POST", "/api/act", {action, ...values});
  complain(answer.ok ? "" : answer.body.error ?? say("not_done"));
  return answer.ok;
}

function complain(sentence) {
  by("trouble").hidden = sentence === "";
  put(by("trouble"), sentence);
}

const picker = new Picker(act);
const now = new Now(act, () => picker.enter());
const views = [now, new Play(act), new Answers(act), picker, new Learners(act)];

function show(next) {
  const before = state;
  state = next;
  if (before && before.phase !== next.phase) complain("");
  put(by("address"), next.url);
  put(by("code"), next.code);
  by("loopback").hidden = next.lan;
  const pause = by("pause");
  put(pause, say(next.paused ? "resume" : "pause"));
  allow(pause, next.actions.includes(next.paused ? "resume" : "pause"));
  for (const view of views) view.show(next);
  put(by("news"), news(before, next) ?? by("news").textContent);
}

/** What is worth saying aloud: not each vote, but what the class comes to. */
function news(before, next) {
  if (before === null || before.phase !== next.phase) return say(`phase_${next.phase}`);
  if (before.paused !== next.paused) return say(next.paused ? "is_paused" : "goes_on");
  if (next.run && !before.run?.measured && next.run.measured) return say("next_run_measured");
  if (next.run && runSays(next.run) !== (before.run && runSays(before.run))) return runSays(next.run);
  if (["first", "second"].includes(next.phase) && !everyone(before) && everyone(next)) return say("next_all_answered");
  return null;
}

by("pause").addEventListener("click", (event) => {
  if (allowed(event.currentTarget)) act(state.paused ? "resume" : "pause");
});

// Shortcuts are single letters, so they can be switched off, and they are none while somebody types or answers a question.
const shortcuts = {n: () => by("main-action").click(), p: () => by("pause").click(), l: () => by("find").focus()};
const keysOn = by("keys-on");
keysOn.checked = localStorage.getItem(KEYS_ON) !== "no";
keysOn.addEventListener("change", () => localStorage.setItem(KEYS_ON, keysOn.checked ? "yes" : "no"));
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, dialog") !== null;
  if (!keysOn.checked || isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const shortcut = shortcuts[event.key.toLowerCase()];
  if (!shortcut) return;
  event.preventDefault();
  shortcut();
});

picker.load();
listen("/events?face=teacher", {state: show});
