// The words of a transcript: lit while they are heard, heard when they are clicked, chosen to be cited.
// Without this the page is the same text, its times are links, and a form cites a span.
import { Words, clock, visible } from './lit.js';
import { player } from './player.js';

const box = document.getElementById('words');
const audio = document.getElementById('audio');
const reading = document.getElementById('reading');
const panel = document.getElementById('chosen');

class Reader {
  constructor() {
    this.words = new Words(box);
    this.at = -1; // the word the keys stand on
    this.from = -1; // where a choice by keys began
    this.chosen = [];
    this.asked = '';
    this.says = document.getElementById('word-says');
  }

  begin() {
    box.tabIndex = 0;
    box.addEventListener('keydown', (event) => this.key(event));
    document.addEventListener('selectionchange', () => { clearTimeout(this.wait); this.wait = setTimeout(() => this.selected(), 250); });
    addEventListener('hashchange', () => this.fromAddress());
    document.getElementById('choose-none').addEventListener('click', () => this.clear(true));
    for (const button of panel.querySelectorAll('[data-copy]')) {
      button.hidden = !navigator.clipboard;
      button.addEventListener('click', () => this.copy(button));
    }
    if (player) this.listen();
    this.fromAddress();
  }

  listen() {
    reading.hidden = false;
    this.button = document.getElementById('read-play');
    this.button.addEventListener('click', () => player.toggle());
    document.getElementById('word-keys-button').addEventListener('click', () => this.showKeys());
    box.addEventListener('click', (event) => {
      const word = event.target.closest('.w');
      if (word && getSelection().isCollapsed) player.seek(Number(word.dataset.t), true);
    });
    for (const name of ['play', 'pause', 'ended', 'seeked', 'timeupdate']) audio.addEventListener(name, () => this.show());
    audio.addEventListener('play', () => this.run());
    this.show();
  }

  run() {
    if (audio.paused) return;
    this.words.light(player.second, true);
    requestAnimationFrame(() => this.run());
  }

  show() {
    const on = !audio.paused;
    this.button.setAttribute('aria-pressed', String(on));
    this.button.textContent = on ? 'Pause' : 'Play';
    document.getElementById('read-clock').textContent = `${clock(player.second)} of ${clock(player.total)}`;
    if (on || player.second > 0) this.words.light(player.second, on);
  }

  showKeys() {
    const keys = document.getElementById('word-keys');
    keys.hidden = !keys.hidden;
    document.getElementById('word-keys-button').setAttribute('aria-expanded', String(!keys.hidden));
  }

  key(event) {
    if (event.target !== box || event.ctrlKey || event.altKey || event.metaKey) return;
    const deeds = {
      ArrowRight: () => this.move(this.at + 1, event.shiftKey),
      ArrowLeft: () => this.move(this.at - 1, event.shiftKey),
      ArrowDown: () => this.utterance(1, event.shiftKey),
      ArrowUp: () => this.utterance(-1, event.shiftKey),
      Enter: () => { if (player && this.at >= 0) player.seek(Number(this.words.all[this.at].dataset.t), true); },
      Escape: () => this.clear(false),
      c: () => panel.hidden || panel.focus(),
      '?': () => { if (player) this.showKeys(); },
    };
    if (!deeds[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    deeds[event.key]();
  }

  move(to, choosing) {
    const before = this.at;
    this.at = Math.min(Math.max(0, to), this.words.all.length - 1);
    const word = this.words.all[this.at];
    if (!word) return;
    if (!choosing) this.from = -1;
    else if (this.from < 0) this.from = Math.max(0, before);
    const ends = this.from < 0 ? [this.at, this.at] : [Math.min(this.from, this.at), Math.max(this.from, this.at)];
    this.paint(ends);
    this.says.textContent = `${word.textContent}${word.classList.contains('unsure') ? ', unsure' : ''}`;
    if (!visible(word)) word.scrollIntoView({ block: 'center' });
    if (choosing) this.cite(...ends);
  }

  utterance(step, choosing) {
    const here = this.words.all[Math.max(0, this.at)]?.closest('.utt');
    let to = Math.max(0, this.at);
    while (to >= 0 && to < this.words.all.length && this.words.all[to].closest('.utt') === here) to += step;
    if (this.at < 0) to = 0;
    if (step < 0 && to >= 0) { // to the first word of the one before
      const that = this.words.all[to].closest('.utt');
      while (to > 0 && this.words.all[to - 1].closest('.utt') === that) to -= 1;
    }
    this.move(to, choosing);
  }

  paint([first, last]) {
    for (const word of this.chosen) word.classList.remove('chosen');
    this.chosen = this.words.all.slice(first, last + 1);
    for (const word of this.chosen) word.classList.add('chosen');
  }

  selected() {
    const selection = getSelection();
    if (selection.isCollapsed || !selection.rangeCount) return;
    const range = selection.getRangeAt(0);
    if (!box.contains(range.commonAncestorContainer)) return;
    const all = this.words.all;
    const ends = (node) => node.firstChild ?? node;
    let first = 0, last = all.length - 1;
    while (first <= last && range.comparePoint(ends(all[first]), all[first].textContent.length) < 0) first += 1;
    while (last >= first && range.comparePoint(ends(all[last]), 0) > 0) last -= 1;
    if (first <= last) this.cite(first, last);
  }

  // What a citation says is the server's to say: the same page answers without a script.
  async cite(first, last) {
    const [from, to] = this.words.span(first, last);
    const url = new URL(panel.dataset.cite, location.href);
    url.searchParams.set('version', box.dataset.version);
    url.searchParams.set('from', from);
    url.searchParams.set('to', to);
    this.asked = url.href;
    const answer = await fetch(url, { headers: { accept: 'text/html' } }).catch(() => null);
    if (!answer?.ok || this.asked !== url.href) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const cited = page.getElementById('cited');
    if (!cited) return;
    document.getElementById('cited').replaceWith(cited);
    panel.hidden = false;
  }

  async copy(button) {
    const what = document.getElementById(button.dataset.copy)?.textContent.trim() ?? '';
    try {
      await navigator.clipboard.writeText(what);
      document.getElementById('copied').textContent = 'Copied.';
    } catch {
      document.getElementById('copied').textContent = 'The browser did not let it be copied: select it, and copy it from there.';
    }
  }

  clear(back) {
    this.from = -1;
    this.asked = '';
    this.paint([0, -1]);
    getSelection().removeAllRanges();
    panel.hidden = true;
    if (back) box.focus();
  }

  fromAddress() {
    for (const word of box.querySelectorAll('.cited')) word.classList.remove('cited');
    const named = /^#t=(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?/.exec(location.hash);
    if (!named) return;
    const from = Number(named[1]), to = Number(named[2] ?? NaN);
    if (this.elsewhere(from)) return;
    const cited = this.words.within(from, Number.isNaN(to) ? from + 0.01 : to);
    if (!Number.isNaN(to)) for (const word of cited) word.classList.add('cited');
    const first = cited[0] ?? this.words.all.find((one) => Number(one.dataset.t) >= from);
    first?.scrollIntoView({ block: 'center' });
  }

  /** A second of another part: go to its page. */
  elsewhere(second) {
    const parts = [...document.querySelectorAll('a[data-first]')];
    const there = parts.filter((one) => Number(one.dataset.first) <= second).pop();
    if (!there || there.hasAttribute('aria-current')) return false;
    location.assign(there.href.replace(/#.*/, location.hash));
    return true;
  }
}

if (box) new Reader().begin();
