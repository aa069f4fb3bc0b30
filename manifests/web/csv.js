"use strict";

/* Corrections as a CSV file: cells as manifests/text.py makes them, lines as manifests/csv_view.py. */

const COLUMNS = ["path", "photo_id", "language", "caption", "review_status", "reviewer", "notes", "base"];

const TO_SHOW = /[\x00-\x08\x0b-\x1f\x7f]|\\(?=x(?:0[0-8b-f]|1[0-9a-f]|7f|5c))/g;
const TO_QUOTE = /^'*[=+\-@\t\n\uff1d\uff0b\uff0d\uff20]/;
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Make a text safe for a cell of a spreadsheet: `escape_cell` of manifests/text.py. */
function escapeCell(text) {
  const shown = text.replace(TO_SHOW, (found) => "\\x" + hex(found, 2));
  return TO_QUOTE.test(shown) ? "'" + shown : shown;
}

/** Write decisions as CSV: RFC 4180 with a byte order mark, every cell quoted. */
function csvOf(decisions) {
  const lines = [COLUMNS, ...decisions.map((each) => COLUMNS.map((name) => each[name]))];
  return "\ufeff" + lines.map((cells) => cells.map(quoted).join(",") + "\r\n").join("");
}

function quoted(text) {
  // What UTF-8 has no bytes for is written out, as Python's "backslashreplace" does.
  const whole = escapeCell(text).replace(LONE_SURROGATE, (found) => "\\u" + hex(found, 4));
  return '"' + whole.replaceAll('"', '""') + '"';
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
