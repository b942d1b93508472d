// Words, numbers and small pieces of the document. Every text goes in as text, never as markup.
const MISSING = '–';
const state = {operator: Math.max(0, operators.indexOf(data.start)), view: 'verdict', commune: null, cell: null,
  lang: data.lang, hidden: new Set(), hiddenCells: new Set(), villages: null, village: null, hiddenVillages: new Set(), sites: true, hiddenSites: new Set(), sort: {key: 'name', down: false}, table: false};
const t = (key, values) => {
  const text = data.text[state.lang][key];
  // all at once: what is filled in may look like a placeholder itself
  return values ? text.replace(/\{(\w+)\}/g, (all, name) => (Object.prototype.hasOwnProperty.call(values, name) ? values[name] : all)) : text;
};
const number = (value, digits) => (value === null || value === undefined ? MISSING
  : value.toLocaleString(t('locale'), {minimumFractionDigits: digits || 0, maximumFractionDigits: digits || 0}));
// a speed with one digit; two where one would put it on the wrong side of the target
function speed(value) {
  if (value === null) return MISSING;
  const target = data.target_mbps, shown = Math.round(value * 10) / 10;
  if ((value < target) === (shown < target)) return number(value, 1);
  return number(Math.floor(value * 100 + 1e-6) / 100, 2);
}
// half up as written: 1.005 * 100 is 100.49999999999999
const halfUp = (value, digits) => Math.round(Number((value * 10 ** digits).toPrecision(12))) / 10 ** digits;
// a figure inside a sentence, as `lomsong explain` writes it
function told(value, isSpeed) {
  if (value === null || value === undefined) return MISSING;
  if ((value === 0 || value >= 0.1) && Number.isInteger(halfUp(value, 2))) return number(Math.round(value));
  if (value > 0 && value < 0.1 && !isSpeed) return Number(value.toPrecision(2)).toLocaleString(t('locale'), {maximumSignificantDigits: 2});
  return number(value, halfUp(value, 1) === halfUp(value, 2) ? 1 : 2);
}
const percent = (share) => Math.round(1000 * share) / 10;
const operatorName = (i) => (operators[i] === 'all' ? t('all') : operators[i]);
const fold = (text) => text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').replace(/[đĐ]/g, 'd').toLowerCase();

function node(tag, attributes, children) {
  const made = document.createElement(tag);
  Object.entries(attributes || {}).forEach(([key, value]) => {
    if (key === 'text') made.textContent = value;
    else if (key === 'click') made.addEventListener('click', value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? '' : value);
  });
  (children || []).forEach((child) => { if (child) made.appendChild(child); });
  return made;
}
const put = (id, children) => {
  const place = document.getElementById(id), focusable = () => [...place.querySelectorAll('button, input, summary, a, [tabindex]')];
  const had = place.contains(document.activeElement) ? focusable().indexOf(document.activeElement) : -1;
  place.textContent = '';
  children.forEach((child) => { if (child) place.appendChild(child); });
  // what is drawn anew keeps the focus where it was
  const again = had >= 0 ? focusable()[Math.min(had, focusable().length - 1)] : null;
  if (again) again.focus({preventScroll: true});
};
const SVG = 'http://www.w3.org/2000/svg';
function svg(tag, attributes, children) {
  const made = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  (children || []).forEach((child) => made.appendChild(child));
  return made;
}

// patterns: what is less sure is hatched or dotted, so that it reads in grey print and under every colour blindness
const mixed = (fill, share) => '#' + [1, 3, 5].map((at) => Math.round(parseInt(fill.substr(at, 2), 16) * share + 255 * (1 - share)).toString(16).padStart(2, '0')).join('');
const paints = Object.assign({}, data.paint, {
  none: {fill: '#ffffff', pattern: ''}, hidden: {fill: '#e9e6df', pattern: ''}, few: {fill: '#ddd8e6', pattern: 'hatch'},
  weak_some: {fill: data.paint.partial_gap.fill, pattern: ''}, fast_some: {fill: data.paint.no_gap_found.fill, pattern: ''}, weak_none: {fill: '#f5f1e6', pattern: 'hatch', ink: '#ddd3bb'},
  confirmed: {fill: '#2f5a31', pattern: ''}, probable: {fill: '#a8c08a', pattern: 'hatch'}
});
Object.entries(data.scales).forEach(([view, scale]) => scale.fills.forEach((fill, i) => {
  paints[view + ':' + i] = {fill, pattern: ''};
  paints[view + ':' + i + ':unsure'] = {fill: mixed(fill, 0.5), pattern: 'hatch', ink: fill};
}));
// confirmed with the evidence of other operators: thin lines the other way
['confirmed_gap', 'meets_confirmed', 'confirmed'].forEach((key) => { paints[key + ':borrowed'] = {fill: paints[key].fill, pattern: 'thin'}; });
const pale = (key) => {  // the same class under cells, so that these stand out
  const name = key + ':pale', paint = paints[key];
  paints[name] = paints[name] || {fill: mixed(paint.fill, 0.3), pattern: paint.pattern, ink: mixed(inkOf(paint), 0.3)};
  return name;
};
const inkOf = (paint) => paint.ink || (paint.pattern === 'dots' ? '#77736a' : '#ffffff');
const tile = (key) => {
  const paint = paints[key];
  return {size: 8, fill: paint.fill, lines: LINES[paint.pattern], ink: inkOf(paint)};
};
const LINES = {hatch: {path: 'M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4', width: 2}, thin: {path: 'M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4', width: 1}};
function fillOf(key) {  // of an SVG shape
  if (!paints[key].pattern) return paints[key].fill;
  const id = 'p-' + key.replace(/:/g, '-');
  if (!document.getElementById(id)) {
    const {size, fill, lines, ink} = tile(key);
    document.getElementById('patterns').appendChild(svg('pattern', {id, width: size, height: size, patternUnits: 'userSpaceOnUse'}, [
      svg('rect', {width: size, height: size, fill}),
      lines ? svg('path', {d: lines.path, stroke: ink, 'stroke-width': lines.width}) : svg('circle', {cx: 4, cy: 4, r: 1.2, fill: ink})]));
  }
  return 'url(#' + id + ')';
}
const patterns = {};
function penFill(pen, key, left, top) {  // of a canvas; the pattern stands still on the map
  if (!paints[key].pattern) return paints[key].fill;
  if (!patterns[key]) {
    const {size, fill, lines, ink} = tile(key), canvas = document.createElement('canvas');
    canvas.width = canvas.height = size;
    const brush = canvas.getContext('2d');
    brush.fillStyle = fill; brush.fillRect(0, 0, size, size);
    if (lines) { brush.strokeStyle = ink; brush.lineWidth = lines.width; brush.stroke(new Path2D(lines.path)); }
    else { brush.fillStyle = ink; brush.beginPath(); brush.arc(4, 4, 1.2, 0, 7); brush.fill(); }
    patterns[key] = pen.createPattern(canvas, 'repeat');
  }
  patterns[key].setTransform(new DOMMatrix().translate(-((left % 8) + 8) % 8, -((top % 8) + 8) % 8));
  return patterns[key];
}
// one paint, or several side by side
const swatch = (...keys) => svg('svg', {class: 'swatch', 'aria-hidden': 'true'}, keys.map((key, i) => svg('rect', {x: 100 * i / keys.length + '%', width: 100 / keys.length + '%', height: '100%', fill: fillOf(key)})));
