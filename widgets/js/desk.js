// The parts of the review desk (disagreement.js): the order of its questions, note, label, sample.

/**
 * The words of an error of Python, without its class.
 * @param {unknown} error
 */
const reasonOf = (error) => wordsOf(error).replace(/^\w+: /, "");

/**
 * The drawing of the selected row.
 * @param {Model<DisagreementTraits, DisagreementQuestions>} model
 * @param {Say} say
 * @param {(selected: ReviewedRow) => void} show
 */
function rowDrawer(model, say, show) {
  /** The drawing, under way or done. @type {Promise<unknown>} */
  let drawn = Promise.resolve();
  /** Numbers of the last row that was asked for, and of the last one that is shown. */
  let asked = 0;
  let answered = 0;
  const draw = () => {
    const mine = ++asked;
    // The cursor goes along: the page's own change of it may not have reached Python yet.
    drawn = ask(model, "detail", { at: model.get("cursor") })
      .then((selected) => {
        if (mine !== asked) return;
        answered = mine;
        show(selected);
      })
      .catch((error) => {
        answered = mine;
        say(wordsOf(error), true);
      });
  };
  return { draw, drawn: () => drawn, isLate: () => answered !== asked };
}

/**
 * The order of the desk's questions: actions one after the other, each when its row is drawn.
 * @param {Model<DisagreementTraits, DisagreementQuestions>} model
 * @param {Say} say
 * @param {(selected: ReviewedRow) => void} show draws the selected row
 */
function deskQueue(model, say, show) {
  const { draw, drawn, isLate } = rowDrawer(model, say, show);
  /** The last action, under way or done. @type {Promise<unknown>} */
  let last = drawn();
  /** All work that does not wait for the actions before it. @type {Promise<unknown>} */
  let others = last;
  /** Actions under way. */
  let pending = 0;

  /**
   * Ask for something that changes the queue.
   * @template {keyof DisagreementQuestions} K
   * @param {K} type
   * @param {Parameters<DisagreementQuestions[K]>} values
   * @returns {Promise<ReturnType<DisagreementQuestions[K]> | null>} null after an error, which was shown
   */
  function act(type, ...values) {
    const next = last.then(async () => {
      try {
        const answer = await ask(model, type, ...values);
        if ("message" in answer && answer.message) say(answer.message);
        return answer;
      } catch (error) {
        say(reasonOf(error), true);
        return null;
      } finally {
        await drawn();
        pending -= 1;
      }
    });
    pending += 1;
    last = next;
    return next;
  }
  /** Select a row further down or up. @param {number} by */
  function step(by) {
    last = last.then(() => moveCursor(model, model.get("cursor") + by));
  }
  /**
   * Count work that does not wait for the actions before it as one that is under way.
   * @template T
   * @param {() => Promise<T>} work
   */
  function during(work) {
    pending += 1;
    const done = work().finally(() => {
      pending -= 1;
    });
    others = Promise.allSettled([others, done]);
    return done;
  }
  /** Whether the selected row is still on its way to the page. */
  const waiting = () => pending > 0 || isLate();
  /** What was under way when it was asked for. */
  const settled = () => Promise.allSettled([last, others, drawn()]);
  return { act, step, during, draw, waiting, settled, drawn };
}

/**
 * The note that becomes a decision's reason. What is typed is kept for the row that is shown.
 * @param {Model<DisagreementTraits, DisagreementQuestions>} model
 * @param {() => ReviewedRow} current
 * @param {Say} say
 * @param {() => void} leave puts the focus back on the desk
 */
function noteField(model, current, say, leave) {
  const blocked = Boolean(model.get("blocked"));
  const node = h("input", {
    type: "text",
    class: "lt-note",
    placeholder: "note: why you decide so",
    "aria-label": "note",
    title: "becomes the decision's reason (key n); Enter keeps it",
    disabled: blocked,
  });
  const keeping = keeper(() => {
    const { id } = current();
    if (id) put(model, { notes: { ...model.get("notes"), [id]: node.value } });
  });
  node.addEventListener("input", keeping.later);
  node.addEventListener("blur", keeping.now);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    keeping.now();
    leave();
    const { id } = current();
    // The row stays, so the next key need not wait for this.
    if (event.key === "Enter" && !blocked && id) {
      ask(model, "note", { id, note: node.value }).then(
        (answer) => say(answer.message ?? ""),
        (error) => say(wordsOf(error), true),
      );
    }
  });
  /** @param {ReviewedRow} row */
  const show = (row) => {
    node.value = row.id === null ? "" : (model.get("notes")[row.id] ?? row.decision?.reason ?? "");
  };
  return { node, keep: keeping.now, show };
}

