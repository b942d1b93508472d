// Wiring: choices, address, language, first picture.
const byId = (id) => document.getElementById(id);
const calm = () => window.matchMedia('(prefers-reduced-motion: reduce)').matches;
const layerOf = {};
communes.eachLayer((layer) => { layerOf[layer.feature.properties.code] = layer; });

function keep() {  // the choice in the address, so that a link or a reload shows the same
  const parts = ['operator=' + encodeURIComponent(operators[state.operator])];
  if (state.view !== 'verdict') parts.push('view=' + state.view);
  if (state.commune) parts.push('commune=' + encodeURIComponent(state.commune.id));
  if (state.cell !== null) parts.push('cell=' + cellId(state.cell));
  const hidden = [...state.hidden, ...[...state.hiddenCells].map((key) => 'cell.' + key), ...[...state.hiddenVillages].map((key) => 'village.' + key),
    ...[...state.hiddenSites].map((key) => 'site.' + key)];
  if (state.villages !== null) parts.push('villages=' + Number(state.villages));
  if (!state.sites) parts.push('sites=0');
  if (hidden.length) parts.push('hide=' + encodeURIComponent(hidden.join(',')));
  if (state.table) parts.push('table=1');
  if (state.lang !== data.lang) parts.push('lang=' + state.lang);
  history.replaceState(null, '', '#' + parts.join('&'));
}
function fromHash() {
  const wanted = {};
  location.hash.slice(1).split('&').forEach((part) => { const at = part.indexOf('='); try { wanted[part.slice(0, at)] = decodeURIComponent(part.slice(at + 1)); } catch (broken) { wanted[part.slice(0, at)] = ''; } });
  const has = (key) => Object.prototype.hasOwnProperty.call(wanted, key);
  if (has('operator') && operators.includes(wanted.operator)) state.operator = operators.indexOf(wanted.operator);
  state.view = has('view') && VIEWS.includes(wanted.view) && viewOpen(wanted.view) ? wanted.view : 'verdict';
  state.commune = has('commune') && Object.prototype.hasOwnProperty.call(communeOf, wanted.commune) ? communeOf[wanted.commune] : null;
  state.cell = null;
  if (has('cell')) for (let i = 0; i < cellCount; i += 1) if (cellId(i) === wanted.cell) state.cell = i;
  const hidden = (has('hide') ? wanted.hide.split(',') : []).filter((key) => Object.prototype.hasOwnProperty.call(paints, key.replace(/^cell\./, '')) || (key.startsWith('village.') && CLASSES.includes(key.slice(8)))
    || (key.startsWith('site.') && SITE_STATES.includes(key.slice(5))));
  state.hidden = new Set(hidden.filter((key) => !/^(cell|village|site)\./.test(key)));
  state.hiddenCells = new Set(hidden.filter((key) => key.startsWith('cell.')).map((key) => key.slice(5)));
  state.hiddenVillages = new Set(hidden.filter((key) => key.startsWith('village.')).map((key) => key.slice(8)));
  state.hiddenSites = new Set(hidden.filter((key) => key.startsWith('site.')).map((key) => key.slice(5)));
  state.sites = wanted.sites !== '0';
  state.villages = ['0', '1'].includes(wanted.villages) ? wanted.villages === '1' : null;
  state.village = null;
  state.table = wanted.table === '1';
  state.lang = has('lang') && data.text[wanted.lang] && Object.prototype.hasOwnProperty.call(data.text, wanted.lang) ? wanted.lang : data.lang;
}
function controls() {  // radios follow the state
  document.querySelectorAll('input[name=operator]').forEach((radio) => { radio.checked = radio.value === operators[state.operator]; });
  document.querySelectorAll('input[name=view]').forEach((radio) => {
    radio.checked = radio.value === state.view;
    radio.disabled = !viewOpen(radio.value);
    radio.parentNode.title = radio.disabled ? t('choose_one') : '';
  });
  byId('choose-one').hidden = !isAll();
}
function nextLang() {
  const langs = Object.keys(data.text);
  return langs[(langs.indexOf(state.lang) + 1) % langs.length];
}
function words() {
  document.documentElement.lang = state.lang;
  document.title = [titleText(), data.period_label, data.notice].filter(Boolean).join(' – ');
  document.querySelectorAll('[data-t]').forEach((place) => { place.textContent = t(place.dataset.t); });
  document.querySelectorAll('[data-t-label]').forEach((place) => { place.setAttribute('aria-label', t(place.dataset.tLabel)); });
  byId('search').placeholder = t('search_hint');
  byId('title').textContent = titleText();
  byId('window').textContent = t('window') + ': ' + data.window_label;
  byId('sources').textContent = t('sources') + ': ' + data.licences[state.lang].concat(data.credits).join(' · ');
  byId('language').textContent = data.text[nextLang()].language;
  byId('language').lang = nextLang();
  showSearch();
}
function redraw(everything) {
  cellsNow = cellKeys();
  paintCommunes(); cells.draw(); legend(); table();
  if (everything) { controls(); headline(); topGaps(); card(); }
}
const framed = () => { const edge = covered() ? 10 : 40; return {paddingTopLeft: [edge, edge], paddingBottomRight: [edge, edge + covered()], maxZoom: closest(11)}; };
function flyTo(at, commune) {
  const moving = Object.assign(framed(), {animate: !calm()});
  if (at && at[0] !== null) map.setView(map.unproject(map.project(at, closest(12)).add([0, covered() / 2]), closest(12)), closest(12), moving); else if (commune) map.fitBounds(layerOf[commune.id].getBounds(), moving);
}
function choose(commune, cell, village) {
  state.commune = commune; state.cell = cell === undefined ? null : cell; state.village = village || null;
  keep(); redraw(true);
  if (commune) { sheet(true); byId('card').scrollIntoView({block: 'nearest', behavior: calm() ? 'auto' : 'smooth'}); }
}
function setView(view) { state.view = view; state.hidden.clear(); state.hiddenCells.clear(); keep(); redraw(true); }
function setOperator(value) {
  state.operator = operators.indexOf(value);
  if (!viewOpen(state.view)) state.view = 'verdict';
  state.hidden.clear(); state.hiddenCells.clear(); state.hiddenVillages.clear(); keep(); redraw(true);
}
function sheet(open) {  // the panel of a phone
  document.body.classList.toggle('sheet-open', open);
  byId('sheet').setAttribute('aria-expanded', String(open));
}

