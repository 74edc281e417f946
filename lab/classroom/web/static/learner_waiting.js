// The views in which the learner reads, talks or watches. Each is {element, update}.

import {el, say} from "./common.js";
import {answers, heading, storyAgain, storyParts} from "./learner_parts.js";

const still = () => {};

/** Nothing is said twice to those who listen to the page. */
function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

export const lobby = () => ({
  element: el("section", {}, heading(say("lobby")), el("p", {class: "big"}, say("lobby_text"))),
  update: still,
});

export function story({state}) {
  const {question, alone} = state;
  return {
    element: el(
      "section",
      {},
      el("p", {class: "quiet"}, question.lesson_title),
      heading(question.title),
      alone ? null : el("p", {class: "note"}, say("story_text")),
      storyParts(question),
    ),
    update: still,
  };
}

/** A list of one's own answers that is made anew only when they changed. */
function ownAnswers(lab) {
  const place = el("div");
  let shown = "";
  const update = () => {
    const now = JSON.stringify(lab.mine.rounds);
    if (now === shown) return;
    shown = now;
    place.replaceChildren(answers(lab.state.question, lab.mine));
  };
  update();
  return {place, update};
}

function withAnswers(lab, title, text) {
  const own = ownAnswers(lab);
  return {
    element: el(
      "section",
      {},
      heading(title),
      el("p", {class: "big"}, text),
      el("h2", {}, say("own_answers")),
      own.place,
      storyAgain(lab.state.question),
    ),
    update: own.update,
  };
}

export const discuss = (lab) => withAnswers(lab, say("discuss"), say("discuss_text"));

export const closed = (lab) =>
  lab.state.alone
    ? withAnswers(lab, say("closed_alone"), say("closed_alone_text"))
    : withAnswers(lab, say("closed"), say("closed_text"));

export function run(lab) {
  const own = ownAnswers(lab);
  const where = el("p", {class: "quiet"});
  const what = el("p", {class: "big step"});
  const update = () => {
    own.update();
    const {step, of, text, measured, failed} = lab.state.run;
    const alone = lab.state.alone;
    const isStarting = of === 0;
    put(where, isStarting ? "" : step < of ? say("step", {step: step + 1, of}) : say("steps_done", {of}));
    if (failed) put(what, failed);
    else if (isStarting) put(what, say("starting"));
    else if (measured) put(what, say(alone ? "measured_alone" : "measured"));
    else put(what, step < of ? text : say("judging"));
    what.classList.toggle("error", failed !== "");
  };
  update();
  return {
    element: el(
      "section",
      {},
      heading(say(lab.state.alone ? "run_alone" : "run")),
      el("div", {role: "status"}, where, what),
      el("h2", {}, say("own_answers")),
      own.place,
      storyAgain(lab.state.question),
    ),
    update,
  };
}
