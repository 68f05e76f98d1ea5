// Which word is being heard: shared by who reads and who corrects.

/** A place in the call: `4:21`, `1:02:03`. */
export function clock(second) {
  const whole = Math.max(0, Math.floor(second));
  const minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
  const secs = String(whole % 60).padStart(2, '0');
  return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${secs}` : `${minutes}:${secs}`;
}

/** The first place in a sorted list whose value is greater. */
function after(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1; else high = middle;
  }
  return low;
}

export const visible = (node) => {
  const { top, bottom } = node.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
};

/** The words below an element, lane by lane, and the lighting of those that are heard. */
export class Words {
  constructor(box) {
    this.all = [...box.querySelectorAll('.w')];
    const lanes = new Map();
    for (const node of this.all) {
      const { lane } = node.closest('.utt').dataset;
      if (!lanes.has(lane)) lanes.set(lane, []);
      lanes.get(lane).push({ node, t: Number(node.dataset.t), e: Number(node.dataset.e) });
    }
    this.lanes = [...lanes.values()].map((words) => {
      words.sort((a, b) => a.t - b.t);
      return { words, starts: words.map((one) => one.t), lit: null };
    });
  }

  /** The word of a lane that is being heard at a second, or was just now. */
  heard(lane, second) {
    const word = lane.words[after(lane.starts, second) - 1];
    return word && second < word.e + 0.25 ? word.node : null;
  }

  /** Light what is heard; while it plays, keep it in view if it was. */
  light(second, playing) {
    for (const lane of this.lanes) {
      const word = this.heard(lane, second);
      if (word === lane.lit) continue;
      const follow = playing && lane.lit && word && visible(lane.lit) && !visible(word);
      lane.lit?.classList.remove('now');
      word?.classList.add('now');
      lane.lit = word;
      if (follow) word.scrollIntoView({ block: 'center' });
    }
  }

  span(first, last) {
    const some = this.all.slice(first, last + 1);
    return [some[0].dataset.t, some.reduce((end, one) => (Number(one.dataset.e) > Number(end) ? one.dataset.e : end), '0')];
  }

  within(from, to) {
    return this.all.filter((one) => Number(one.dataset.e) > from && Number(one.dataset.t) < to);
  }
}
