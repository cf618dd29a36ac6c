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
      node: h("label", {}, box, " ", h("code", {}, name), h("span", { class: "lt-small" }, ` ${about}`)),
      words: `${name} ${about}`,
    };
  });
  const none = h("div", { class: "lt-small", role: "status", hidden: true }, "no tool matches");
  const list = h(
    "div",
    { class: "lt-probe-card", role: "group", "aria-label": "tools on offer", tabindex: "0" },
    boxes.map(({ node }) => h("div", {}, node)),
    none,
  );
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase().split(/\s+/);
    let shown = 0;
    for (const { node, words } of boxes) {
      const row = node.parentElement;
      const fits = wanted.every((word) => words.toLowerCase().includes(word));
      shown += Number(fits);
      if (row) row.hidden = !fits;
    }
    none.hidden = shown > 0;
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
 * @param {() => void} cancel
 */
function rightLabel(text, tools, save, cancel) {
  const fault = h("div", { class: "lt-status lt-bad", role: "alert" });
  const form = labelForm(text, tools, () => {
    fault.textContent = "";
  });
  const keep = async () => {
    fault.textContent = plain(await save(form.text()));
  };
  const title = "keep it as a sample (Ctrl+Enter)";
  const button = h("button", { onclick: keep, title }, "keep as a sample");
  const leave = h("button", { onclick: cancel, title: "close the form (Escape)" }, "cancel");
  const props = { class: "lt-editor", role: "group", "aria-label": "the right answer" };
  const node = h("div", props, h("strong", {}, "the right answer"), form.node, fault, button, " ", leave);
  node.addEventListener("keydown", (event) => {
    const kept = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (!kept && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (kept) keep();
    else cancel();
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
    model.get("policies").map((name) => {
      const lost = model.get("lost").includes(name);
      return h("option", { value: name, disabled: lost }, lost ? `${name} (its weights are not here)` : name);
    }),
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
  /** Between question and answer nothing can be done with what is shown. @param {boolean} on */
  const wait = (on) => {
    busy = on;
    answered.inert = on;
    for (const button of [fresh, send]) button.disabled = on;
  };
  /**
   * Ask Python once at a time, and show its answer.
   * @param {() => Promise<TryAnswer>} question
   * @param {string} [meanwhile] what is said until then
   * @returns {Promise<boolean>} whether it was answered
   */
  const show = async (question, meanwhile = "") => {
    if (busy) return false;
    wait(true);
    line.say(meanwhile);
    try {
      const answer = await question();
      line.say(answer.message);
      // The system message stands in its field.
      const messages = answer.sample.messages.filter(({ role }) => role !== "system");
      talk.replaceChildren(dialogueOf({ ...answer.sample, messages }));
      answered.replaceChildren(...answerParts(answer));
      return true;
    } catch (error) {
      line.say(wordsOf(error), true);
      return false;
    } finally {
      wait(false);
    }
  };
  /** The request goes into the dialogue at once; whatever is typed until the answer stays in the field. */
  const asking = async () => {
    if (busy) return;
    typing.drop();
    const said = request.value;
    const waiting = h("div", { class: "lt-turn lt-user", dir: "auto" }, said);
    if (said.trim()) talk.append(waiting);
    request.value = "";
    put(model, { draft: "" });
    const meanwhile = `${model.get("policy")} is writing … (this can take a minute)`;
    if (await show(() => ask(model, "ask", { request: said }), meanwhile)) return;
    waiting.remove();
    if (request.value) return;
    request.value = said;
    put(model, { draft: said });
  };
  /** @param {TryAnswer} answer */
  const answerParts = ({ sample, objections, label, runs, stuck, by, number }) => {
    if (!sample.tokens) return [];
    const place = h("div", {});
    const close = (/** @type {HTMLElement} */ next) => {
      place.replaceChildren();
      next.focus();
    };
    const execute = async () => {
      if (await show(() => ask(model, "execute", { number }))) request.focus();
    };
    const confirmed = () => {
      const no = h("button", { onclick: () => close(run) }, "no");
      const yes = h("button", { onclick: execute }, "yes, execute");
      place.replaceChildren(h("div", { role: "alert" }, `Execute now in ${runs}? `, yes, " ", no));
      no.focus();
    };
    const run = h("button", { onclick: confirmed }, "execute …");
    const save = async (/** @type {string} */ text) => {
      try {
        line.say((await ask(model, "save", { text, number })).message);
        close(make);
        return "";
      } catch (error) {
        return wordsOf(error);
      }
    };
    const form = rightLabel(label, sample.tools, save, () => close(make));
    const correct = () => {
      place.replaceChildren(form.node);
      form.focus();
    };
    const props = { onclick: correct, disabled: Boolean(model.get("blocked")) };
    const make = h("button", props, "keep or correct …");
    const none = h("div", { class: "lt-small" }, "no rule is broken (the values may still be wrong)");
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
      h("div", { class: "lt-row" }, runs ? run : null, make, stuck ? h("span", {}, stuck) : null),
      place,
    ];
  };
  request.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    asking();
  });
  const fresh = h("button", { onclick: () => show(() => ask(model, "fresh")) }, "new dialogue");
  const send = h("button", { onclick: asking }, "ask");
  const root = frame(
    "try a policy",
    h("div", { class: "lt-row" }, h("label", {}, "policy ", policy), fresh),
    h("label", { class: "lt-row" }, "system ", system),
    tools.node,
    talk,
    answered,
    h("div", { class: "lt-row lt-request" }, request, send),
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
