// What all faces share. Whatever a person typed reaches the page as text (textContent), never as markup.

const words = JSON.parse(document.getElementById("words").textContent);

/** The string with this key, {names} in braces filled in. */
export function say(key, values = {}) {
  const text = words[key];
  if (text === undefined) throw new Error(`no string ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** An element with attributes ("class", "data-x", "aria-…"; a function is an event handler, true an attribute without
    value, false and null none) and children (elements or text). */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Ask the service: {ok, status, body}. What goes wrong on the way is {ok: false, status: 0, body: {error}}; so is an
    answer that is not there after `patience` milliseconds, if given. */
export async function call(method, path, data, patience) {
  try {
    const answer = await fetch(path, {
      method,
      signal: patience === undefined ? undefined : AbortSignal.timeout(patience),
      headers: data === undefined ? {} : {"Content-Type": "application/json"},
      body: data === undefined ? undefined : JSON.stringify(data),
      cache: "no-store",
    });
    const isJson = (answer.headers.get("Content-Type") || "").startsWith("application/json");
    return {ok: answer.ok, status: answer.status, body: isJson ? await answer.json() : {}};
  } catch {
    return {ok: false, status: 0, body: {error: say("connection_lost")}};
  }
}

/** Be told of everything that changes: handlers by the name of the event ("state", "own"), each given its data. The
    browser connects again by itself; a note at the end of the page says while it cannot. */
export function listen(path, handlers) {
  const note = document.getElementById("connection");
  const source = new EventSource(path);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  source.addEventListener("open", () => {
    note.hidden = true;
  });
  source.addEventListener("error", () => {
    note.textContent = say("connection_lost");
    note.hidden = false;
    // A browser gives up for good where it was answered with anything else than a stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  });
  return source;
}
