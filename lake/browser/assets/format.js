// Format: clauses and selected columns get lines of their own. Only what stands between tokens
// changes, so that a query means what it meant.
(() => {
  const box = document.getElementById('sql');
  if (!box) return;
  const token = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[eE]'(?:\\[\s\S]|''|[^'\\])*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|\$((?:\w|[^\x00-\x7f\s])*)\$[\s\S]*?(?:\$\1\$|$)|(?:[\w$]|[^\x00-\x7f\s])+|\S/g;
  const clause = /^(SELECT|FROM|WHERE|HAVING|QUALIFY|LIMIT|OFFSET|UNION|EXCEPT|INTERSECT|VALUES)$/;
  const sides = /^(LEFT|RIGHT|FULL|INNER|CROSS|NATURAL|ASOF|POSITIONAL|SEMI|ANTI|OUTER)$/;
  const subquery = /^(SELECT|WITH|FROM|VALUES)$/;
  const begins = (words, at) => {
    const [before, word, next] = [words[at - 1], words[at], words[at + 1]];
    if (before === '.') return false;
    if (word === 'FROM') return before !== 'DISTINCT';
    if (word === 'GROUP' || word === 'ORDER') return next === 'BY';
    if (word === 'JOIN') return !sides.test(before);
    if (sides.test(word)) return !sides.test(before) && (next === 'JOIN' || sides.test(next));
    return clause.test(word);
  };
  // Comments nest, which no expression here can follow: such a query stays as it is.
  const nests = ([text]) => text.startsWith('/*') && text.includes('/*', 2);
  const formatted = (sql) => {
    const found = [...sql.matchAll(token)];
    if (found.some(nests)) return sql;
    const words = found.map((one) => one[0].toUpperCase());
    const open = [{ inner: 0, list: false, query: true }];
    let text = '', end = 0, between = false, was = '';
    found.forEach((one, at) => {
      const word = words[at], gap = sql.slice(end, one.index), now = open[open.length - 1];
      const line = (more = 0) => `\n${' '.repeat(now.inner + more)}`;
      let space = gap ? ' ' : '';
      // Texts on lines of their own are one text.
      if (word.startsWith('--')) space = gap.includes('\n') ? line() : space;
      else if (gap.includes('\n') && /'$/.test(was) && /^'/.test(word)) space = '\n';
      else if (now.query && at && begins(words, at) && was !== '(') { space = line(); now.list = word === 'SELECT'; }
      else if (now.query && now.list && was === ',') space = line(7);
      else if (now.query && word === 'AND' && !between && !now.list) space = line(2);
      if (word === ')' && open.length > 1) open.pop();
      if (words[at - 1]?.startsWith('--') && !space.startsWith('\n')) space = line();
      if (word === 'BETWEEN') between = true; else if (word === 'AND') between = false;
      if (at === 0) { space = ''; now.list = word === 'SELECT'; }
      text += space + one[0];
      end = one.index + one[0].length;
      if (!word.startsWith('--')) was = word;
      if (word === '(') {
        const query = subquery.test(words[at + 1]);
        open.push({ inner: text.length - text.lastIndexOf('\n') - 1, list: words[at + 1] === 'SELECT', query });
      }
    });
    return text;
  };
  const button = document.createElement('button');
  button.type = 'button'; button.className = 'as-link'; button.textContent = 'Format';
  button.addEventListener('click', () => {
    const text = formatted(box.value);
    box.focus();
    if (text === box.value) return;
    box.select();
    document.execCommand('insertText', false, text); // unlike a new value, it can be undone
  });
  box.form.querySelector('.runbar .pill').after(button);
})();
