"use strict";

/* A photo on the page. Names and words go in as text, never as HTML. */

const REVIEWS = { unreviewed: "To review", approved: "Approved", edited: "Edited", rejected: "Rejected" };

/** Make the list's item for a row; `row` and its place among those shown stay with it. */
function cardOf(row, place, state, canLook) {
  const item = document.getElementById("card-template").content.cloneNode(true).firstElementChild;
  const card = item.querySelector(".card");
  card.row = row;
  card.dataset.place = place;
  const caption = card.querySelector(".caption");
  caption.id = `caption-${place}`;
  card.setAttribute("aria-describedby", caption.id);
  showPicture(card, row);
  showName(card, row);
  card.querySelector(".look").hidden = !canLook;
  say(card, ".like", row.group && row.group !== row.path ? `Much like ${visible(row.group)}` : "");
  say(card, ".confidence", row.confidence === null ? "" : `${Math.round(100 * row.confidence)}% sure`);
  card.style.setProperty("--sure", row.confidence ?? 0);
  fill(card, state);
  return item;
}

/** Show what is decided of a card's row. */
function fill(card, state) {
  const { row } = card;
  const decided = state !== row;
  const review = state.review_status;
  const stands = review === "approved" || review === "edited";
  card.dataset.review = review;
  card.classList.toggle("decided", decided);
  card.ariaLabel = `${visible(row.path)}, ${REVIEWS[review] ?? review}`;
  say(card, ".caption", state.caption, row.language);
  say(card, ".machine", differs(row.machine, state.caption) ? row.machine : "", row.language, "The computer wrote: ");
  say(card, ".suggestion", row.suggestion, row.language, "Suggested: ");
  say(card, ".notes", state.notes, "", "Note: ");
  say(card, ".review", `${REVIEWS[review] ?? review}${decided ? ", not in the archive yet" : ""}`);
  card.querySelector(".approve").disabled = !plain(state.caption) || stands;
  card.querySelector(".reject").disabled = !plain(state.caption) || review === "rejected";
  card.querySelector(".undo").hidden = !decided;
  // A caption tells what the photo shows only once a person has said so.
  card.querySelector("img").alt = stands ? state.caption : "";
}

function differs(words, others) {
  return plain(words) !== "" && plain(words) !== plain(others);
}

function showPicture(card, row) {
  const image = card.querySelector("img");
  say(card, ".problem", row.problem && sentence(row.problem));
  card.classList.toggle("bare", !row.pictured);
  image.hidden = !row.pictured;
  if (!row.pictured) return;
  image.addEventListener("error", () => {
    image.hidden = true;
    say(card, ".problem", "Its picture is not in this gallery: make the gallery again.");
  });
  image.src = `thumbs/${row.photo_id.slice(0, 2)}/${row.photo_id}.jpg`;
}

function sentence(problem) {
  return `This photo ${problem}`;
}

function showName(card, row) {
  const link = card.querySelector(".name");
  link.firstElementChild.textContent = visible(row.path);
  if (row.original && row.address) {
    link.href = row.address + row.original;
    link.title = "Open the photo";
  }
}

/** Show what would turn a name around, or break it, as its code. */
function visible(name) {
  return name.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (found) => "\\u" + hex(found, 4));
}

/** Put a text into a part of a card; without one the part is hidden. */
function say(card, selector, text, language = "", before = "") {
  const place = card.querySelector(selector);
  place.hidden = !text;
  const words = document.createElement("bdi");
  words.textContent = text;
  if (language) words.lang = language;
  place.replaceChildren(before, words);
}

/** Show or hide where the captioner looked; `found` is [words, bytes]. */
function showLooks(card, found) {
  const group = card.querySelector(".looked");
  const canvas = card.querySelector("canvas");
  const [words, bytes] = found ?? [[], []];
  group.replaceChildren(...words.map((word, number) => wordButton(card, word, bytes, number)));
  group.hidden = canvas.hidden = !found;
  card.classList.toggle("lit", Boolean(found));
  card.querySelector(".look").ariaExpanded = String(Boolean(found));
  if (found) lightWord(card, bytes, 0);
}

function wordButton(card, word, bytes, number) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = word;
  button.lang = card.row.language;
  for (const event of ["pointerenter", "focus", "click"]) {
    button.addEventListener(event, () => lightWord(card, bytes, number));
  }
  return button;
}

function lightWord(card, bytes, number) {
  const cells = CELLS * CELLS;
  light(card.querySelector("canvas"), card.querySelector("img"), bytes.subarray(cells * number, cells * (number + 1)));
  [...card.querySelector(".looked").children].forEach((word, place) => {
    word.ariaPressed = String(place === number);
  });
}