// arrow keys on the map: from commune to commune; Enter opens the card. With Shift they move the map, as before.
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
let pointer = null;  // the commune that the arrow keys are at
function nextCommune(from, [right, down]) {  // the nearest in that direction, within 45° first; what lies aside counts double
  let best = null, least = Infinity;
  data.communes.forEach((commune) => {
    const dx = commune.plane[0] - from[0], dy = commune.plane[1] - from[1], ahead = dx * right + dy * down, aside = Math.abs(dx * down) + Math.abs(dy * right);
    const far = ahead + 2 * aside;
    if (ahead > 0 && aside <= ahead && far < least) { best = commune; least = far; }
  });
  return best;
}
function pointAt(commune) {
  pointer = commune;
  const at = L.latLng(commune.at);
  if (!map.getBounds().contains(at)) map.panTo(at, {animate: false});
  tip.setLatLng(at).setContent(node('div', {class: 'tip'}, [node('strong', {text: commune.name}), node('span', {text: keyName(plainKey(communeKey(commune)))})])).addTo(map);
  byId('said').textContent = commune.name + ', ' + keyName(plainKey(communeKey(commune)));
}
map.getContainer().addEventListener('keydown', (event) => {
  if (event.target !== map.getContainer() || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.key === 'Enter' && pointer) { choose(pointer); document.querySelector('#card h2 span').focus({preventScroll: true}); }
  const way = ARROWS[event.key];
  if (!way) return;
  const middle = plane(map.getCenter()), away = (commune) => Math.hypot(commune.plane[0] - middle[0], commune.plane[1] - middle[1]);
  const to = pointer || state.commune ? nextCommune((pointer || state.commune).plane, way) : [...data.communes].sort((a, b) => away(a) - away(b))[0];
  if (to) pointAt(to);
  event.preventDefault(); event.stopPropagation();
}, true);
map.getContainer().addEventListener('blur', () => { pointer = null; tip.remove(); });
const tip = L.tooltip({sticky: true, opacity: 0.97});
function pointed(event) {
  const cell = cellsSeen() ? cellAt(event.latlng) : null, commune = (cell !== null && cellCommune(cell)) || communeOf[event.layer.feature.properties.code];
  const village = villageAt(event.latlng), site = siteAt(event.latlng);
  const lines = [...(site ? siteLines(site) : []), ...(village ? villageLines(village) : []), node('strong', {text: commune.name}), node('span', {text: state.view === 'verdict' || isAll() ? t(verdictKey(commune)) : keyName(plainKey(communeKey(commune)))})];
  if (cell !== null) {
    const row = cellRow(cell, state.operator), key = cellsNow.keys[cellsNow.found[cell]];
    const said = isAll() ? cellName(key) : row.mean === null ? t('few', {n: data.min_devices}) : speed(row.mean) + ' Mbps' + (key.endsWith(':unsure') ? ' (' + t('unsure_tip') + ')' : '');
    lines.push(node('span', {text: t('cell') + ': ' + said + ' · ' + number(row.devices) + ' ' + t('devices').toLowerCase()}));
  }
  tip.setLatLng(event.latlng).setContent(node('div', {class: 'tip'}, lines));
  if (!map.hasLayer(tip)) tip.addTo(map);
}
communes.on('mousemove', pointed);
communes.on('mouseout', () => tip.remove());
function clicked(event, under) {  // a hex opens the commune that holds its centre, whichever lies under the pointer
  const cell = cellsSeen() ? cellAt(event.latlng) : null, village = villageAt(event.latlng), site = siteAt(event.latlng);
  const commune = village ? village.commune : site && site.commune ? site.commune : (cell !== null && cellCommune(cell)) || under;
  if (!commune) return;
  choose(commune, cell === null ? undefined : cell, village);
  map.panInside(event.latlng, {paddingBottomRight: [20, 20 + covered()], animate: !calm()});
}
communes.on('click', (event) => { L.DomEvent.stopPropagation(event); clicked(event, communeOf[event.layer.feature.properties.code]); });
map.on('click', (event) => clicked(event, null));  // a hex that reaches beyond the area
document.querySelectorAll('input[name=operator]').forEach((radio) => radio.addEventListener('change', () => setOperator(radio.value)));
document.querySelectorAll('input[name=view]').forEach((radio) => radio.addEventListener('change', () => setView(radio.value)));
byId('search').addEventListener('input', showSearch);
byId('search').addEventListener('keydown', (event) => {
  const first = document.querySelector('#search-results button');
  if (event.key === 'Enter' && first) first.click();
  if (event.key === 'ArrowDown' && first) { first.focus(); event.preventDefault(); }
});
byId('search-results').addEventListener('keydown', (event) => {
  const way = {ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling'}[event.key];
  if (!way || !event.target.closest('li')) return;
  const next = event.target.closest('li')[way];
  (next ? next.querySelector('button') : byId('search')).focus();
  event.preventDefault();
});
byId('language').addEventListener('click', () => { state.lang = nextLang(); keep(); words(); redraw(true); });
byId('show-table').addEventListener('click', () => { state.table = !state.table; keep(); table(); });
byId('close-table').addEventListener('click', () => { state.table = false; keep(); table(); byId('show-table').focus(); });
byId('sheet').addEventListener('click', () => {
  sheet(!document.body.classList.contains('sheet-open'));
  if (!first.moved) goHome();  // the whole area stays in sight
});
byId('save-csv').addEventListener('click', () => saved(new Blob([csvText()], {type: 'text/csv;charset=utf-8'}), fileName('.csv')));
byId('save-png').addEventListener('click', () => picture().toBlob((blob) => saved(blob, fileName('.png')), 'image/png'));
byId('print').addEventListener('click', () => window.print());
byId('copy-link').addEventListener('click', (event) => copied(event.currentTarget, location.href));
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  if (state.table) byId('close-table').click(); else if (state.commune) { if (byId('card').contains(document.activeElement)) map.getContainer().focus({preventScroll: true}); choose(null); }
});
window.addEventListener('hashchange', () => { fromHash(); words(); redraw(true); });
map.on('zoomend', () => {
  const was = first.near;
  paintCommunes();
  if (isNear() === was) villageLegend(); else legend();
});
map.on('movestart', () => { if (!first.homing) first.moved = true; });
map.on('resize', () => {
  if (first.held !== null) return;  // the page prints
  measureArea();
  if (!first.moved) goHome();
  paintCommunes(); cells.draw(); legend();
});
if (villages.length) byId('villages').addEventListener('change', () => { state.villages = byId('villages').checked; keep(); redraw(false); });
if (sites.length) byId('sites').addEventListener('change', () => { state.sites = byId('sites').checked; keep(); redraw(false); });

fromHash();
words();
cellsNow = cellKeys();
cells.addTo(map);
headline();  // as tall as it is from now on: the map gets what is left
map.invalidateSize({animate: false});
measureArea();
goHome();
map.attributionControl.addAttribution('Leaflet ' + L.version);
if (state.commune) {
  sheet(true);
  map.fitBounds(layerOf[state.commune.id].getBounds(), Object.assign(framed(), {animate: false}));
}
redraw(true);
// a headline of more lines leaves the map less height
new ResizeObserver(() => { if (first.held === null) map.invalidateSize({animate: false}); }).observe(map.getContainer());
document.documentElement.setAttribute('data-ready', 'true');
