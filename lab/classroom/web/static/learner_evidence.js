// The evidence for one cell, layer by layer, over the whole screen of a phone.

import {call, el, say} from "./common.js";
import {button, nameOf} from "./learner_parts.js";

const NARROW = "(max-width: 40rem)";
const HALF = 8; // bytes in a row on a narrow screen: twice as many do not fit
const ROW = /^ *(\d+) {2}((?:[0-9a-f]{2} )*[0-9a-f]{2}) *(.*)$/;

/** Rows of offset, bytes and text, each made into two where it is too wide. Any other line stays as it is. */
function narrow(lines) {
  return lines.flatMap((line) => {
    const found = ROW.exec(line);
    if (found === null) return [line];
    const [, offset, bytes, text] = found;
    const hex = bytes.split(" ");
    if (hex.length <= HALF) return [row(Number(offset), hex, text)];
    return [
      row(Number(offset), hex.slice(0, HALF), text.slice(0, HALF)),
      row(Number(offset) + HALF, hex.slice(HALF), text.slice(HALF)),
    ];
  });
}

const row = (offset, hex, text) => `${String(offset).padStart(5)}  ${hex.join(" ").padEnd(3 * HALF - 1)}  ${text}`;

function layer(one, number) {
  const isBytes = one.lines.length > 0 && one.lines.every((line) => ROW.test(line));
  const lines = isBytes && matchMedia(NARROW).matches ? narrow(one.lines) : one.lines;
  const kind = isBytes ? "dump" : "lines";
  return el(
    "li",
    {},
    el("h3", {}, say("layer", {number: number + 1, title: one.title})),
    one.note === "" ? null : el("p", {}, one.note),
    lines.length === 0
      ? null
      : el("pre", {class: kind, tabindex: "0", role: "region", "aria-label": one.title}, lines.join("\n")),
  );
}

/** Show the evidence for a cell of a question; when it is closed, the focus is where it was. */
export async function showEvidence(question, cell) {
  const close = button(say("close"), () => dialog.close());
  const content = el("div", {"aria-live": "polite"}, el("p", {}, say("loading")));
  const title = el("h2", {id: "evidence-title", tabindex: "-1"}, say("evidence_of", {cell: nameOf(cell)}));
  const dialog = el(
    "dialog",
    {class: "evidence", "aria-labelledby": "evidence-title"},
    el("header", {}, title, close),
    content,
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  title.focus();
  const load = async () => {
    const answer = await call("GET", `/api/evidence/${question}/${encodeURIComponent(cell)}`);
    if (answer.ok) {
      content.replaceChildren(
        el("ol", {class: "layers"}, answer.body.layers.map(layer)),
        el("p", {class: "big"}, answer.body.end),
      );
    } else {
      content.replaceChildren(
        el("p", {class: "error"}, answer.body.error || say("no_answer")),
        button(say("try_again"), load),
      );
    }
  };
  await load();
}

/** Close what is open: another view has come. */
export function closeEvidence() {
  for (const dialog of document.querySelectorAll("dialog.evidence")) dialog.close();
}
