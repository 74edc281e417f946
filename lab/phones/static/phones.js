"use strict";

// What was typed is only ever put in as text (textContent), never as markup.

const PAUSE = 1500; // milliseconds between two looks for messages that were typed in another window
const phones = [...document.querySelectorAll(".phone")];
const news = document.getElementById("news");
let shown = 0;

function piece(kind, text) {
  const span = document.createElement("span");
  span.className = kind;
  span.textContent = text;
  return span;
}

function show(message, announce) {
  if (message.number <= shown) return;
  shown = message.number;
  const [, text, tag] = /^([^]*) (\[[0-9a-f]{16}\])$/.exec(message.text) || ["", message.text, ""];
  for (const phone of phones) {
    const item = document.createElement("li");
    const mine = phone.dataset.who === message.who;
    if (mine) item.className = "mine";
    const words = piece("text", text);
    words.dir = "auto";
    item.append(piece("from", mine ? "You" : message.sender), words, piece("tag", tag));
    const list = phone.querySelector(".messages");
    list.append(item);
  }
  toTheEnd();
  if (announce) {
    const line = document.createElement("span");
    line.textContent = `${message.who} wrote: ${text}. `;
    news.append(line);
  }
}

function toTheEnd() {
  for (const list of document.querySelectorAll(".messages")) list.scrollTop = list.scrollHeight;
}

async function look(announce) {
  const answer = await fetch(`messages?after=${shown}`);
  if (answer.ok) for (const message of (await answer.json()).messages) show(message, announce);
}

async function send(phone, event) {
  event.preventDefault();
  const field = phone.querySelector("input");
  const button = phone.querySelector("button");
  const error = phone.querySelector(".error");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  error.textContent = "";
  try {
    const answer = await fetch("send", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({who: phone.dataset.who, text: field.value}),
    });
    if (answer.ok) {
      field.value = "";
      await look(true);
    } else if (answer.headers.get("Content-Type").startsWith("application/json")) {
      error.textContent = (await answer.json()).error;
    } else {
      error.textContent = await answer.text();
    }
  } catch {
    error.textContent = "The lab does not answer. Is “lab up” still running?";
  } finally {
    button.removeAttribute("aria-disabled");
    field.focus();
  }
}

async function keepLooking() {
  try {
    if (!document.hidden) await look(true);
  } catch {
    // The lab has ended; whoever sends is told.
  }
  setTimeout(keepLooking, PAUSE);
}

addEventListener("resize", toTheEnd);
for (const phone of phones) phone.querySelector("form").addEventListener("submit", (event) => send(phone, event));
look(false).catch(() => {}).finally(() => setTimeout(keepLooking, PAUSE));
