// The parts of TryView (try.js): the tools on offer, and what it says of itself.

/**
 * The tools on offer: a search field and a box for each.
 * @param {Model<TryTraits, TryQuestions>} model
 */
function toolPicker(model) {
  const summary = h("summary", {});
  const find = h("input", {
    type: "search",
    placeholder: "find a tool",
    "aria-label": "find a tool",
    title: "show only the tools with these words",
  });
  const boxes = model.get("offered").map(([name, about, schema]) => {
    const box = h("input", {
      type: "checkbox",
      value: name,
      onchange: () => {
        const others = model.get("chosen").filter((other) => other !== name);
        put(model, { chosen: box.checked ? [...others, name] : others });
      },
    });
    const label = h(
      "label",
      { title: "offer this tool" },
      box,
      " ",
      h("code", {}, name),
      h("span", { class: "lt-small" }, ` ${about}`),
    );
    const parameters = h("details", {}, h("summary", { class: "lt-small" }, "parameters"));
    // Drawn when it is unfolded: a run may have hundreds of tools.
    parameters.addEventListener("toggle", () => {
      if (parameters.children.length === 1) parameters.append(h("pre", {}, schema));
    });
    return {
      box,
      node: h("div", { class: "lt-row" }, label, parameters),
      words: `${name} ${about}`,
    };
  });
  const none = h("div", { class: "lt-small", role: "status", hidden: true }, "no tool matches");
  const list = h(
    "div",
    { class: "lt-probe-card", role: "group", "aria-label": "tools on offer", tabindex: "0" },
    boxes.map(({ node }) => node),
    none,
  );
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase().split(/\s+/);
    let shown = 0;
    for (const { node, words } of boxes) {
      const fits = wanted.every((word) => words.toLowerCase().includes(word));
      shown += Number(fits);
      node.hidden = !fits;
    }
    none.hidden = shown > 0;
  });
  const stop = follow(model, ["chosen"], () => {
    const chosen = model.get("chosen");
    for (const { box } of boxes) box.checked = chosen.includes(box.value);
    const names = chosen.length ? `: ${chosen.join(", ")}` : "";
    summary.textContent = plain(`${chosen.length} of ${boxes.length} tools on offer${names}`);
  });
  return { node: h("details", { class: "lt-tools" }, summary, find, list), stop };
}

/**
 * What one can do here, before anything is said.
 * @param {Model<TryTraits, TryQuestions>} model
 * @param {(example: string) => void} take
 */
function introOf(model, take) {
  const example = model.get("example");
  const title = "put a request of the run's data into the field below";
  return h(
    "p",
    { class: "lt-small" },
    "Say what a user would say. The policy answers with calls of the tools on offer, or in words; then you" +
      " can execute its calls, and keep the answer, corrected where it is wrong, as a sample to train on. ",
    example ? h("button", { onclick: () => take(example), title }, "use an example") : null,
  );
}

/** Said after a reload. */
const GONE = "The answer that was being written when the page was loaded again is lost: press “ask” for it.";

/**
 * The right answer that was half written when the page was loaded again; null: none was.
 * @param {Record<string, string>} kept text by request, messages between that and the answer, and turns
 */
function unkeptAnswer(kept) {
  const [key = "null"] = Object.keys(kept);
  const place = key.startsWith("[") ? JSON.parse(key) : null;
  if (!Array.isArray(place)) return null;
  const [request, after, turns] = place;
  const where = after ? "what came after the results of" : "";
  const words =
    `A right answer was half written, to ${where} “${request}”: lead the dialogue there again,` +
    " and it is in the form again.";
  return { request: turns === 1 ? String(request) : "", words };
}

/**
 * Policy and tools as they were chosen, for a page that is loaded again with another kernel.
 * @param {Model<TryTraits, TryQuestions>} model
 * @returns {(() => void)[]} stop it
 */
