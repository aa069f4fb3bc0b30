"use strict";

/* Filters, counts, buttons and keys around the photos. */

const STATUSES = { captioned: "Captioned", not_a_scene: "No scene", too_large: "Too large", io: "Disk error" };

/** Read what is asked for off the filters. */
function askedFor() {
  const value = (id) => byId(id).value;
  const percent = (id, otherwise) => (value(id) === "" ? otherwise : Number(value(id)));
  return {
    words: folded(value("search")).split(/\s+/u).filter(Boolean),
    review: value("review"),
    status: value("status"),
    language: value("language"),
    folder: value("folder"),
    order: value("order"),
    from: percent("from", 0),
    to: percent("to", 100),
  };
}

function fillFilters({ all }) {
  const statuses = [...countsOf(all, (row) => row.status)];
  offer("status", "All", statuses.map(([value, count]) => [value, STATUSES[value] ?? capital(value), count]));
  const languages = [...countsOf(all, (row) => row.language)].filter(([value]) => value);
  offer("language", "All", languages.map(([value, count]) => [value, languageName(value), count]));
  byId("language-field").hidden = languages.length < 2;
  // Isolated, so that a name that runs from right to left leaves the count where it is.
  offer("folder", "All", foldersOf(all).map(([value, count]) => [value, `\u2068${value.slice(0, -1)}\u2069`, count]));
}

function offer(id, first, choices) {
  const select = byId(id);
  const before = select.value;
  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  const texts = choices.map(([value, text, count]) => option(value, `${text} (${number.format(count)})`));
  select.replaceChildren(option("", first), ...texts);
  select.value = before;
}

function languageName(tag) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1).replaceAll("_", " ");
}

function tellShown({ shown, first, all, head, decisions }) {
  const last = Math.min(first + PAGE, shown.length);
  const of = shown.length === head.total ? "" : ` (of ${number.format(head.total)} in all)`;
  byId("shown").textContent = shown.length
    ? `${number.format(first + 1)}–${number.format(last)} of ${number.format(shown.length)}${of}`
    : "";
  document.querySelectorAll(".pager").forEach((pager) => {
    pager.querySelector(".number").textContent = `Page ${first / PAGE + 1} of ${Math.max(1, Math.ceil(shown.length / PAGE))}`;
    pager.querySelector(".before").disabled = first === 0;
    pager.querySelector(".after").disabled = last >= shown.length;
  });
  const loading = all.length < head.total && !document.body.dataset.loaded;
  const none = loading ? "Loading …" : "No photo fits. “Show all” takes the filters away.";
  note(byId("empty"), shown.length ? "" : none);
  const counts = countsOf(all, (row) => stateOf(row, decisions).review_status);
  const before = byId("review").value;
  offer("review", "All", Object.entries(REVIEWS).map(([value, text]) => [value, text, counts.get(value) ?? 0]));
  byId("review").value = before;
  const reviewed = all.length - (counts.get("unreviewed") ?? 0);
  byId("progress").textContent = `${number.format(reviewed)} of ${number.format(head.total)} reviewed`;
}

/** Say where decisions are, and what is left to do with them. */
function tellKept({ decisions, head, file }) {
  const made = decisions.made.size;
  byId("merge").textContent = head.merge + file;
  byId("export").disabled = made === 0;
  byId("export").textContent = made ? `Save corrections (${number.format(made)})` : "Save corrections";
  const safety = decisions.problem ? `${decisions.problem} Save your corrections before you close this page. ` : "";
  const here = `${counted(decisions.unsaved)} only in this browser, not in the archive yet: save them as a file, then merge it.`;
  const saved = `Saved as a file. It comes into the archive with: ${head.merge}${file} (where you saved it). Then make the gallery again.`;
  note(byId("kept"), safety + (made ? (decisions.unsaved ? here : saved) : ""));
}

function counted(decisions) {
  return decisions === 1 ? "1 decision is" : `${number.format(decisions)} decisions are`;
}

function note(place, text) {
  place.textContent = text;
  place.hidden = !text;
}

/** Say something to who cannot see it. */
function tell(text) {
  byId("told").textContent = text;
}

/** Connect the page to its buttons, and load it. */
function start(page) {
  document.title = byId("title").textContent = `Captions of ${page.head.name}`;
  offer("review", "All", Object.entries(REVIEWS).map(([value, text]) => [value, text, 0]));
  byId("review").value = "unreviewed";
  offer("status", "All", []);
  offer("language", "All", []);
  offer("folder", "All", []);
  byId("more").open = matchMedia("(min-width: 48rem)").matches;
  if (page.reviewer) byId("reviewer").textContent = `Reviewer: ${page.reviewer}`;
  prepareHelp();
  listenToFilters(page);
  listenToPhotos(page);
  byId("reviewer").onclick = async () => (page.reviewer = await page.name());
  byId("help-button").onclick = () => byId("help").showModal();
  byId("export").onclick = () => page.save();
  document.querySelectorAll(".before").forEach((button) => (button.onclick = () => page.turn(-1)));
  document.querySelectorAll(".after").forEach((button) => (button.onclick = () => page.turn(1)));
  listenToKeys(page);
  addEventListener("storage", (event) => page.decisions.hear(event) && page.refreshAll());
  addEventListener("beforeunload", (event) => {
    if (page.drafts.typed || (page.decisions.problem && page.decisions.unsaved)) event.preventDefault();
  });
  page.load();
}

function listenToFilters(page) {
  const form = byId("filters");
  let waiting = 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => page.choose());
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => page.choose(), 100); // ms: once a word, not once a letter
  });
  byId("clear").addEventListener("click", () => {
    form.reset();
    page.choose();
  });
}

function listenToPhotos(page) {
  const photos = byId("photos");
  const does = {
    approve: (card) => page.approve(card),
    edit: (card) => page.edit(card),
    reject: (card) => page.reject(card),
    undo: (card) => page.undo(card.row),
    look: (card) => page.look(card),
  };
  photos.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    const button = event.target.closest("button");
    if (!card || !button) return;
    const action = Object.keys(does).find((name) => button.classList.contains(name));
    if (action) does[action](card);
  });
  photos.addEventListener("focusin", (event) => {
    page.current = Number(event.target.closest(".card").dataset.place);
    page.mark();
  });
}

function listenToKeys(page) {
  const does = {
    a: (card) => page.approve(card),
    e: (card) => page.edit(card),
    r: (card) => page.reject(card),
    w: (card) => page.look(card),
    u: () => page.undo(),
    j: () => page.select(page.current + 1),
    k: () => page.select(page.current - 1),
    ArrowRight: () => page.select(page.current + 1),
    ArrowLeft: () => page.select(page.current - 1),
    "/": () => byId("search").focus(),
    "?": () => byId("help").showModal(),
  };
  const on = byId("keys-on");
  on.checked = remembered("keys") !== "off";
  on.onchange = () => remember("keys", on.checked ? "on" : "off");
  document.addEventListener("keydown", (event) => {
    const act = does[keyOf(event)];
    if (!act || !on.checked || isTyped(event)) return;
    event.preventDefault();
    const card = page.card();
    if (card || act.length === 0) act(card);
  });
}

/** Name a key by its letter, or, where a Korean keyboard gives another one, by its place. */
function keyOf(event) {
  if (/^[a-z]$/i.test(event.key)) return event.key.toLowerCase();
  const place = /^Key([A-Z])$/.exec(event.code);
  return place ? place[1].toLowerCase() : event.key;
}

function isTyped(event) {
  const typing = event.target.closest("input, textarea, select, dialog");
  return Boolean(typing) || event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
}
