// The page by which somebody comes into the class.

import {call, say} from "./common.js";
import {forget, wasIn} from "./learner_kept.js";

const form = document.getElementById("join");
const error = document.getElementById("error");
const again = document.getElementById("again");
const button = form.querySelector("button");

/** The code in the address of the QR code, behind # or ?. */
function codeInAddress() {
  const behind = [location.hash.slice(1), location.search.slice(1)];
  return behind.map((text) => new URLSearchParams(text).get("code")).find((code) => code) || "";
}

function wrong(text, field) {
  error.textContent = text;
  for (const name of ["code", "nickname"]) form.elements[name].removeAttribute("aria-invalid");
  if (field === undefined) return;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

async function join(event) {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") === "true") return;
  const {code, nickname} = form.elements;
  if (!code.value.trim()) return wrong(say("code_missing"), code);
  if (!nickname.value.trim()) return wrong(say("nickname_missing"), nickname);
  button.setAttribute("aria-disabled", "true");
  wrong("");
  const answer = await call("POST", "/api/join", {code: code.value.trim(), nickname: nickname.value});
  if (answer.ok) {
    forget();
    return location.replace("/");
  }
  button.removeAttribute("aria-disabled");
  wrong(answer.status === 0 ? say("no_answer") : answer.body.error || say("no_answer"));
}

form.elements.code.value = codeInAddress();
const before = wasIn();
if (before !== "") {
  // The cookie is not known any more: the teacher has removed this learner, or it is another class.
  again.textContent = say("removed");
  again.hidden = false;
  form.elements.nickname.value = before;
}
(form.elements.code.value ? form.elements.nickname : form.elements.code).focus();
form.addEventListener("submit", join);
