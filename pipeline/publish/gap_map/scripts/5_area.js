// The whole area: what the first view shows, from where on hexes are drawn, outlines and names of communes.
// Hexes and villages begin a fixed step closer than the first view, so that it is the same map on every screen.
const map = map_lomsong, communes = geo_json_communes;
const CELL_STEP = 1, VILLAGE_STEP = 1.5, FIRST_ZOOM_MOST = 13, SHEET_LAP = 16;  // px of the map under a phone's closed sheet
const area = L.latLngBounds(data.labels.map((label) => [label.latitude, label.longitude])).extend(communes.getBounds());
const limits = map.options.maxBounds;
const first = {zoom: 0, near: false, moved: false, homing: false, held: null};  // `held`: near or far while the page prints
// pixels of the map that a phone's sheet covers
function covered() {
  const panel = document.getElementById('panel'), own = map.getContainer().getBoundingClientRect();
  if (getComputedStyle(panel).position !== 'fixed') return 0;
  return document.body.classList.contains('sheet-open') ? Math.max(0, own.bottom - (window.innerHeight - panel.offsetHeight)) : SHEET_LAP;
}
function measureArea() {  // the zoom at which the whole area fits, a phone's sheet closed
  const isPhone = getComputedStyle(document.getElementById('panel')).position === 'fixed', lap = isPhone ? SHEET_LAP : 0;
  // above an open sheet the area stands far north of the map's middle
  const south = limits.getSouth() - (isPhone ? 2 * (limits.getNorth() - limits.getSouth()) : 0);
  map.options.maxBounds = L.latLngBounds([south, limits.getWest()], limits.getNorthEast());
  first.zoom = Math.min(FIRST_ZOOM_MOST, map.getBoundsZoom(area, false, L.point(24, 24 + lap)));
}
function goHome() {
  first.homing = true;
  map.fitBounds(area, {paddingTopLeft: [12, 12], paddingBottomRight: [12, 12 + covered()], maxZoom: FIRST_ZOOM_MOST, animate: false});
  first.homing = false; first.moved = false;
}
const isNear = () => (first.held === null ? map.getZoom() >= first.zoom + CELL_STEP : first.held);
const closest = (zoom) => Math.max(zoom, first.zoom + CELL_STEP);  // of what one flies to: hexes are drawn there

const plane = (at) => { const p = L.CRS.EPSG3857.latLngToPoint(L.latLng(at), 0); return [p.x, p.y]; };
// rings of every commune in the plane of zoom 0, with their box
communes.eachLayer((layer) => {
  const commune = communeOf[layer.feature.properties.code], box = [Infinity, Infinity, -Infinity, -Infinity];
  commune.rings = layer.feature.geometry.coordinates.flat().map((ring) => Float64Array.from(ring.flatMap(([lng, lat]) => plane([lat, lng]))));
  commune.rings.forEach((ring) => {
    for (let k = 0; k < ring.length; k += 2) {
      box[0] = Math.min(box[0], ring[k]); box[1] = Math.min(box[1], ring[k + 1]);
      box[2] = Math.max(box[2], ring[k]); box[3] = Math.max(box[3], ring[k + 1]);
    }
  });
  commune.box = box; commune.plane = plane(commune.at);
});
function communeHolds(commune, x, y) {
  let inside = false;
  commune.rings.forEach((ring) => {
    for (let k = 0, l = ring.length - 2; k < ring.length; l = k, k += 2) {
      if ((ring[k + 1] > y) !== (ring[l + 1] > y) && x < (ring[l] - ring[k]) * (y - ring[k + 1]) / (ring[l + 1] - ring[k + 1]) + ring[k]) inside = !inside;
    }
  });
  return inside;
}
function communePath(path, commune, frame) {
  commune.rings.forEach((ring) => {
    for (let k = 0; k < ring.length; k += 2) {
      const px = ring[k] * frame.scale - frame.left, py = ring[k + 1] * frame.scale - frame.top;
      if (k) path.lineTo(px, py); else path.moveTo(px, py);
    }
    path.closePath();
  });
}

