// The question that is on, both votes, where the class is wrong, and what to say about it.

import {call, el, say} from "./common.js";
import {allow, allowed, attribute, by, cellName, each, prose, put, table, verdict} from "./teacher_page.js";

const WORDS = ["exposed", "inferred", "hidden"];

const percent = (share) => say("percent", {number: Math.round(share * 100)});

export class Answers {
  #state = null;
  #question = null;
  #isTold = null;
  #cell = null;
  #selected = null;
  #act;

  constructor(act) {
    this.#act = act;
    by("detail-close").addEventListener("click", () => this.#close());
    by("detail-select").addEventListener("click", (event) => this.#select(event.currentTarget));
    by("detail-evidence").addEventListener("click", (event) => this.#evidence(event.currentTarget));
  }

  show(state) {
    this.#state = state;
    const question = state.question;
    by("question").hidden = question === null;
    by("answers").hidden = question === null || state.phase === "story";
    if (question === null) {
      this.#question = null;
      this.#cell = null;
      return;
    }
    const isTold = state.phase === "story";
    // Once it is told, the answers are what is looked at, and they are to be in sight.
    if (this.#question !== question.id || this.#isTold !== isTold) by("story-box").open = isTold;
    this.#isTold = isTold;
    if (this.#question !== question.id) {
      this.#question = question.id;
      this.#cell = null;
      this.#selected = null;
    }
    if (state.selected !== undefined) this.#selected = state.selected;
    this.#story(question);
    this.#run();
    this.#wrong();
    this.#votes();
    this.#detail();
  }

  #story(question) {
    const state = this.#state;
    const {number, lesson_title: lesson, mode} = question;
    put(by("question-lesson"), say("question_lesson", {number, lesson, mode}));
    put(by("question-title"), question.title);
    put(by("question-minutes"), state.minutes ? say("minutes_both", {demo: state.minutes.demo, self: state.minutes.self_study}) : "");
    prose(by("story"), question.story);
    each(by("steps"), question.steps.map((step, place) => ({...step, place})), (step) => step.place,
      () => el("li", {}, el("strong"), " ", el("span")),
      (item, step) => {
        put(item.children[0], step.keyword);
        put(item.children[1], step.text);
      });
    by("hints-box").hidden = question.hints.length === 0;
    each(by("hints"), question.hints, (hint) => hint, (hint) => el("li", {}, hint), () => {});
    by("ideas-box").hidden = state.misconceptions.length === 0;
    ideas(by("ideas"), state.misconceptions, true);
    each(by("meanings"), [...question.secrets, ...question.observers, ...question.exposures], (one) => one.name,
      (one) => el("div", {}, el("dt", {}, one.name), el("dd", {}, one.means)), () => {});
  }

  #run() {
    const {run, phase} = this.#state;
    by("run").hidden = !run || (phase !== "run" && !run.failed);
    if (!run) return;
    put(by("run-step"), runSays(run));
    by("run-failed").hidden = !run.failed;
    put(by("run-failed"), run.failed);
  }

  /** What is right in a cell, as far as it is known, and who says so. */
  #right(cell) {
    const {measured, key} = this.#state;
    if (measured && measured[cell]) return {word: measured[cell].exposure, measured: measured[cell]};
    return {word: key[cell] ?? null, measured: null};
  }

  #wrong() {
    const {question, measured, wrong} = this.#state;
    const names = (list) => list.map((one) => one.name);
    table(by("wrong"), names(question.secrets), names(question.observers), (cell) => el("td", {"data-cell": cell}, this.#button(cell)));
    put(by("wrong-key"), say(measured ? "key_measured" : "key_claimed"));
    for (const place of by("wrong").querySelectorAll("td[data-cell]")) {
      const cell = place.dataset.cell;
      const asked = question.cells.includes(cell);
      const shares = wrong[cell] ?? {};
      const [first, second] = [shares["1"] ?? null, shares["2"] ?? null];
      const [, share, right, note] = place.firstChild.children;
      const {word} = this.#right(cell);
      put(share, asked ? shareText(first, second, total(last(this.#state.votes[cell]))) : say("not_asked"));
      place.classList.toggle("asked", asked);
      place.style.setProperty("--share", `${Math.round((second ?? first ?? 0) * 100)}%`);
      right.hidden = word === null;
      if (word !== null) {
        attribute(right, "class", `verdict ${word}`);
        put(right, say(word));
      }
      put(note, this.#dispute(cell));
      attribute(place.firstChild, "aria-expanded", String(cell === this.#cell));
    }
  }

  #button(cell) {
    return el("button", {type: "button", class: "cell", "aria-controls": "detail", "aria-expanded": "false", click: () => this.#open(cell)},
      el("span", {class: "unseen"}, `${cellName(cell)}: `), el("span", {class: "share"}), " ", el("span"), " ", el("span", {class: "note"}));
  }

  /** Where the measurement says something else than the lesson. */
  #dispute(cell) {
    const {measured, revealed} = this.#state;
    if (!measured?.[cell]?.disputed) return "";
    const claimed = revealed?.cells[cell]?.claimed;
    return claimed ? say("claimed_other", {claimed: say(claimed)}) : say("claimed_else");
  }

  #votes() {
    const {question, votes} = this.#state;
    each(by("votes").tBodies[0], question.cells, (cell) => cell,
      (cell) => el("tr", {}, el("th", {scope: "row"}, cellName(cell)),
        [1, 2].flatMap((round) => WORDS.map((word) => el("td", {class: `count ${word}`, "data-round": round, "data-word": word},
          el("span", {class: "number"}), el("span", {class: "bar", "aria-hidden": "true"}, el("span"))))),
        el("td")),
      (row, cell) => {
        const {word: right} = this.#right(cell);
        for (const place of row.querySelectorAll("td.count")) {
          const vote = votes[cell]?.[place.dataset.round] ?? null;
          const all = total(vote);
          const number = vote?.[place.dataset.word] ?? 0;
          put(place.children[0], all ? String(number) : "–");
          place.children[1].firstChild.style.width = all ? `${(100 * number) / all}%` : "0";
          place.classList.toggle("right", place.dataset.word === right);
        }
        const place = row.lastElementChild;
        if (place.textContent !== (right === null ? "" : say(right))) place.replaceChildren(...(right === null ? [] : [verdict(right)]));
      });
  }

  #open(cell) {
    if (this.#cell === cell) {
      this.#close();
      return;
    }
    this.#cell = cell;
    this.#forgetEvidence();
    this.#wrong();
    this.#detail();
    by("detail").scrollIntoView({block: "nearest"});
  }

  #close() {
    const cell = this.#cell;
    this.#cell = null;
    this.#wrong();
    this.#detail();
    by("wrong").querySelector(`td[data-cell="${cell}"] button`)?.focus();
  }

  #detail() {
    const cell = this.#cell;
    const state = this.#state;
    by("detail").hidden = cell === null;
    if (cell === null) return;
    const {word, measured} = this.#right(cell);
    put(by("detail-title"), cellName(cell));
    put(by("detail-right"), [rightSays(word, measured), this.#dispute(cell)].filter(Boolean).join(" "));
    put(by("detail-reason"), measured?.reason ? say("right_why", {reason: measured.reason}) : "");
    put(by("detail-said"), said(state.votes[cell]));

    // Where it could not be measured nobody is wrong; what the lesson has to say may help all the same.
    const wrongWords = WORDS.filter((one) => one !== word)
      .filter((one) => state.explain[cell]?.[one] || (word !== "inconclusive" && count(state.votes[cell], one)))
      .sort((one, other) => count(state.votes[cell], other) - count(state.votes[cell], one));
    each(by("detail-explain"), wrongWords, (one) => one,
      () => el("section", {class: "explain"}, el("h4"), el("div", {class: "prose"})),
      (box, one) => {
        put(box.children[0], say("say_to", {word: say(one), count: count(state.votes[cell], one)}));
        prose(box.children[1], state.explain[cell]?.[one] ?? "");
        if (!state.explain[cell]?.[one]) prose(box.children[1], `<p>${say("no_explanation")}</p>`);
      });
    const behind = wrongWords.length ? state.misconceptions : [];
    by("detail-behind").hidden = behind.length === 0;
    ideas(by("detail-ideas"), behind, false);

    const selected = this.#selected === cell;
    const select = by("detail-select");
    put(select, say(selected ? "unselect" : "select"));
    attribute(select, "aria-pressed", String(selected));
    allow(select, state.actions.includes("select"));
    allow(by("detail-evidence"), state.measured !== null);
    put(by("detail-evidence"), say(by("evidence").hidden ? "evidence_show" : "evidence_hide"));
    put(by("detail-later"), state.actions.includes("select") && state.measured !== null ? "" : say("evidence_later"));
  }

  async #select(button) {
    if (!allowed(button)) return;
    const cell = this.#selected === this.#cell ? null : this.#cell;
    if (await this.#act("select", {cell})) {
      this.#selected = cell;
      this.#detail();
    }
  }

  #forgetEvidence() {
    by("evidence").hidden = true;
    by("evidence").replaceChildren();
    attribute(by("detail-evidence"), "aria-expanded", "false");
  }

  async #evidence(button) {
    if (!allowed(button)) return;
    const cell = this.#cell;
    if (!by("evidence").hidden) {
      this.#forgetEvidence();
    } else {
      const answer = await call("GET", `/api/evidence/${this.#question}/${encodeURIComponent(cell)}`);
      if (this.#cell !== cell) return;
      by("evidence").replaceChildren(...(answer.ok ? evidence(answer.body) : [el("p", {class: "error"}, answer.body.error ?? "")]));
      by("evidence").hidden = false;
      attribute(button, "aria-expanded", "true");
    }
    this.#detail();
  }
}

/** Where a run is: `step` steps are done, and `text` is the one that comes next or is being done. */
export function runSays({step, of, text, waiting}) {
  if (of === 0) return say("run_starts");
  if (step === of) return say("run_done", {of});
  return say(waiting ? "run_next" : "run_step", {step: step + 1, of, text});
}

function rightSays(word, measured) {
  if (word === null) return say("right_unknown");
  if (!measured) return say("right_claimed", {word: say(word)});
  const isAsClaimed = !measured.disputed && word !== "inconclusive";
  return say(isAsClaimed ? "right_as_claimed" : "right_measured", {word: say(word)});
}

/** What share was wrong; `answers` is how many there are. Where nothing can be said for sure, none is wrong or right. */
function shareText(first, second, answers) {
  if (first === null && second === null) return say(answers ? "not_gradable" : "no_answers");
  if (second === null) return say("wrong_first", {first: percent(first)});
  if (first === null) return say("wrong_second", {second: percent(second)});
  return say("wrong_both", {first: percent(first), second: percent(second)});
}

const total = (vote) => WORDS.reduce((sum, word) => sum + (vote?.[word] ?? 0), 0);

/** The vote that counts: the second, if anybody has answered in it. */
const last = (rounds) => (total(rounds?.["2"]) ? rounds["2"] : rounds?.["1"]);

/** How many predicted this word when they were last asked. */
const count = (rounds, word) => last(rounds)?.[word] ?? 0;

function said(rounds) {
  const sentences = ["1", "2"].flatMap((round) => {
    const one = rounds?.[round];
    if (!total(one)) return [];
    const list = WORDS.map((word) => `${say(word)} ${one[word] ?? 0}`).join(", ");
    return [say(round === "1" ? "said_first" : "said_second", {list})];
  });
  return sentences.length ? sentences.join(" ") : say("said_nothing");
}

function ideas(parent, misconceptions, sources) {
  each(parent, misconceptions, (one) => one.idea,
    (one) => el("section", {class: "idea"},
      el("p", {}, el("strong", {}, say("idea")), " ", one.idea),
      el("p", {}, el("strong", {}, say("truth")), " ", one.truth),
      !sources ? null : one.studies.length
        ? el("ul", {class: "quiet"}, one.studies.map((study) => el("li", {}, `${study.reference}: ${study.found}`)))
        : el("p", {class: "quiet"}, say("no_study"))),
    () => {});
}

function evidence({layers, end}) {
  return [
    ...layers.map((layer) => el("section", {class: "layer"}, el("h4", {}, layer.title), el("p", {}, layer.note),
      layer.lines.length ? el("pre", {tabindex: "0", "aria-label": layer.title, role: "group"}, layer.lines.join("\n")) : null)),
    el("p", {}, el("strong", {}, end)),
  ];
}
