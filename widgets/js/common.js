// What all views share. Text from samples and models enters the page through `h` and `plain` only: as text
// nodes, never as markup.

/**
 * Text with its control characters and changes of writing direction made visible.
 * @param {unknown} text
 */
const plain = (text) =>
  String(text ?? "")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(
      /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
      (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
    );

/** Milliseconds for which a thing must have been shown: nobody sees one and presses a key any faster. */
const SEEN_AFTER = 200;

/** Whether `looptool view` shows this, to a person who has no cells to run. */
const onPage = () => document.body.dataset.voila !== undefined;

/**
 * An element with attributes, listeners (`on<event>`) and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {Child[]} children
 */
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function")
      node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "value" || name === "checked" || name === "disabled")
      Object.assign(node, { [name]: value });
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of /** @type {Child[]} */ (/** @type {unknown[]} */ (children).flat(Infinity))) {
    if (child !== null && child !== undefined && child !== false) {
      node.append(child instanceof Node ? child : plain(child));
    }
  }
  return node;
}

/**
 * A name of several words that may break between them: `set_thermostat`, `listPlaylists`.
 * @param {string} name
 * @returns {Child[]}
 */
const breakable = (name) =>
  name.split(/(?<=[_.])(?=\w)|(?<=[a-z])(?=[A-Z])/).flatMap((part, k) => (k ? [h("wbr"), part] : [part]));

/**
 * The head of a table: one row of column names.
 * @param {string[]} names
 */
const headRow = (names) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      names.map((name) => h("th", { scope: "col" }, name)),
    ),
  );

/**
 * Names with their meanings, as a small list.
 * @param {[name: string, meaning: string][]} pairs
 */
const meanings = (pairs) =>
  h(
    "dl",
    { class: "lt-small lt-meanings" },
    pairs.map(([name, meaning]) => [h("dt", {}, name), h("dd", {}, meaning)]),
  );

/**
 * A drawing of `looptool_kit/drawing`, which escapes all text in it.
 * @param {string} svg
 */
const drawing = (svg) =>
  document.importNode(
    /** @type {SVGSVGElement} */ (
      /** @type {unknown} */ (new DOMParser().parseFromString(svg, "image/svg+xml").documentElement)
    ),
    true,
  );

/**
 * Ask the view's Python (`on_<type>`); resolves with its answer, rejects with its error.
 * @template T
 * @template {Questions<Q>} Q
 * @template {keyof Q & string} K
 * @param {Model<T, Q>} model
 * @param {K} type
 * @param {Parameters<Q[K]>} values
 * @returns {Promise<ReturnType<Q[K]>>}
 */
function ask(model, type, ...values) {
  const req = crypto.randomUUID?.() ?? String(Math.random());
  return new Promise((resolve, reject) => {
    /** @param {Reply} message */
    const heard = (message) => {
      if (message?.req !== req) return;
      model.off("msg:custom", heard);
      if (message.error) reject(new Error(message.error));
      else resolve(/** @type {ReturnType<Q[K]>} */ (message));
    };
    model.on("msg:custom", heard);
    model.send({ .../** @type {object | undefined} */ (values[0]), type, req });
  });
}

/**
 * The words of an error.
 * @param {unknown} error
 */
const wordsOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * A function that starts `work`. Called while that runs, it starts `work` once more afterwards.
 * @param {() => Promise<unknown>} work
 */
function oneAtATime(work) {
  let busy = false;
  let stale = false;
  return function start() {
    stale = true;
    if (busy) return;
    busy = true;
    stale = false;
    work().finally(() => {
      busy = false;
      if (stale) start();
    });
  };
}

/** What would keep a text that was typed a moment ago. @type {Set<() => void>} */
const typedJustNow = new Set();
// First of all that hear of it: after Voila's own listener nothing can be sent to Python any more.
window.addEventListener("beforeunload", () => typedJustNow.forEach((now) => now()), { capture: true });

/**
 * Keep what is typed: `keep` is called a moment after the last key, or when the page is left, or `now`, or
 * not at all (`drop`).
 * @param {() => void} keep
 * @param {number} [rest] milliseconds without a key
 */
function keeper(keep, rest = 250) {
  let timer = 0;
  const drop = () => {
    clearTimeout(timer);
    timer = 0;
    typedJustNow.delete(now);
  };
  const now = () => {
    if (!timer) return;
    drop();
    keep();
  };
  const later = () => {
    drop();
    timer = setTimeout(now, rest);
    typedJustNow.add(now);
  };
  return { now, later, drop };
}

/**
 * Set synced traits and send them at once.
 * @template T, Q
 * @param {Model<T, Q>} model
 * @param {Partial<T>} values
 */
function put(model, values) {
  for (const name of /** @type {(keyof T)[]} */ (Object.keys(values))) {
    model.set(name, /** @type {T[typeof name]} */ (values[name]));
  }
  model.save_changes();
}

/**
 * Call `redraw` now and whenever one of the traits changes; the returned function stops that.
 * @template T, Q
 * @param {Model<T, Q>} model
 * @param {(keyof T & string)[]} names
 * @param {() => unknown} redraw
 */
function follow(model, names, redraw) {
  for (const name of names) model.on(`change:${name}`, redraw);
  redraw();
  return () => names.forEach((name) => model.off(`change:${name}`, redraw));
}

/**
 * Call `redraw` with the width of a node, now and when it has changed by more than a few pixels.
 * @param {HTMLElement} node
 * @param {(width: number) => void} redraw
 * @returns {() => void} stops that
 */