function drawBorders(pen, frame) {  // over the hexes, which cover the communes' own
  const {scale, left, top, width, height} = frame, path = new Path2D();
  data.communes.forEach((commune) => {
    const {box} = commune;
    if (box[2] * scale > left && box[0] * scale < left + width && box[3] * scale > top && box[1] * scale < top + height && commune !== state.commune) communePath(path, commune, frame);
  });
  pen.strokeStyle = '#4a4a4a'; pen.lineWidth = communeCount > MANY ? 0.5 : 1; pen.stroke(path);
  if (!state.commune) return;
  const chosen = new Path2D();
  communePath(chosen, state.commune, frame);
  pen.strokeStyle = '#000000'; pen.lineWidth = 3.5; pen.stroke(chosen);
}

// names that do not run into each other: fixed labels, then gap areas, then communes, the most people first
const FACE = 'px system-ui, "Noto Sans", "DejaVu Sans", sans-serif', MANY = 400;  // communes: with more, a name has one place only
const shortName = (name) => name.replace(/^(Xã|Phường|Thị trấn|Đặc khu) /, '');
// where a name may stand, as shares of its width and px: in the middle of its commune, or near it
const PLACES = [[0, 0], [0, -7], [0, 7], [0, -14], [0, 14], [-0.2, 0], [0.2, 0], [-0.2, -9], [0.2, -9], [-0.2, 9], [0.2, 9], [-0.35, 0], [0.35, 0], [0, -21], [0, 21]];
function drawNames(pen, frame, gaps, isClose) {
  const taken = [], {scale, left, top} = frame;
  const isFree = (box) => !taken.some((b) => box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1]);
  const boxOf = (lines, x, y, high) => {
    const half = Math.max(...lines.map((line) => pen.measureText(line).width)) / 2 + 2, tall = high * lines.length / 2 + 1;
    return [x - half, y - tall, x + half, y + tall];
  };
  const write = (lines, x, y, ink, high) => {
    const box = boxOf(lines, x, y, high);
    if (x < 0 || y < 0 || x > frame.width || y > frame.height || !isFree(box)) return;
    taken.push(box);
    pen.lineWidth = 3.5; pen.strokeStyle = '#ffffff'; pen.fillStyle = ink;
    lines.forEach((line, i) => { const at = y + (i - (lines.length - 1) / 2) * high; pen.strokeText(line, x, at); pen.fillText(line, x, at); });
  };
  const fixed = (text, at, font, ink) => { const [x, y] = plane(at); pen.font = font; write([text], x * scale - left, y * scale - top, ink, 16); };
  pen.textAlign = 'center'; pen.textBaseline = 'middle'; pen.lineJoin = 'round';
  data.labels.forEach((label) => fixed(label.name, [label.latitude, label.longitude], 'italic 600 13' + FACE, '#1c1c1c'));
  gaps.forEach((gap) => fixed(shortGap(gap), gap.at, '600 11' + FACE, '#5c1a06'));
  const wide = frame.width, high = wide < 700 ? 11 : wide < 1800 ? 12 : wide < 3000 ? 13 : 16;
  pen.font = '600 ' + high + FACE;
  [...data.communes].sort((a, b) => (b.people || 0) - (a.people || 0)).forEach((commune) => {
    const [x, y] = commune.plane, px = x * scale - left, py = y * scale - top, {box} = commune;
    if (box[2] * scale < left || box[0] * scale > left + frame.width || box[3] * scale < top || box[1] * scale > top + frame.height) return;
    const name = isClose ? commune.name : shortName(commune.name), length = pen.measureText(name).width;
    if (length > 2 * (box[2] - box[0]) * scale) return;  // of no commune one could see
    if (communeCount > MANY) { write([name], px, py, '#1c1c1c', high + 2); return; }
    const words = name.split(' '), half = Math.ceil(words.length / 2);
    const forms = words.length > 1 ? [[name], [words.slice(0, half).join(' '), words.slice(half).join(' ')]] : [[name]];
    const holds = (cx, cy) => communeHolds(commune, (cx + left) / scale, (cy + top) / scale);
    let best = null, most = -1;  // the free place with the most corners inside the commune
    forms.forEach((lines) => PLACES.forEach(([across, down]) => {
      const cx = px + across * length, cy = py + down;
      if (most === 4 || !holds(cx, cy)) return;
      const own = boxOf(lines, cx, cy, high + 2);
      if (!isFree(own)) return;
      const inside = [[0, 1], [2, 1], [0, 3], [2, 3]].filter(([i, k]) => holds(own[i], own[k])).length;
      if (inside > most) { best = [lines, cx, cy]; most = inside; }
    }));
    if (best) write(...best, '#1c1c1c', high + 2);
  });
}
