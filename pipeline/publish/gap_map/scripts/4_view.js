// What is shown: the view's classes, the key of each commune and cell in it, headline and legend.
const VIEWS = data.views;
const COUNTS = ['tests', 'month'];
const ONE_OPERATOR = ['mean', 'median', 'upload', 'latency'];  // operators are never pooled into one mean
const isAll = () => operators[state.operator] === 'all' && !pooled;
const viewOpen = (view) => !(isAll() && ONE_OPERATOR.includes(view));
const classIndex = (view, value) => data.scales[view].breaks.filter((limit) => value >= limit).length;
const UNDECIDED = ['insufficient_evidence', 'borderline'];
const RANKED_CHANGES = ['new_gap', 'worse', 'closed_gap', 'better', 'decided', 'no_change', 'not_comparable'];

function communeKey(commune) {
  const row = commune.rows[state.operator], view = state.view;
  if (view === 'verdict') return isAll() ? commune['class'] : borrowedKey(row, row.verdict);
  if (COUNTS.includes(view)) return view + ':' + classIndex(view, row[view] || 0);
  if (view === 'change') {
    const found = isAll() ? commune.rows.slice(1).map((one) => one.change) : [row.change];
    return RANKED_CHANGES.find((change) => found.includes(change)) || 'not_comparable';
  }
  if (view === 'evidence') {
    if (!isAll()) return borrowedKey(row, evidenceOf(row.verdict));
    const open = commune.rows.slice(1).filter((one) => ['insufficient_evidence', 'no_data', 'borderline'].includes(one.verdict)).length;
    return open === 0 ? 'known_all' : open < operators.length - 1 ? 'known_some' : 'known_none';
  }
  if (row[view] === null) return 'none';
  if (view === 'age') return view + ':' + classIndex(view, row[view]);
  return view + ':' + classIndex(view, row[view]) + (UNDECIDED.includes(row.verdict) ? ':unsure' : '');
}
const borrowedKey = (row, key) => (row.borrowed && paints[key + ':borrowed'] ? key + ':borrowed' : key);
const evidenceOf = (verdict) => (['confirmed_gap', 'meets_confirmed'].includes(verdict) ? 'confirmed'
  : ['probable_gap', 'meets_probable'].includes(verdict) ? 'probable' : verdict);
const plainKey = (key) => key.replace(/:(unsure|borrowed)$/, '');  // of the legend: sure, unsure and borrowed are one class
// the paints of a class that are drawn at the moment
const variants = (key, drawn) => { const found = [key, key + ':unsure', key + ':borrowed'].filter((one) => drawn[one]); return found.length ? found : [key]; };

const shownKey = (commune) => { const key = communeKey(commune); return state.hidden.has(plainKey(key)) ? 'hidden' : key; };

function legendKeys() {
  const view = state.view;
  if (view === 'verdict') return isAll() ? lists.classes : lists.verdicts;
  if (view === 'change') return RANKED_CHANGES;
  if (view === 'evidence') return isAll() ? ['known_all', 'known_some', 'known_none'] : ['confirmed', 'probable', 'borderline', 'insufficient_evidence', 'no_data'];
  const classes = data.scales[view].fills.map((_, i) => view + ':' + i);
  return COUNTS.includes(view) ? classes : classes.concat(['none']);
}
function keyName(key) {
  if (!key.includes(':')) return t('key_' + key) || t(key);
  const [view, i] = key.split(':'), {breaks, unit} = data.scales[view], place = Number(i), tail = unit ? ' ' + (unit === 'days' ? t('unit_days') : unit) : '';
  if (COUNTS.includes(view)) {
    if (place === 0) return '0';
    return place === breaks.length ? '≥ ' + number(breaks[place - 1]) : number(breaks[place - 1]) + ' – ' + number(breaks[place] - 1);
  }
  if (place === 0) return '< ' + breaks[0] + tail;
  return place === breaks.length ? '≥ ' + breaks[place - 1] + tail : breaks[place - 1] + ' – < ' + breaks[place] + tail;
}

