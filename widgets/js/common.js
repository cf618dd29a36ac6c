// What all views share. Text from samples and models enters the page through `h` and `plain` only: as text nodes, never as markup.

/** Control characters and changes of writing direction made visible. */
const plain = (text) =>
  String(text ?? "").replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

/** An element. `props`: `class`, `on<event>` functions, `data-*`, `aria-*` and other attributes; children: nodes, texts, null, arrays. */
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : plain(c))));
  return node;
}

/** A drawing made by `drawing.py`, which escapes all text in it. */
const drawing = (svg) => document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);

/** Ask the view's Python (`on_<type>`); resolves with its answer, rejects with its error. */
function ask(model, type, values = {}) {
  const req = crypto.randomUUID?.() ?? String(Math.random());
  return new Promise((resolve, reject) => {
    const heard = (message) => {
      if (message?.req !== req) return;
      model.off("msg:custom", heard);
      if (message.error) reject(new Error(message.error));
      else resolve(message);
    };
    model.on("msg:custom", heard);
    model.send({ ...values, type, req });
  });
}

/** A function that starts `work` (a promise); asked again meanwhile, it starts once more when the answer is there, with what holds then. */
function oneAtATime(work) {
  let busy = false, stale = false;
  return function start() {
    stale = true;
    if (busy) return;
    busy = true;
    stale = false;
    work().finally(() => { busy = false; if (stale) start(); });
  };
}

/** Set synced traits and send them at once. */
function put(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

/** Call `redraw` now and whenever one of the traits changes; the returned function stops that. */
function follow(model, names, redraw) {
  for (const name of names) model.on(`change:${name}`, redraw);
  redraw();
  return () => names.forEach((name) => model.off(`change:${name}`, redraw));
}

/** A line that screen readers speak and everybody sees: progress, outcomes, errors. */
function statusLine() {
  const node = h("div", { class: "lt-status", role: "status", "aria-live": "polite" });
  return { node, say: (text, bad = false) => { node.textContent = plain(text); node.classList.toggle("lt-bad", bad); } };
}

/** The outermost element of a view: it takes the keys itself, so that the notebook's shortcuts stay away. */
function frame(name, ...children) {
  return h("section", { class: "lt-view", "aria-label": name, "data-lm-suppress-shortcuts": "true" }, ...children);
}

/** Keys of a view that work wherever the focus is in it, except while typing; `keys` maps `event.key` to a function. */
function onKeys(node, keys) {
  node.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape") || !(event.key in keys)) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key](event);
  });
}
