// Choices on their way to the service. Whatever does not arrive is kept, also when the page is closed, and sent again.

import {call} from "./common.js";
import {keepOutbox, keptOutbox} from "./learner_kept.js";

const PATIENCE = 10000; // milliseconds until a request counts as lost
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 15000;
const TYPING = 800; // a reason is sent when nothing was typed for so long

/** `tell(what, body)` is told "sending", "saved" (with the answer), "waiting" (kept, sent again later), "refused" (with
    the error), "late" (the round was closed before everything arrived) and "gone" (the class does not know us). */
export class Outbox {
  #tell;
  #entry = keptOutbox(); // {question, round, predictions, reason: text or null}
  #open = null; // {question, round}: what is accepted now
  #paused = true; // until the first state has come
  #busy = false;
  #wait = FIRST_WAIT;
  #timer = 0;
  #sending = Promise.resolve();

  constructor(tell) {
    this.#tell = tell;
    addEventListener("online", () => this.flush());
    addEventListener("pagehide", () => this.flush());
  }

  /** What has not arrived yet of this round. */
  pending(question, round) {
    if (!this.#isFor(question, round)) return {predictions: {}, reason: null};
    return {predictions: {...this.#entry.predictions}, reason: this.#entry.reason};
  }

  /** What is accepted now, null if nothing is; while `paused`, what is kept waits. */
  accept(open, paused) {
    this.#open = open;
    this.#paused = paused;
    this.#settle();
    this.flush();
  }

  choose(question, round, predictions) {
    const entry = this.#forRound(question, round);
    this.#keep({...entry, predictions: {...entry.predictions, ...predictions}});
    this.flush();
  }

  /** One line of reason, while it is typed (`done` when the field is left). */
  explain(question, round, reason, done) {
    this.#keep({...this.#forRound(question, round), reason});
    if (done) this.flush();
    else this.#later(TYPING);
  }

  /** Send what is kept, now. */
  flush() {
    clearTimeout(this.#timer);
    if (this.#busy || this.#paused || this.#entry === null || !this.#isOpen()) return;
    this.#sending = this.#send(this.#entry);
  }

  /** Whether everything has arrived, once what is on its way was answered. */
  async settled() {
    this.flush();
    await this.#sending;
    return this.#entry === null;
  }

  async #send(sent) {
    const {reason, ...data} = sent;
    this.#busy = true;
    this.#tell("sending");
    const answer = await call("PUT", "/api/answers", reason === null ? data : {...data, reason}, PATIENCE);
    this.#busy = false;
    if (answer.ok) this.#arrived(sent, answer.body);
    else if (!this.#paused && !this.#isOpen()) this.#settle();
    else if (answer.status === 401) this.#tell("gone");
    else if (answer.status >= 400 && answer.status < 500 && answer.status !== 409 && answer.status !== 429) {
      // It would be refused each time.
      if (this.#entry === sent) this.#keep(null);
      this.#tell("refused", answer.body);
      this.flush();
    } else {
      // No answer, too many at once, or closed: in that case a new state is on its way and decides.
      this.#tell("waiting");
      this.#later(this.#wait * (0.5 + Math.random() / 2));
      this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
    }
  }

  #arrived(sent, body) {
    this.#wait = FIRST_WAIT;
    if (this.#entry !== null && this.#isFor(sent.question, sent.round)) {
      const left = Object.entries(this.#entry.predictions).filter(([cell, word]) => sent.predictions[cell] !== word);
      const reason = this.#entry.reason === sent.reason ? null : this.#entry.reason;
      const nothing = left.length === 0 && reason === null;
      this.#keep(nothing ? null : {...this.#entry, predictions: Object.fromEntries(left), reason});
    }
    this.#tell("saved", body);
    this.#settle();
    if (this.#entry !== null) this.#later(this.#entry.reason === null ? 0 : TYPING);
  }

  /** What is kept for a round that is over cannot arrive any more; what is on its way still may. */
  #settle() {
    if (this.#entry === null || this.#paused || this.#busy || this.#isOpen()) return;
    this.#keep(null);
    this.#tell("late");
  }

  #isOpen() {
    return this.#open !== null && this.#isFor(this.#open.question, this.#open.round);
  }

  #forRound(question, round) {
    return this.#isFor(question, round) ? this.#entry : {question, round, predictions: {}, reason: null};
  }

  #isFor(question, round) {
    return this.#entry !== null && this.#entry.question === question && this.#entry.round === round;
  }

  #keep(entry) {
    this.#entry = entry;
    keepOutbox(entry);
  }

  #later(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), milliseconds);
  }
}
