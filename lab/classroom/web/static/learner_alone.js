// Self-study: what a teacher does in a class, the learner does here, one thing after the other.

import {call, el, say} from "./common.js";
import {hintsOpened, openHints} from "./learner_kept.js";
import {button, heading} from "./learner_parts.js";

/** A row of buttons with a place for what went wrong. `make` is given `doing`, which asks for an action. */
function controls(lab, make) {
  const error = el("p", {class: "error", role: "alert"});
  const doing = (action, values = {}) => async () => {
    error.textContent = "";
    const answer = await call("POST", "/api/act", {action, ...values});
    if (answer.status === 401) lab.gone();
    else if (!answer.ok) error.textContent = (answer.status !== 0 && answer.body.error) || say("no_answer");
  };
  return {element: el("div", {class: "bar"}, error, make(doing, error)), doing};
}

/** What can be done in this phase, or null. */
export function actions(lab) {
  const {phase} = lab.state;
  if (phase === "reveal") return goOn(lab);
  return phase in OFFERED ? offered(lab, OFFERED[phase]) : null;
}

const OFFERED = {
  story: [["all_lessons", "lobby"], ["begin", "open"]],
  closed: [["all_lessons", "lobby"], ["start", "run"]],
  run: [["stop", "stop"], ["rest", "rest"], ["do_step", "step"], ["show_result", "reveal"]],
};

/** Buttons for actions; those that are not possible now are not shown. The last one is the next thing to do. */
function offered(lab, names) {
  const buttons = new Map();
  const made = controls(lab, (doing) =>
    names.map(([name, action]) => {
      buttons.set(action, button(say(name), doing(action)));
      return buttons.get(action);
    }),
  );
  const update = () => {
    const focused = document.activeElement;
    const isHere = made.element.contains(focused);
    const shown = [];
    for (const [action, one] of buttons) {
      // A run that was measured is left by its result.
      one.hidden = !lab.state.actions.includes(action) || (action === "stop" && lab.state.run.measured);
      if (!one.hidden) shown.push(one);
    }
    for (const one of buttons.values()) one.classList.toggle("first", one === shown.at(-1));
    // Where the button that was pressed is gone now, the next thing to do is given the focus.
    if (isHere && focused.hidden) (shown.at(-1) || document.querySelector("h1")).focus();
  };
  update();
  return {element: made.element, update};
}

/** The scenario after this one in the lessons' own order, or null. */
function after(lessons, question) {
  const all = lessons.flatMap((lesson) => lesson.scenarios.map((scenario) => ({lesson, scenario})));
  const at = all.findIndex(
    ({lesson, scenario}) => lesson.name === question.lesson && scenario.title === question.title,
  );
  return all[at + 1] || null;
}

function goOn(lab) {
  const next = button("", () => go(), {class: "first", hidden: true});
  let go = () => {};
  const made = controls(lab, () => [button(say("all_lessons"), () => home()), next]);
  const home = made.doing("lobby");
  const {question} = lab.state;
  const load = async () => {
    const found = after(await lab.lessons(), question);
    if (found === null) return;
    const {lesson, scenario} = found;
    next.textContent = say("next_part", {title: scenario.title});
    next.hidden = false;
    go = made.doing("pick", {lesson: lesson.name, scenario: scenario.number});
  };
  // Without the list there is the way back to it.
  load().catch(() => {});
  return {element: made.element, update: () => {}};
}

/** To lock the predictions: afterwards they can be looked at, not changed. */
export function lock(lab) {
  const made = controls(lab, (doing, error) => [
    el("p", {class: "quiet"}, say("lock_text")),
    button(
      say("lock"),
      async () => {
        if (await lab.allSent()) await doing("close")();
        else error.textContent = say("not_all_sent");
      },
      {class: "first"},
    ),
  ]);
  made.element.classList.add("loose");
  return made.element;
}

/** Hints, one more at each press; how many are open is kept. */
export function hints(lab) {
  const {question} = lab.state;
  if (question.hints.length === 0) return null;
  const list = el("ol", {"aria-live": "polite"});
  const more = button("", () => {
    openHints(question.id, hintsOpened(question.id) + 1);
    show();
  });
  const none = el("p", {class: "quiet", tabindex: "-1"}, say("no_more_hints"));
  const show = () => {
    const opened = Math.min(hintsOpened(question.id), question.hints.length);
    for (const text of question.hints.slice(list.children.length, opened)) list.append(el("li", {}, text));
    const isAll = opened === question.hints.length;
    none.hidden = !isAll;
    if (isAll && document.activeElement === more) none.focus();
    more.hidden = isAll;
    more.textContent = say(opened === 0 ? "hint" : "another_hint", {number: opened + 1, of: question.hints.length});
  };
  show();
  return el("section", {class: "hints", "aria-label": say("hints")}, list, more, none);
}

function lessonItem(lab, lesson, doing) {
  const results = lesson.scenarios.map((scenario) =>
    lab.mine.progress.findLast((one) => one.lesson === lesson.name && one.title === scenario.title),
  );
  const done = results.filter((one) => one !== undefined).length;
  return el(
    "li",
    {},
    el(
      "details",
      {},
      el(
        "summary",
        {},
        el("b", {}, lesson.title),
        " ",
        el("span", {class: "quiet"}, say("lesson_done", {done, of: lesson.scenarios.length})),
      ),
      el(
        "ul",
        {class: "rows"},
        lesson.scenarios.map((scenario, place) =>
          el(
            "li",
            {},
            el("span", {class: "name"}, scenario.title),
            el("span", {class: "quiet"}, results[place] ? say("part_right", results[place]) : say("part_new")),
            button(say(results[place] ? "again" : "pick"), doing("pick", {lesson: lesson.name, scenario: scenario.number}), {
              "aria-label": say(results[place] ? "again_part" : "pick_part", {title: scenario.title}),
            }),
          ),
        ),
      ),
    ),
  );
}

/** All lessons with what was done of them. */
export function lessons(lab) {
  const list = el("ol", {class: "lessons"});
  const next = el("p", {});
  const trouble = el("div", {});
  const made = controls(lab, () => []);
  let known = null;
  let shown = "";

  const update = () => {
    const state = JSON.stringify(lab.mine.progress);
    if (known === null || state === shown) return;
    shown = state;
    const opened = [...list.querySelectorAll("details")].map((one) => one.open);
    list.replaceChildren(...known.map((lesson) => lessonItem(lab, lesson, made.doing)));
    [...list.querySelectorAll("details")].forEach((one, number) => {
      one.open = opened[number] === true;
    });
    const isDone = (lesson, scenario) =>
      lab.mine.progress.some((one) => one.lesson === lesson.name && one.title === scenario.title);
    const lesson = known.find((one) => one.scenarios.some((scenario) => !isDone(one, scenario)));
    if (lesson === undefined) return next.replaceChildren(say("all_done"));
    const {number, title} = lesson.scenarios.find((one) => !isDone(lesson, one));
    next.replaceChildren(
      button(say("go_on_with", {title}), made.doing("pick", {lesson: lesson.name, scenario: number}), {class: "first"}),
    );
  };

  const load = async () => {
    trouble.replaceChildren();
    try {
      known = await lab.lessons();
      update();
    } catch {
      const error = el("p", {class: "error", role: "alert"}, say("no_answer"));
      trouble.replaceChildren(error, button(say("try_again"), load));
    }
  };
  load();
  return {
    element: el(
      "section",
      {},
      heading(say("lessons")),
      el("p", {}, say("lessons_text")),
      made.element,
      trouble,
      next,
      list,
    ),
    update,
  };
}
