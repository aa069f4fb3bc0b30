"use strict";

/* The gallery: what is shown, which photo is the current one, and what its buttons and keys do. */

const PAGE = 100; // photos

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

class Gallery {
  constructor(head) {
    this.head = head;
    this.decisions = new Decisions(head.key);
    this.drafts = new Drafts((row, draft) => this.keep(row, draft));
    this.reviewer = remembered("reviewer");
    this.all = [];
    this.shown = []; // those that fit, as they did when they were asked for
    this.file = this.fileName(); // as it was saved last, or would be
    this.first = 0; // of the page
    this.current = 0;
    this.named = new Map();
  }

  async load() {
    try {
      for (const name of this.head.rows) await loadScript(name);
    } catch (error) {
      note(byId("empty"), error.message);
    }
    fillFilters(this);
    this.tellCounts();
    document.body.dataset.loaded = String(this.all.length);
  }

  /** Take rows in; what is on the page already stays as it is. */
  add(rows) {
    for (const row of rows) {
      this.decisions.settle(row);
      this.named.set(nameOf(row), row);
    }
    this.all.push(...rows);
    const full = this.shown.length >= this.first + PAGE;
    const asked = askedFor();
    if (ORDERS[asked.order]) this.shown = chosen(this.all, asked, this.decisions);
    else this.shown.push(...chosen(rows, asked, this.decisions));
    if (full && !ORDERS[asked.order]) this.tellCounts();
    else this.draw();
  }

  /** Choose anew what is shown, and begin at the first of it. */
  choose() {
    this.shown = chosen(this.all, askedFor(), this.decisions);
    this.first = this.current = 0;
    this.draw();
  }

  draw() {
    this.drafts.redraw(() => this.drawCards());
    this.mark();
    this.tellCounts();
  }

  drawCards() {
    const page = this.shown.slice(this.first, this.first + PAGE);
    byId("photos").replaceChildren(
      ...page.map((row, place) =>
        cardOf(row, this.first + place, stateOf(row, this.decisions), Boolean(lookName(row, this.head))),
      ),
    );
  }

  turn(pages) {
    const last = Math.floor(Math.max(0, this.shown.length - 1) / PAGE) * PAGE;
    this.first = Math.min(Math.max(0, this.first + pages * PAGE), last);
    this.current = this.first;
    this.draw();
    byId("kept").parentElement.scrollIntoView();
    this.card()?.focus({ preventScroll: true });
  }

  card(place = this.current) {
    return document.querySelector(`.card[data-place="${place}"]`);
  }

  /** Make a photo the current one, and bring it into view. */
  select(place) {
    if (place < 0 || place >= this.shown.length) {
      tell(place < 0 ? "This is the first photo." : "That was the last photo.");
      return;
    }
    this.current = place;
    const first = Math.floor(place / PAGE) * PAGE;
    if (first !== this.first) {
      this.first = first;
      this.draw();
    }
    this.mark();
    this.card().focus({ preventScroll: true });
    this.card().scrollIntoView({ block: "nearest" });
  }

  /** Let the Tab key reach the current photo, and only that one. */
  mark() {
    document.querySelectorAll(".card[tabindex='0']").forEach((card) => (card.tabIndex = -1));
    const card = this.card();
    if (card) card.tabIndex = 0;
  }

  approve(card) {
    if (card.querySelector(".approve").disabled) return;
    const state = stateOf(card.row, this.decisions);
    this.decide(card.row, { ...state, review_status: "approved" });
  }

  reject(card) {
    if (card.querySelector(".reject").disabled) return;
    const { row } = card;
    const { notes } = stateOf(row, this.decisions);
    this.decide(row, { caption: row.caption, notes, review_status: "rejected" });
  }

  edit(card) {
    this.drafts.begin(card, stateOf(card.row, this.decisions));
  }

  /** Keep what was typed once it is known by whom; until then it stays in its form. */
  async keep(row, draft) {
    const outcome = outcomeOf(row, stateOf(row, this.decisions), draft);
    if (outcome && !(await this.isNamed())) return;
    this.drafts.end(row);
    if (outcome) this.decide(row, outcome);
  }

  async decide(row, { caption, notes, review_status }) {
    if (!(await this.isNamed())) return;
    const { path, photo_id, language, base } = this.decisions.get(row) ?? row;
    const reviewer = this.reviewer;
    this.decisions.set(row, { path, photo_id, language, caption, review_status, reviewer, notes, base });
    this.refresh(row);
    tell(`${REVIEWS[review_status]}: ${caption}`);
    this.select(this.shown.indexOf(row) + 1);
  }

  /** Tell whether it is known who reviews, after asking where it is not. */
  async isNamed() {
    this.reviewer ??= await this.name();
    return this.reviewer !== null;
  }

  /** Ask for the reviewer's name; null where there is none yet and the person turns back. */
  async name() {
    const name = await askName(this.reviewer);
    if (name === null) return this.reviewer;
    remember("reviewer", name);
    byId("reviewer").textContent = name ? `Reviewer: ${name}` : "Your name";
    return name;
  }

  /** Take back the last change, or, given a row, what is decided of it. */
  undo(row) {
    const name = row ? nameOf(row) : this.decisions.undo();
    if (row) this.decisions.set(row, null);
    if (!name) return tell("There is nothing to undo.");
    const changed = this.named.get(name);
    if (changed) this.refresh(changed);
    tell(`Undone: ${changed?.path ?? "a photo that is not in this gallery"}`);
    if (changed && this.shown.includes(changed)) this.select(this.shown.indexOf(changed));
    return undefined;
  }

  refresh(row) {
    const card = this.card(this.shown.indexOf(row));
    if (card) fill(card, stateOf(row, this.decisions));
    this.tellCounts();
  }

  /** Show what another window has decided, without getting in the way of who types. */
  refreshAll() {
    document.querySelectorAll(".card").forEach((card) => fill(card, stateOf(card.row, this.decisions)));
    this.tellCounts();
  }

  async look(card) {
    if (card.classList.contains("lit")) return showLooks(card, null);
    const found = await looked(card.row, this.head).catch((error) => tell(error.message));
    if (found && card.querySelector("img")?.naturalWidth) return showLooks(card, found);
    return tell("Where the computer looked is not known for this caption.");
  }

  fileName() {
    const day = new Date().toISOString().slice(0, 10);
    const name = this.head.name.replace(/[^\p{L}\p{N}._-]+/gu, "-");
    return `corrections-${name}-${day}.csv`;
  }

  save() {
    const open = "Words that you have typed are not kept yet, and will not be in the file. Save without them?";
    if (this.drafts.typed && !confirm(open)) return;
    this.file = this.fileName();
    download(this.file, csvOf(this.decisions.all()));
    this.decisions.noteSaved();
    this.tellCounts();
  }

  tellCounts() {
    tellShown(this);
    tellKept(this);
  }
}