/**
 * The editor of the shown row's label, with drafts that outlive it.
 * @param {Model<DisagreementTraits, DisagreementQuestions>} model
 * @param {() => ReviewedRow} current
 * @param {(id: string, text: string) => Promise<string>} save why it failed; empty: saved
 * @param {() => void} leave puts the focus back on the desk
 */
function labelDesk(model, current, save, leave) {
  const node = h("div", { class: "lt-editing" });
  const none = { keep: () => {}, focus: () => {} };
  /** The editor that was opened last. @type {{ keep: () => void, focus: () => void }} */
  let editor = none;
  /** @param {string} id @param {string | null} text null: no label is being edited */
  const draft = (id, text) => {
    const { [id]: _, ...others } = model.get("drafts");
    put(model, { drafts: text === null ? others : { ...others, [id]: text } });
  };
  /** @param {boolean} [focus] */
  function draw(focus = false) {
    const row = current();
    const { id } = row;
    const text = id === null ? undefined : model.get("drafts")[id];
    editor = none;
    if (id === null || text === undefined || model.get("blocked")) return node.replaceChildren();
    const opened = labelEditor(text, row.text, row.detail.tools, {
      typed: (label) => draft(id, label),
      check: (label) => ask(model, "check", { text: label, tools: row.detail.tools }),
      save: (label) => save(id, label),
      leave: () => {
        draft(id, null);
        draw();
        leave();
      },
    });
    node.replaceChildren(opened.node);
    editor = opened;
    if (focus) opened.focus(differingIn(row.detail));
    return undefined;
  }
  /** @param {Exclude<ReviewedRow, { id: null }>} row */
  function edit({ id, text }) {
    if (!(id in model.get("drafts"))) draft(id, text);
    draw(true);
  }
  /** Whether a draft of the shown row is open. */
  const isOpen = () => {
    const { id } = current();
    return id !== null && id in model.get("drafts") && node.firstChild !== null;
  };
  return { node, draw, edit, isOpen, keep: () => editor.keep(), focus: () => editor.focus() };
}

/** The selected sample, its request, which stays in sight, and what the judge weighed. */
function samplePanel() {
  const asked = h("div", {
    class: "lt-asked lt-turn lt-user",
    role: "note",
    "aria-label": "request",
    dir: "auto",
  });
  const card = h("div", { class: "lt-card", tabindex: "0", role: "region", "aria-label": "sample" });
  const side = h("div", { class: "lt-weighed", tabindex: "0", role: "region", "aria-label": "verdict" });
  const hidden = "The judge's verdict and its reasons are hidden until you have decided (blind).";
  /** @param {ReviewedRow} row */
  const show = (row) => {
    if (row.id !== null) {
      const { verdict } = row.detail;
      asked.textContent = plain(lastRequest(row.detail));
      card.replaceChildren(sampleCard(row.detail));
      side.replaceChildren(verdict ? judgement(verdict) : h("p", { class: "lt-small" }, hidden));
      if (row.decision) side.prepend(decisionNote(row.decision));
    } else {
      card.replaceChildren(h("p", { class: "lt-small" }, "No row is selected."));
      asked.replaceChildren();
      side.replaceChildren();
    }
    card.scrollTop = side.scrollTop = asked.scrollTop = 0;
    card.dataset.row = row.id ?? "";
  };
  return { asked, side, card, show };
}

/**
 * How far the review is, and how person and judge agree; what counts stands in the tooltip.
 * @param {HTMLElement} node
 * @param {DisagreementTraits["progress"]} progress
 */
function showProgress(node, progress) {
  const { needs, blind } = progress;
  node.textContent = progressWords(progress);
  node.title =
    (blind ? "Only rows decided before their verdict was shown count: one that was seen sways. " : "") +
    `Cohen's kappa is shown from ${needs} rows on that you both judged, with more than one verdict of each.`;
}

/** @param {DisagreementTraits["progress"]} progress */
function progressWords({ reviewed, left, n, observed, kappa, needs, together, blind }) {
  const done = `✓ reviewed ${reviewed.toLocaleString()} / left ${left.toLocaleString()}`;
  const bulk = together
    ? ` · ${together.toLocaleString()} accepted in bulk, which say nothing about the judge`
    : "";
  if (!n || observed === null) return done + bulk;
  const [value, ...interval] = (kappa ?? []).map((x) => x.toFixed(2));
  const few = `too few to say (from ${needs} rows on)`;
  const coefficient = kappa ? `${value} [${interval.join(", ")}]` : few;
  const how = blind ? "decided blind (others do not count)" : "decided one by one";
  const agreed = `you and the judge agree on ${Math.round(observed * n)} of ${n} ${how}`;
  return `${done} · ${agreed} · Cohen's kappa ${coefficient}${bulk}`;
}
