// The editor: colours, completion, Ctrl+Enter runs, Esc cancels; the columns of a table when opened.
(() => {
  const words = 'SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET JOIN LEFT RIGHT FULL INNER CROSS ON USING AS AND OR NOT IN IS NULL BETWEEN LIKE ILIKE CASE WHEN THEN ELSE END UNION ALL EXCEPT INTERSECT DISTINCT WITH RECURSIVE OVER PARTITION QUALIFY WINDOW FILTER VALUES DESC ASC NULLS FIRST LAST CAST INTERVAL DATE TIMESTAMP TRUE FALSE EXISTS ANY SUMMARIZE DESCRIBE PIVOT UNPIVOT EXCLUDE REPLACE LATERAL ASOF POSITIONAL SEMI ANTI TABLESAMPLE ROWS RANGE'.split(' ');
  const calls = 'count sum avg min max median quantile_cont stddev mode round floor ceil abs coalesce nullif date_trunc date_part date_diff strftime year month day hour lower upper trim length substring replace regexp_matches regexp_extract split_part concat string_agg list approx_count_distinct arg_max arg_min row_number rank lag lead first last histogram cast try_cast unnest range generate_series greatest least'.split(' ');
  const keys = new Set(words);
  const token = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?)|(\b\d+(?:\.\d+)?\b)|([A-Za-z_]\w*)(?=(\s*\()?)/g;
  const paint = (into, text) => {
    into.textContent = '';
    let end = 0;
    const add = (part, kind) => {
      if (!kind) { into.append(part); return; }
      const span = document.createElement('span');
      span.className = kind; span.textContent = part; into.append(span);
    };
    for (const found of text.matchAll(token)) {
      const kind = found[1] ? 'cm' : found[2] ? 's' : found[5] && keys.has(found[5].toUpperCase()) ? 'k' : found[5] && found[6] ? 'nn' : '';
      if (!kind) continue;
      add(text.slice(end, found.index)); add(found[0], kind); end = found.index + found[0].length;
    }
    add(text.slice(end) + '\n');
  };
  for (const pre of document.querySelectorAll('pre[data-sql]')) paint(pre, pre.textContent);
  const cancel = document.getElementById('cancel');
  if (cancel) document.addEventListener('keydown', (ev) => { if (ev.key === 'Escape') cancel.click(); });
  const told = document.querySelector('[data-wait]');
  let left = !told;
  const wait = async () => {
    const got = left ? null : await fetch(told.dataset.wait).catch(() => null);
    if (left) return;
    if (got && got.status !== 202) { location.reload(); return; }
    if (got) told.textContent = await got.text();
    setTimeout(wait, 1000);
  };
  if (told) setTimeout(wait, 1000);
  cancel?.addEventListener('click', () => { left = true; });

  const box = document.getElementById('sql'), tree = document.getElementById('tree');
  if (!box) return;
  const under = box.parentNode.querySelector('.hl');
  box.parentNode.classList.add('on');
  const show = () => { paint(under, box.value); under.scrollTop = box.scrollTop; under.scrollLeft = box.scrollLeft; };
  box.addEventListener('scroll', () => { under.scrollTop = box.scrollTop; under.scrollLeft = box.scrollLeft; });
  show();
  if (!box.value) box.focus();

  let asked, tables = {};
  const names = () => asked ||= fetch(tree.dataset.names).then((got) => got.json()).then((got) => { tables = got; });
  tree.addEventListener('toggle', async (ev) => {
    const one = ev.target, list = one.querySelector('ul');
    if (!one.open || list.querySelector('span')) return;
    await names();
    const columns = tables[one.dataset.table] || [], more = list.firstElementChild;
    list.prepend(...columns.slice(0, 200).map(([name, type]) => {
      const li = document.createElement('li'), bdi = document.createElement('bdi'), span = document.createElement('span');
      bdi.textContent = name; span.textContent = span.title = type; li.append(bdi, span); return li;
    }));
    if (columns.length <= 200) more?.remove();
  }, true);

  let list = null, at = 0, start = 0;
  const plain = (name) => /^[a-z_]\w*$/i.test(name) && !keys.has(name.toUpperCase()) ? name : `"${name.replaceAll('"', '""')}"`;
  const offers = (said, before) => {
    const low = said.toLowerCase(), named_words = new Set(box.value.toLowerCase().match(/\w+/g)), found = [];
    const take = (name, what, put) => { if (name.toLowerCase().startsWith(low)) found.push([put || name, what]); };
    const dot = /(\w+)\.$/.exec(before);
    const named = Object.keys(tables).filter((one) => named_words.has(one.split('.')[1]));
    if (dot && /^(raw|curated|meta)$/i.test(dot[1])) {
      for (const one of Object.keys(tables)) if (one.startsWith(`${dot[1].toLowerCase()}.`)) take(one.split('.')[1], 'table');
      return found;
    }
    const seen = new Set();
    for (const one of named) for (const [name, type] of tables[one]) if (!seen.has(name)) { seen.add(name); take(name, type, plain(name)); }
    if (dot) return found;
    for (const one of Object.keys(tables)) { take(one, 'table'); take(one.split('.')[1], 'table', one); }
    for (const one of calls) take(one, 'function', `${one}(`);
    for (const one of words) take(one, '');
    return found.filter(([name], place) => found.findIndex(([other]) => other === name) === place);
  };
  const close = () => { list?.remove(); list = null; box.removeAttribute('aria-activedescendant'); box.removeAttribute('aria-controls'); };
  const mark = (to) => {
    at = (to + list.children.length) % list.children.length;
    [...list.children].forEach((li, place) => li.setAttribute('aria-selected', place === at));
    box.setAttribute('aria-controls', 'names');
    box.setAttribute('aria-activedescendant', list.children[at].id);
  };
  const put = (text) => { box.setRangeText(text, start, box.selectionStart, 'end'); close(); show(); };
  const offer = async (all) => {
    await names();
    const before = box.value.slice(0, box.selectionStart), said = /\w*$/.exec(before)[0];
    start = before.length - said.length;
    const found = said || all || /\b(raw|curated|meta)\.$/i.test(before) ? offers(said, before.slice(0, start)).slice(0, 10) : [];
    close();
    if (!found.length || (found.length === 1 && found[0][0] === said)) return;
    list = document.createElement('ul');
    list.className = 'names'; list.id = 'names'; list.setAttribute('role', 'listbox'); list.setAttribute('aria-label', 'Names');
    found.forEach(([name, what], place) => {
      const li = document.createElement('li'), span = document.createElement('span');
      li.id = `name-${place}`; li.setAttribute('role', 'option'); span.textContent = what; li.append(name, span);
      li.addEventListener('mousedown', (ev) => { ev.preventDefault(); put(name); });
      list.append(li);
    });
    const lines = before.split('\n'), last = lines[lines.length - 1].length - said.length;
    box.parentNode.append(list);
    list.style.left = `${Math.min(14 + last * 7.82 - box.scrollLeft, box.clientWidth - 200)}px`;
    list.style.top = `${12 + lines.length * 20 - box.scrollTop}px`;
    mark(0);
  };
  box.setAttribute('aria-autocomplete', 'list'); close();
  box.addEventListener('input', () => { show(); offer(false); });
  box.addEventListener('blur', close);
  box.addEventListener('keydown', (ev) => {
    if (ev.key === 'Enter' && (ev.ctrlKey || ev.metaKey)) { ev.preventDefault(); box.form.requestSubmit(); return; }
    if (ev.key === ' ' && ev.ctrlKey) { ev.preventDefault(); offer(true); return; }
    if (!list) return;
    if (ev.key === 'ArrowDown' || ev.key === 'ArrowUp') { ev.preventDefault(); mark(at + (ev.key === 'ArrowDown' ? 1 : -1)); }
    else if (ev.key === 'Enter' || ev.key === 'Tab') { ev.preventDefault(); put(list.children[at].firstChild.data); }
    else if (ev.key === 'Escape') { ev.preventDefault(); close(); }
  });
})();
