// Correcting a transcript: one utterance open at a time, everything by keyboard, the draft kept in this browser
// until it is saved or discarded. What the words mean (marks, times) is the server's to say.
import { Draft } from './draft.js';
import { Words, clock } from './lit.js';
import { Transport } from './transport.js';

const root = document.getElementById('correct');
const box = document.getElementById('words');
const $ = (id) => document.getElementById(id);
const copy = (id) => $(id).content.firstElementChild.cloneNode(true);

class Line {
  constructor(facts, node) {
    Object.assign(this, facts);
    this.node = node;
    this.parts = null; // as it stands; else what stands in its place
    this.view = node.querySelector(':scope > div');
    this.said = [...this.view.childNodes];
  }

  get now() { return this.parts ?? (this.isNew ? [] : [{ speaker: this.speaker, text: this.text }]); }

  edit() {
    return { lane: this.lane, start: this.start, before: this.isNew ? null : this.text, parts: this.parts };
  }

  /** Take parts as what stands there; the original, word for word, is no change. */
  put(parts) {
    const [only] = parts;
    const same = parts.length === 1 && !this.isNew && only.text === this.text && only.speaker === this.speaker;
    this.parts = same || (this.isNew && !parts.length) ? null : parts;
    this.show();
  }

  show() {
    this.node.classList.toggle('changed', this.parts !== null);
    if (this.parts === null && !this.isNew) { this.view.replaceChildren(...this.said); return; }
    const shown = this.now.map((part) => {
      const p = document.createElement('p');
      const named = part.speaker && part.speaker !== this.speaker ? `${part.speaker}: ` : '';
      p.textContent = named + part.text;
      return p;
    });
    if (!shown.length) {
      const gone = document.createElement('p');
      gone.textContent = this.isNew ? '(nothing)' : '(removed)';
      shown.push(gone);
    }
    this.view.replaceChildren(...shown);
  }
}

class Correcting {
  constructor(told) {
    const nodes = new Map([...box.querySelectorAll('.utt[data-n]')].map((n) => [`${n.dataset.lane}:${n.dataset.n}`, n]));
    const counted = {};
    this.lines = told.lines.map((facts) => {
      counted[facts.lane] = (counted[facts.lane] ?? -1) + 1;
      return new Line(facts, nodes.get(`${facts.lane}:${counted[facts.lane]}`));
    });
    this.order();
    this.words = new Words(box);
    this.undone = [];
    this.open = null;
    this.draft = new Draft(root.dataset);
    this.transport = new Transport($('audio'), (second, on) => this.words.light(second, on));
  }

  order() {
    const place = new Map([...box.querySelectorAll('.utt')].map((node, n) => [node, n]));
    this.lines.sort((a, b) => place.get(a.node) - place.get(b.node));
  }

  begin() {
    root.hidden = false;
    for (const line of this.lines) this.button(line);
    document.addEventListener('keydown', (event) => this.key(event));
    $('undo').addEventListener('click', () => this.undo());
    for (const id of ['save', 'save-too']) $(id).addEventListener('click', () => this.save());
    $('discard').addEventListener('click', () => { this.draft.forget(); location.reload(); });
    $('keys-button').addEventListener('click', () => this.showKeys());
    for (const input of document.querySelectorAll('.lane-speaker')) input.addEventListener('input', () => this.keepDraft());
    $('note').addEventListener('input', () => this.keepDraft());
    this.takeUp();
  }

