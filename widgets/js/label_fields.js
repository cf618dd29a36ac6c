// The fields of a label's arguments, and what Python finds wrong with them while they are typed.

/** @typedef {{ type?: unknown, enum?: unknown[], items?: unknown, description?: string }} Schema */

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The type that a value has where it is not null.
 * @param {Schema} schema
 */
const typeOf = ({ type }) => {
  const types = Array.isArray(type) ? type.filter((name) => name !== "null") : [type];
  return types.length === 1 ? types[0] : undefined;
};

/**
 * Whether a value is a list of different values from a choice.
 * @param {unknown} value
 * @param {unknown[]} choices
 * @returns {value is unknown[]}
 */
const isChoice = (value, choices) =>
  Array.isArray(value) && new Set(value).size === value.length && value.every((v) => choices.includes(v));

/**
 * A list of values from a choice, in the order in which they were ticked: lists are compared in their order.
 * @param {unknown[]} choices
 * @param {unknown[] | undefined} value undefined: not given
 * @param {boolean} required
 * @param {(value: unknown) => void} changed
 */
function choiceList(choices, value, required, changed) {
  let chosen = [...(value ?? [])];
  const order = h("div", { class: "lt-small" });
  const tell = () => {
    order.textContent = chosen.length > 1 ? plain(`in this order: ${chosen.join(", ")}`) : "";
  };
  const boxes = choices.map((choice) => {
    const box = h("input", { type: "checkbox", checked: chosen.includes(choice) });
    box.addEventListener("change", () => {
      chosen = chosen.filter((c) => c !== choice);
      if (box.checked) chosen.push(choice);
      tell();
      changed(chosen.length || required ? chosen : undefined);
    });
    return h(
      "label",
      { title: `${String(choice)}: comes last when it is ticked` },
      box,
      ` ${String(choice)}`,
    );
  });
  tell();
  return h("div", { class: "lt-choices", role: "group" }, boxes, order);
}

/**
 * A field for one argument: a choice where the schema lists values, boxes for a list of those, a number, a
 * text, else JSON.
 * @param {Schema} schema
 * @param {unknown} value undefined: not given
 * @param {boolean} required
 * @param {(value: unknown) => void} changed called with undefined where the argument is left out
 */
function argumentField(schema, value, required, changed) {
  const choices = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
  if (choices && (value === undefined || choices.includes(value))) {
    const options = choices.map((c) => h("option", { value: JSON.stringify(c) }, String(c)));
    const select = h("select", {}, h("option", { value: "" }, "(not given)"), options);
    select.value = value === undefined ? "" : JSON.stringify(value);
    select.addEventListener("change", () => changed(select.value ? JSON.parse(select.value) : undefined));
    return select;
  }
  const type = typeOf(schema);
  const listed = type === "array" && isObject(schema.items) && schema.items.enum;
  const given = value ?? undefined;
  if (Array.isArray(listed) && (given === undefined || isChoice(given, listed))) {
    return choiceList(listed, given, required, changed);
  }
  const isNumber = type === "integer" || type === "number";
  const empty = value === null ? "null" : null;
  if (isNumber && (given === undefined || typeof given === "number")) {
    const field = h("input", {
      type: "number",
      step: "any",
      placeholder: empty,
      value: given === undefined ? "" : String(given),
    });
    field.addEventListener("input", () => changed(field.value === "" ? undefined : Number(field.value)));
    return field;
  }
  if (type === "string" && (given === undefined || typeof given === "string")) {
    const field = h("textarea", { rows: 1, dir: "auto", placeholder: empty, value: given ?? "" });
    field.addEventListener("input", () => changed(field.value || (required ? "" : undefined)));
    return field;
  }
  const text = value === undefined ? "" : JSON.stringify(value);
  const field = h("textarea", {
    rows: 1,
    value: text,
    placeholder: type === "array" ? '["…", "…"]' : "JSON",
    spellcheck: "false",
  });
  field.addEventListener("input", () => {
    try {
      changed(field.value.trim() ? JSON.parse(field.value) : undefined);
      field.removeAttribute("aria-invalid");
    } catch {
      changed(field.value); // a text where none belongs: the check says so
      field.setAttribute("aria-invalid", "true");
    }
  });
  return field;
}

/** The place for what is wrong with an argument; empty: not with any one. @param {string} argument */
const faultOf = (argument) =>
  h("div", { class: "lt-small lt-fail", "data-fault": argument, role: "status", "aria-live": "polite" });

/** The argument that a field, or a box of it, is for. @param {Element} field */
const argumentOf = (field) => field.closest("[data-argument]")?.getAttribute("data-argument") ?? "";

/**
 * A field with its name, its description and the place for what is wrong.
 * @param {HTMLElement} field
 * @param {string} name
 * @param {string} note
 * @param {Schema} schema
 */
function argumentRow(field, name, note, { description }) {
  field.dataset.argument = name;
  const title = description || `argument ${name}`;
  const said = [`${name}${note}`, description ? h("span", { class: "lt-small" }, ` · ${description}`) : null];
  if (field.role !== "group") return h("div", {}, h("label", { title }, said, field), faultOf(name));
  field.setAttribute("aria-label", name);
  return h("div", { title }, h("div", { class: "lt-small" }, said), field, faultOf(name));
}

/**
 * Say beside each field what is wrong with it, and what is wrong with none above all.
 * @param {HTMLElement} panel
 * @param {Fault[]} faults
 */
function showFaults(panel, faults) {
  const calls = [...panel.querySelectorAll("fieldset")];
  /** @type {Map<Element, string[]>} */
  const words = new Map([...panel.querySelectorAll("[data-fault]")].map((place) => [place, []]));
  for (const [at, argument, said] of faults) {
    const call = calls[at];
    const places = [...(call ?? panel).querySelectorAll("[data-fault]")];
    const own = places.find((place) => place.getAttribute("data-fault") === argument);
    const place = own ?? places.at(-1);
    if (place) words.get(place)?.push(own && argument ? said : `${argument ? `${argument}: ` : ""}${said}`);
  }
  for (const [place, said] of words) {
    place.textContent = plain(said.join("; "));
    const field = place.parentElement?.querySelector("[data-argument]");
    if (field && said.length) field.setAttribute("aria-invalid", "true");
    else field?.removeAttribute("aria-invalid");
  }
}