// cells: null = nothing to draw for this operator and view
const cellViews = () => (state.view === 'verdict' ? (isAll() ? 'weak' : 'mean') : ['evidence', 'change', 'month'].includes(state.view) ? null : state.view);
function cellKeys() {  // key number of every cell, and the keys
  const view = cellViews(), operator = state.operator, found = new Int8Array(cellCount).fill(-1);
  if (view === null) return {keys: [], found};
  const devices = columns['c.' + operator + '.devices'];
  if (view === 'weak') {
    const [weak, fast] = ['.weak', '.fast'].map((flag) => operators.slice(1).map((_, i) => columns['c.' + (i + 1) + flag]));
    for (let i = 0; i < cellCount; i += 1) if (devices[i]) found[i] = weak.some((one) => one[i]) ? 0 : fast.some((one) => one[i]) ? 1 : devices[i] - 1 < data.min_devices ? 3 : 2;
    return {keys: ['weak_some', 'fast_some', 'weak_none', 'few'], found};
  }
  const plain = data.scales[view].fills.map((_, i) => view + ':' + i), isSpeed = ['mean', 'median'].includes(view), counted = ['tests', 'age'].includes(view);
  // a hex has its class's plain colour only where more devices than chance explains are below the target, or above it
  const keys = counted ? plain.concat(view === 'age' ? ['few'] : []) : plain.concat(plain.map((key) => key + ':unsure'), ['few']);
  const weak = columns['c.' + operator + '.weak'], fast = columns['c.' + operator + '.fast'], split = data.scales[view].breaks.indexOf(data.target_mbps);
  const values = columns['c.' + operator + '.' + view], scale = counted ? 1 : view === 'latency' ? CELL_LATENCY : CELL_SPEED;
  const breaks = data.scales[view].breaks.map((limit) => limit * scale);
  for (let i = 0; i < cellCount; i += 1) {
    if (!devices[i]) continue;
    if (!values[i]) { found[i] = keys.length - 1; continue; }
    let place = 0;
    while (place < breaks.length && values[i] - 1 >= breaks[place]) place += 1;
    // of a speed the rule must agree with the class; where the target is no class's edge, either
    const isSure = counted || (!isSpeed || split < 0 ? weak[i] || fast[i] : place > split ? fast[i] : weak[i]);
    found[i] = place + (isSure ? 0 : plain.length);
  }
  return {keys, found};
}
const cellsSeen = () => isNear() && cellViews() !== null;
let cellsNow = null;  // of the present choice

function legendItem(key, count, total, hidden, name, mark) {
  const box = node('input', {type: 'checkbox', checked: !hidden.has(key)});
  box.addEventListener('change', () => {
    if (box.checked) hidden.delete(key); else hidden.add(key);
    keep(); redraw(false);
  });
  return node('li', {'data-key': key, class: hidden.has(key) ? 'off' : ''}, [node('label', {}, [box, mark || swatch(key), node('span', {class: 'name', text: name}),
    node('span', {class: 'count', text: number(count)}), total ? node('span', {class: 'share', text: number(100 * count / total, 0) + ' %'}) : null])]);
}
const cellClasses = () => cellsNow.keys.filter((key) => key === plainKey(key));
const cellName = (key) => (key === 'few' ? t('few', {n: data.min_devices}) : keyName(key));
const countsOf = (keys) => keys.reduce((counts, key) => { counts[key] = (counts[key] || 0) + 1; return counts; }, {});
function cellCounts() {  // of every key that is drawn
  const counts = new Array(cellsNow.keys.length).fill(0), found = {};
  for (let i = 0; i < cellCount; i += 1) if (cellsNow.found[i] >= 0) counts[cellsNow.found[i]] += 1;
  counts.forEach((count, place) => { if (count) found[cellsNow.keys[place]] = count; });
  return found;
}
const sum = (counts, chosen) => Object.keys(counts).filter(chosen).reduce((all, key) => all + counts[key], 0);
const classCount = (counts, key) => sum(counts, (one) => plainKey(one) === key);
function marked(counts, mark) {  // what a hatch stands for: a key that has it, and how many have
  const chosen = (key) => key.endsWith(mark);
  return {key: Object.keys(counts).find(chosen), count: sum(counts, chosen)};
}
function legendNote(counts, mark, text, tint) {
  const {key, count} = marked(counts, mark);
  return count ? [node('span', {class: 'note'}, [swatch(tint(key)), node('span', {text: t(text)}), node('span', {class: 'count', text: number(count)})])] : [];
}
function legend() {
  first.near = isNear();
  const counts = countsOf(data.communes.map(communeKey)), tint = cellsSeen() ? pale : (key) => key;
  document.getElementById('legend-unit').textContent = t('legend_communes', {n: number(communeCount)});
  put('legend', legendKeys().map((key) => legendItem(key, classCount(counts, key), communeCount, state.hidden, keyName(key), swatch(...variants(key, counts).map(tint)))));
  put('legend-note', legendNote(counts, ':unsure', 'unsure_note', tint).concat(legendNote(counts, ':borrowed', 'borrowed_key', tint)));
  const drawn = cellCounts(), all = sum(drawn, () => true), near = isNear();
  document.getElementById('legend-cells-unit').textContent = cellsNow.keys.length ? t(near ? 'legend_cells' : 'cells_closer', {n: number(all)}) : '';
  put('legend-cells', near ? cellClasses().map((key) => legendItem(key, classCount(drawn, key), all, state.hiddenCells, cellName(key), swatch(...variants(key, drawn)))) : []);
  put('legend-cells-note', near ? legendNote(drawn, ':unsure', 'unsure_cells', (key) => key) : []);
  villageLegend();
  siteLegend();
}

