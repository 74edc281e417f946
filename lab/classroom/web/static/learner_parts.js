// Pieces of page that several views of the learner need.

import {el, say} from "./common.js";

/** A verdict word, told apart by word and border first. */
export const verdict = (exposure) => el("span", {class: `verdict ${exposure}`}, say(exposure));

export function nameOf(cell) {
  const [secret, observer] = cell.split("@");
  return say("cell", {secret, observer});
}

export function askAbout(cell) {
  const [secret, observer] = cell.split("@");
  return say("ask", {secret, observer});
}

/** What a word of the question means: `kind` is secrets, observers or exposures. */
export function meaning(question, kind, name) {
  const found = question[kind].find((one) => one.name === name);
  return found === undefined ? "" : found.means;
}

/** Prose of the lesson, which the service has made from its Markdown: markup of ours, not of a person in the class. */
export function prose(html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  for (const wide of made.content.querySelectorAll("pre, table")) wide.tabIndex = 0;
  return el("div", {class: "prose"}, made.content);
}

/** A button; on `paused` pages and while it works it does nothing, but keeps the focus. */
export function button(text, act, attributes = {}) {
  const made = el("button", {type: "button", ...attributes}, text);
  made.addEventListener("click", async () => {
    if (made.getAttribute("aria-disabled") === "true") return;
    made.setAttribute("aria-disabled", "true");
    try {
      await act();
    } finally {
      made.removeAttribute("aria-disabled");
    }
  });
  return made;
}

const defined = (list) => el("dl", {}, list.flatMap((one) => [el("dt", {}, one.name), el("dd", {}, one.means)]));

const steps = (question) =>
  el("ol", {class: "steps"}, question.steps.map((one) => el("li", {}, el("b", {}, one.keyword), " ", one.text)));

/** The story, what is going to happen, and the words. */
export function storyParts(question) {
  return [
    question.story === "" ? null : prose(question.story),
    el("h2", {}, say("steps")),
    el("p", {class: "quiet"}, say("mode_is", {mode: question.mode})),
    steps(question),
    el("h2", {}, say("words")),
    el("h3", {}, say("words_secrets")),
    defined(question.secrets),
    el("h3", {}, say("words_observers")),
    defined(question.observers),
    el("h3", {}, say("words_exposures")),
    el(
      "dl",
      {},
      question.exposures.flatMap((one) => [el("dt", {}, verdict(one.name)), el("dd", {}, one.means)]),
    ),
  ];
}

/** The same, folded. */
export const storyAgain = (question) =>
  el("details", {class: "again"}, el("summary", {}, say("story_again")), storyParts(question));

/** What the learner has said, cell by cell. */
export function answers(question, mine) {
  return el(
    "dl",
    {class: "answers"},
    question.cells.flatMap((cell) => {
      const said = mine.counts(cell);
      return [
        el("dt", {}, nameOf(cell)),
        el("dd", {}, said === undefined ? el("span", {class: "quiet"}, say("not_predicted")) : verdict(said)),
      ];
    }),
  );
}

/** The heading of a view, which is given the focus when the view comes. */
export const heading = (text) => el("h1", {tabindex: "-1"}, text);
