"use strict";

/* Corrections as a CSV file: cells as manifests/text.py makes them, lines as manifests/csv_view.py. */

const COLUMNS = ["path", "photo_id", "language", "caption", "review_status", "reviewer", "notes", "base"];

// Controls, and what UTF-8 or XML has no place for; a backslash where it reads like their codes.
const TO_SHOW =
  /[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]|\p{Surrogate}|\\(?=x(?:0[0-9b-f]|1[0-9a-f]|7f|5c)|u(?:d[89a-f][0-9a-f]{2}|fff[ef]))/gu;
const TO_QUOTE = /^'*[=+\-@\t\n\uff1d\uff0b\uff0d\uff20]/;

/** Make a text safe for a cell of a spreadsheet: `escape_cell` of manifests/text.py. */
function escapeCell(text) {
  const shown = text.replace(TO_SHOW, codeOf);
  return TO_QUOTE.test(shown) ? "'" + shown : shown;
}

function codeOf(letter) {
  return letter < "\u0100" ? "\\x" + hex(letter, 2) : "\\u" + hex(letter, 4);
}

/** Write decisions as CSV: RFC 4180 with a byte order mark, every cell quoted. */
function csvOf(decisions) {
  const lines = [COLUMNS, ...decisions.map((each) => COLUMNS.map((name) => each[name]))];
  return "\ufeff" + lines.map((cells) => cells.map(quoted).join(",") + "\r\n").join("");
}

function quoted(text) {
  return '"' + escapeCell(text).replaceAll('"', '""') + '"';
}

function hex(letter, digits) {
  return letter.charCodeAt(0).toString(16).padStart(digits, "0");
}

/** Let the browser save a text as a file. */
function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
