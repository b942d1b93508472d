// Lists beside the map: priorities, where to measure first, search, and the table that says the same without a map.
function topGaps() {
  const rows = priorities.filter((gap) => isAll() || gap.operator === state.operator).slice(0, 10);
  put('top-gaps', rows.length ? rows.map((gap) => node('li', {}, [node('button', {type: 'button', click: () => { choose(gap.commune); flyTo(gap.gap ? gap.gap.at : null, gap.commune); }}, [
    node('span', {text: number(gap.rank) + '.'}), swatch(borrowedKey(gap.commune.rows[gap.operator], gap.commune.rows[gap.operator].verdict)),
    node('span', {class: 'grow', text: gap.commune.name + ' · ' + operatorName(gap.operator)}),
    node('span', {class: 'count', text: speed(gap.commune.rows[gap.operator].mean) + ' Mbps'})])]))
    : [node('li', {class: 'small', text: t('top_none')})]);
  const ask = columns['m.commune'].length ? measureFirst.filter((row) => isAll() || row.operator === state.operator).slice(0, 10) : [];
  put('measure-first', ask.map((row) => {
    const figures = row.commune.rows[row.operator];
    return node('li', {}, [node('button', {type: 'button', click: () => { choose(row.commune); flyTo(null, row.commune); }}, [
      swatch(figures.verdict), node('span', {class: 'grow', text: row.commune.name + ' · ' + operatorName(row.operator)}),
      node('span', {class: 'count', text: figures.further ? '+' + number(figures.further) + ' ' + t('devices').toLowerCase() : number(figures.devices) + ' ' + t('devices').toLowerCase()})])]);
  }));
}

const searchable = data.communes.map((commune) => ({commune, name: fold(commune.name), others: fold(commune.district + ' ; ' + commune.formers)}));
function search(text) {
  const wanted = fold(text.trim());
  if (!wanted) return [];
  const by = (test) => searchable.filter(test).map((entry) => entry.commune);
  const direct = by((entry) => entry.name.includes(wanted) || entry.commune.id === wanted);
  return direct.concat(by((entry) => entry.others.includes(wanted) && !direct.includes(entry.commune))).slice(0, 12);
}
function showSearch() {
  const text = document.getElementById('search').value, wanted = fold(text.trim()), found = search(text);
  put('search-results', found.map((commune) => {
    const hit = fold(commune.name).includes(wanted) || commune.id === wanted ? '' : [commune.district, ...commune.formers.split('; ')].filter((one) => fold(one).includes(wanted)).join(', ');
    return node('li', {}, [node('button', {type: 'button', click: () => { choose(commune); flyTo(null, commune); }}, [
      node('span', {text: commune.name}), hit ? node('span', {class: 'small', text: '← ' + hit}) : null])]);
  }));
  document.getElementById('search-status').textContent = wanted ? t('found', {n: number(found.length)}) : '';
}

// the present view as rows: the table, and the CSV
function tableColumns() {
  const row = (commune) => commune.rows[state.operator], count = (commune, verdicts) => commune.rows.slice(1).filter((one) => verdicts.includes(one.verdict)).length;
  const text = (key, of) => ({key, of, text: true}), figure1 = (key, of, shown, plain) => ({key, of, shown, plain});
  const first = [text('commune', (c) => c.name), text('code', (c) => c.id)];
  if (data.communes.some((c) => c.district)) first.push(text('district', (c) => c.district));
  const last = [figure1('tests', (c) => row(c).tests, number), figure1('devices', (c) => row(c).devices, number), figure1('people', (c) => c.people, number)];
  if (isAll()) {
    return first.concat([text('status', (c) => t(c['class'])), figure1('ops_gap', (c) => count(c, BAD), number), figure1('ops_good', (c) => count(c, GOOD), number),
      figure1('ops_open', (c) => operators.length - 1 - count(c, BAD) - count(c, GOOD), number)], last);
  }
  const changed = data.former ? [text('change', (c) => (row(c).change ? t(row(c).change) : ''))] : [];
  return first.concat([text('status', (c) => t(row(c).verdict)), figure1('mean', (c) => row(c).mean, speed), figure1('lo', (c) => row(c).lo, speed), figure1('hi', (c) => row(c).hi, speed),
    figure1('median', (c) => row(c).median, speed), figure1('upload', (c) => row(c).upload, (v) => number(v, 1)), figure1('latency', (c) => row(c).latency, (v) => number(v, 0))], last, changed);
}
function tableRows() {
  const wanted = tableColumns(), by = wanted.find((column) => column.key === state.sort.key) || wanted[0];
  const rows = data.communes.filter((commune) => !state.hidden.has(plainKey(communeKey(commune))));
  const compare = (a, b) => {
    const [x, y] = [by.of(a), by.of(b)];
    if (x === null || y === null) return (x === null) - (y === null);  // what is missing stands last, whichever way
    return (by.text ? x.localeCompare(y, 'vi') : x - y) * (state.sort.down ? -1 : 1);
  };
  return {wanted, rows: rows.sort(compare)};
}
function table() {
  document.getElementById('table-view').hidden = !state.table;
  document.getElementById('show-table').setAttribute('aria-expanded', String(state.table));
  if (!state.table) return;
  const {wanted, rows} = tableRows(), by = (wanted.find((column) => column.key === state.sort.key) || wanted[0]).key;
  const head = wanted.map((column) => node('th', {scope: 'col', class: column.text ? '' : 'number', 'aria-sort': column.key === by ? (state.sort.down ? 'descending' : 'ascending') : 'none'}, [
    node('button', {type: 'button', 'data-sort': column.key, text: t(column.key) + (column.key === by ? (state.sort.down ? ' ▼' : ' ▲') : ''), click: () => {
      state.sort = {key: column.key, down: by === column.key ? !state.sort.down : !column.text};
      table();
      document.querySelector('[data-sort="' + column.key + '"]').focus();
    }})]));
  put('table-caption', [node('span', {text: [operatorName(state.operator), data.period_label, t('view_' + state.view), t('rows', {n: number(rows.length), all: number(communeCount)})].join(' · ')})]);
  put('table', [node('thead', {}, [node('tr', {}, head)]), node('tbody', {}, rows.map((commune) => node('tr', {class: commune === state.commune ? 'chosen' : ''}, wanted.map((column, i) => {
    const value = column.of(commune), shown = value === null ? MISSING : column.shown ? column.shown(value) : value;
    if (i === 0) return node('th', {scope: 'row'}, [node('button', {type: 'button', class: 'link', text: shown, click: () => { state.table = false; choose(commune); flyTo(null, commune); document.querySelector('#card h2 span').focus({preventScroll: true}); }})]);
    return node('td', {class: column.text ? '' : 'number', text: shown});
  }))))]);
}