function keepChoices(model) {
  if (!onPage()) return [];
  const kept = halfWritten(model);
  const policy = kept.read("policy", isText)[""] ?? "";
  const open = model.get("policies").filter((name) => !model.get("lost").includes(name));
  if (open.includes(policy)) put(model, { policy });
  const chosen = kept.read("chosen", Array.isArray)[""];
  const offered = model.get("offered").map(([name]) => name);
  if (chosen) put(model, { chosen: offered.filter((name) => chosen.includes(name)) });
  return [
    follow(model, ["policy"], () => kept.write("policy", "", model.get("policy"))),
    follow(model, ["chosen"], () => kept.write("chosen", "", model.get("chosen"))),
  ];
}

/**
 * The form of the desk for the right label of an answer; pressing its button is the second of two clicks.
 * @param {string} text
 * @param {SampleDetail["tools"]} tools on offer
 * @param {object} on
 * @param {string} on.given the answer, before it is corrected
 * @param {(text: string) => void} on.typed called a moment after the last change
 * @param {(text: string) => Promise<{ faults: Fault[] }>} on.check
 * @param {(text: string) => Promise<string>} on.save answers with what is wrong, empty if it was kept
 * @param {() => void} on.cancel
 */
function rightLabel(text, tools, on) {
  const typing = keeper(() => on.typed(form.text()));
  const fault = refusal(typing.later);
  const form = labelForm(text, tools, fault.changed, on.check, on.given);
  const keep = async () => {
    typing.now();
    fault.tell(await on.save(form.text()));
  };
  const cancel = () => {
    typing.drop();
    on.cancel();
  };
  const title = "keep it as a sample (Ctrl+Enter)";
  const button = h("button", { onclick: keep, title }, "keep as a sample");
  const leave = h("button", { onclick: cancel, title: "close the form (Escape)" }, "cancel");
  const head = editorHead(fault.node, h("strong", {}, "the right answer"), button, leave);
  const props = { class: "lt-editor", role: "group", "aria-label": "the right answer" };
  const node = h("div", props, head, form.node);
  node.addEventListener("focusout", typing.now);
  editorKeys(node, fault, { save: keep, isChanged: () => form.text() !== on.given, leave: cancel });
  return { node, focus: form.focus, keep: typing.now, tell: fault.tell };
}

/**
 * The samples that were kept in this run, each with a button that takes it back.
 * @param {Model<TryTraits, TryQuestions>} model
 * @param {(id: string) => unknown} takeBack
 */
function triedList(model, takeBack) {
  const summary = h("summary", {});
  const list = h("div", {
    class: "lt-probe-card",
    role: "group",
    "aria-label": "kept samples",
    tabindex: "0",
  });
  const node = h("details", { class: "lt-tools" }, summary, list);
  const stop = follow(model, ["tried"], () => {
    const rows = model.get("tried");
    node.hidden = !rows.length;
    summary.textContent = `${rows.length} sample${rows.length === 1 ? "" : "s"} kept in this run`;
    list.replaceChildren(
      ...rows.map(([id, request, label]) =>
        h(
          "div",
          { class: "lt-row" },
          takeBackButton(() => takeBack(id), `remove sample ${id} from its file`),
          h("span", { dir: "auto" }, request),
          h("code", { class: "lt-small" }, label),
        ),
      ),
    );
  });
  return { node, stop };
}

/**
 * A button that asks before it does what cannot be undone.
 * @param {() => unknown} takeBack
 * @param {string} title
 */
function takeBackButton(takeBack, title) {
  const node = h("span", {});
  const first = h("button", { onclick: () => asks(), title }, "take back");
  const restore = () => {
    node.replaceChildren(first);
    first.focus();
  };
  const asks = () => {
    const no = h("button", { onclick: restore, title: "keep it" }, "no");
    node.replaceChildren("Remove it? ", h("button", { onclick: takeBack, title }, "yes, remove"), " ", no);
    no.focus();
  };
  node.append(first);
  return node;
}

/**
 * What the field of the request says while nothing is typed.
 * @param {Model<TryTraits, TryQuestions>} model
 * @param {NextStep} next
 * @param {boolean} results whether results stand last
 */
function hintOf(model, next, results) {
  if (next.runs) return "execute the calls above first, or begin a new dialogue";
  if (results) return "Enter on the empty field: the answer to the results; or type a request";
  const example = model.get("example");
  return example ? `type a request, e.g. ${plain(example)}` : "type a request";
}
