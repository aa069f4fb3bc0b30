"use strict";

/* Where the captioner looked: its share of attention over 8x8 cells of the photo, word by word. */

const CELLS = 8;
const looks = new Map(); // "photo_id/caption" -> [words, base64 of 64 bytes a word]
const asked = new Map(); // file -> promise

function lookName(row, head) {
  return row.machine ? head.looks[row.photo_id.slice(0, 2)] : undefined;
}

/** Give [words, bytes] for a row's machine caption; null where the captioner's looks are not known. */
async function looked(row, head) {
  const file = lookName(row, head);
  if (!file) return null;
  if (!asked.has(file)) asked.set(file, loadScript(file));
  await asked.get(file);
  const found = looks.get(`${row.photo_id}/${row.machine}`);
  return found ? [found[0], Uint8Array.from(atob(found[1]), (letter) => letter.charCodeAt(0))] : null;
}

/** Light a picture by 64 bytes, stretched over the whole of it: the captioner saw it squashed. */
function light(canvas, image, bytes) {
  const cells = document.createElement("canvas");
  cells.width = cells.height = CELLS;
  const pixels = new ImageData(CELLS, CELLS);
  bytes.forEach((share, cell) => pixels.data.set([255, 205, 60, share], 4 * cell));
  cells.getContext("2d").putImageData(pixels, 0, 0);
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(cells, 0, 0, canvas.width, canvas.height);
}
