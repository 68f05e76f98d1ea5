// "Was it on?" answered from what the page holds: read, never checked. The words are those of the server.
const log = JSON.parse(document.getElementById('data').textContent);
const field = (name) => document.getElementById(name);
const told = field('told');
const parts = field('parts');

const show = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');
const group = (n) => n.toLocaleString('en-US');
const slots = (n) => `${group(n)} ${n === 1 ? 'slot' : 'slots'}`;

function moment(text) {
  const zoned = /(Z|[+-]\d\d:?\d\d)$/i.test(text) || /^\d{4}-\d\d-\d\d$/.test(text);
  return Date.parse(zoned ? text : `${text}Z`);
}

/** The stretches of a span, cut to it; whatever the page knows nothing of is unknown. */
function stretches(first, last) {
  const known = log.runs.filter(([from, to]) => from <= last && to >= first)
    .map(([from, to, answer, said]) => ({ from: Math.max(from, first), to: Math.min(to, last), answer, said }));
  const unknown = (from, to) => from <= to && known.push({ from, to, answer: log.unknown, said: '' });
  unknown(first, Math.min(last, log.since - 1));
  unknown(Math.max(first, log.end, log.since), last);
  return known.sort((a, b) => a.from - b.from);
}

function answer(since, until) {
  const first = Math.floor(since / log.period);
  const last = Math.max(first, Math.ceil(until / log.period) - 1);
  const found = stretches(first, last);
  const span = (from, to) => `from ${show(from * log.period)} to ${show((to + 1) * log.period)}`;
  const all = last - first + 1;
  if (!found.length) {
    return { text: `Yes: ${log.origin} was attested recording in every one of ${slots(all)} ${span(first, last)}.`, found, span };
  }
  const worst = Math.max(...found.map((one) => one.answer));
  const bad = found.filter((one) => one.answer === worst).reduce((n, one) => n + one.to - one.from + 1, 0);
  const rest = found.reduce((n, one) => n - one.to + one.from - 1, all);
  const lead = worst === log.unknown ? 'Nobody can tell from this' : worst < 3 ? 'In part' : 'No';
  return { text: `${lead}: ${log.words[worst]} in ${group(bad)} of ${slots(all)} ${span(first, last)}; ${group(rest)} attested recording.`, found, span };
}

function ask() {
  parts.replaceChildren();
  const since = moment(field('from').value.trim());
  const until = field('to').value.trim() === '' ? since + 1 : moment(field('to').value.trim());
  if (Number.isNaN(since) || Number.isNaN(until) || since < 0 || until < since) {
    told.textContent = 'That is no time, or it ends before it begins. Write 2026-11-24T09:00:00Z.';
    return;
  }
  const { text, found, span } = answer(since, until);
  told.textContent = text;
  for (const one of found.slice(0, 50)) {
    const line = document.createElement('li');
    line.textContent = `${log.words[one.answer]}: ${span(one.from, one.to)}${one.said ? `; ${one.said}` : ''}`;
    parts.append(line);
  }
}

const age = Date.now() - log.written;
const minutes = Math.floor(age / 60000);
field('age').textContent = minutes < 120 ? `${minutes} minutes` : minutes < 2880 ? `${Math.floor(minutes / 60)} hours` : `${Math.floor(minutes / 1440)} days`;
field('old').hidden = age < log.old;

field('ask').hidden = false;
const asked = new URLSearchParams(location.search);
field('from').value = asked.get('from') ?? show(log.written - 3600000);
field('to').value = asked.get('from') ? asked.get('to') ?? '' : show(log.written);
if (asked.get('from')) ask();
