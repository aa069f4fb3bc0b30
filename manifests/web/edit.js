"use strict";

/*
 * Writing a caption: a form in the place of a card's buttons.
 *
 * Cards come and go with the page that is shown. What is typed does not: it is kept by the row's
 * name, and a card that is drawn again has its form again, until it is kept or cancelled.
 */
class Drafts {
  /** `keep` is called with a row and its draft; it ends the draft, or leaves it open. */
  constructor(keep) {
    this.keep = keep;
    this.made = new Map(); // name of a row -> { began, caption, notes }
  }

  /** Whether there are words that would be lost with the page. */
  get typed() {
    return [...this.made.values()].some((each) => TYPED.some((name) => plain(each[name]) !== plain(each.began[name])));
  }

  /** Open the form on a card, to begin with what is there, or go on in it. */
  begin(card, { caption, notes }) {
    const name = nameOf(card.row);
    const isNew = !this.made.has(name);
    if (isNew) {
      this.made.set(name, { began: { caption, notes }, caption, notes });
      this.show(card);
    }
    card.scrollIntoView({ block: "nearest" });
    const field = card.querySelector(".caption-field");
    field.focus({ preventScroll: true });
    if (isNew) field.select();
  }

  /** Draw cards anew; those that are written on keep their forms, and the cursor its place. */
  redraw(draw) {
    const at = document.activeElement;
    const row = at?.closest(".editing") && at.closest(".card").row;
    draw();
    for (const card of document.querySelectorAll(".card")) {
      if (this.made.has(nameOf(card.row))) this.show(card);
      if (card.row === row) putCursor(card, at);
    }
  }

  show(card) {
    const draft = this.made.get(nameOf(card.row));
    const form = document.getElementById("edit-template").content.cloneNode(true).firstElementChild;
    const field = form.querySelector(".caption-field");
    field.lang = card.row.language;
    for (const name of TYPED) form.querySelector(`.${name}-field`).value = draft[name];
    const others = otherWords(card.row, draft.began).map((words) => otherButton(words, card.row.language, field));
    form.querySelector(".others").replaceChildren(...others);
    form.addEventListener("input", () => noteTyped(form, draft));
    form.addEventListener("submit", (event) => this.submit(event, card.row));
    form.querySelector(".cancel").addEventListener("click", () => this.end(card.row));
    form.addEventListener("keydown", (event) => this.onKey(event, form, card));
    card.querySelector(".words").append(form);
    card.classList.add("open");
  }

  async submit(event, row) {
    event.preventDefault();
    const form = event.target;
    const draft = this.made.get(nameOf(row));
    noteTyped(form, draft);
    if (plain(draft.caption) === "" && plain(draft.began.caption) !== "") {
      form.querySelector(".wrong").textContent = "Write a caption, or cancel and reject it.";
    } else await this.keep(row, draft);
  }

  /** Forget what was typed for a row, and take the form off its card. */
  end(row) {
    this.made.delete(nameOf(row));
    const card = [...document.querySelectorAll(".card.open")].find((each) => each.row === row);
    card?.querySelector(".editing").remove();
    card?.classList.remove("open");
    card?.focus();
  }

  onKey(event, form, card) {
    event.stopPropagation();
    // While Hangul is being put together, Enter and Escape belong to the keyboard's own program.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") this.end(card.row);
    if (event.key === "Enter" && !event.shiftKey && event.target.matches("textarea")) {
      event.preventDefault();
      form.requestSubmit();
    }
  }
}

const TYPED = ["caption", "notes"];

function noteTyped(form, draft) {
  for (const name of TYPED) draft[name] = form.querySelector(`.${name}-field`).value;
}

/** Put the cursor of a form that is gone into the one in its place. */
function putCursor(card, before) {
  const isField = before.className.endsWith("-field");
  const field = card.querySelector(isField ? `.${before.className}` : ".caption-field");
  field.focus({ preventScroll: true });
  if (isField) field.setSelectionRange(before.selectionStart, before.selectionEnd);
}

/**
 * What a draft makes of a row that is in a state; null where nothing was changed. What nobody
 * touched stays as it is by now: another window may have decided since the draft was begun.
 */
function outcomeOf(row, state, draft) {
  const touched = (name) => plain(draft[name]) !== plain(draft.began[name]);
  const [caption, notes] = TYPED.map((name) => (touched(name) ? draft[name].trim() : state[name]));
  const review_status = statusAfter(row, state, caption, notes);
  return review_status && { caption, notes, review_status };
}

function statusAfter(row, state, caption, notes) {
  if (differs(caption, state.caption)) return differs(caption, row.machine) ? "edited" : "approved";
  return plain(notes) === plain(state.notes) ? null : state.review_status;
}

function otherWords(row, state) {
  const words = [row.machine, ...row.alternatives].filter((each) => differs(each, state.caption));
  return [...new Set(words)];
}

function otherButton(words, language, field) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.lang = language;
  button.textContent = words;
  button.addEventListener("click", () => {
    field.value = words;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  });
  item.append(button);
  return item;
}