function followWidth(node, redraw) {
  let drawn = 0;
  const resized = new ResizeObserver(() => {
    const width = Math.round(node.clientWidth);
    if (!width || Math.abs(width - drawn) < 12) return;
    drawn = width;
    redraw(width);
  });
  resized.observe(node);
  return () => resized.disconnect();
}

/**
 * A line that screen readers speak and everybody sees: progress, outcomes, errors.
 * @returns {{ node: HTMLElement, say: Say }}
 */
function statusLine() {
  const node = h("div", { class: "lt-status", role: "status", "aria-live": "polite" });
  return {
    node,
    say: (text, bad = false) => {
      node.textContent = plain(text);
      node.classList.toggle("lt-bad", bad);
    },
  };
}

/**
 * The outermost element of a view. It takes the keys itself, so that the notebook's shortcuts do not.
 * @param {string} name
 * @param {Child[]} children
 */
function frame(name, ...children) {
  const props = { class: "lt-view", "aria-label": name, "data-lm-suppress-shortcuts": "true" };
  const root = h("section", props, ...children);
  // The attribute does not keep those from the notebook that are for whatever has the focus in it.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  neverLosesFocus(root);
  return root;
}

/** Whether a control is there, in sight and not switched off. @param {Element} node */
const canBeUsed = (node) =>
  node.isConnected && !node.matches(":disabled") && !node.closest("[inert]") && node.checkVisibility();

/**
 * Where a control that has the focus is taken away or switched off, let the nearest thing around it have the
 * focus. Otherwise the page has it, and what is typed next acts on the notebook.
 * @param {HTMLElement} root
 */
function neverLosesFocus(root) {
  /** @type {Element | null} the control in `root` that has the focus */
  let focused = null;
  /** What it stands in, from the inside. @type {HTMLElement[]} */
  let around = [];
  const check = () => {
    const { activeElement } = document;
    if (!focused || canBeUsed(focused)) return;
    const lost = activeElement === document.body || activeElement === focused;
    focused = null;
    const next =
      lost && around.find((n) => canBeUsed(n) && (n.tabIndex >= 0 || n.classList.contains("lt-view")));
    if (!next) return;
    if (!next.hasAttribute("tabindex")) next.tabIndex = -1;
    next.focus({ preventScroll: true });
  };
  root.addEventListener("focusin", ({ target }) => {
    if (!(target instanceof Element)) return;
    focused = target;
    around = [];
    for (let node = target.parentElement; node && root.contains(node); node = node.parentElement)
      around.push(node);
  });
  /** Before any other listener, which may take the control away. @param {FocusEvent} event */
  const left = ({ relatedTarget }) => {
    if (relatedTarget) focused = null;
    // A person who presses where nothing can have the focus leaves a control that can still be used.
    else
      window.queueMicrotask(() => {
        check();
        if (!root.contains(document.activeElement)) focused = null;
      });
  };
  root.addEventListener("blur", left, true);
  const changes = {
    childList: true,
    subtree: true,
    attributeFilter: ["disabled", "hidden", "inert", "open"],
  };
  new window.MutationObserver(check).observe(root, changes);
}

/**
 * What stands in place of a view whose table does not exist yet: why, and what makes it.
 * @param {string} name
 * @param {string} why
 * @param {Child[]} more
 */
const nothingYet = (name, why, ...more) => frame(name, h("p", {}, why), ...more);

/**
 * On the page of `looptool view`, give a view that is opened the focus, and with it its keys: a person who
 * has pressed its tab, or loaded the page, is on their way to it.
 * @param {HTMLElement} root
 */
function focusWhenOpened(root) {
  const at = document.activeElement;
  if (onPage() && (at === document.body || at?.closest(".widget-toggle-buttons")))
    root.focus({ preventScroll: true });
}

/**
 * Keys that work wherever the focus is inside `node`, except while a person types.
 * @param {HTMLElement} node
 * @param {Record<string, (event: KeyboardEvent) => unknown>} keys `event.key` -> function
 */
function onKeys(node, keys) {
  node.addEventListener("keydown", (event) => {
    const field = "input:not([type=checkbox]):not([type=radio]), textarea, select";
    const typing = event.target instanceof Element && event.target.closest(field);
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    if (!(event.key in keys)) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]?.(event);
  });
}

/**
 * The list of a view's keys, laid over it when it is asked for; hidden at first.
 * @param {[key: string, words: string][]} keys
 */
const keyOverlay = (keys) =>
  h(
    "div",
    { class: "lt-keys", hidden: true, role: "note", tabindex: "-1", "aria-label": "keys" },
    h(
      "dl",
      {},
      keys.map(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)]),
    ),
  );

/**
 * Close a menu that lies over the page at Escape, and at a click anywhere else: by then the field that had
 * the focus has told what was typed.
 * @param {HTMLDetailsElement} menu
 * @param {HTMLElement} summary
 */
function closesItself(menu, summary) {
  /** @param {Event} event */
  const pressed = (event) => {
    if (!event.isTrusted) return; // the link of a file that is saved from the menu
    if (event.target instanceof Node && menu.isConnected && menu.contains(event.target)) return;
    menu.open = false;
    document.removeEventListener("click", pressed, true);
  };
  menu.addEventListener("toggle", () => {
    if (menu.open) document.addEventListener("click", pressed, true);
    else document.removeEventListener("click", pressed, true);
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault();
    event.stopPropagation();
    menu.open = false;
    summary.focus();
  });
}
