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
// pixels of the map that a phone's open sheet covers
function covered() {
  const panel = byId('panel'), own = map.getContainer().getBoundingClientRect();
  const open = getComputedStyle(panel).position === 'fixed' && document.body.classList.contains('sheet-open');
  return open ? Math.max(0, own.bottom - (window.innerHeight - panel.offsetHeight)) : 0;
}
const framed = () => { const edge = covered() ? 10 : 40; return {paddingTopLeft: [edge, edge], paddingBottomRight: [edge, edge + covered()], maxZoom: 11}; };
function flyTo(at, commune) {
  const moving = Object.assign(framed(), {animate: !calm()});
  if (at && at[0] !== null) map.setView(map.unproject(map.project(at, 12).add([0, covered() / 2]), 12), 12, moving); else if (commune) map.fitBounds(layerOf[commune.id].getBounds(), moving);
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

const tip = L.tooltip({sticky: true, opacity: 0.97});
function pointed(event) {
  const commune = communeOf[event.layer.feature.properties.code], cell = map.getZoom() >= CELL_ZOOM && cellViews() !== null ? cellAt(event.latlng) : null;
  const village = villageAt(event.latlng), site = siteAt(event.latlng);
  const lines = [...(site ? siteLines(site) : []), ...(village ? villageLines(village) : []), node('strong', {text: commune.name}), node('span', {text: state.view === 'verdict' || isAll() ? t(verdictKey(commune)) : keyName(plainKey(communeKey(commune)))})];
  if (cell !== null) {
    const row = cellRow(cell, state.operator);
    lines.push(node('span', {text: t('cell') + ': ' + (row.mean === null ? t('few', {n: data.min_devices}) : speed(row.mean) + ' Mbps') + ' · ' + number(row.devices) + ' ' + t('devices').toLowerCase()}));
  }
  tip.setLatLng(event.latlng).setContent(node('div', {class: 'tip'}, lines));
  if (!map.hasLayer(tip)) tip.addTo(map);
}
communes.on('mousemove', pointed);
communes.on('mouseout', () => tip.remove());
communes.on('click', (event) => {
  const cell = map.getZoom() >= CELL_ZOOM && cellViews() !== null ? cellAt(event.latlng) : null;
  const village = villageAt(event.latlng), site = siteAt(event.latlng);
  choose(village ? village.commune : site && site.commune ? site.commune : communeOf[event.layer.feature.properties.code], cell === null ? undefined : cell, village);
  map.panInside(event.latlng, {paddingBottomRight: [20, 20 + covered()], animate: !calm()});
});
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
byId('sheet').addEventListener('click', () => sheet(!document.body.classList.contains('sheet-open')));
byId('save-csv').addEventListener('click', () => saved(new Blob([csvText()], {type: 'text/csv;charset=utf-8'}), fileName('.csv')));
byId('save-png').addEventListener('click', () => picture().toBlob((blob) => saved(blob, fileName('.png')), 'image/png'));
byId('print').addEventListener('click', () => window.print());
byId('copy-link').addEventListener('click', (event) => copied(event.currentTarget, location.href));
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  if (state.table) byId('close-table').click(); else if (state.commune) choose(null);
});
window.addEventListener('hashchange', () => { fromHash(); words(); redraw(true); });
map.on('zoomend', () => { paintCommunes(); villageLegend(); });
if (villages.length) byId('villages').addEventListener('change', () => { state.villages = byId('villages').checked; keep(); redraw(false); });
if (sites.length) byId('sites').addEventListener('change', () => { state.sites = byId('sites').checked; keep(); redraw(false); });

fromHash();
words();
cellsNow = cellKeys();
cells.addTo(map);
map.attributionControl.addAttribution('Leaflet ' + L.version);
if (state.commune) {
  sheet(true);
  map.fitBounds(layerOf[state.commune.id].getBounds(), Object.assign(framed(), {animate: false}));
}
redraw(true);
document.documentElement.setAttribute('data-ready', 'true');
