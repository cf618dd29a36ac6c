// TryView: a request, the tools on offer, the policy's answer with what speaks against it, its execution
// after a confirmation, and a sample made of it.

/** Whether this page has drawn the view before. */
let wasDrawn = false;

/** @param {Place<TryTraits, TryQuestions>} place */
function render({ model, el }) {
  const line = statusLine();
  const tools = toolPicker(model);
  /** @type {HTMLSelectElement} */
  const policy = h(
    "select",
    {
      "aria-label": "policy",
      title: "which policy answers: base is the model before any training",
      onchange: () => {
        put(model, { policy: policy.value });
      },
    },
    model.get("policies").map((name) => {
      const lost = model.get("lost").includes(name);
      return h("option", { value: name, disabled: lost }, lost ? `${name} (its weights are not here)` : name);
    }),
  );
  const system = h("input", {
    "aria-label": "system message",
    title: "what the policy is told before the dialogue",
    dir: "auto",
    style: "flex:1",
  });
  const given = model.get("system");
  const earlierSystem = halfWritten(model).read("system", isText)[""];
  if (earlierSystem !== undefined) put(model, { system: earlierSystem.trim() && earlierSystem });
  system.addEventListener("input", () => {
    halfWritten(model).write("system", "", system.value === given ? "" : system.value || " "); // " ": emptied
  });
  system.addEventListener("change", () => put(model, { system: system.value }));
  const request = h("textarea", {
    rows: 2,
    "aria-label": "request",
    title: "what the user says; Enter asks",
    dir: "auto",
  });
  const typing = keeper(() => put(model, { draft: request.value }));
  request.addEventListener("input", typing.later);
  request.addEventListener("blur", typing.now);
  const intro = introOf(model, (example) => {
    if (request.value.trim()) return line.say("A request stands in the field already.", true);
    request.value = example;
    typing.later();
    return request.focus();
  });
  const talk = h("div", { class: "lt-talk", role: "region", "aria-label": "dialogue with the policy" });
  const waiting = h("div", {});
  const answered = h("div", { class: "lt-answer", role: "region", "aria-label": "answer" });

  const kept = halfWritten(model);
  const drop = () => put(model, { written: {} });
  const nothing = { given: "", keep: () => {}, tell: line.say, write: null, forget: drop, next: () => {} };
  /**
   * The form of the answer that is shown: its first text, what keeps its draft, refuses in its head, opens
   * it, forgets it, and shows what can be done next.
   * @type {{
   *   given: string, keep: () => void, tell: (words: string) => void, write: ((text: string) => void) | null,
   *   forget: () => void, next: (next: NextStep) => void,
   * }}
   */
  let opened = nothing;
  /** Whether the form may be closed; a right answer that was typed and not kept is never lost. */
  const mayClose = () => {
    opened.keep();
    const { text } = model.get("written");
    if (text !== undefined && text !== opened.given) {
      opened.tell("The right answer in this form is not kept yet: keep or cancel it first.");
      return false;
    }
    opened.forget();
    return true;
  };
  /** The dialogue that is shown, and the one that "new dialogue" has left, until another begins. */
  let [here, left] = ["", ""];
  /** @param {NextStep} next */
  const remember = ({ memory }) => {
    here = memory;
    if (memory) left = "";
    reopen.hidden = !left;
    if (onPage()) kept.write("dialogue", "", memory); // loaded again, the page has another kernel
  };
  const takeBack = async (/** @type {string} */ id) => {
    const newest = id === model.get("kept");
    try {
      const { message, ...next } = await ask(model, "take_back", { id });
      line.say(message);
      remember(next);
      if (newest) {
        opened.next({ ...next, text: "" });
        opened.write?.(next.text);
      }
    } catch (error) {
      line.say(wordsOf(error), true);
    }
  };
  let [busy, drawn] = [false, false];
  /** Between question and answer nothing can be done with what is shown. @param {boolean} on */
  const wait = (on) => {
    if (on && [answered, fresh, send].some((part) => part.contains(document.activeElement))) request.focus();
    busy = answered.inert = fresh.disabled = send.disabled = on;
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
      talk.replaceChildren(messages.length ? dialogueOf({ ...answer.sample, messages }) : intro);
      answered.replaceChildren(...answerParts(answer));
      remember(answer);
      if (drawn) line.node.scrollIntoView({ block: "nearest" });
      drawn = true;
      request.placeholder = hintOf(model, answer, messages.at(-1)?.role === "tool" && answer.executed);
      return true;
    } catch (error) {
      line.say(wordsOf(error), true);
      return false;
    } finally {
      waiting.replaceChildren();
      wait(false);
    }
  };
  /** @param {string} by */
  const isWriting = (by) => `${by} is writing … (this can take a minute)`;
  /** A request that is not answered yet stands below what was said before it. @param {string} said */
  const waitFor = (said) => {
    intro.remove();
    if (said.trim()) waiting.replaceChildren(turnOf({ role: "user", content: said, calls: [] }));
  };
  /** Let the policy of the menu answer what the shown answer is to. */
  const askAgain = () => {
    if (mayClose())
      show(() => ask(model, "ask", { request: "", again: true }), isWriting(model.get("policy")));
  };
  /** The request goes into the dialogue at once; whatever is typed until the answer stays in the field. */
  const asking = async () => {
    if (busy || !mayClose()) return;
    typing.drop();
    const said = request.value;
    waitFor(said);
    request.value = "";
    put(model, { draft: "" });
    if (onPage()) kept.write("asked", "", said || " "); // " ": results alone
    const isAnswered = await show(
      () => ask(model, "ask", { request: said, again: false }),
      isWriting(model.get("policy")),
    );
    kept.write("asked", "");
    if (isAnswered) return;
    if (!talk.childElementCount) talk.append(intro);
    if (request.value) return;
    request.value = said;
    put(model, { draft: said });
  };
  /** @param {TryAnswer} answer */
  const answerParts = ({ sample, objections, label, by, number, executed, replaced, after, ...first }) => {
    let { runs } = first;
    opened = nothing;
    if (!sample.tokens) return [];
    const turns = sample.messages.filter(({ role }) => role !== "system").length;
    const said = JSON.stringify([lastRequest(sample), after, turns]);
    /** Arguments that the rules object to. */
    const accused = sample.label.calls.flatMap((call) =>
      call.arguments
        .map(([name]) => name)
        .filter((name) => objections.join().includes(`${call.name}.${name} `)),
    );
    const forget = () => {
      put(model, { written: {} });
      kept.write("right answer", said);
    };
    const place = h("div", {});
    const right = h("section", { "aria-label": "the right answer that was kept" });
    const row = h("div", { class: "lt-row" });
    /** The right answer that was kept, and what can be done next. @param {NextStep} next */
    const showNext = (next) => {
      const from = next.late ? "; the dialogue has what was executed" : ", from which the dialogue continues";
      const head = h("h4", {}, `kept as the right answer${from}`);
      opened.given = next.text || label; // what was kept is what is corrected
      right.replaceChildren(...(next.made ? [head, answerOf(next.made)].flat() : []));
      runs = next.runs;
      const stuck = next.stuck ? h("span", {}, next.stuck) : null;
      const again = h("button", { onclick: askAgain, title: againTitle }, "ask again");
      const all = [runs ? run : null, make, executed ? null : again, back, stuck];
      row.replaceChildren(...all.filter((node) => node !== null));
    };
    const close = (/** @type {HTMLElement} */ next) => {
      place.replaceChildren();
      next.focus();
    };
    const execute = async () => {
      if (await show(() => ask(model, "execute", { number }))) request.focus();
    };
    const confirmed = () => {
      if (!mayClose()) return;
      const no = h("button", { onclick: () => close(run), title: "execute nothing" }, "no");
      const yes = h("button", { onclick: execute, title: "run these calls now" }, "yes, execute");
      place.replaceChildren(h("div", { role: "alert" }, `Execute now in ${runs}? `, yes, " ", no));
      no.focus();
    };
    const run = h("button", { onclick: confirmed, title: "run the calls; asks first" }, "execute …");
    /** The form is closed, and what was typed in it forgotten. */
    const leave = () => {
      forget();
      close(make);
    };
    const save = async (/** @type {string} */ text) => {
      try {
        const next = await ask(model, "save", { text, number });
        line.say(next.message);
        remember(next);
        showNext(next);
        leave();
        return "";
      } catch (error) {
        return wordsOf(error);
      }
    };
    const typed = (/** @type {string} */ text) => {
      put(model, { written: { number, text } });
      kept.write("right answer", said, text === opened.given ? "" : text);
    };
    const open = (/** @type {string} */ text) => {
      const check = (/** @type {string} */ now) => ask(model, "check", { text: now, tools: sample.tools });
      const form = rightLabel(text, sample.tools, { given: opened.given, typed, check, save, cancel: leave });
      place.replaceChildren(form.node);
      opened.keep = form.keep;
      opened.tell = (words) => {
        form.tell(words);
        form.node.scrollIntoView({ block: "nearest" });
      };
      return form;
    };
    const write = (/** @type {string} */ text) => {
      typed(text);
      open(text).focus(accused);
    };
    const correct = () => write(model.get("written").text ?? opened.given);
    opened = { ...nothing, given: first.text || label, write, forget, next: showNext };
    const before = model.get("written");
    const later = kept.read("right answer", isText)[said];
    if (before.number === number && before.text !== undefined) open(before.text);
    else if (later !== undefined) {
      typed(later);
      open(later);
    }
    const props = {
      onclick: correct,
      disabled: Boolean(model.get("blocked")),
      title: "make a sample of this answer, as it is or with the right label",
    };
    const make = h("button", props, "keep or correct …");
    showNext(first);
    const turned = `This answer of ${by} is executed; the results are above`;
    const inPlace = `The right answer is executed in place of this one of ${by}; the results are above`;
    const none = h("div", { class: "lt-small" }, "no rule is broken (the values may still be wrong)");
    const against = h(
      "ul",
      { class: "lt-faults", "aria-label": "objections" },
      objections.map((text) => h("li", {}, text)),
    );
    return [
      // An executed answer is a turn of the dialogue: shown here too, it would read as said once more.
      h("h4", {}, replaced ? inPlace : executed ? turned : `${by} answers`),
      ...(executed && !replaced ? [] : [answerOf(sample.label)].flat()),
      objections.length ? against : none,
      tokensOf(sample, "the answer") ?? "",
      row,
      right,
      place,
    ];
  };
  request.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    asking();
  });
  const begin = async () => {
    if (!mayClose()) return;
    const before = here;
    if (await show(() => ask(model, "fresh"))) left = before;
    reopen.hidden = !left;
  };
  const reopenTitle = "show the dialogue again that “new dialogue” has left";
  const goBack = () => show(() => ask(model, "resume", { memory: left }));
  const reopen = h(
    "button",
    { onclick: goBack, title: reopenTitle, hidden: true },
    "back to the dialogue before",
  );
  const fresh = h("button", { onclick: begin, title: "begin again with an empty dialogue" }, "new dialogue");
  const backTitle = "take the sample that was kept of this answer out of its file again";
  const takeNewest = () => takeBack(model.get("kept"));
  const back = h("button", { onclick: takeNewest, title: backTitle }, "take the kept sample back");
  const mine = triedList(model, takeBack);
  const againTitle =
    "let the policy that is chosen above answer the same, with the tools chosen now; a kept sample stays";
  const send = h("button", { onclick: asking, title: "let the policy answer (Enter)" }, "ask");
  const root = frame(
    "try a policy",
    h("div", { class: "lt-row" }, h("label", {}, "policy ", policy), fresh, reopen),
    h("label", { class: "lt-row" }, "system message ", system),
    tools.node,
    talk,
    answered,
    waiting,
    h("div", { class: "lt-row lt-request" }, request, send),
    h("div", { class: "lt-small" }, "Enter asks, Shift+Enter a new line. ", model.get("blocked")),
    line.node,
    mine.node,
  );
  el.append(root);
  // Over a change of tabs the kernel has it still.
  const asked = wasDrawn ? undefined : kept.read("asked", isText)[""];
  wasDrawn = true;
  const earlier = kept.read("request", isText)[""] ?? (asked?.trim() && asked) ?? "";
  const unkept = unkeptAnswer(kept.read("right answer", isText));
  if (!model.get("draft") && earlier) put(model, { draft: earlier });
  // A page or a tab that is opened again while the policy writes says so.
  const { by, messages = [] } = model.get("pending");
  if (by) talk.replaceChildren(dialogueOf({ messages }));
  const memory = onPage() && kept.read("dialogue", isText)[""];
  const state = () => (memory ? ask(model, "resume", { memory }) : ask(model, "state"));
  const begun = show(state, by ? isWriting(by) : "");
  begun.then(() => {
    kept.write("asked", "");
    if (unkept && !opened.write) {
      line.say(unkept.words);
      if (!model.get("draft")) put(model, { draft: unkept.request });
    } else if (asked !== undefined && !by) line.say(GONE);
  });
  const stops = [
    tools.stop,
    mine.stop,
    ...keepChoices(model),
    follow(model, ["policy"], () => {
      policy.value = model.get("policy");
    }),
    follow(model, ["system"], () => {
      system.value = model.get("system");
    }),
    follow(model, ["kept"], () => {
      back.hidden = !model.get("kept");
    }),
    follow(model, ["draft"], () => {
      kept.write("request", "", model.get("draft"));
      if (document.activeElement !== request || !model.get("draft")) request.value = model.get("draft");
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
