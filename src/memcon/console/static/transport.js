// Hearing while writing: play, pause, back, slower. Quiet where a call has no audio here.
import { clock } from './lit.js';

const $ = (id) => document.getElementById(id);

export class Transport {
  /** `lit` is told (second, whether it plays) as often as the screen is drawn. */
  constructor(audio, lit) {
    this.audio = audio;
    this.lit = lit;
    if (!audio) return;
    this.speed = $('speed');
    $('toggle').addEventListener('click', () => this.toggle(null));
    $('back').addEventListener('click', () => this.skip(-2));
    this.speed.addEventListener('change', () => { audio.playbackRate = Number(this.speed.value); });
    for (const name of ['play', 'pause', 'ended', 'seeked', 'timeupdate']) audio.addEventListener(name, () => this.show());
    audio.addEventListener('play', () => this.run());
    document.addEventListener('click', (event) => {
      const link = event.target.closest('a.seek');
      if (!link) return;
      event.preventDefault();
      this.seek(Number(link.dataset.second));
      this.start();
    });
  }

  get second() { return this.audio?.currentTime ?? 0; }

  start() { this.audio.play().catch(() => { $('state').textContent = 'The audio could not be loaded; load the page again.'; }); }

  /** Play or pause; with an utterance, from its beginning unless the place is in it or beside it. */
  toggle(line) {
    if (!this.audio) return;
    if (!this.audio.paused) { this.audio.pause(); return; }
    const start = line ? line.start / 1000 : 0;
    if (line && (this.second < start - 3 || this.second > (line.end ?? line.start) / 1000 + 3)) this.seek(start);
    this.start();
  }

  seek(second) { this.audio.currentTime = Math.max(0, second); }

  skip(by) { if (this.audio) this.seek(this.second + by); }

  faster(by) {
    if (!this.audio) return;
    const to = Math.min(Math.max(0, this.speed.selectedIndex + by), this.speed.options.length - 1);
    this.speed.selectedIndex = to;
    this.audio.playbackRate = Number(this.speed.value);
  }

  run() {
    if (this.audio.paused) return;
    this.lit(this.second, true);
    requestAnimationFrame(() => this.run());
  }

  show() {
    const on = !this.audio.paused;
    $('toggle').setAttribute('aria-pressed', String(on));
    $('toggle').textContent = on ? 'Pause' : 'Play';
    $('place').textContent = clock(this.second);
    this.lit(this.second, on);
  }
}
