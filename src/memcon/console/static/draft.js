// What a person changed and has not saved, kept in this browser: one draft a person and transcript.

const empty = { speakers: {}, edits: [], note: '' };

export class Draft {
  constructor({ user, base, hash }) {
    this.name = `memcon-draft ${user} ${base}`;
    this.hash = hash;
  }

  /** The draft that is kept, or null. */
  read() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.name));
      return kept && Array.isArray(kept.edits) ? { ...empty, ...kept } : null;
    } catch { return null; }
  }

  /** Keep all changes; with none of them, keep nothing. False where the browser keeps nothing. */
  keep(all, count) {
    try {
      if (!count) { localStorage.removeItem(this.name); return true; }
      const at = new Date().toISOString().slice(0, 16).replace('T', ', ') + ' UTC';
      localStorage.setItem(this.name, JSON.stringify({ ...all, hash: this.hash, at }));
      return true;
    } catch { return false; }
  }

  forget() {
    try { localStorage.removeItem(this.name); } catch { /* nothing was kept */ }
  }
}
