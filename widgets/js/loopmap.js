// The loop as a map: every ribbon and bar is a button that selects the samples behind it; the errors as a heat map, cells likewise.

/** Make buttons of the parts of a drawing: `what(node)` is what a part selects, null where it selects nothing. */
function pressable(svg, parts, what, choose) {
  const buttons = [...svg.querySelectorAll(parts)];
  for (const node of buttons) {
    for (const [name, value] of Object.entries({ tabindex: "0", role: "button", "aria-label": node.querySelector("title").textContent })) node.setAttribute(name, value);
    node.addEventListener("click", () => choose(what(node)));
    node.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      e.stopPropagation();
      choose(what(node));
    });
  }
  return (selected) => buttons.forEach((node) => node.setAttribute("aria-pressed", String(JSON.stringify(what(node)) === JSON.stringify(selected))));
}

/** What was selected, in words. */
function inWords(selected) {
  const name = (node) => node.replace(/^(D\d+)\/(part|state|verdict|fate|new)\//, "$1 ");
  if (selected[0] === "node") return name(selected[1]);
  if (selected[0] === "flow") return `${name(selected[1])} → ${name(selected[2])}`;
  if (selected[0] === "errors") return `D${selected[1]}: ${selected[3].replaceAll("_", " ")} at ${selected[2]}`;
  return "all samples of all datasets";
}

function errorMap(model, choose, say) {
  const box = h("div", { class: "lt-wide" });
  let mark = () => {};
  const which = h("select", { "aria-label": "iteration of the errors", title: "iteration whose errors are shown",
    onchange: () => put(model, { heat: Number(which.value) }) }, model.get("heats").map((j) => h("option", { value: j }, `iteration ${j}`)));
  const against = h("input", { type: "checkbox", onchange: () => put(model, { against: against.checked }) });
  const draw = () => {
    which.value = model.get("heat");
    against.checked = model.get("against");
    if (!model.get("heat")) return;
    ask(model, "heat", { iteration: model.get("heat"), against: model.get("against") }).then(({ svg, tools, kinds, empty, first }) => {
      const image = drawing(svg);
      against.disabled = first;
      mark = pressable(image, ".lt-cell", (n) => ["errors", model.get("heat"), tools[n.dataset.row], kinds[n.dataset.column]], choose);
      mark(model.get("selected"));
      box.replaceChildren(empty ? h("p", { class: "lt-small" }, "no errors in this iteration") : image);
    }, (e) => say(e.message, true));
  };
  const stops = [follow(model, ["heat", "against"], draw), follow(model, ["selected"], () => mark(model.get("selected")))];
  const node = h("details", { open: true }, h("summary", {}, "errors by tool and kind"),
    h("div", { class: "lt-row" }, which, h("label", { title: "numbers of this iteration minus those of the one before" }, against, " minus the iteration before"),
      h("span", { class: "lt-small" }, "A sample counts once at each tool and kind of its faults. Click a cell for its samples.")), box);
  return { node, stop: () => stops.forEach((s) => s()) };
}

const flipTable = (flips) =>
  h("details", { class: "lt-flips", open: true }, h("summary", {}, "held-out samples from policy to policy"),
    h("table", { class: "lt-pair" }, h("thead", {}, h("tr", {}, ["before", "after", "samples", "fixed", "regressed"].map((c) => h("th", { scope: "col" }, c)))),
      h("tbody", {}, flips.map(([before, after, n, fixed, regressed]) =>
        h("tr", {}, h("td", {}, before), h("td", {}, after), h("td", {}, n), h("td", {}, `+${fixed}`), h("td", {}, `−${regressed}`))))));

function loopMap({ model, el, host }, line) {
  const map = h("div", { class: "lt-wide lt-map" });
  const note = h("p", { class: "lt-blocked", hidden: true });
  const heading = h("h4", { "aria-live": "polite" });
  const flips = h("div", {});
  const choose = (selected) => put(model, { selected });
  const all = h("button", { title: "select all samples again (Escape)", onclick: () => choose([]) }, "all samples");
  const failed = (e) => line.say(e.message, true);
  const again = h("button", { class: "lt-again", title: "read the run again: show what it has done since",
    onclick: () => { line.say("reading the run …"); ask(model, "refresh").then((a) => line.say(a.said), failed); } }, "refresh");
  const views = ["ProbeView", "DisagreementView", "ExpansionView"].map((name) => h("button", { "data-view": name, disabled: true, title: `show these samples in ${name}, below`,
    onclick: () => { line.say(`opening ${name} …`); ask(model, "open", { view: name }).then((a) => line.say(a.said), failed); } }, `open in ${name}`));

  let mark = () => {};
  ask(model, "map").then((answer) => {
    const svg = drawing(answer.svg);
    // One list: a bar is a node, a ribbon a flow.
    mark = pressable(svg, ".lt-node, .lt-flow", (n) => (n.dataset.node ? ["node", n.dataset.node] : ["flow", n.dataset.source, n.dataset.target]), choose);
    mark(model.get("selected"));
    map.replaceChildren(svg);
    note.hidden = !answer.note;
    note.textContent = answer.note;
    if (answer.flips.length) flips.replaceChildren(flipTable(answer.flips));
  }, failed);

  const card = h("div", { class: "lt-probe-card", role: "region", "aria-label": "selected sample", tabindex: "0" });
  const table = rowTable(model, { label: "samples behind the selection", lines: 10, onopen: () => card.focus(), narrowed: ["selected"] });
  const show = oneAtATime(() => ask(model, "sample", { at: model.get("cursor") }).then(({ sample, fits }) => {
    card.replaceChildren(sample ? sampleCard(sample) : h("p", { class: "lt-small" }, "no sample is shown"));
    card.scrollTop = 0;
    for (const button of views) button.disabled = !fits.includes(button.dataset.view);
  }, failed));

  const below = h("div", { class: "lt-opened" });
  let shown = null;
  const child = () => {
    shown?.abort();
    below.replaceChildren();
    if (!model.get("opened")) return;
    const mine = (shown = new AbortController());
    const place = h("div", {});
    const close = h("button", { title: "close the view below", onclick: () => ask(model, "close").then(() => line.say("closed"), failed) }, "close the view below");
    host.getWidget(model.get("opened")).then((widget) => { if (!mine.signal.aborted) widget.render({ el: place, signal: mine.signal }); }, failed);
    below.replaceChildren(h("div", { class: "lt-row" }, close), place);
  };

  const errors = errorMap(model, choose, line.say);
  const root = frame("loop map", note, map, h("div", { class: "lt-row" }, heading, all, again, views, line.node), table.tools,
    h("div", { class: "lt-probe-box" }, h("div", { class: "lt-columns lt-probe" }, table.node, card)), below, errors.node, flips);
  onKeys(root, { Escape: () => choose([]) });
  el.replaceChildren(root);

  const stops = [table.stop, errors.stop, () => shown?.abort(),
    follow(model, ["version", "cursor"], show),
    follow(model, ["opened"], child),
    follow(model, ["selected"], () => {
      const selected = model.get("selected");
      heading.textContent = plain(inWords(selected));
      all.disabled = !selected.length;
      mark(selected);
    })];
  return () => stops.forEach((s) => s());
}

/** The map, built anew when the run was read again: its facets and iterations are other ones then. */
function render(place) {
  const { model, el } = place;
  const line = statusLine();
  let stop = () => {};
  const end = follow(model, ["drawn"], () => {
    const held = el.contains(document.activeElement);
    stop();
    stop = loopMap(place, line);
    if (held) el.querySelector(".lt-again").focus();
  });
  return () => { end(); stop(); };
}

export default { render };
