"use strict";

/* Which rows are shown, and in what order. A row is an object with the fields of manifests/gallery.py. */

/** What is decided of a row: here, or else in the archive. */
function stateOf(row, decisions) {
  return decisions.get(row) ?? row;
}

/** Give the rows that are asked for, in the order that is asked for. */
function chosen(rows, asked, decisions) {
  const found = rows.filter((row) => fits(row, asked, decisions));
  const order = ORDERS[asked.order];
  return order ? found.sort(order) : found;
}

const ORDERS = {
  doubt: null, // the order that rows come in
  path: (one, other) => one.place - other.place,
  newest: (one, other) => compare(other.taken, one.taken) || one.place - other.place,
};

function compare(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function fits(row, asked, decisions) {
  const state = stateOf(row, decisions);
  return (
    (!asked.review || state.review_status === asked.review) &&
    (!asked.status || row.status === asked.status) &&
    (!asked.language || row.language === asked.language) &&
    (!asked.folder || row.path.startsWith(asked.folder)) &&
    isAsSure(row, asked) &&
    asked.words.every((word) => textOf(row, state).includes(word))
  );
}

/** Percents are compared as they are shown; a row without a caption fits only the whole range. */
function isAsSure(row, asked) {
  if (row.confidence === null) return asked.from <= 0 && asked.to >= 100;
  const percent = Math.round(100 * row.confidence);
  return asked.from <= percent && percent <= asked.to;
}

const texts = new WeakMap(); // state -> what is searched of it

function textOf(row, state) {
  if (!texts.has(state)) {
    const said = [row.path, state.caption, state.notes, row.machine, row.suggestion, ...row.alternatives];
    texts.set(state, folded(said.join("\n")));
  }
  return texts.get(state);
}

/** Write a text as it is compared: Hangul in one form, wherever the file's name comes from. */
function folded(text) {
  return text.normalize("NFC").toLowerCase();
}

/** Count the rows in each folder, the folders below it included. */
function foldersOf(rows) {
  const counts = new Map();
  for (const row of rows) {
    for (let end = row.path.indexOf("/"); end >= 0; end = row.path.indexOf("/", end + 1)) {
      const folder = row.path.slice(0, end + 1);
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
  }
  return [...counts].sort(([one], [other]) => compare(one, other));
}

/** Count the rows with each value of a field. */
function countsOf(rows, valueOf) {
  const counts = new Map();
  for (const row of rows) counts.set(valueOf(row), (counts.get(valueOf(row)) ?? 0) + 1);
  return counts;
}
