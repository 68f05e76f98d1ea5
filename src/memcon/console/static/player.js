// The player of a call: our own buttons over the browser's audio, a head that walks through the score.
// Without this the browser's own controls are there and the score is still complete.

import { clock } from './lit.js';

const audio = document.getElementById('audio');
const play = document.getElementById('play');

function svg(name, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

class Player {
  constructor() {
    this.total = Number(document.getElementById('player').dataset.seconds) || 0;
    this.wanted = 0;
    this.says = document.getElementById('player-says');
    this.clock = document.getElementById('clock');
    this.keys = document.getElementById('keys');
    this.systems = [...document.querySelectorAll('#score > li')];
    this.head = svg('g', { 'aria-hidden': 'true' });
    this.line = svg('path', { class: 'head-line' });
    this.triangle = svg('path', { class: 'tick' });
    this.head.append(this.line, this.triangle);
  }

  get second() { return audio.readyState > 0 ? audio.currentTime : this.wanted; }

  begin() {
    audio.removeAttribute('controls');
    audio.hidden = true;
    play.hidden = false;
    document.getElementById('controls').hidden = false;
    play.addEventListener('click', () => this.toggle());
    document.getElementById('keys-button').addEventListener('click', () => this.showKeys());
    document.getElementById('lane')?.addEventListener('change', (event) => this.hear(event.target.value));
    for (const name of ['play', 'pause', 'ended', 'timeupdate', 'seeked']) audio.addEventListener(name, () => this.show());
    audio.addEventListener('error', () => this.failed());
    for (const system of this.systems) {
      system.querySelector('svg').addEventListener('click', (event) => this.clicked(event, system));
    }
    document.addEventListener('click', (event) => {
      const link = event.target.closest('a.seek');
      if (link) this.seek(Number(link.dataset.second), true);
    });
    document.addEventListener('keydown', (event) => this.key(event));
    addEventListener('hashchange', () => this.fromAddress());
    this.fromAddress();
    this.show();
  }

  fromAddress() {
    const named = /^#t=(\d+(?:\.\d+)?)/.exec(location.hash);
    if (named) this.seek(Number(named[1]), false);
  }

  toggle() {
    if (!audio.paused) { audio.pause(); return; }
    this.says.textContent = '';
    audio.play().catch((error) => { if (error.name !== 'AbortError') this.failed(); });
  }

  failed() {
    this.says.textContent = 'The audio could not be loaded. The recording and its seals are not touched by this; load the page again.';
    this.show();
  }

  // The wish is kept until the browser knows the length; seeking before that would be lost.
  seek(second, start) {
    this.wanted = Math.min(Math.max(0, second), Math.max(0, this.total - 0.1));
    if (audio.readyState > 0) audio.currentTime = this.wanted;
    else audio.addEventListener('loadedmetadata', () => { audio.currentTime = this.wanted; }, { once: true });
    if (start && audio.paused) this.toggle();
    this.show();
  }

  clicked(event, system) {
    const box = system.querySelector('svg').getBoundingClientRect();
    const second = Number(system.dataset.start) + Math.floor((event.clientX - box.left) / box.width * 60);
    if (second < this.total) this.seek(second, true);
  }

  hear(lane) {
    const playing = !audio.paused, second = this.second;
    audio.src = audio.src.replace(/audio\/[^/]+\.(wav|flac)/, `audio/${lane}.$1`);
    this.seek(second, playing);
  }

  showKeys() {
    this.keys.hidden = !this.keys.hidden;
    document.getElementById('keys-button').setAttribute('aria-expanded', String(!this.keys.hidden));
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = event.target;
    if (at.matches('input, select, textarea, summary')) return;
    const step = event.shiftKey ? 1 : 5;
    const deeds = {
      ' ': () => this.toggle(),
      ArrowLeft: () => this.seek(this.second - step, false),
      ArrowRight: () => this.seek(this.second + step, false),
      Home: () => this.seek(0, false),
      End: () => this.seek(this.total - 3, false),
      '?': () => this.showKeys(),
    };
    // Space on another button or link is that button's; Home and End scroll the page until Play has been used.
    if (event.key === ' ' && at !== play && at.matches('button, a, pre')) return;
    const playerKey = event.key === ' ' || event.key === '?' || this.used();
    if (!playerKey || !deeds[event.key]) return;
    event.preventDefault();
    deeds[event.key]();
  }

  used() { return document.activeElement === play || !audio.paused || this.second > 0; }

  show() {
    const second = this.second, on = !audio.paused;
    const place = clock(second);
    play.setAttribute('aria-pressed', String(on));
    play.textContent = on ? 'Pause' : second > 0 && !audio.ended ? `Play from ${place}` : 'Play';
    this.clock.textContent = `${place} of ${clock(this.total)}`;
    const index = Math.min(Math.floor(second / 60), this.systems.length - 1);
    const picture = this.systems[index]?.querySelector('svg');
    if (!picture || (second === 0 && !on)) { this.head.remove(); return; }
    const cell = picture.viewBox.baseVal.width / 60;
    const x = Math.floor(second % 60) * cell + 0.5;
    const bottom = picture.viewBox.baseVal.height;
    this.line.setAttribute('d', `M${x} 14V${bottom}`);
    this.triangle.setAttribute('d', `M${x - 4.5} 12h9l-4.5 6z`);
    if (this.head.parentNode !== picture) picture.append(this.head);
  }
}

/** The page's player; null where there is nothing to hear. */
export const player = audio && play ? new Player() : null;
player?.begin();
