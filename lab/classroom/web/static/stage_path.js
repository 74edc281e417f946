// The path of a message: who stands on it, and in words whether the connection from the one before is encrypted.

import {el, say} from "./common.js";

function link(text) {
  return el("li", {class: "link"}, el("span", {}, text), el("span", {class: "arrow", "aria-hidden": "true"}));
}

function encrypted(stop) {
  const item = link(say(stop.encrypted ? "encrypted" : "not_encrypted"));
  item.classList.add(stop.encrypted ? "with-tls" : "in-the-clear");
  return item;
}

function stand(text, kind) {
  return el("li", {class: `stand ${kind}`}, text);
}

function named(stop) {
  if (stop.name === "") return stand(say("service"), "service");
  if (stop.name === "network" || stop.name === "server") return stand(say("tap", {observer: stop.name}), "tap");
  return stand(stop.name, "tap");
}

/** The stops from one phone to the others. The service and its storage stand in one place, one above the other. */
export function path(stops, people) {
  const [first, ...others] = people.length ? people : ["alice", "bob"];
  const items = [stand(say("phone", {who: first}), "phone")];
  for (const stop of stops) {
    if (stop.name === "database") {
      items.at(-1).append(el("span", {class: "inside"}, say(stop.encrypted ? "encrypted" : "not_encrypted")),
        el("span", {class: "storage"}, say("its_database")));
    } else items.push(encrypted(stop), named(stop));
  }
  items.push(link(say("same_way_back")), stand((others.length ? others : [first]).map((who) => el("span", {}, say("phone", {who}))), "phone"));
  return el("ol", {class: "path", "aria-label": say("path")}, items);
}
