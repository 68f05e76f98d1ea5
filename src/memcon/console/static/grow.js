// Lets a page grow by each beat: fetches a fragment drawn by the server and puts its parts in place.
// The page is complete without this; loading it again shows the same.

const main = document.getElementById('main');
const every = Math.max(1, Number(main.dataset.every) || 10) * 1000;

function address() {
  const url = new URL(main.dataset.grow, location.href);
  const last = document.querySelector('#score > li:last-child');
  if (last) url.searchParams.set('minute', String(Math.floor(Number(last.dataset.start) / 60)));
  return url;
}

// A part replaces the one of the same id, or only its content (data-inside, so that a live region
// stays the same element and is read out), or joins the list it belongs to (data-into).
function put(part) {
  const old = document.getElementById(part.id);
  // what the reader has unfolded stays so
  old?.querySelectorAll('details').forEach((one, i) => {
    const same = part.querySelectorAll('details')[i];
    if (same && one.open) same.setAttribute('open', '');
  });
  if (old && (part.hasAttribute('data-inside') || part.hasAttribute('data-rows'))) {
    if (old.innerHTML !== part.innerHTML) old.replaceChildren(...part.childNodes);
  } else if (old) {
    if (!old.contains(document.activeElement)) old.replaceWith(part);
  } else if (part.dataset.into) {
    document.getElementById(part.dataset.into)?.append(part);
  }
}

async function beat() {
  if (document.hidden) return;
  const answer = await fetch(address(), { headers: { accept: 'text/html' } });
  if (answer.status === 401) { location.reload(); return; }
  if (!answer.ok) return;
  const text = await answer.text();
  const page = new DOMParser().parseFromString(text, 'text/html');
  if (page.querySelector('[data-ended]')) { location.reload(); return; }
  for (const part of page.querySelectorAll('[id]:not(.minute [id])')) put(part);
}

// Words come when they have been said, not by the beat: asked for twice a second, the last minutes only.
async function words() {
  if (document.hidden) return;
  const url = new URL(main.dataset.words, location.href);
  const last = document.querySelector('#words > .minute:last-child');
  if (last) url.searchParams.set('minute', last.id.slice(2));
  const answer = await fetch(url, { headers: { accept: 'text/html' } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const part of page.querySelectorAll('[id]:not(.minute [id])')) put(part);
}

if (main.dataset.words) {
  setInterval(() => { words().catch(() => { /* the next one asks again */ }); }, 500);
}

if (main.dataset.grow) {
  setInterval(() => { beat().catch(() => { /* the next beat asks again; the page shows no beat that has not come */ }); }, every);
}
