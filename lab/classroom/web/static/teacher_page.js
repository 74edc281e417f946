// Small helpers of the teacher's page. All of them change only what is another thing now, so that focus, selection and
// scroll position stay when a new state arrives.

import {el, say} from "./common.js";

const written = new WeakMap();

export const by = (id) => document.getElementById(id);

export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Markup of the lesson's own author, which the service has made safe; never what a learner typed. */
export function prose(element, html) {
  if (written.get(element) === html) return;
  written.set(element, html);
  element.innerHTML = html;
}

export function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** One child of `parent` for each item, made once, kept by its key, and brought up to date. */
export function each(parent, items, key, make, update) {
  const wanted = new Map(items.map((item) => [String(key(item)), item]));
  for (const child of [...parent.children]) if (!wanted.has(child.dataset.key)) child.remove();
  const kept = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const [name, item] of wanted) {
    let child = kept.get(name);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
}

/** A button that cannot be used now stays in its place, and says why in the text beside it. */
export function allow(button, possible, note = null, why = "") {
  attribute(button, "aria-disabled", String(!possible));
  if (note) put(note, possible ? "" : why);
}

export const allowed = (button) => button.getAttribute("aria-disabled") !== "true";

export const parts = (cell) => cell.split("@");

export function cellName(cell) {
  const [secret, observer] = parts(cell);
  return say("cell", {secret, observer});
}

/** The secrets and the observers of these cells, each once, in their order. */
export function sides(cells) {
  const [secrets, observers] = [0, 1].map((side) => [...new Set(cells.map((cell) => parts(cell)[side]))]);
  return {secrets, observers};
}

/** Draw the frame of a table of secrets and observers, if it is not drawn yet; `make` gives what stands in a cell. */
export function table(element, secrets, observers, make) {
  const drawn = JSON.stringify([secrets, observers]);
  if (element.dataset.drawn === drawn) return false;
  element.dataset.drawn = drawn;
  element.tHead.replaceChildren(el("tr", {}, el("td"), observers.map((name) => el("th", {scope: "col"}, name))));
  element.tBodies[0].replaceChildren(
    ...secrets.map((secret) =>
      el("tr", {}, el("th", {scope: "row"}, secret), observers.map((observer) => make(`${secret}@${observer}`))),
    ),
  );
  return true;
}

export const verdict = (word) => el("span", {class: `verdict ${word}`}, say(word));

/** Ask in the page; true if the teacher means it. */
export function sure(title, text, yes) {
  const box = by("sure");
  put(by("sure-title"), title);
  put(by("sure-text"), text);
  put(by("sure-yes"), yes);
  box.returnValue = "";
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener("close", () => resolve(box.returnValue === "yes"), {once: true});
  });
}

by("sure-no").addEventListener("click", () => by("sure").close(""));
by("sure-yes").addEventListener("click", () => by("sure").close("yes"));
