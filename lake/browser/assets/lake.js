// Keys: / search, g and l b c r s for pages, j k rows, Enter opens, [ ] older and newer,
// y pins the address to the commit, ? says them.
(() => {
  const pages = { l: '/', b: '/bucket', c: '/commits', r: '/runs', s: '/sql' };
  const at = new URLSearchParams(location.search).get('at');
  const go = (path) => { location.href = at ? `${path}?at=${encodeURIComponent(at)}` : path; };
  let pending = '', row = -1;
  const rows = () => [...document.querySelectorAll('tr[data-row]')];
  const mark = (step) => {
    const all = rows();
    if (!all.length) return;
    all[row]?.classList.remove('on');
    row = Math.min(Math.max(row + step, 0), all.length - 1);
    all[row].classList.add('on');
    all[row].scrollIntoView({ block: 'nearest' });
  };
  const follow = (rel) => document.querySelector(`a[rel=${rel}]`)?.click();
  const pin = () => {
    const to = new URL(location.href);
    to.searchParams.set('at', document.body.dataset.commit);
    history.replaceState(null, '', to);
  };
  const help = () => {
    const box = document.getElementById('keys') || document.body.appendChild(made());
    if (box.open) box.close(); else box.showModal();
  };
  const made = () => {
    const box = document.createElement('dialog');
    box.id = 'keys';
    box.setAttribute('aria-label', 'Keyboard');
    const list = document.createElement('dl');
    for (const [key, what] of [['/', 'search'], ['g then l b c r s', 'lake, bucket, commits, runs, SQL'],
      ['j k', 'next and previous row'], ['Enter', 'open the row'], ['[ ]', 'older and newer'],
      ['y', 'pin the address to this commit'], ['Ctrl Enter', 'run the query'], ['Esc', 'close, cancel']]) {
      const dt = document.createElement('dt'), dd = document.createElement('dd');
      dt.textContent = key; dd.textContent = what; list.append(dt, dd);
    }
    box.append(list);
    return box;
  };
  document.getElementById('help')?.addEventListener('click', (ev) => { ev.preventDefault(); help(); });
  document.addEventListener('keydown', (ev) => {
    if (/INPUT|TEXTAREA|SELECT/.test(ev.target.tagName) || ev.ctrlKey || ev.metaKey || ev.altKey) return;
    if (pending === 'g' && pages[ev.key]) { pending = ''; go(pages[ev.key]); return; }
    pending = ev.key === 'g' ? 'g' : '';
    if (ev.key === '/') { ev.preventDefault(); document.getElementById('q')?.focus(); }
    else if (ev.key === 'j') mark(1);
    else if (ev.key === 'k') mark(-1);
    else if (ev.key === 'Enter' && row >= 0 && !/^(A|BUTTON|SUMMARY)$/.test(ev.target.tagName)) rows()[row]?.querySelector('a')?.click();
    else if (ev.key === '[') follow('prev');
    else if (ev.key === ']') follow('next');
    else if (ev.key === 'y') pin();
    else if (ev.key === '?') help();
  });
})();
