"use strict";

/* The gallery's data come in scripts, the one kind of file that a page opened from disk may read. */

const DATA_FILE = /^(?:rows\/\d{4,}|looks\/[0-9a-f]{2})-[0-9a-f]{12}\.js$/;

function checked(name) {
  if (!DATA_FILE.test(name)) throw new TypeError(`${name} is no file of this gallery`);
  return name;
}

const dataFiles = globalThis.trustedTypes?.createPolicy("data-files", { createScriptURL: checked });

/** Run a script of the gallery; rejects where its file is missing. */
function loadScript(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.onload = () => resolve(script.remove());
    script.onerror = () => reject(new Error(`${name} could not be read: make the gallery again`));
    script.src = dataFiles ? dataFiles.createScriptURL(name) : checked(name);
    document.head.append(script);
  });
}

/** What the scripts with the archive's data call. */
const gallery = {
  open(head) {
    gallery.page = new Gallery(head);
    start(gallery.page);
  },
  rows(order, rows) {
    const { fields, address } = gallery.page.head;
    gallery.page.add(
      rows.map((cells) => ({ address, ...Object.fromEntries(fields.map((name, place) => [name, cells[place]])) })),
    );
  },
  looks(found) {
    for (const [name, each] of Object.entries(found)) looks.set(name, each);
  },
};
