// The editor of a label in DisagreementView.

/**
 * The editor of a label.
 * @param {string} text
 * @param {object} on
 * @param {(text: string) => void} on.typed called a moment after the last key
 * @param {(text: string) => Promise<string>} on.save answers with what is wrong, empty if it was saved
 * @param {() => void} on.leave
 */
function labelEditor(text, on) {
  const area = h("textarea", {
    rows: Math.min(16, Math.max(4, text.split("\n").length + 1)),
    "aria-label": "label",
    spellcheck: "false",
    value: text,
    title: "a JSON list of calls, or a plain reply",
  });
  const fault = h("div", { class: "lt-status lt-bad", role: "alert" });
  const typing = keeper(() => on.typed(area.value));
  const save = async () => {
    typing.now();
    fault.textContent = plain(await on.save(area.value));
  };
  const leave = () => {
    typing.drop();
    on.leave();
  };
  area.addEventListener("input", typing.later);
  area.addEventListener("blur", typing.now);
  area.addEventListener("keydown", (event) => {
    const saves = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (!saves && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (saves) save();
    else leave();
  });
  const calls = '[{"name": …, "arguments": {…}}]';
  const help = `The right label: a JSON list of calls ${calls}, or a plain reply as it should be said.`;
  const saveTitle = "save as LABEL_WRONG with this label (Ctrl+Enter)";
  const node = h(
    "div",
    { class: "lt-editor" },
    h("div", { class: "lt-small" }, help),
    area,
    fault,
    h(
      "div",
      { class: "lt-row" },
      h("button", { onclick: save, title: saveTitle }, "save label"),
      h("button", { onclick: leave, title: "leave the label as it was (Escape)" }, "cancel"),
    ),
  );
  const focus = () => {
    area.focus();
    area.setSelectionRange(0, 0);
  };
  return { node, focus };
}
