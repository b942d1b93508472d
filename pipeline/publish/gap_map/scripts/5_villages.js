// Villages: a point each, in the shape and colour of the class proposed for the chosen operator. Shown from VILLAGE_STEP closer than the first view on, or as the box says.
const NEAR_PX = 14;
const CLASSES = lists.village_classes || [];  // the worst first
const villageRow = (i, key) => ({
  'class': listed(key + 'class', i, CLASSES), grounds: named(key + 'grounds', i, lists.grounds), chance: figure(key + 'chance', i, SHARE),
  devices: figure(key + 'devices', i), rank: figure(key + 'rank', i), official: listed(key + 'official', i, lists.official)
});
const villages = data.villages ? (() => {
  const x = unfold(columns['v.x']), y = unfold(columns['v.y']);
  return data.villages.map((name, i) => ({name, at: [y[i] / 1e5, x[i] / 1e5], commune: data.communes[columns['v.commune'][i] - 1], people: figure('v.people', i),
    rows: operators.map((_, operator) => (operator ? villageRow(i, 'v.' + operator + '.') : null))}));
})() : [];
villages.forEach((village) => { village.plane = plane(village.at); });

const villagesOn = () => villages.length > 0 && (state.villages === null ? map.getZoom() >= first.zoom + VILLAGE_STEP : state.villages);
// of the chosen operator; of all operators the row with the worst class
function villageShown(village) {
  if (!isAll()) return village.rows[state.operator];
  return village.rows.slice(1).reduce((worst, row) => (CLASSES.indexOf(row['class']) < CLASSES.indexOf(worst['class']) ? row : worst));
}
const villageVisible = (village) => !state.hiddenVillages.has(villageShown(village)['class']);
const radiusOf = (key) => (key === 'not_known' ? 2.5 : 5.5) * (map.getZoom() < first.zoom ? 0.7 : 1);  // px
function markPath(path, shape, x, y, r) {
  if (shape === 'circle') { path.moveTo(x + r, y); path.arc(x, y, r, 0, 7); return; }
  const corners = {square: [[-1, -1], [1, -1], [1, 1], [-1, 1]], triangle: [[0, -1.25], [1.15, 0.85], [-1.15, 0.85]], diamond: [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]}[shape];
  corners.forEach(([dx, dy], i) => { if (i) path.lineTo(x + dx * r, y + dy * r); else path.moveTo(x + dx * r, y + dy * r); });
  path.closePath();
}
function paintMark(pen, key, path) {
  const isKnown = key !== 'not_known';
  pen.lineJoin = 'round';
  if (isKnown) [['#4a4a4a', 4.5], ['#ffffff', 3]].forEach(([ink, width]) => { pen.strokeStyle = ink; pen.lineWidth = width; pen.stroke(path); });  // reads on its own colour too
  pen.fillStyle = data.marks[key].fill; pen.fill(path);
  if (!isKnown) { pen.strokeStyle = '#55524b'; pen.lineWidth = 1; pen.stroke(path); }
}
function drawVillages(pen, frame) {
  if (!villagesOn()) return;
  const paths = Object.fromEntries(CLASSES.map((key) => [key, new Path2D()]));
  villages.filter(villageVisible).forEach((village) => {
    const key = villageShown(village)['class'], x = village.plane[0] * frame.scale - frame.left, y = village.plane[1] * frame.scale - frame.top;
    if (x > -9 && y > -9 && x < frame.width + 9 && y < frame.height + 9) markPath(paths[key], data.marks[key].shape, x, y, radiusOf(key));
  });
  [...CLASSES].reverse().forEach((key) => paintMark(pen, key, paths[key]));  // the worst on top
}
function villageAt(latlng) {  // the nearest that is drawn there
  if (!villagesOn()) return null;
  const [x, y] = plane(latlng), scale = Math.pow(2, map.getZoom());
  let best = null, nearest = NEAR_PX / scale;
  villages.forEach((village) => {
    const far = Math.hypot(village.plane[0] - x, village.plane[1] - y);
    if (far <= nearest && villageVisible(village)) { best = village; nearest = far; }
  });
  return best;
}

