// Before the first paint: the reader's own choice of a light or a dark page, kept in this browser only.
(() => {
  const root = document.documentElement;
  const dark = () => root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  try {
    const kept = localStorage.getItem('memcon-theme');
    if (kept === 'light' || kept === 'dark') root.dataset.theme = kept;
  } catch { /* a browser that keeps nothing follows the system */ }
  addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    if (!button) return;
    const say = () => { button.textContent = dark() ? 'Light page' : 'Dark page'; };
    button.hidden = false;
    say();
    button.addEventListener('click', () => {
      root.dataset.theme = dark() ? 'light' : 'dark';
      try { localStorage.setItem('memcon-theme', root.dataset.theme); } catch { /* see above */ }
      say();
    });
  });
})();
