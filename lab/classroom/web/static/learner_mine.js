// What the learner has said so far to the present question, as far as this page knows. No page here.


export class Mine {
  nickname = "";
  messages = [];
  progress = [];
  rounds = {1: {}, 2: {}}; // predictions by cell
  reason = "";

  /** Another question begins, of which nothing is known yet. */
  ask() {
    this.rounds = {1: {}, 2: {}};
    this.reason = "";
  }

  /** What GET /api/me says; what has not arrived there yet (`pending`, by round) is newer. */
  take(me, pending) {
    this.nickname = me.nickname;
    this.messages = me.own.messages;
    this.progress = me.progress;
    this.reason = me.reason;
    for (const round of [1, 2]) {
      const {predictions, reason} = pending(round);
      this.rounds[round] = {...me.round_of[round], ...predictions};
      if (reason !== null) this.reason = reason;
    }
  }

  /** The word for this cell in a round, or undefined. */
  said(round, cell) {
    return this.rounds[round][cell];
  }

  /** What counts in the end: the second round where something was sent there, else the first. */
  counts(cell) {
    return this.said(2, cell) ?? this.said(1, cell);
  }
}
