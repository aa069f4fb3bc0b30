"use strict";

/* Writing a caption: a form in the place of a card's buttons. */

/** Open the form on a card; `keep` is called with the caption and the note. */
function openEdit(card, state, keep) {
  if (card.querySelector(".editing")) return;
  const form = document.getElementById("edit-template").content.cloneNode(true).firstElementChild;
  const [caption, notes] = [form.querySelector(".caption-field"), form.querySelector(".notes-field")];
  caption.lang = card.row.language;
  caption.value = state.caption;
  notes.value = state.notes;
  const others = otherWords(card.row, state).map((words) => otherButton(words, card.row.language, caption));
  form.querySelector(".others").replaceChildren(...others);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (plain(caption.value) === "" && plain(state.caption) !== "") {
      form.querySelector(".wrong").textContent = "Write a caption, or cancel and reject it.";
      return;
    }
    closeEdit(card);
    keep(caption.value.trim(), notes.value.trim());
  });
  form.querySelector(".cancel").addEventListener("click", () => closeEdit(card));
  form.addEventListener("keydown", (event) => onKey(event, form, card));
  card.querySelector(".words").append(form);
  card.classList.add("open");
  card.scrollIntoView({ block: "nearest" });
  caption.focus({ preventScroll: true });
  caption.select();
}

function closeEdit(card) {
  card.querySelector(".editing")?.remove();
  card.classList.remove("open");
  card.focus();
}

function onKey(event, form, card) {
  event.stopPropagation();
  // While Hangul is being put together, Enter and Escape belong to the keyboard's own program.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Escape") closeEdit(card);
  if (event.key === "Enter" && !event.shiftKey && event.target.matches("textarea")) {
    event.preventDefault();
    form.requestSubmit();
  }
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
    field.focus();
  });
  item.append(button);
  return item;
}
