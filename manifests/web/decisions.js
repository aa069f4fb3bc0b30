"use strict";

/*
 * What a person has decided, kept in the browser's storage until the corrections are merged.
 *
 * Each decision is a row of the corrections file, whole: path, photo_id, language, caption,
 * review_status, reviewer, notes, and the base it was made on. So it outlives a gallery that is made
 * anew, even one without its photo. It is forgotten only when the archive says the same, which is
 * how a merge shows, or when it is undone.
 *
 * A key each, so that a decision costs one small write and two open windows don't undo each other.
 */
class Decisions {
  constructor(key, storage = openStorage()) {
    this.prefix = `photo-captions/${key}/`;
    this.storage = storage;
    this.problem = storage ? "" : "This browser keeps nothing of pages opened from disk.";
    this.made = new Map();
    this.history = []; // [name, decision before], the last one last
    this.savedAt = Number(this.read("saved")) || 0;
    this.load();
  }

  get(row) {
    return this.made.get(nameOf(row));
  }

  /** Keep a decision; null takes it back. */
  set(row, decision) {
    const name = nameOf(row);
    this.history.push([name, this.made.get(name) ?? null]);
    this.put(name, decision && { ...decision, at: Date.now() });
  }

  /** Take the last change back; give the name of its row, or null where there is none. */
  undo() {
    const last = this.history.pop();
    if (!last) return null;
    this.put(...last);
    return last[0];
  }

  /** All decisions, the oldest first. */
  all() {
    return [...this.made.values()].sort((one, other) => one.at - other.at);
  }

  /** How many are in no file yet. */
  get unsaved() {
    return this.all().filter((each) => each.at > this.savedAt).length;
  }

  noteSaved() {
    this.savedAt = Date.now();
    this.write("saved", String(this.savedAt));
  }

  /** Forget a decision that the archive has taken over, see above. */
  settle(row) {
    const made = this.get(row);
    if (!made || made.base === row.base) return;
    const same = ["review_status", "caption", "notes"].every((name) => plain(made[name]) === plain(row[name]));
    const rejected = made.review_status === "rejected" && row.review_status === "rejected";
    if (same || (rejected && plain(made.notes) === plain(row.notes))) this.drop(nameOf(row));
  }

  /** Take over what another window wrote; tells whether it was of this gallery. */
  hear(event) {
    if (!event.key?.startsWith(this.prefix)) return false;
    const name = event.key.slice(this.prefix.length);
    if (name === "saved") this.savedAt = Number(event.newValue) || 0;
    else if (event.newValue === null) this.made.delete(name);
    else this.take(name, event.newValue);
    return true;
  }

  drop(name) {
    this.history = this.history.filter(([each]) => each !== name);
    this.put(name, null);
    if (this.made.size === 0) this.write("saved", null);
  }

  put(name, decision) {
    if (decision) this.made.set(name, decision);
    else this.made.delete(name);
    this.write(name, decision && JSON.stringify(decision));
  }

  load() {
    if (!this.storage) return;
    for (let number = 0; number < this.storage.length; number += 1) {
      const key = this.storage.key(number);
      if (key.startsWith(`${this.prefix}row/`)) this.take(key.slice(this.prefix.length), this.storage.getItem(key));
    }
    this.history = this.all().map((each) => [nameOf(each), null]);
  }

  take(name, text) {
    const found = parsed(text);
    if (found && COLUMNS.every((column) => typeof found[column] === "string")) this.made.set(name, found);
  }

  read(name) {
    return this.storage?.getItem(this.prefix + name) ?? null;
  }

  write(name, text) {
    try {
      if (text === null) this.storage?.removeItem(this.prefix + name);
      else this.storage?.setItem(this.prefix + name, text);
    } catch (error) {
      this.problem = `This browser can keep no more (${error.name}).`;
    }
  }
}

function nameOf(row) {
  return `row/${row.language}/${row.photo_id}/${row.path}`;
}

/** Leave out what a base does not count either: spaces around, and how lines end. */
function plain(text) {
  return text.split(/\s+/u).filter(Boolean).join(" ");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Give the browser's storage, or null where it has none that keeps anything. */
function openStorage() {
  try {
    localStorage.setItem("photo-captions/test", "1");
    localStorage.removeItem("photo-captions/test");
    return localStorage;
  } catch {
    return null;
  }
}
