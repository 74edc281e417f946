// What the learner has said so far to the present question, as far as this page knows. No page here.

const nothing = () => ({1: {predictions: {}, reason: ""}, 2: {predictions: {}, reason: ""}});

export class Mine {
  nickname = "";
  messages = [];
  progress = [];
  rounds = nothing();
  question = null;

  /** Another question begins, of which nothing is known yet. */
  ask(question) {
    this.question = question;
    this.rounds = nothing();
  }

  /** What GET /api/me says; what has not arrived there yet (`pending`, by round) is newer. */
  take(me, pending) {
    this.nickname = me.nickname;
    this.messages = me.own.messages;
    this.progress = me.progress;
    for (const round of [1, 2]) {
      const {predictions, reason} = pending(round);
      const known = me.round_of[round] || {predictions: {}, reason: ""};
      this.rounds[round] = {
        predictions: {...known.predictions, ...predictions},
        reason: reason === null ? known.reason || "" : reason,
      };
    }
  }

  /** The word for this cell in a round, or undefined. */
  said(round, cell) {
    return this.rounds[round].predictions[cell];
  }

  /** What counts in the end: the second round where something was sent there, else the first. */
  counts(cell) {
    return this.said(2, cell) ?? this.said(1, cell);
  }
}
