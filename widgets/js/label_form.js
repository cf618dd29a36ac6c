// A label as a form made from the tools' schemas (label_fields.js), with its JSON as second tab. Both edit
// one text, and Python checks it (labels.py).

/** @typedef {{ name: string, arguments: Record<string, unknown> }} WrittenCall */
/**
 * A label as the form has it; `calls` null: it is a plain reply.
 * @typedef {{ calls: WrittenCall[] | null, reply: string, mentions: string[][], asks: boolean }} WrittenLabel
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
  return whole && !Object.keys(others).length ? { calls: null, reply, mentions: groups, asks } : null;
}

/**
 * What a label's text says; null: not anything that the form can show.
 * @param {string} text
 * @returns {WrittenLabel | null}
 */
function readLabel(text) {
  const reply = { reply: "", mentions: [], asks: false };
  if (!/^\s*[[{]/.test(text)) return { ...reply, calls: null, reply: text };
  try {
    const value = JSON.parse(text);
    if (!isExact(value)) return null;
    const calls = isObject(value) && "name" in value ? [value] : value;
    if (!Array.isArray(calls)) return isObject(value) ? readReply(value) : null;
    return calls.every(isCall) ? { ...reply, calls } : null;
  } catch {
    return null;
  }
}

/** The text of a label. @param {WrittenLabel} label */
function writeLabel({ calls, reply, mentions, asks }) {
  if (calls) return JSON.stringify(calls, null, 1);
  const whole = mentions.length || asks || /^\s*[[{]/.test(reply);
  return whole ? JSON.stringify({ reply, mentions, asks }, null, 1) : reply;
}

/**
 * The fields of one call.
 * @param {WrittenCall} call
 * @param {SampleDetail["tools"]} tools
 * @param {{ changed: () => void, redraw: () => void, remove: () => void }} on
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
  pick.addEventListener("change", () => {
    call.name = pick.value;
    on.redraw();
  });
  const schema = JSON.parse(tools.find((t) => t.name === call.name)?.parameters ?? "{}");
  /** @type {Record<string, Schema>} */
  const properties = schema.properties ?? {};
  const all = [...new Set([...Object.keys(properties), ...Object.keys(call.arguments)])];
  const fields = all.map((name) => {
    const required = (schema.required ?? []).includes(name);
    const field = argumentField(properties[name] ?? {}, call.arguments[name], required, (value) => {
      const { [name]: _, ...others } = call.arguments;
      call.arguments = value === undefined ? others : { ...call.arguments, [name]: value };
      on.changed();
    });
    const note = name in properties ? (required ? " *" : "") : " (not a parameter of this tool)";
    return argumentRow(field, name, note, properties[name] ?? {});
  });
  const remove = h(
    "button",
    { type: "button", title: "take this call out", onclick: on.remove },
    "remove call",
  );
  return h("fieldset", {}, h("div", { class: "lt-row" }, pick, remove), fields, faultOf(""));
}

/**
 * The fields of a plain reply.
 * @param {WrittenLabel} label
 * @param {() => void} changed
 */
function replyFields(label, changed) {
  const reply = h("textarea", { rows: 3, dir: "auto", value: label.reply });
  reply.addEventListener("input", () => {
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
  const group = "what a right reply must mention: a line each, alternatives with |";
  return h(
    "fieldset",
    {},
    h("label", { title: "the reply as it should be said" }, "reply", reply),
    h("label", { title: group }, group, mentions),
    h("label", { title: "a right reply is a question to the user" }, asks, " a right reply asks a question"),
  );
}

/**
 * The form of a label.
 * @param {WrittenLabel} label changed in place
 * @param {SampleDetail["tools"]} tools
 * @param {() => void} changed
 */
function formFields(label, tools, changed) {
  const node = h("div", {});
  const redraw = (again = true) => {
    const kind = h(
      "select",
      { title: "whether the right answer calls tools", "aria-label": "kind of answer" },
      h("option", { value: "calls" }, "calls"),
      h("option", { value: "reply" }, "a plain reply"),
    );
    kind.value = label.calls ? "calls" : "reply";
    kind.addEventListener("change", () => {
      label.calls = kind.value === "calls" ? [] : null;
      redraw();
    });
    const { calls } = label;
    const add = () => {
      calls?.push({ name: tools[0]?.name ?? "", arguments: {} });
      redraw();
    };
    const fields = calls?.map((call, at) =>
      callFields(call, tools, { changed, redraw, remove: () => redraw(Boolean(calls.splice(at, 1))) }),
    );
    const more = h("button", { type: "button", title: "one more call", onclick: add }, "add a call");
    const parts = [h("div", { class: "lt-row" }, kind), ...(fields ?? [replyFields(label, changed)])];
    node.replaceChildren(...parts, ...(calls ? [more] : []));
    if (again) changed();
  };
  redraw(false);
  return node;
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
 */
function labelForm(given, tools, changed, check) {
  let text = given;
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
