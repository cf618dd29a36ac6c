// LoopMap: every ribbon and bar is a button that selects the samples behind it. The errors are a heat map
// whose cells are buttons.

const HINT =
  "From left to right, what becomes of the samples of each dataset D1, D2, …: press a bar or a ribbon," +
  " and its samples stand below. By keys: Tab to the map, arrows, Enter.";

/**
 * Make buttons of the parts of a drawing, one stop of the Tab key for all: the arrow keys go from one to the
 * next. The returned function marks the selected one.
 * @param {SVGSVGElement} svg
 * @param {string} parts a CSS selector
 * @param {(part: DOMStringMap) => MapSelection} what what a part selects
 * @param {(selection: MapSelection) => void} choose
 */
function pressable(svg, parts, what, choose) {
  const buttons = /** @type {NodeListOf<SVGElement>} */ (svg.querySelectorAll(parts));
  /** @param {SVGElement} node @param {number} by */
  const go = (node, by) => {
    const all = [...buttons];
    const next = all[(all.indexOf(node) + by + all.length) % all.length];
    for (const each of all) each.setAttribute("tabindex", each === next ? "0" : "-1");
    next?.focus();
  };
  const steps = new Map(Object.entries({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }));
  for (const node of buttons) {
    node.setAttribute("tabindex", node === buttons[0] ? "0" : "-1");
    node.setAttribute("role", "button");
    node.setAttribute("aria-label", node.querySelector("title")?.textContent ?? "");
    node.addEventListener("click", () => choose(what(node.dataset)));
    node.addEventListener("keydown", (event) => {
      const by = steps.get(event.key);
      if (!by && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      if (by) go(node, by);
      else choose(what(node.dataset));
    });
  }
  /** @param {MapSelection} selected */
  const mark = (selected) => {
    for (const node of buttons) {
      const same = JSON.stringify(what(node.dataset)) === JSON.stringify(selected);
      node.setAttribute("aria-pressed", String(same));
    }
  };
  return mark;
}

/**
 * What was selected, in words.
 * @param {MapSelection} selected
 */
function inWords(selected) {
  /** @param {string} node */
  const name = (node) => node.replace(/^(D\d+)\/\w+\//, "$1 ");
  if (selected[0] === "node") return name(selected[1]);
  if (selected[0] === "flow") return `${name(selected[1])} → ${name(selected[2])}`;
  if (selected[0] === "errors")
    return `D${selected[1]}: ${selected[3].replaceAll("_", " ")} at ${selected[2]}`;
  return "all samples of all datasets";
}

/**
 * The iteration whose errors are shown, and whether those of the one before are subtracted.
 * @param {Model<LoopMapTraits, LoopMapQuestions>} model
 */
function errorControls(model) {
  /** @type {HTMLSelectElement} */
  const which = h(
    "select",
    {
      "aria-label": "iteration of the errors",
      title: "iteration whose errors are shown",
      onchange: () => put(model, { heat: Number(which.value) }),
    },
    model.get("heats").map((j) => h("option", { value: j }, `iteration ${j}`)),
  );
  /** @type {HTMLInputElement} */
  const against = h("input", {
    type: "checkbox",
    onchange: () => put(model, { against: against.checked }),
  });
  const note = "A sample counts once at each tool and kind of its faults. Click a cell for its samples.";
  const compare = "numbers of this iteration minus those of the one before";
  const node = h(
    "div",
    { class: "lt-row" },
    which,
    h("label", { title: compare }, against, " minus the iteration before"),
    h("span", { class: "lt-small" }, note),
  );
  return { node, which, against };
}

/**
 * The heat map of errors with its controls.
 * @param {Model<LoopMapTraits, LoopMapQuestions>} model
 * @param {(selection: MapSelection) => void} choose
 * @param {(error: unknown) => void} failed
 */
function errorMap(model, choose, failed) {
  const box = h("div", { class: "lt-wide" });
  const controls = errorControls(model);
  /** @type {(selected: MapSelection) => void} */
  let mark = () => {};
  const draw = () => {
    const heat = model.get("heat");
    controls.which.value = String(heat);
    controls.against.checked = model.get("against");
    if (!heat) return;
    ask(model, "heat", { iteration: heat, against: model.get("against") }).then((answer) => {
      const { svg, tools, kinds, empty, first } = answer;
      const image = drawing(svg);
      controls.against.disabled = first;
      /** @type {(part: DOMStringMap) => MapSelection} */
      const cell = (part) => [
        "errors",
        heat,
        tools[Number(part.row)] ?? "",
        kinds[Number(part.column)] ?? "",
      ];
      mark = pressable(image, ".lt-cell", cell, choose);
      mark(model.get("selected"));
      box.replaceChildren(empty ? h("p", { class: "lt-small" }, "no errors in this iteration") : image);
    }, failed);
  };
  const stops = [
    follow(model, ["heat", "against"], draw),
    follow(model, ["selected"], () => mark(model.get("selected"))),
  ];
  const node = h("details", { open: true }, h("summary", {}, "errors by tool and kind"), controls.node, box);
  return { node, stop: () => stops.forEach((stop) => stop()) };
}

/** @param {Flip[]} flips */
const flipTable = (flips) =>
  h(
    "details",
    { class: "lt-flips", open: true },
    h("summary", {}, "held-out samples from policy to policy"),
    h(
      "table",
      { class: "lt-pair" },
      headRow(["before", "after", "samples", "fixed", "broken"]),
      h(
        "tbody",
        {},
        flips.map(([before, after, n, fixed, broken]) =>
          h(
            "tr",
            {},
            [before, after, n, `+${fixed}`, `−${broken}`].map((cell) => h("td", {}, cell)),
          ),
        ),
      ),
    ),
  );

/** How often a view below is waited for; each time anywidget gives up after ten seconds. */
const PATIENCE = 12;

/**
 * Draw another view in `el` once its page has started. A busy machine may take longer than anywidget waits.
 * @param {Place<LoopMapTraits, LoopMapQuestions>["host"]} host
 * @param {string} reference
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
async function renderWidget(host, reference, el, signal) {
  for (let left = PATIENCE - 1; !signal.aborted; left -= 1) {
    try {
      const widget = await host.getWidget(reference);
      if (signal.aborted) return;
      el.replaceChildren();
      el.className = "";
      await widget.render({ el, signal });
      return;
    } catch (error) {
      if (!left) throw error;
      await new Promise((rest) => setTimeout(rest, 500));
    }
  }
}

/**
 * The view that is open below the map.
 * @param {Place<LoopMapTraits, LoopMapQuestions>} place
 * @param {Say} say
 * @param {(error: unknown) => void} failed
 */
function openedView({ model, host }, say, failed) {
  const node = h("div", { class: "lt-opened" });
  /** @type {AbortController | null} */
  let shown = null;
  /** Whether a press here opens the next view, not a page that is loaded again. */
  let expected = false;
  /** Its keys work where its table has the focus; it may be out of sight, below. */
  const goThere = () => {
    if (!expected) return;
    expected = false;
    const table = node.querySelector("[role=grid]") ?? node.querySelector(".lt-view");
    if (table instanceof HTMLElement) table.focus({ preventScroll: true });
    node.scrollIntoView();
  };
  const title = "close the view below";
  const close = h(
    "button",
    { title, onclick: () => ask(model, "close").then(() => say("closed"), failed) },
    title,
  );
  const draw = () => {
    shown?.abort();
    node.replaceChildren();
    const reference = model.get("opened");
    if (!reference) return;
    const mine = new AbortController();
    shown = mine;
    const el = h("div", { class: "lt-small" }, "drawing …");
    renderWidget(host, reference, el, mine.signal).then(goThere, (error) => {
      if (!mine.signal.aborted) failed(error);
    });
    const [selected = [], shows = ""] = model.get("opened_of");
    const what = h("strong", {}, `${inWords(selected)}: ${shows}`);
    node.replaceChildren(h("div", { class: "lt-row" }, what, close), el);
  };
  const unfollow = follow(model, ["opened"], draw);
  const stop = () => {
    unfollow();
    shown?.abort();
  };
  return { node, expect: () => (expected = true), stop };
}

/**
 * The ribbons and bars, with what the run says about them.
 * @param {Model<LoopMapTraits, LoopMapQuestions>} model
 * @param {(selection: MapSelection) => void} choose
 * @param {(error: unknown) => void} failed
 */
function ribbons(model, choose, failed) {
  const map = h("div", { class: "lt-wide lt-map" });
  const note = h("p", { class: "lt-blocked", hidden: true });
  const flips = h("div", {});
  const words = h("div", { class: "lt-small" });
  /** @type {(selected: MapSelection) => void} */
  let mark = () => {};
  /** @param {ReturnType<LoopMapQuestions["map"]>} answer */
  const draw = (answer) => {
    const svg = drawing(answer.svg);
    /** @type {(part: DOMStringMap) => MapSelection} */
    const what = ({ node, source, target }) => (node ? ["node", node] : ["flow", source ?? "", target ?? ""]);
    mark = pressable(svg, ".lt-node, .lt-flow", what, choose);
    mark(model.get("selected"));
    const at = [...map.querySelectorAll("[tabindex]")].findIndex((part) => part.matches(":focus"));
    map.replaceChildren(svg);
    /** @type {NodeListOf<SVGElement>} */ (svg.querySelectorAll("[tabindex]"))[at]?.focus();
    note.hidden = !answer.note;
    note.textContent = answer.note;
    if (answer.flips.length) flips.replaceChildren(flipTable(answer.flips));
    words.textContent = plain(answer.legend.map(([name, meaning]) => `${name}: ${meaning}`).join(" · "));
  };
  const stop = followWidth(map, (width) => ask(model, "map", { width }).then(draw, failed));
  return { map, note, flips, words, stop, mark: (/** @type {MapSelection} */ selected) => mark(selected) };
}

/**
 * The buttons of the map: all samples, read the run again, and one for each view.
 * @param {Model<LoopMapTraits, LoopMapQuestions>} model
 * @param {(selection: MapSelection) => void} choose
 * @param {Say} say
 * @param {(error: unknown) => void} failed
 * @param {() => void} toOpened lets the view that is opened next have the focus
 */
function mapButtons(model, choose, say, failed, toOpened) {
  /** @param {Outcome} outcome */
  const tell = (outcome) => say(outcome.message ?? "");
  const allTitle = "select all samples again (Escape)";
  const all = h("button", { title: allTitle, onclick: () => choose([]) }, "all samples");
  const refresh = () => {
    say("reading the run …");
    ask(model, "refresh").then(tell, failed);
  };
  const againTitle = "read the run again and show what is new";
  const again = h("button", { class: "lt-again", title: againTitle, onclick: refresh }, "refresh");
  const views = model.get("views").map(([name, words]) => {
    const open = () => {
      const selected = inWords(model.get("selected"));
      say(`opening ${words} …`);
      toOpened();
      ask(model, "open", { view: name }).then(({ message }) => say(`${selected}: ${message}`), failed);
    };
    const props = { "data-view": name, disabled: true, title: `show these samples in ${words}, below` };
    return h("button", { ...props, onclick: open }, `open in ${words}`);
  });
  return { all, again, views };
}

/**
 * The map with the samples behind its selection.
 * @param {Place<LoopMapTraits, LoopMapQuestions>} place
 * @param {{ node: HTMLElement, say: Say }} line
 */
function loopMap(place, line) {
  const { model, el } = place;
  /** @param {MapSelection} selected */
  const choose = (selected) => {
    line.say(""); // it may be about what was selected before
    put(model, { selected });
  };
  /** @param {unknown} error */
  const failed = (error) => line.say(wordsOf(error), true);
  const heading = h("h4", { "aria-live": "polite" });
  const opened = openedView(place, line.say, failed);
  const { all, again, views } = mapButtons(model, choose, line.say, failed, opened.expect);
  if (!model.get("total")) {
    const empty = nothingYet(
      "loop map",
      model.get("missing"),
      h("div", { class: "lt-row" }, again, line.node),
    );
    el.replaceChildren(empty);
    return () => {};
  }
  const { map, note, flips, words, stop, mark } = ribbons(model, choose, failed);
  const card = h("div", {
    class: "lt-probe-card",
    role: "region",
    "aria-label": "selected sample",
    tabindex: "0",
  });
  const table = rowTable(model, {
    label: "samples behind the selection",
    lines: 16,
    onopen: () => card.focus(),
    narrowed: ["selected"],
  });
  const show = oneAtATime(() =>
    ask(model, "sample", { at: model.get("cursor") }).then(({ sample, fits }) => {
      card.replaceChildren(sample ? sampleCard(sample) : h("p", { class: "lt-small" }, "no sample is shown"));
      card.scrollTop = 0;
      for (const button of views) button.disabled = !fits.includes(button.dataset.view ?? "");
    }, failed),
  );
  const hint = h("div", { class: "lt-small" }, HINT);
  const errors = errorMap(model, choose, failed);
  const root = frame(
    "loop map",
    note,
    hint,
    map,
    words,
    h("div", { class: "lt-row" }, heading, all, again, views, line.node),
    table.tools,
    h("div", { class: "lt-probe-box" }, h("div", { class: "lt-columns lt-probe" }, table.node, card)),
    opened.node,
    errors.node,
    flips,
  );
  onKeys(root, { Escape: () => choose([]) });
  el.replaceChildren(root);
  const select = () => {
    const selected = model.get("selected");
    heading.textContent = plain(inWords(selected));
    all.disabled = !selected.length;
    mark(selected);
  };
  const stops = [
    stop,
    table.stop,
    errors.stop,
    opened.stop,
    follow(model, ["version", "cursor"], show),
    follow(model, ["selected"], select),
  ];
  return () => stops.forEach((each) => each());
}

/**
 * The map, built again whenever the run was read again: its facets and iterations are other ones then.
 * @param {Place<LoopMapTraits, LoopMapQuestions>} place
 */
function render(place) {
  const { model, el } = place;
  const line = statusLine();
  let stopMap = () => {};
  const end = follow(model, ["drawn"], () => {
    const focused = el.contains(document.activeElement);
    stopMap();
    stopMap = loopMap(place, line);
    const again = el.querySelector(".lt-again");
    if (focused && again instanceof HTMLElement) again.focus();
  });
  return () => {
    end();
    stopMap();
  };
}

export default { render };
