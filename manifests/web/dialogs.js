"use strict";

/* What the page asks and tells: the reviewer's name, the keys. */

const KEYS = [
  ["A", "Approve the caption"],
  ["E", "Edit the caption"],
  ["R", "Reject the caption"],
  ["J or →", "Next photo"],
  ["K or ←", "Photo before"],
  ["U", "Undo the last decision"],
  ["W", "Where the computer looked"],
  ["/", "Search"],
  ["?", "This list"],
];

/** Ask for the reviewer's name; null where the person does not go on. */
function askName(before) {
  const dialog = document.getElementById("who");
  const [form, field] = [dialog.querySelector("form"), dialog.querySelector("#who-name")];
  field.value = before ?? "";
  return new Promise((resolve) => {
    let name = null;
    form.onsubmit = (event) => {
      event.preventDefault();
      name = field.value.trim();
      dialog.close();
    };
    dialog.querySelector(".close").onclick = () => dialog.close();
    dialog.onclose = () => resolve(name);
    dialog.showModal();
  });
}

function prepareHelp() {
  const dialog = document.getElementById("help");
  dialog.querySelector(".close").onclick = () => dialog.close();
  const lines = KEYS.map(([key, does]) => {
    const line = document.createElement("div");
    const [term, told] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = key;
    told.textContent = does;
    line.append(term, told);
    return line;
  });
  document.getElementById("keys").replaceChildren(...lines);
}

/** A setting that outlasts the page where the browser lets it. */
function remembered(name) {
  try {
    return localStorage.getItem(`photo-captions/${name}`);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(`photo-captions/${name}`, value);
  } catch {
    // It is asked for again next time.
  }
}
