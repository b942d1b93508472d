// The page's data: names as JSON, figures as columns of one deflated block (`columns.py` writes them).
const data = JSON.parse(document.getElementById('lomsong-data').textContent);
const columns = (() => {
  const planes = inflate(Uint8Array.from(atob(data.block.base64), (c) => c.charCodeAt(0)), data.block.size);
  const found = {};
  let at = 0;
  data.block.columns.forEach(([name, count, width]) => {
    const values = width > 4 ? new Float64Array(count) : new Uint32Array(count);
    for (let plane = 0, unit = 1; plane < width; plane += 1, unit *= 256, at += count) {
      for (let i = 0; i < count; i += 1) values[i] += planes[at + i] * unit;
    }
    found[name] = values;
  });
  return found;
})();
// a stored figure: 0 = missing, else value × scale + 1
const figure = (name, i, scale) => (columns[name][i] ? (columns[name][i] - 1) / (scale || 1) : null);
const listed = (name, i, list) => (columns[name][i] ? list[columns[name][i] - 1] : null);
const named = (name, i, list) => list.filter((_, bit) => ((columns[name][i] - 1) >> bit) & 1);
const unfold = (steps) => {  // zigzag differences → whole numbers
  const values = new Float64Array(steps.length);
  let sum = 0;
  steps.forEach((step, i) => { sum += step % 2 ? -(step + 1) / 2 : step / 2; values[i] = sum; });
  return values;
};

const operators = data.operators, lists = data.lists, rules = data.rules;
const pooled = operators.length === 1;  // tiles carry no operators: the pooled row is all there is
const SPEED = 1000, SHARE = 1e6, CELL_SPEED = 10, CELL_LATENCY = 1;

// one row of commune × operator
function statusRow(commune, operator) {
  const i = commune * operators.length + operator;
  return {
    index: i,
    verdict: listed('s.verdict', i, lists.verdicts), reason: listed('s.reason', i, lists.reasons),
    undecided: listed('s.undecided', i, lists.undecided), flags: named('s.flags', i, lists.flags),
    gates: named('s.gates', i, lists.gates), looks: figure('s.looks', i), borrowed: columns['s.borrowed'][i] === 1,
    tests: figure('s.tests', i), devices: figure('s.devices', i), samples: figure('s.samples', i),
    dates: figure('s.dates', i), month: figure('s.month', i), failed: figure('s.failed', i),
    window: figure('s.window', i), further: figure('s.further', i), age: figure('s.age', i),
    mean: figure('s.mean', i, SPEED), median: figure('s.median', i, SPEED), lo: figure('s.lo', i, SPEED),
    hi: figure('s.hi', i, SPEED), raw: figure('s.raw', i, SPEED), upload: figure('s.upload', i, SPEED),
    latency: figure('s.latency', i, SPEED), worst: figure('s.worst', i, SPEED), hours: figure('s.hours', i, SPEED),
    low_share: figure('s.low_share', i, SHARE), failure_rate: figure('s.failure_rate', i, SHARE),
    chance: figure('s.chance', i, SHARE), borrowed_chance: figure('s.borrowed_chance', i, SHARE), borrowed_miss: figure('s.borrowed_miss', i, SHARE),
    people_mean: figure('s.people_mean', i, SPEED), people_lo: figure('s.people_lo', i, SPEED), people_hi: figure('s.people_hi', i, SPEED), margin: figure('s.margin', i, SHARE),
    q_gap: figure('s.q_gap', i, SHARE), q_meets: figure('s.q_meets', i, SHARE),
    change: data.former ? listed('s.change', i, lists.changes) : null,
    former_mean: data.former ? figure('s.former_mean', i, SPEED) : null
  };
}
const communeCount = data.communes.length;
const communeOf = {};
data.communes.forEach((commune, i) => {
  commune.index = i;
  commune.rows = operators.map((_, operator) => statusRow(i, operator));
  communeOf[commune.id] = commune;
});