  button(line) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'plainbutton open-it';
    button.textContent = 'Correct';
    const who = line.node.querySelector('.who').textContent;
    button.setAttribute('aria-label', `Correct ${clock(line.start / 1000)}, ${who}`);
    button.addEventListener('click', () => this.edit(line));
    line.node.append(button);
    line.button = button;
  }

  // What a draft of this browser holds is put onto the version that is shown; what no longer fits stands apart.
  takeUp() {
    const kept = this.draft.read();
    if (!kept) return;
    for (const [lane, name] of Object.entries(kept.speakers)) {
      const input = $(`lane-${lane}`);
      if (input) input.value = name;
    }
    $('note').value = kept.note;
    const lost = kept.edits.filter((edit) => !this.putBack(edit));
    for (const edit of lost) this.conflict(edit);
    $('conflicts').hidden = !lost.length;
    this.lostEdits = lost;
    this.tell(`The draft that was kept here on ${kept.at} is put in.`);
  }

  putBack(edit) {
    if (edit.before === null) {
      this.insert(edit.lane, edit.start).put(edit.parts);
      return true;
    }
    const line = this.lines.find((one) => one.lane === edit.lane && one.start === edit.start && one.text === edit.before);
    line?.put(edit.parts);
    return Boolean(line);
  }

  conflict(edit) {
    const item = document.createElement('li');
    const theirs = this.lines.filter((one) => one.lane === edit.lane && one.start <= edit.start).pop();
    const say = (label, text) => {
      const p = document.createElement('p');
      const b = document.createElement('b');
      b.textContent = `${label}: `;
      p.append(b, text);
      item.append(p);
    };
    say(`Lane ${edit.lane}, ${clock(edit.start / 1000)}, yours`, edit.parts.map((part) => part.text).join(' / ') || '(removed)');
    say('Theirs', theirs?.text ?? '(nothing)');
    const done = (used) => {
      if (used && theirs) this.change(theirs, edit.parts);
      item.remove();
      this.lostEdits = this.lostEdits.filter((one) => one !== edit);
      $('conflicts').hidden = !this.lostEdits.length;
      this.keepDraft();
    };
    for (const [label, used] of [['Use mine', true], ['Drop mine', false]]) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = label;
      button.addEventListener('click', () => done(used));
      item.append(button, ' ');
    }
    $('conflict-list').append(item);
  }

  edit(line) {
    this.keep();
    this.open = line;
    this.editor = copy('editing');
    const parts = line.now.length ? line.now : [{ speaker: line.speaker, text: '' }];
    for (const part of parts) this.editor.querySelector('.parts-edited').append(this.part(line, part));
    const deeds = {
      next: () => this.step(1),
      done: () => this.close(),
      was: () => { this.open.put(this.open.isNew ? [] : [{ speaker: line.speaker, text: line.text }]); this.drop(); this.keepDraft(); },
      remove: () => { for (const area of this.editor.querySelectorAll('textarea')) area.value = ''; this.close(); },
    };
    for (const button of this.editor.querySelectorAll('[data-do]')) button.addEventListener('click', deeds[button.dataset.do]);
    line.view.hidden = true;
    line.button.hidden = true;
    line.node.append(this.editor);
    line.node.closest('.minute').classList.add('open');
    const area = this.editor.querySelector('textarea');
    area.focus();
    area.setSelectionRange(0, 0);
    this.editor.scrollIntoView({ block: 'nearest' });
  }

  part(line, { speaker, text }) {
    const node = copy('editing-part');
    const [words, who] = [node.querySelector('textarea'), node.querySelector('input')];
    this.count = (this.count ?? 0) + 1;
    [words.id, who.id] = [`words-${this.count}`, `who-${this.count}`];
    [...node.querySelectorAll('label')].forEach((label, n) => { label.htmlFor = [words.id, who.id][n]; });
    words.value = text;
    who.value = speaker;
    who.placeholder = $(`lane-${line.lane}`).value || 'Unknown speaker';
    words.addEventListener('input', () => this.keepDraft());
    who.addEventListener('input', () => this.keepDraft());
    return node;
  }

  /** What is typed in the utterance that is open. */
  typed() {
    return [...this.editor.querySelectorAll('.part-edited')].map((node) => ({
      speaker: node.querySelector('input').value.trim(),
      text: node.querySelector('textarea').value.trim().split(/\s+/).join(' '),
    })).filter((part) => part.text);
  }

  keep() {
    if (!this.open) return;
    const line = this.open, parts = this.typed();
    this.drop();
    this.change(line, parts);
  }

  change(line, parts) {
    const before = line.parts;
    if (JSON.stringify(parts) === JSON.stringify(line.now)) { line.show(); return; }
    line.put(parts);
    this.undone.push([line, before]);
    this.keepDraft();
  }

  /** Close what is open, whatever is typed there. */
  drop() {
    const line = this.open;
    this.open = null;
    this.editor.remove();
    line.view.hidden = false;
    line.button.hidden = false;
    line.node.closest('.minute').classList.remove('open');
    line.button.focus();
  }

  close() { this.keep(); }

  step(by) {
    const next = this.lines[this.lines.indexOf(this.open) + by];
    if (next) this.edit(next); else this.close();
  }

  undo() {
    if (this.open) this.keep();
    const [line, before] = this.undone.pop() ?? [];
    if (!line) return;
    line.parts = before;
    line.show();
    line.button.focus();
    this.keepDraft();
  }

  /** An utterance where none was heard: a row of its own at its time. */
  insert(lane, start) {
    const after = this.lines.filter((one) => one.start <= start).pop() ?? this.lines[0];
    const turn = document.createElement('div');
    turn.className = 'turn';
    const node = document.createElement('div');
    node.className = 'utt changed';
    node.dataset.lane = lane;
    const [time, who, view] = ['span', 'span', 'div'].map((name) => document.createElement(name));
    [time.className, who.className] = ['mono note', 'who'];
    time.textContent = clock(start / 1000);
    who.textContent = $(`lane-${lane}`)?.value || 'Unknown speaker';
    node.append(time, who, view);
    turn.append(node);
    after.node.closest('.turn').after(turn);
    const line = new Line({ lane, start, speaker: '', text: '', isNew: true }, node);
    line.show();
    this.lines.push(line);
    this.order();
    this.button(line);
    return line;
  }

  add() {
    const lane = this.open?.lane ?? root.querySelector('.lane-speaker').dataset.lane;
    this.keep();
    this.edit(this.insert(lane, Math.round(this.transport.second * 1000)));
  }

  split(area) {
    const node = area.closest('.part-edited');
    const head = area.value.slice(0, area.selectionStart), tail = area.value.slice(area.selectionEnd);
    area.value = head.trimEnd();
    const next = this.part(this.open, { speaker: node.querySelector('input').value, text: tail.trimStart() });
    node.after(next);
    next.querySelector('textarea').focus();
    next.querySelector('textarea').setSelectionRange(0, 0);
    this.keepDraft();
  }

  mark(area, name) {
    const { selectionStart: from, selectionEnd: to, value } = area;
    const chosen = value.slice(from, to).trim();
    const text = name === 'inaudible' && !chosen ? '[inaudible]' : `[${name}: ${chosen}]`;
    area.setRangeText(text, from, to, 'end');
    if (!chosen && name !== 'inaudible') area.setSelectionRange(from + text.length - 1, from + text.length - 1);
    this.keepDraft();
  }

  key(event) {
    const area = event.target.closest('textarea');
    const name = `${event.ctrlKey || event.metaKey ? 'Ctrl+' : ''}${event.altKey ? 'Alt+' : ''}${event.shiftKey && event.key.length > 1 ? 'Shift+' : ''}${event.key.length > 1 ? event.key : event.key.toLowerCase()}`;
    const deed = this.everywhere(name, event) ?? (area ? this.inWords(name, area) : this.outside(name, event.target));
    if (!deed) return;
    event.preventDefault();
    deed();
  }

  everywhere(name) {
    return {
      Escape: () => this.transport.toggle(this.open),
      F1: () => this.transport.skip(-2),
      F2: () => this.transport.skip(2),
      F3: () => this.transport.faster(-1),
      F4: () => this.transport.faster(1),
      F8: () => this.add(),
      'Ctrl+s': () => this.save(),
    }[name];
  }

  inWords(name, area) {
    return {
      Enter: () => this.step(1),
      'Alt+ArrowDown': () => this.step(1),
      'Alt+ArrowUp': () => this.step(-1),
      'Shift+Enter': () => this.split(area),
      'Ctrl+i': () => this.mark(area, 'inaudible'),
      'Ctrl+u': () => this.mark(area, 'uncertain'),
      'Ctrl+k': () => this.mark(area, 'crosstalk'),
    }[name];
  }

  outside(name, at) {
    if (at.matches('input, select')) return null;
    const here = this.lines.findIndex((line) => line.button === at);
    const move = (by) => () => this.lines[Math.min(Math.max(0, here + by), this.lines.length - 1)].button.focus();
    const arrows = here >= 0 || at === document.body ? { ArrowDown: move(1), ArrowUp: move(-1) } : {};
    return { ...arrows, 'Ctrl+z': () => this.undo(), '?': () => this.showKeys() }[name];
  }

  showKeys() {
    $('keys').hidden = !$('keys').hidden;
    $('keys-button').setAttribute('aria-expanded', String(!$('keys').hidden));
  }

  all() {
    const speakers = {};
    for (const input of document.querySelectorAll('.lane-speaker')) {
      if (input.value.trim() !== input.dataset.was) speakers[input.dataset.lane] = input.value.trim();
    }
    const edits = this.lines.filter((line) => line.parts !== null && line !== this.open).map((line) => line.edit());
    if (this.open) {
      const parts = this.typed(), line = this.open;
      const was = JSON.stringify(line.isNew ? [] : [{ speaker: line.speaker, text: line.text }]);
      if (JSON.stringify(parts) !== was) edits.push({ ...line.edit(), parts });
    }
    return { speakers, edits, note: $('note').value };
  }

  keepDraft() {
    const all = this.all();
    const count = all.edits.length + Object.keys(all.speakers).length;
    const kept = this.draft.keep({ ...all, edits: [...all.edits, ...(this.lostEdits ?? [])] }, count + (this.lostEdits ?? []).length);
    for (const id of ['save', 'save-too']) $(id).disabled = !count;
    $('undo').disabled = !this.undone.length;
    $('state').textContent = count
      ? `${count} ${count === 1 ? 'change' : 'changes'}, not saved${kept ? '; a draft is kept in this browser' : '; this browser keeps no draft'}.`
      : 'Nothing changed.';
  }

  tell(text) {
    this.keepDraft();
    $('state').textContent = `${text} ${$('state').textContent}`;
  }

  async save() {
    this.keep();
    const all = this.all();
    if (!all.edits.length && !Object.keys(all.speakers).length) return;
    $('state').textContent = 'Saving …';
    const { token, version, hash, seen, base } = root.dataset;
    const body = new URLSearchParams({ token, hash, seen, base: version, corrections: JSON.stringify(all) });
    const answer = await fetch(`${base}/transcript/correct`, { method: 'POST', body }).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (answer?.ok && told) {
      this.draft.forget();
      location.assign(told.address);
    } else if (answer?.status === 409 && told) {
      this.meanwhile(told);
    } else {
      const why = told?.problem ?? (answer ? `The office answered ${answer.status}: load the page again, the session may be over.` : 'The office could not be reached.');
      $('state').textContent = `Not saved. ${why} Your changes are kept here.`;
    }
  }

  meanwhile({ version, by, when }) {
    $('state').textContent = `Not saved: version ${version} was written by ${by} on ${when} meanwhile. Nothing of yours is lost. `;
    const link = document.createElement('a');
    link.id = 'onto';
    link.href = `${root.dataset.base}/transcript/correct`;
    link.textContent = `Put my changes onto version ${version}`;
    $('state').append(link);
    link.focus();
  }
}

async function begin() {
  const url = `${root.dataset.base}/transcript/correct.json?version=${root.dataset.version}`;
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(String(answer.status));
  new Correcting(await answer.json()).begin();
}

begin().catch(() => {
  root.hidden = false;
  $('state').textContent = 'The words could not be loaded to be changed: load the page again.';
});
