// One canvas for all cells, gap areas, villages and names, redrawn where the map comes to rest.
const SMALL_PX = 16, MARGIN = 0.15, BATCH = 16;  // a canvas without a GPU fills one path of thousands of cells ten times slower than batches;
// margin: share of the view that is drawn beyond its edges
const boxIn = (boxes, ring, view) => boxes[4 * ring] < view[2] && boxes[4 * ring + 2] > view[0] && boxes[4 * ring + 1] < view[3] && boxes[4 * ring + 3] > view[1];

function ringPath(path, rings, ring, scale, left, top) {
  const {corner, start, x, y} = rings;
  for (let k = start[ring]; k < start[ring + 1]; k += 1) {
    const px = x[corner[k]] * scale - left, py = y[corner[k]] * scale - top;
    if (k === start[ring]) path.moveTo(px, py); else path.lineTo(px, py);
  }
  path.closePath();
}
// cells of the present choice on any canvas; `frame`: scale (px per unit of the plane), left, top, width, height in px
function drawCells(pen, frame, anchor) {
  const {scale, left, top} = frame, view = [left / scale, top / scale, (left + frame.width) / scale, (top + frame.height) / scale];
  const byKey = cellsNow.keys.map(() => []), weak = columns['c.' + state.operator + '.weak'], strong = [];
  let widest = 0;
  for (let ring = 0; ring < hexRings.count; ring += 1) {
    const cell = hexRings.shape[ring], place = cellsNow.found[cell];
    if (place < 0 || !boxIn(hexRings.boxes, ring, view)) continue;
    byKey[place].push(ring);
    if (weak[cell]) strong.push(ring);
    widest = Math.max(widest, (hexRings.boxes[4 * ring + 2] - hexRings.boxes[4 * ring]) * scale);
  }
  if (widest < SMALL_PX && widest > 0) { drawSmall(pen, frame, byKey, anchor); return; }
  pen.strokeStyle = '#4a4a4a'; pen.lineWidth = 0.5;
  byKey.forEach((rings, place) => {
    pen.fillStyle = penFill(pen, cellPaint(place), anchor[0], anchor[1]);
    for (let from = 0; from < rings.length; from += BATCH) {
      const path = new Path2D();
      rings.slice(from, from + BATCH).forEach((ring) => ringPath(path, hexRings, ring, scale, left, top));
      pen.fill(path);
      if (widest > 9) pen.stroke(path);
    }
  });
  if (strong.length && state.view === 'verdict' && !isAll()) {
    const path = new Path2D();
    strong.forEach((ring) => ringPath(path, hexRings, ring, scale, left, top));
    pen.lineWidth = 2; pen.stroke(path);
  }
}
// small cells: painted as pixels, row by row; a path each would take four times as long. The rim that is left free is their line.
function drawSmall(pen, frame, byKey, anchor) {
  const ratio = pen.getTransform().a, width = Math.round(frame.width * ratio), height = Math.round(frame.height * ratio);
  const picture = new ImageData(width, height), pixels = new Uint32Array(picture.data.buffer);
  const whole = (fill) => ((255 << 24) | (parseInt(fill.substr(5, 2), 16) << 16) | (parseInt(fill.substr(3, 2), 16) << 8) | parseInt(fill.substr(1, 2), 16)) >>> 0;
  const scale = frame.scale * ratio, left = frame.left * ratio, top = frame.top * ratio, {boxes, corner, start, x, y} = hexRings;
  const skew = Math.round((anchor[0] + anchor[1]) * ratio), turn = Math.round(8 * ratio), third = turn / 3;  // where the hatch stands on the map
  const xs = new Float64Array(64), ys = new Float64Array(64);
  byKey.forEach((rings, place) => {
    const paint = paints[cellPaint(place)];
    const fill = whole(paint.fill), ink = whole(inkOf(paint)), hatched = paint.pattern === 'hatch';
    for (let n = 0; n < rings.length; n += 1) {
      const ring = rings[n], from = start[ring], count = Math.min(64, start[ring + 1] - from), cellWidth = (boxes[4 * ring + 2] - boxes[4 * ring]) * scale;
      const free = cellWidth < 5 ? 1 : 1 - 1.2 / cellWidth;  // shrinks a cell so that a rim stays
      const cx = (boxes[4 * ring] + boxes[4 * ring + 2]) / 2 * scale - left, cy = (boxes[4 * ring + 1] + boxes[4 * ring + 3]) / 2 * scale - top;
      for (let k = 0; k < count; k += 1) {
        xs[k] = cx + (x[corner[from + k]] * scale - left - cx) * free;
        ys[k] = cy + (y[corner[from + k]] * scale - top - cy) * free;
      }
      const half = (boxes[4 * ring + 3] - boxes[4 * ring + 1]) / 2 * scale * free;
      const first = Math.max(0, Math.round(cy - half)), last = Math.min(height, Math.max(Math.round(cy + half), Math.round(cy - half) + 1));
      for (let py = first; py < last; py += 1) {
        const middle = Math.min(Math.max(py + 0.5, cy - half + 1e-6), cy + half - 1e-6);
        let low = Infinity, high = -Infinity;
        for (let k = 0, l = count - 1; k < count; l = k, k += 1) {
          if ((ys[k] > middle) === (ys[l] > middle)) continue;
          const across = xs[k] + (middle - ys[k]) / (ys[l] - ys[k]) * (xs[l] - xs[k]);
          if (across < low) low = across;
          if (across > high) high = across;
        }
        const begin = Math.max(0, Math.round(low)), end = Math.min(width, Math.max(Math.round(high), Math.round(low) + 1));
        if (end <= begin) continue;
        if (!hatched) pixels.fill(fill, py * width + begin, py * width + end);
        else {
          let phase = (((begin + py + skew) % turn) + turn) % turn;
          for (let at = py * width + begin, stop = py * width + end; at < stop; at += 1) {
            pixels[at] = phase < third ? ink : fill;
            phase += 1;
            if (phase === turn) phase = 0;
          }
        }
      }
    }
  });
  const layer = document.createElement('canvas');
  layer.width = width; layer.height = height;
  layer.getContext('2d').putImageData(picture, 0, 0);
  pen.drawImage(layer, 0, 0, frame.width, frame.height);
}
const cellPaint = (place) => (state.hiddenCells.has(plainKey(cellsNow.keys[place])) ? 'hidden' : cellsNow.keys[place]);
const gapShown = (gap) => (isAll() && operators[gap.operator] !== 'all') || gap.operator === state.operator || pooled;
function drawGaps(pen, frame) {
  const {scale, left, top} = frame, path = new Path2D(), seen = [];
  for (let ring = 0; ring < gapRings.count; ring += 1) {
    const gap = data.gaps[gapRings.shape[ring]];
    if (!gapShown(gap)) continue;
    ringPath(path, gapRings, ring, scale, left, top);
    seen.push(gap);
  }
  pen.lineJoin = 'round';
  pen.strokeStyle = '#ffffff'; pen.lineWidth = 4; pen.stroke(path);
  pen.strokeStyle = '#1c1c1c'; pen.lineWidth = 2; pen.setLineDash([6, 4]); pen.stroke(path); pen.setLineDash([]);
  return seen;
}
const shortGap = (gap) => (isAll() ? operators[gap.operator] + ' ' : '') + '#' + gap.id.split('/').pop();

