// Keys: / search, g and l b c r s for pages, j k rows, [ ] older and newer, y pins the address to
// the commit, ? says them, and there they can be switched off. A page about what passes asks again.
(() => {
  const pages = { l: '/', b: '/bucket', c: '/commits', r: '/runs', s: '/sql' };
  const at = new URLSearchParams(location.search).get('at');
  const go = (path) => { location.href = at ? `${path}?at=${encodeURIComponent(at)}` : path; };
  let pending = '', off = false;
  // Where nothing may be stored, a choice lasts as long as the page.
  try { off = localStorage.getItem('keys') === 'off'; } catch { off = false; }
  const hint = document.querySelector('.top kbd');
  if (hint) hint.hidden = off;
  const turn = (on) => {
    off = !on;
    if (hint) hint.hidden = off;
    try { localStorage.setItem('keys', on ? 'on' : 'off'); } catch { pending = ''; }
  };
  const step = (by) => {
    const links = [...document.querySelectorAll('tr[data-row]')].map((row) => row.querySelector('a')).filter(Boolean);
    const row = links.indexOf(document.activeElement.closest('tr[data-row]')?.querySelector('a'));
    const to = links[row < 0 ? 0 : Math.min(Math.max(row + by, 0), links.length - 1)];
    to?.focus({ preventScroll: true });
    to?.closest('tr').scrollIntoView({ block: 'nearest' });
  };
  const follow = (rel) => document.querySelector(`a[rel=${rel}]`)?.click();
  const pin = () => {
    if (!document.body.dataset.commit) return;
    const to = new URL(location.href);
    to.searchParams.set('at', document.body.dataset.commit);
    history.replaceState(null, '', to);
  };
  const made = (tag, text = '') => Object.assign(document.createElement(tag), { textContent: text });
  const dialog = () => {
    const box = made('dialog'), list = made('dl'), label = made('label'), close = made('button', 'Close');
    const single = Object.assign(made('input'), { type: 'checkbox', checked: !off });
    box.id = 'keys';
    box.setAttribute('aria-labelledby', 'keys-title');
    for (const [key, what] of [['/', 'search'], ['g then l b c r s', 'lake, bucket, commits, runs, SQL'],
      ['j k', 'next and previous row'], ['[ ]', 'older and newer'], ['y', 'pin the address to this commit'],
      ['?', 'this list'], ['Enter', 'open'], ['Ctrl Enter', 'run the query'], ['Esc', 'close, cancel']]) {
      list.append(made('dt', key), made('dd', what));
    }
    single.addEventListener('change', () => turn(single.checked));
    label.append(single, 'Keys of a single character, in this browser');
    close.className = 'pill';
    close.addEventListener('click', () => box.close());
    box.append(Object.assign(made('h2', 'Keyboard'), { id: 'keys-title' }), list, label, close);
    return document.body.appendChild(box);
  };
  const help = () => {
    const box = document.getElementById('keys') || dialog();
    if (box.open) box.close(); else box.showModal();
  };
  const retry = 1000 * document.body.dataset.retry;
  const look = async () => {
    const got = await fetch(location.href).catch(() => null);
    if (got && got.status !== 503 && got.status !== 429) location.reload(); else setTimeout(look, retry);
  };
  if (retry) setTimeout(look, retry);
  document.getElementById('help')?.addEventListener('click', (ev) => { ev.preventDefault(); help(); });
  const keys = {
    '/': () => document.getElementById('q')?.focus(),
    j: () => step(1), k: () => step(-1), '[': () => follow('prev'), ']': () => follow('next'), y: pin, '?': help,
  };
  document.addEventListener('keydown', (ev) => {
    const typed = ev.target.matches('input:not([type=checkbox]),textarea,select');
    if (off || typed || ev.ctrlKey || ev.metaKey || ev.altKey) return;
    if (document.getElementById('keys')?.open && ev.key !== '?') return;
    const page = pending === 'g' && pages[ev.key];
    pending = ev.key === 'g' ? 'g' : '';
    if (page) go(page);
    else if (Object.hasOwn(keys, ev.key)) { ev.preventDefault(); keys[ev.key](); }
  });
})();
