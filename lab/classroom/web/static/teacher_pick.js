// Picking a question: a lesson, one of its scenarios, and the cells that the class is asked for.

import {call, el, say} from "./common.js";
import {allow, allowed, attribute, by, cellName, put, sides, table} from "./teacher_page.js";

export class Picker {
  #lessons = [];
  #chosen = new Set();
  #state = null;
  #act;

  constructor(act) {
    this.#act = act;
    by("lesson").addEventListener("change", () => this.#lesson(0));
    by("scenario").addEventListener("change", () => this.#scenario());
    by("pick-default").addEventListener("click", () => this.#choose(this.#picked().default));
    by("pick-all").addEventListener("click", () => this.#choose(this.#picked().cells));
    by("pick-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#pick();
    });
  }

  async load() {
    const answer = await call("GET", "/api/lessons");
    if (!answer.ok) {
      put(by("pick-note"), answer.body.error ?? "");
      return;
    }
    this.#lessons = Array.isArray(answer.body) ? answer.body : answer.body.lessons;
    by("lesson").replaceChildren(
      ...this.#lessons.map((one) => {
        const text = one.course === null ? one.title : say("course_lesson", {course: one.course, title: one.title});
        return el("option", {value: one.name}, text);
      }),
    );
    this.#lesson(0);
    if (this.#state) this.show(this.#state);
  }

  show(state) {
    const before = this.#state;
    this.#state = state;
    if (before === null && state.phase === "lobby") by("pick-box").open = true;
    if (state.phase === "reveal" && before && before.phase !== "reveal") this.#suggest(state.question);
    this.#ready();
  }

  /** Open the picker and go there. */
  enter() {
    by("pick-box").open = true;
    by("lesson").focus();
    by("pick-box").scrollIntoView({block: "start"});
  }

  /** After a question, the one that comes next in the lesson or in the course is preselected. */
  #suggest(question) {
    const place = this.#lessons.findIndex((one) => one.name === question.lesson);
    if (place < 0 || by("pick-box").contains(document.activeElement)) return;
    const scenario = this.#lessons[place].scenarios.findIndex((one) => one.title === question.title) + 1;
    const more = scenario < this.#lessons[place].scenarios.length;
    by("lesson").selectedIndex = more ? place : Math.min(place + 1, this.#lessons.length - 1);
    this.#lesson(more ? scenario : 0);
  }

  /** `scenario` is a place in the list of this lesson: of recordings, not all of its scenarios are in it. */
  #lesson(scenario) {
    const lesson = this.#lessons[by("lesson").selectedIndex];
    by("scenario").replaceChildren(
      ...lesson.scenarios.map((one) =>
        el("option", {value: one.number}, say("scenario_mode", {title: one.title, mode: one.mode})),
      ),
    );
    by("scenario").selectedIndex = scenario;
    put(by("pick-minutes"), lesson.minutes ? say("minutes_demo", {minutes: lesson.minutes}) : "");
    this.#scenario();
  }

  #picked() {
    return this.#lessons[by("lesson").selectedIndex].scenarios[by("scenario").selectedIndex];
  }

  #scenario() {
    const {cells} = this.#picked();
    const {secrets, observers} = sides(cells);
    table(by("pick-cells"), secrets, observers, (cell) => {
      const box = el("input", {type: "checkbox", "data-cell": cell, "aria-label": cellName(cell)});
      box.addEventListener("change", () => {
        if (box.checked) this.#chosen.add(cell);
        else this.#chosen.delete(cell);
        this.#ready();
      });
      return el("td", {}, el("label", {class: "hit"}, box));
    });
    this.#choose(this.#picked().default);
  }

  #choose(cells) {
    this.#chosen = new Set(cells);
    for (const box of by("pick-cells").querySelectorAll("input")) box.checked = this.#chosen.has(box.dataset.cell);
    this.#ready();
  }

  #ready() {
    if (!this.#lessons.length) return;
    put(by("pick-count"), say("cells_chosen", {chosen: this.#chosen.size, of: this.#picked().cells.length}));
    if (this.#state === null) return;
    const now = this.#state.actions.includes("pick");
    allow(by("pick"), now && this.#chosen.size > 0);
    attribute(by("pick"), "class", this.#state.phase === "lobby" ? "first" : "");
    let note = "";
    if (!now) note = say("pick_not_now");
    else if (!this.#chosen.size) note = say("pick_no_cell");
    else if (!["lobby", "reveal"].includes(this.#state.phase)) note = say("pick_ends");
    put(by("pick-note"), note);
  }

  async #pick() {
    if (!allowed(by("pick"))) return;
    const cells = this.#picked().cells.filter((cell) => this.#chosen.has(cell));
    const lesson = by("lesson").value;
    if (await this.#act("pick", {lesson, scenario: this.#picked().number, cells})) {
      by("pick-box").open = false;
      by("work").scrollTop = 0;
      by("main-action").focus();
    }
  }
}
