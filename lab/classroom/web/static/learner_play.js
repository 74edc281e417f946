// The personal message: typed, sent, and where it could be read.

import {call, el, say} from "./common.js";
import {button, heading, verdict} from "./learner_parts.js";

const LONGEST = 300; // characters
const ON_THE_WAY = ["network", "interceptor", "server", "database", "device"];
const ALWAYS = ["network", "server", "database"]; // observers that are there in each mode
const NOT_FOUND = {found: false, verdict: null, excerpt: ""};

function setUp({padded, interceptor, pinned}) {
  const parts = [];
  if (interceptor !== "none") parts.push(say(`interceptor_${interceptor}`));
  if (pinned) parts.push(say("pinned"));
  if (padded) parts.push(say("padded"));
  return parts.length === 0 ? null : el("ul", {}, parts.map((text) => el("li", {}, text)));
}

function where(observer, {found, verdict: judged, excerpt}) {
  const isReadable = judged === null ? found : judged === "exposed";
  return [
    el("dt", {}, observer),
    el(
      "dd",
      {},
      judged === null ? null : verdict(judged),
      judged === null ? say(found ? "found" : "not_found") : "",
      isReadable && excerpt !== "" ? el("q", {dir: "auto", class: "bytes"}, excerpt) : null,
    ),
  ];
}

/** The observers in the order in which the message comes by; until it was judged, only those who found it are told. */
function inOrder(observers) {
  const isJudged = Object.values(observers).some((one) => one.verdict !== null);
  const all = isJudged ? observers : {...Object.fromEntries(ALWAYS.map((name) => [name, NOT_FOUND])), ...observers};
  return Object.entries(all).sort(([one], [other]) => ON_THE_WAY.indexOf(one) - ON_THE_WAY.indexOf(other));
}

function message(one, order) {
  const modes = one.state === "sent" ? order.map((mode) => [mode, one.modes[mode] || {}]) : [];
  return el(
    "li",
    {class: "message arrives"},
    el("p", {class: "text"}, el("span", {dir: "auto"}, one.text), " ", one.tag === "" ? null : el("code", {}, one.tag)),
    el("p", {class: one.state === "failed" ? "error" : "quiet"}, say(`message_${one.state}`)),
    modes.flatMap(([mode, observers]) => [
      el("h3", {}, say("in_mode", {mode})),
      el("dl", {class: "compare"}, inOrder(observers).flatMap(([observer, what]) => where(observer, what))),
    ]),
  );
}

/** One sentence about what is new with a message, for those who do not see it. */
function newsOf(one) {
  const all = Object.values(one.modes).flatMap((observers) => Object.values(observers));
  if (one.state !== "sent") return say(`message_${one.state}`);
  return all.some((what) => what.verdict !== null) ? say("message_judged") : say("message_sent");
}

export function play(lab) {
  const setup = lab.state.play;
  const text = el("input", {
    id: "own", autocomplete: "off", maxlength: String(LONGEST), dir: "auto", enterkeyhint: "send",
    "aria-describedby": "own-error",
  });
  const error = el("p", {class: "error", id: "own-error", role: "alert"});
  const news = el("p", {class: "unseen", role: "status"});
  const list = el("ol", {class: "messages"});
  const none = el("p", {class: "quiet"}, say("no_message"));
  const shown = new Map();
  const sendButton = button(say("send"), () => send(), {class: "first", type: "submit"});

  const send = async () => {
    error.textContent = "";
    if (text.value.trim() === "") {
      error.textContent = say("text_missing");
      text.focus();
      return;
    }
    const answer = await call("POST", "/api/own", {text: text.value.trim()});
    if (answer.ok) text.value = "";
    else if (answer.status === 401) lab.gone();
    // The text stays in its field.
    else error.textContent = answer.status === 0 ? say("not_sent") : answer.body.error || say("not_sent");
    text.focus();
  };

  const update = () => {
    text.readOnly = lab.state.paused;
    none.hidden = lab.mine.messages.length > 0;
    for (const one of lab.mine.messages) {
      const state = JSON.stringify(one);
      const before = shown.get(one.number);
      if (before !== undefined && before.state === state) continue;
      const item = message(one, setup.modes);
      if (before === undefined) list.prepend(item);
      else before.item.replaceWith(item);
      shown.set(one.number, {state, item});
      const said = newsOf(one);
      if (news.textContent !== said) news.textContent = said;
    }
  };
  update();
  return {
    element: el(
      "section",
      {},
      heading(say("play")),
      el("p", {}, say("play_text", {modes: setup.modes.join(", ")})),
      setUp(setup),
      el(
        "form",
        {submit: (event) => event.preventDefault()},
        el("label", {for: "own"}, say("own_text")),
        el("div", {class: "line"}, text, sendButton),
        error,
      ),
      el("h2", {}, say("own_messages")),
      news,
      none,
      list,
    ),
    update,
  };
}
