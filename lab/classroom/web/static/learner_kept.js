// What this browser keeps by itself: choices that have not arrived yet, how many hints were opened, and the nickname,
// to say so if the class no longer knows it. A browser that keeps nothing for us works too, until its page is closed.

const OUTBOX = "lab-outbox";
const HINTS = "lab-hints";
const NICKNAME = "lab-nickname";

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

function write(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Nothing can be kept here; what is in memory is enough until the page is closed.
  }
}

export const keptOutbox = () => read(OUTBOX);
export const keepOutbox = (entry) => write(OUTBOX, entry);

/** How many hints were opened for this question. */
export function hintsOpened(question) {
  const kept = read(HINTS);
  return kept !== null && kept.question === question ? kept.opened : 0;
}

export const openHints = (question, opened) => write(HINTS, {question, opened});

/** The nickname with which this browser was in a class and has not left it, or "". */
export const wasIn = () => read(NICKNAME) || "";
export const isIn = (nickname) => write(NICKNAME, nickname);

/** Forget everything: somebody joins or leaves. */
export function forget() {
  for (const name of [OUTBOX, HINTS, NICKNAME]) write(name, null);
}