// percent as the report writes it: cut, and never certain
function chanceText(share) {
  if (share === null) return MISSING;
  const whole = Math.floor(100 * share + 1e-9);
  return whole < 1 ? '≤ 1 %' : whole >= 99 ? '≥ 99 %' : number(whole) + ' %';
}
const className = (key) => t('village_' + key);
const groundsText = (row) => row.grounds.map((key) => t('ground_' + key)).join('; ');
const markSwatch = (key) => {
  const shape = data.marks[key].shape, r = key === 'not_known' ? 4 : 6, ring = key === 'not_known' ? {stroke: '#55524b', 'stroke-width': 1.5} : {};
  const points = {square: 'M-1,-1H1V1H-1Z', triangle: 'M0,-1.25L1.15,.85H-1.15Z', diamond: 'M0,-1.3L1.3,0L0,1.3L-1.3,0Z'}[shape];
  const drawn = points ? svg('path', {d: points, transform: 'translate(13 8) scale(' + (r - 0.5) + ')', fill: data.marks[key].fill})
    : svg('circle', {cx: 13, cy: 8, r: r - 0.5, fill: data.marks[key].fill, ...ring});
  return svg('svg', {class: 'mark', 'aria-hidden': 'true', viewBox: '0 0 26 16'}, [drawn]);
};
function villageCounts() {
  const counts = Object.fromEntries(CLASSES.map((key) => [key, 0]));
  villages.forEach((village) => { counts[villageShown(village)['class']] += 1; });
  return counts;
}
function villageLegend() {  // the box, and the classes with their counts while villages are shown
  if (!villages.length) return;
  const counts = villageCounts(), on = villagesOn();
  document.getElementById('villages').checked = on;
  document.getElementById('legend-villages-unit').textContent = on ? t(isAll() ? 'legend_villages_all' : 'legend_villages', {n: number(villages.length)}) : '';
  put('legend-villages', on ? CLASSES.map((key) => legendItem(key, counts[key], 0, state.hiddenVillages, className(key), markSwatch(key))) : []);
}

function villageLines(village) {  // of the pointer's box
  const row = villageShown(village);
  return [node('strong', {text: village.name}), node('span', {class: 'mark-line'}, [markSwatch(row['class']), node('span', {text: className(row['class'])})]),
    node('span', {text: t('village_grounds') + ': ' + groundsText(row)}), node('span', {text: t('village_chance') + ': ' + chanceText(row.chance)})];
}
function villagePart(commune) {  // of the card: the chosen village by operator, then the commune's villages
  const own = villages.filter((village) => village.commune === commune), village = state.village;
  if (!own.length) return [];
  const table = village === null || village.commune !== commune ? [] : [
    node('h3', {id: 'card-village', text: village.name}),
    node('p', {class: 'small', text: [village.people === null ? '' : t('people') + ' ' + number(village.people), t('village_note')].filter(Boolean).join(' · ')}),
    node('table', {class: 'village'}, [node('thead', {}, [node('tr', {}, ['operator', 'village_class', 'village_chance'].map((key, i) => node('th', {scope: 'col', class: i > 1 ? 'number' : '', text: t(key)})))]),
      node('tbody', {}, village.rows.map((row, i) => (row === null ? null : node('tr', {'data-village-operator': operators[i], class: i === state.operator ? 'chosen' : ''}, [
        node('th', {scope: 'row', text: operatorName(i)}),
        node('td', {}, [node('span', {class: 'mark-line'}, [markSwatch(row['class']), node('span', {text: className(row['class'])})]), node('span', {class: 'small block', text: groundsText(row)}),
          row.official ? node('span', {class: 'small block', text: t('village_official') + ': ' + t('official_' + row.official)}) : null]),
        node('td', {class: 'number', text: chanceText(row.chance)})]))))]),
    node('p', {class: 'buttons'}, [copyButton(places(village.at), t('copy_place'))])];
  return [...table, node('details', {id: 'card-villages', open: village !== null}, [node('summary', {text: t('villages_of', {n: number(own.length)})}),
    node('ul', {class: 'villages'}, own.map((one) => {
      const row = villageShown(one);
      return node('li', {}, [markSwatch(row['class']), node('span', {}, [
        node('button', {type: 'button', class: 'link', text: one.name, title: t('fly'), click: () => chooseVillage(one)}),
        node('span', {text: ' ' + [className(row['class']), groundsText(row), t('village_chance').toLowerCase() + ' ' + chanceText(row.chance)].join(' · ')})])]);
    }))])];
}
function chooseVillage(village) {
  state.village = village;
  if (!villagesOn()) state.villages = true;
  keep(); redraw(true);
  flyTo(village.at);
  const heading = document.getElementById('card-village');
  heading.tabIndex = -1; heading.focus({preventScroll: true});
  heading.scrollIntoView({block: 'nearest', behavior: calm() ? 'auto' : 'smooth'});
}
