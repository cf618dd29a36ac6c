// A label as a form made from the tools' schemas (label_fields.js), with its JSON as second tab. Both edit
// one text, and Python checks it (labels.py).

/** @typedef {{ name: string, arguments: Record<string, unknown> }} WrittenCall */
/**
 * A label as the form has it: of its calls and its reply, `plain` says which one it is.
 * @typedef {{
 *   plain: boolean, calls: WrittenCall[], reply: string, mentions: string[][], asks: boolean
 * }} WrittenLabel
 */

/**
 * The line in an editor that says why nothing was saved.
 * @param {() => void} later called after each change
 */
function refusal(later) {
  const node = h("div", { class: "lt-status lt-bad", role: "alert" });
  const changed = () => {
    node.textContent = ""; // it is about what stood there before
    later();
  };
  const tell = (/** @type {string} */ words) => {
    node.textContent = plain(words);
  };
  return { node, changed, tell };
}

/**
 * The keys of an editor: Ctrl+Enter saves, Escape leaves, but asks once where something is changed.
 * @param {HTMLElement} editor
 * @param {ReturnType<typeof refusal>} fault
 * @param {{ save: () => unknown, isChanged: () => boolean, leave: () => void }} on
 */
function editorKeys(editor, fault, { save, isChanged, leave }) {
  const unsaved = "Changed, and not saved: Ctrl+Enter saves it, Escape once more drops the change.";
  editor.addEventListener("keydown", (event) => {
    const saves = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (!saves && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (saves) save();
    else if (isChanged() && fault.node.textContent !== unsaved) fault.tell(unsaved);
    else leave();
  });
}

/**
 * What stays in sight while an editor is scrolled: its name, its buttons, and why nothing was saved.
 * @param {HTMLElement} fault
 * @param {HTMLElement[]} parts
 */
const editorHead = (fault, ...parts) =>
  h(
    "div",
    { class: "lt-editor-head" },
    h(
      "div",
      { class: "lt-row" },
      parts,
      h("span", { class: "lt-small" }, h("kbd", {}, "Ctrl+Enter"), " saves"),
    ),
    fault,
  );

/** The tab that a person chose last. @type {"form" | "JSON"} */
let chosenTab = "form";

/**
 * Whether a value survives JavaScript, which rounds large whole numbers.
 * @param {unknown} value
 * @returns {boolean}
 */
const isExact = (value) =>
  typeof value === "number"
    ? !Number.isInteger(value) || Number.isSafeInteger(value)
    : typeof value !== "object" || value === null || Object.values(value).every(isExact);

/** @param {unknown} value @returns {value is WrittenCall} */
const isCall = (value) =>
  isObject(value) &&
  typeof value.name === "string" &&
  isObject(value.arguments) &&
  Object.keys(value).length === 2;

/** @param {Record<string, unknown>} value @returns {WrittenLabel | null} */
function readReply({ reply = "", mentions = [], asks = false, ...others }) {
  const groups = Array.isArray(mentions) ? mentions : [null];
  const words = groups.every((g) => Array.isArray(g) && g.every((word) => typeof word === "string"));
  const whole = typeof reply === "string" && typeof asks === "boolean" && words;
  const known = whole && !Object.keys(others).length;
  return known ? { plain: true, calls: [], reply, mentions: groups, asks } : null;
}

/**
 * What a label's text says; null: not anything that the form can show.
 * @param {string} text
 * @returns {WrittenLabel | null}
 */
function readLabel(text) {
  const empty = { calls: [], reply: "", mentions: [], asks: false };
  if (!/^\s*[[{]/.test(text)) return { ...empty, plain: true, reply: text };
  try {
    const value = JSON.parse(text);
    if (!isExact(value)) return null;
    const calls = isObject(value) && "name" in value ? [value] : value;
    if (!Array.isArray(calls)) return isObject(value) ? readReply(value) : null;
    return calls.every(isCall) ? { ...empty, plain: false, calls } : null;
  } catch {
    return null;
  }
}

/** Whether a reply ends as a question. @param {string} reply */
const isQuestion = (reply) => /[?？؟]\s*$/.test(reply);

/** The text of a label. @param {WrittenLabel} label */
function writeLabel({ plain: isPlain, calls, reply, mentions, asks }) {
  if (!isPlain) return JSON.stringify(calls, null, 1);
  const whole = mentions.length || asks || /^\s*[[{]/.test(reply);
  return whole ? JSON.stringify({ reply, mentions, asks }, null, 1) : reply;
}

/**
 * The fields of a call's arguments: those of its tool, and others that it has.
 * @param {WrittenCall} call
 * @param {SampleDetail["tools"]} tools
 * @param {() => void} changed
 */
function argumentRows(call, tools, changed) {
  const schema = JSON.parse(tools.find((t) => t.name === call.name)?.parameters ?? "{}");
  /** @type {Record<string, Schema>} */
  const properties = schema.properties ?? {};
  const all = [...new Set([...Object.keys(properties), ...Object.keys(call.arguments)])];
  return all.map((name) => {
    const required = (schema.required ?? []).includes(name);
    const field = argumentField(properties[name] ?? {}, call.arguments[name], required, (value) => {
      const { [name]: _, ...others } = call.arguments;
      call.arguments = value === undefined ? others : { ...call.arguments, [name]: value };
      changed();
    });
    const note = name in properties ? (required ? " *" : "") : " (not a parameter of this tool)";
    return argumentRow(field, name, note, properties[name] ?? {});
  });
}

/**
 * One call: the menu of its tool and the fields of its arguments.
 * @param {WrittenCall} call
 * @param {SampleDetail["tools"]} tools
 * @param {{ changed: () => void, remove: () => void }} on
 */
function callFields(call, tools, on) {
  const names = tools.map((t) => t.name);
  const unknown = names.includes(call.name) ? [] : [call.name];
  const pick = h(
    "select",
    { title: "the tool that is called", "aria-label": "tool" },
    [...names, ...unknown].map((name) => h("option", { value: name }, name)),
  );
  pick.value = call.name;
  const remove = h(
    "button",
    { type: "button", title: "take this call out", onclick: on.remove },
    "remove call",
  );
  const rows = h("div", {});
  const draw = () => rows.replaceChildren(...argumentRows(call, tools, on.changed));
  // The menu itself stays, and with it the focus: the arrow keys go on in it.
  pick.addEventListener("change", () => {
    call.name = pick.value;
    draw();
    on.changed();
  });
  draw();
  const node = h("fieldset", {}, h("div", { class: "lt-row" }, pick, remove), rows, faultOf(""));
  return { node, pick };
}

/**
 * The fields of a plain reply.
 * @param {WrittenLabel} label
 * @param {() => void} changed
 */
function replyFields(label, changed) {
  const reply = h("textarea", { rows: 3, dir: "auto", value: label.reply });
  reply.addEventListener("input", () => {
    // A reply that becomes a question is most often one that must be a question; the box can be unticked.
    if (!isQuestion(label.reply) && isQuestion(reply.value)) asks.checked = label.asks = true;
    label.reply = reply.value;
    changed();
  });
  const mentions = h("textarea", { rows: 2, value: label.mentions.map((g) => g.join(" | ")).join("\n") });
  mentions.addEventListener("input", () => {
    const groups = mentions.value.split("\n").map((line) => line.split("|").map((word) => word.trim()));
    label.mentions = groups.map((g) => g.filter(Boolean)).filter((g) => g.length);
    changed();
  });
  const asks = h("input", { type: "checkbox", checked: label.asks });
  asks.addEventListener("change", () => {
    label.asks = asks.checked;
    changed();
  });
  const group =
    "what a right reply must mention: a line each, alternatives with |; empty: nothing in particular";
  return h(
    "fieldset",
    {},
    h("label", { title: "the reply as it should be said" }, "reply", reply),
    h("label", { title: group }, group, mentions),
    h("label", { title: "a right reply is a question to the user" }, asks, " a right reply asks a question"),
  );
}

/**
 * The form of a label. Its controls stay while it is drawn again, so that none loses the focus.
 * @param {WrittenLabel} label changed in place
 * @param {SampleDetail["tools"]} tools
 * @param {() => void} changed
 */
function formFields(label, tools, changed) {
  const kind = h(
    "select",
    { title: "whether the right answer calls tools", "aria-label": "kind of answer" },
    h("option", { value: "calls" }, "calls"),
    h("option", { value: "reply" }, "a plain reply"),
  );
  kind.value = label.plain ? "reply" : "calls";
  kind.addEventListener("change", () => {
    label.plain = kind.value === "reply";
    show();
    changed();
  });
  const list = h("div", {});
  /** @type {HTMLSelectElement[]} the menu of each call's tool */
  let picks = [];
  const draw = () => {
    const fields = label.calls.map((call, at) =>
      callFields(call, tools, { changed, remove: () => remove(at) }),
    );
    picks = fields.map(({ pick }) => pick);
    list.replaceChildren(...fields.map(({ node }) => node));
  };
  const add = () => {
    label.calls.push({ name: tools[0]?.name ?? "", arguments: {} });
    draw();
    picks.at(-1)?.focus();
    changed();
  };
  /** @param {number} at */
  const remove = (at) => {
    label.calls.splice(at, 1);
    draw();
    (picks[at] ?? picks.at(-1) ?? more).focus();
    changed();
  };
  const more = h("button", { type: "button", title: "one more call", onclick: add }, "add a call");
  const reply = replyFields(label, changed);
  const parts = h("div", {});
  // What is not shown is not in the page: a fault is said beside the field that it is about.
  const show = () => parts.replaceChildren(...(label.plain ? [reply] : [list, more]));
  draw();
  show();
  return h("div", {}, h("div", { class: "lt-row" }, kind), parts);
}

/**
 * The text as it is.
 * @param {string} text
 * @param {(text: string) => void} changed
 */
function jsonField(text, changed) {
  const area = h("textarea", {
    rows: Math.min(16, Math.max(4, text.split("\n").length + 1)),
    "aria-label": "label as JSON, or the plain reply",
    title: 'a JSON list of calls [{"name": …, "arguments": {…}}], or a plain reply',
    spellcheck: "false",
    dir: "auto",
    value: text,
  });
  area.addEventListener("input", () => changed(area.value));
  return area;
}

/** Names of the arguments in which label and prediction differ. @param {SampleDetail} d */
const differingIn = ({ aligned }) =>
  (aligned ?? []).flatMap(({ rows }) => rows.filter(([, , , how]) => how !== "same").map(([name]) => name));

/**
 * A label to edit, as a form or as JSON; `text` gives it as it stands.
 * @param {string} given
 * @param {SampleDetail["tools"]} tools
 * @param {() => void} changed
 * @param {(text: string) => Promise<{ faults: Fault[] }>} check what Python says of the text
 * @param {string} [before] the label before it was edited, where `given` is a draft of it
 */
function labelForm(given, tools, changed, check, before = given) {
  let text = given;
  /** @type {WrittenLabel} what the form showed last */
  let earlier = readLabel(before) ?? { plain: false, calls: [], reply: "", mentions: [], asks: false };
  const panel = h("div", { role: "tabpanel", "aria-label": "label" });
  const note = h("div", { class: "lt-small" });
  /** @param {string} now */
  const write = (now) => {
    text = now;
    changed();
    checking.later();
  };
  const checking = keeper(() => {
    const checked = text;
    check(checked).then(
      ({ faults }) => {
        if (checked === text) showFaults(panel, faults);
      },
      () => {}, // what cannot be checked now is checked at saving
    );
  });
  /** @param {"form" | "JSON"} name */
  const show = (name) => {
    const label = name === "form" ? readLabel(text) : null;
    // Calls of a reply, and the reply beside calls, are not in the text: they stay until the form is closed.
    if (label?.plain) label.calls = earlier.calls;
    else if (label) Object.assign(label, { ...earlier, plain: false, calls: label.calls });
    earlier = label ?? earlier;
    const shown = label ? "form" : "JSON";
    note.textContent =
      name === "form" && !label ? "The form cannot show this text; here it is as it stands." : "";
    panel.replaceChildren(
      label ? formFields(label, tools, () => write(writeLabel(label))) : jsonField(text, write),
      label ? "" : faultOf(""),
    );
    checking.later();
    for (const tab of tabs) tab.setAttribute("aria-selected", String(tab.dataset.tab === shown));
  };
  const tabs = /** @type {const} */ (["form", "JSON"]).map((name) => {
    const title = name === "form" ? "fields made from the tools' schemas" : "the label as JSON, or the reply";
    const choose = () => {
      chosenTab = name;
      show(name);
    };
    return h("button", { type: "button", role: "tab", "data-tab": name, title, onclick: choose }, name);
  });
  show(chosenTab);
  const node = h(
    "div",
    {},
    h("div", { class: "lt-row", role: "tablist", "aria-label": "label" }, tabs),
    note,
    panel,
  );
  /**
   * Focus what is changed first: an argument that the prediction has otherwise, else the first one; of a
   * reply its text, of no call at all the kind of answer. What is in the field is selected, so that typing
   * replaces it.
   * @param {string[]} [differing] arguments whose values differ
   */
  const focus = (differing = []) => {
    const all = [...panel.querySelectorAll("[data-argument]")].map((n) => n.querySelector("input") ?? n);
    const wrong = all.find((field) => differing.includes(argumentOf(field)));
    const first = wrong ?? all[0] ?? panel.querySelector("textarea") ?? panel.querySelector("select");
    if (!(first instanceof HTMLElement)) return;
    first.focus({ preventScroll: true });
    if (all.length && (first instanceof HTMLTextAreaElement || first instanceof HTMLInputElement))
      if (first.type !== "checkbox") first.select();
    first.scrollIntoView({ block: "nearest" });
  };
  return { node, focus, text: () => text };
}