// outlines: rings over shared corners, in the plane of Web Mercator at zoom 0 (256 units across)
function outlines(prefix) {
  const toX = (lng) => (lng + 180) / 360 * 256;
  const toY = (lat) => {
    const sine = Math.sin(Math.max(-85.05, Math.min(85.05, lat)) * Math.PI / 180);
    return 128 - Math.log((1 + sine) / (1 - sine)) * 128 / (2 * Math.PI);
  };
  const longitude = unfold(columns[prefix + '.x']).map((v) => v / 1e5), latitude = unfold(columns[prefix + '.y']).map((v) => v / 1e5);
  const back = columns[prefix + '.back'], corner = new Uint32Array(back.length);
  let newest = 0;
  back.forEach((steps, i) => { corner[i] = newest - steps; if (!steps) newest += 1; });
  const size = columns[prefix + '.ring_size'], shape = unfold(columns[prefix + '.ring_shape']);
  const start = new Uint32Array(size.length + 1);
  size.forEach((count, ring) => { start[ring + 1] = start[ring] + count; });
  const x = longitude.map(toX), y = latitude.map(toY), boxes = new Float64Array(4 * size.length);
  for (let ring = 0; ring < size.length; ring += 1) {
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let k = start[ring]; k < start[ring + 1]; k += 1) {
      const px = x[corner[k]], py = y[corner[k]];
      box[0] = Math.min(box[0], px); box[1] = Math.min(box[1], py);
      box[2] = Math.max(box[2], px); box[3] = Math.max(box[3], py);
    }
    boxes.set(box, 4 * ring);
  }
  return {count: size.length, x, y, latitude, longitude, corner, start, shape, boxes};
}
const hexRings = outlines('h'), gapRings = outlines('g');
const cellCount = columns['h.id_low'].length;
const cellId = (i) => (columns['h.id_high'][i].toString(16) + columns['h.id_low'][i].toString(16).padStart(8, '0'));
const cellCommune = (i) => (columns['h.commune'][i] ? data.communes[columns['h.commune'][i] - 1] : null);  // that holds its centre
const cellResolution = (i) => (columns['h.id_high'][i] >>> 20) & 15;
function cellRow(i, operator) {
  const key = 'c.' + operator + '.';
  return {
    devices: figure(key + 'devices', i), tests: figure(key + 'tests', i), mean: figure(key + 'mean', i, CELL_SPEED),
    median: figure(key + 'median', i, CELL_SPEED), upload: figure(key + 'upload', i, CELL_SPEED),
    latency: figure(key + 'latency', i, CELL_LATENCY), weak: columns[key + 'weak'][i] === 1, fast: columns[key + 'fast'][i] === 1
  };
}
function cellCentre(i) {  // of its first ring's corners; exact enough to be found again
  const ring = hexRings.shape.indexOf(i);
  let latitude = 0, longitude = 0;
  const from = hexRings.start[ring], to = hexRings.start[ring + 1];
  for (let k = from; k < to; k += 1) { latitude += hexRings.latitude[hexRings.corner[k]]; longitude += hexRings.longitude[hexRings.corner[k]]; }
  return [latitude / (to - from), longitude / (to - from)];
}
const priorities = Array.from(columns['p.commune'], (commune, i) => ({
  commune: data.communes[commune - 1], operator: columns['p.operator'][i] - 1,
  gap: columns['p.gap'][i] ? data.gaps[columns['p.gap'][i] - 1] : null,
  rank: figure('p.rank', i), lo: figure('p.lo', i), hi: figure('p.hi', i), efficiency: figure('p.efficiency', i),
  depth: figure('p.depth', i, SHARE), chance: figure('p.chance', i, SHARE), waiting: figure('p.waiting', i, 10),
  index: figure('p.index', i, 10), facilities: figure('p.facilities', i), road: columns['p.road'][i] === 1,
  cause: listed('p.cause', i, lists.causes), action: listed('p.action', i, lists.actions)
}));
const measureFirst = Array.from(columns['m.commune'], (commune, i) => ({
  commune: data.communes[commune - 1], operator: columns['m.operator'][i] - 1
}));
