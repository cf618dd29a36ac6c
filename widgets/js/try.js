// TryView: a request, the tools on offer, the policy's answer with what speaks against it, its execution
// after a confirmation, and a sample made of it.

/**
 * The tools on offer: a search field and a box for each.
 * @param {Model<TryTraits, TryQuestions>} model
 */
function toolPicker(model) {
  const summary = h("summary", {});
  const find = h("input", { type: "search", placeholder: "find a tool", "aria-label": "find a tool" });
  const boxes = model.get("offered").map(([name, about]) => {
    const box = h("input", {
      type: "checkbox",
      value: name,
      onchange: () => {
        const others = model.get("chosen").filter((other) => other !== name);
        put(model, { chosen: box.checked ? [...others, name] : others });
      },
    });
    return {
      box,
      node: h("label", { title: about }, box, " ", h("code", {}, name)),
      words: `${name} ${about}`,
    };
  });
  const list = h(
    "div",
    { class: "lt-probe-card", role: "group", "aria-label": "tools on offer", tabindex: "0" },
    boxes.map(({ node }) => h("div", {}, node)),
  );
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase().split(/\s+/);
    for (const { node, words } of boxes) {
      const row = node.parentElement;
      if (row) row.hidden = !wanted.every((word) => words.toLowerCase().includes(word));
    }
  });
  const stop = follow(model, ["chosen"], () => {
    const chosen = model.get("chosen");
    for (const { box } of boxes) box.checked = chosen.includes(box.value);
    summary.textContent = plain(`${chosen.length} of ${boxes.length} tools on offer: ${chosen.join(", ")}`);
  });
  return { node: h("details", { class: "lt-tools" }, summary, find, list), stop };
}

/**
 * The form of the desk for the right label of an answer; pressing its button is the second of two clicks.
 * @param {string} text
 * @param {SampleDetail["tools"]} tools on offer
 * @param {(text: string) => Promise<string>} save answers with what is wrong, empty if it was kept
 */
function rightLabel(text, tools, save) {
  const fault = h("div", { class: "lt-status lt-bad", role: "alert" });
  const form = labelForm(text, tools, () => {
    fault.textContent = "";
  });
  const keep = async () => {
    fault.textContent = plain(await save(form.text()));
  };
  const title = "keep it as a sample (Ctrl+Enter)";
  const button = h("button", { onclick: keep, title }, "keep as a sample");
  const props = { class: "lt-editor", role: "group", "aria-label": "the right answer" };
  const node = h("div", props, h("strong", {}, "the right answer"), form.node, fault, button);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    keep();
  });
  return { node, focus: form.focus };
}

/** @param {Place<TryTraits, TryQuestions>} place */
function render({ model, el }) {
  const line = statusLine();
  const tools = toolPicker(model);
  /** @type {HTMLSelectElement} */
  const policy = h(
    "select",
    {
      "aria-label": "policy",
      onchange: () => {
        put(model, { policy: policy.value });
      },
    },
    model.get("policies").map((name) => h("option", { value: name }, name)),
  );
  const system = h("input", { "aria-label": "system message", dir: "auto", style: "flex:1" });
  system.addEventListener("change", () => put(model, { system: system.value }));
  const request = h("textarea", {
    rows: 2,
    "aria-label": "request",
    dir: "auto",
    placeholder: model.get("example")
      ? `type a request, e.g. ${plain(model.get("example"))}`
      : "type a request",
  });
  const typing = keeper(() => put(model, { draft: request.value }));
  request.addEventListener("input", typing.later);
  const talk = h("div", { class: "lt-talk", role: "region", "aria-label": "dialogue with the policy" });
  const answered = h("div", { class: "lt-answer", role: "region", "aria-label": "answer" });

  let busy = false;
  /**
   * Ask Python once at a time, and show its answer.
   * @param {() => Promise<TryAnswer>} question
   */
  const show = async (question) => {
    if (busy) return;
    busy = true;
    try {
      const answer = await question();
      line.say(answer.message);
      // The system message stands in its field.
      const messages = answer.sample.messages.filter(({ role }) => role !== "system");
      talk.replaceChildren(dialogueOf({ ...answer.sample, messages }));
      answered.replaceChildren(...answerParts(answer));
    } catch (error) {
      line.say(wordsOf(error), true);
    } finally {
      busy = false;
    }
  };
  const send = () => {
    typing.drop();
    if (busy) return undefined;
    line.say("the policy writes …");
    return show(async () => {
      const answer = await ask(model, "ask", { request: request.value });
      request.value = "";
      return answer;
    });
  };
  /** @param {TryAnswer} answer */
  const answerParts = ({ sample, objections, label, runs, by }) => {
    if (!sample.tokens) return [];
    const place = h("div", {});
    const run = h("button", { onclick: () => confirmed() }, "execute …");
    const confirmed = () => {
      const no = h("button", { onclick: () => place.replaceChildren() }, "no");
      const yes = h("button", { onclick: () => show(() => ask(model, "execute")) }, "yes, execute");
      place.replaceChildren(h("div", { role: "alert" }, `Execute now in ${runs}? `, yes, " ", no));
      no.focus();
    };
    const form = rightLabel(label, sample.tools, async (text) => {
      try {
        line.say((await ask(model, "save", { text })).message);
        place.replaceChildren();
        return "";
      } catch (error) {
        return wordsOf(error);
      }
    });
    const correct = () => {
      place.replaceChildren(form.node);
      form.focus();
    };
    const make = h(
      "button",
      { onclick: correct, disabled: Boolean(model.get("blocked")) },
      "correct this answer …",
    );
    const none = h("div", { class: "lt-small" }, "the rules have no objection");
    const against = h(
      "ul",
      { class: "lt-faults", "aria-label": "objections" },
      objections.map((text) => h("li", {}, text)),
    );
    return [
      h("h4", {}, `${by} answers`),
      ...[answerOf(sample.label)].flat(),
      objections.length ? against : none,
      tokensOf(sample) ?? "",
      h("div", { class: "lt-row" }, runs ? run : null, make),
      place,
    ];
  };
  request.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    send();
  });
  const fresh = h("button", { onclick: () => show(() => ask(model, "fresh")) }, "new dialogue");
  const root = frame(
    "try a policy",
    h("div", { class: "lt-row" }, h("label", {}, "policy ", policy), fresh),
    h("label", { class: "lt-row" }, "system ", system),
    tools.node,
    talk,
    answered,
    h("div", { class: "lt-row lt-request" }, request, h("button", { onclick: send }, "ask")),
    h("div", { class: "lt-small" }, "Enter asks, Shift+Enter a new line. ", model.get("blocked")),
    line.node,
  );
  el.append(root);
  show(() => ask(model, "state"));
  const stops = [
    tools.stop,
    follow(model, ["policy"], () => {
      policy.value = model.get("policy");
    }),
    follow(model, ["system"], () => {
      system.value = model.get("system");
    }),
    follow(model, ["draft"], () => {
      if (document.activeElement !== request || !model.get("draft")) request.value = model.get("draft");
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