const GOOD = ['no_gap_found', 'meets_confirmed', 'meets_probable'];
const BAD = ['total_gap', 'gap_rest_borderline', 'partial_gap', 'gap_rest_unknown', 'confirmed_gap', 'probable_gap'];
const periodName = (period) => period.replace(/^(\d{4})-?(Q\d|\d\d)$/, '$2/$1');
const verdictKey = (commune) => (isAll() ? commune['class'] : commune.rows[state.operator].verdict);
// of one operator: sets of verdicts that are counted together; a borderline one is evidence enough
const COUNTED = {meets: ['meets_confirmed', 'meets_probable'], gap: ['confirmed_gap', 'probable_gap'], borderline: ['borderline'], insufficient_evidence: ['insufficient_evidence'], no_data: ['no_data']};
function everywhere() {  // bounds of where every operator meets: communes and people
  const low = data.communes.filter((commune) => commune.everywhere === 'yes'), high = data.communes.filter((commune) => commune.everywhere !== 'no');
  const range = (from, to) => (from === to ? number(from) : number(from) + ' – ' + number(to)), people = (some) => some.reduce((sum, commune) => sum + commune.people, 0);
  const said = t('everywhere', {n: range(low.length, high.length), all: number(communeCount)});
  return data.communes.some((commune) => commune.people === null) ? said : said + t('everywhere_people', {n: range(people(low), people(high))});
}
function headline() {
  const keys = data.communes.map(verdictKey), count = (wanted) => keys.filter((key) => wanted.includes(key)).length;
  const good = count(GOOD), bad = count(BAD);
  const counts = isAll() ? [['no_gap', good], ['has_gap', bad], ['not_known', communeCount - good - bad]]
    : Object.keys(COUNTED).map((key) => [key, count(COUNTED[key])]);
  document.getElementById('headline').textContent = [data.technology, data.period_label, number(data.target_mbps) + ' Mbps', ...counts.map(([key, n]) => t('count_' + key) + ' ' + number(n))].join(' · ')
    + ' ' + t('of_communes', {all: number(communeCount)});
  document.getElementById('everywhere').textContent = isAll() ? everywhere() : '';
  const rows = data.communes.flatMap((commune) => (isAll() ? commune.rows.slice(1) : [commune.rows[state.operator]]));
  const changed = (change) => number(rows.filter((row) => row.change === change).length);
  const since = Object.fromEntries(lists.changes.map((change) => [change, changed(change)]));
  document.getElementById('since').textContent = data.former ? t('since', {period: periodName(data.former), ...since}) : '';
}

function paintCommunes() {
  const far = !cellsSeen();
  communes.eachLayer((layer) => {
    const commune = communeOf[layer.feature.properties.code], chosen = commune === state.commune, key = shownKey(commune);
    layer.setStyle({fillColor: fillOf(far ? key : pale(key)), color: chosen ? '#000000' : '#4a4a4a', weight: chosen ? 3.5 : communeCount > 400 ? 0.5 : 1});
    if (chosen) layer.bringToFront();
  });
}