const Cells = L.Layer.extend({
  onAdd(on) {
    this.canvas = L.DomUtil.create('canvas', 'leaflet-zoom-hide');
    on.createPane('cells').style.zIndex = 450;
    on.getPane('cells').style.pointerEvents = 'none';
    on.getPane('cells').appendChild(this.canvas);
    on.on('moveend zoomend resize viewreset', this.draw, this);
  },
  draw() {
    const size = map.getSize(), ratio = window.devicePixelRatio || 1, canvas = this.canvas, near = isNear();
    const edge = size.multiplyBy(MARGIN).round(), width = size.x + 2 * edge.x, height = size.y + 2 * edge.y;
    const corner = map.containerPointToLayerPoint([-edge.x, -edge.y]);
    L.DomUtil.setPosition(canvas, corner);
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
      canvas.style.width = width + 'px'; canvas.style.height = height + 'px';
    }
    const pen = canvas.getContext('2d'), origin = map.getPixelBounds().min.subtract(edge);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const frame = {scale: Math.pow(2, map.getZoom()), left: origin.x, top: origin.y, width, height};
    if (near) drawCells(pen, frame, [corner.x, corner.y]);
    if (cellsSeen()) drawBorders(pen, frame);
    const gaps = near ? drawGaps(pen, frame) : [];
    drawVillages(pen, frame);
    drawNames(pen, frame, gaps, near);
    drawSites(pen, frame);
  }
});
const cells = new Cells();

function cellAt(latlng) {  // the finest drawn cell that holds the point
  const [x, y] = plane(latlng), {boxes, corner, start} = hexRings;
  let best = null;
  for (let ring = 0; ring < hexRings.count; ring += 1) {
    if (x < boxes[4 * ring] || x > boxes[4 * ring + 2] || y < boxes[4 * ring + 1] || y > boxes[4 * ring + 3]) continue;
    const cell = hexRings.shape[ring];
    if (cellsNow.found[cell] < 0) continue;
    let inside = false;
    for (let k = start[ring], l = start[ring + 1] - 1; k < start[ring + 1]; l = k, k += 1) {
      const ax = hexRings.x[corner[k]], ay = hexRings.y[corner[k]], bx = hexRings.x[corner[l]], by = hexRings.y[corner[l]];
      if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) inside = !inside;
    }
    if (inside && (best === null || cellResolution(cell) > cellResolution(best))) best = cell;
  }
  return best;
}
