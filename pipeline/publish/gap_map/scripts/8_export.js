// What people take away: CSV and PNG of the view, a copied place or id, a print on one A4 page.
function copied(button, text) {
  const done = () => { const before = button.textContent; button.textContent = t('copied'); window.setTimeout(() => { button.textContent = before; }, 1200); document.getElementById('said').textContent = t('copied') + ': ' + text; };
  const byHand = () => {  // where the clipboard is closed to files
    const field = node('textarea', {class: 'offscreen'});
    field.value = text;
    document.body.appendChild(field); field.select();
    document.execCommand('copy');
    field.remove(); button.focus(); done();
  };
  if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(done, byHand); else byHand();
}
function saved(blob, name) {
  const url = URL.createObjectURL(blob), link = node('a', {href: url, download: name});
  document.body.appendChild(link); link.click(); link.remove();
  window.setTimeout(() => URL.revokeObjectURL(url), 10000);
}
const fileName = (suffix) => ['coverage_gaps', data.period, operators[state.operator], state.view].join('_').replace(/[^\p{L}\p{N}_-]+/gu, '-') + suffix;

function csvText() {
  const {wanted, rows} = tableRows();
  // a spreadsheet would run a text that begins like a formula
  const cell = (value) => { const text = value === null ? '' : typeof value === 'number' ? String(value) : /^[=+\-@\t\r]/.test(value) ? "'" + value : value; return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text; };
  const head = [...wanted.map((column) => t(column.key)), t('operator'), t('period')].concat(data.notice ? [t('notice')] : []);
  const tail = [operatorName(state.operator), data.period].concat(data.notice ? [data.notice] : []);
  return '\ufeff' + [head, ...rows.map((commune) => [...wanted.map((column) => column.of(commune)), ...tail])].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

const titleText = () => [t('title'), data.area].filter(Boolean).join(' – ');
function pictureLegend(pen, left, top, bottom) {  // the same classes and counts as beside the map
  const draw = (keys, text, count, y) => {
    keys.forEach((key, i) => { pen.fillStyle = penFill(pen, key, 0, 0); pen.fillRect(left + 26 * i / keys.length, y, 26 / keys.length, 16); });
    pen.strokeStyle = '#77736a'; pen.lineWidth = 1; pen.strokeRect(left, y, 26, 16);
    pen.fillStyle = '#1c1c1c'; pen.fillText(text, left + 34, y + 8);
    if (count !== null) { pen.textAlign = 'right'; pen.fillText(count, left + 330, y + 8); pen.textAlign = 'left'; }
    return y + 24;
  };
  const counts = countsOf(data.communes.map(communeKey)), tint = cellsSeen() ? pale : (key) => key;
  const note = (mark, text, among, tinted) => { const {key, count} = marked(among, mark); if (count) y = draw([tinted(key)], t(text), number(count), y); };
  pen.textAlign = 'left'; pen.textBaseline = 'middle';
  let y = top;
  pen.font = '600 15px system-ui, "Noto Sans", "DejaVu Sans", sans-serif';
  pen.fillStyle = '#1c1c1c'; pen.fillText(operatorName(state.operator) + ' · ' + t('view_' + state.view), left, y + 8);
  pen.font = '14px system-ui, "Noto Sans", "DejaVu Sans", sans-serif';
  y += 30;
  legendKeys().filter((key) => !state.hidden.has(key)).forEach((key) => { y = draw(variants(key, counts).map(tint), keyName(key), number(classCount(counts, key)), y); });
  note(':unsure', 'unsure_note', counts, tint); note(':borrowed', 'borrowed_key', counts, tint);
  if (isNear() && cellsNow.keys.length) {
    y += 14;
    pen.fillText(t('legend_cells', {n: number(sum(cellCounts(), () => true))}), left, y); y += 14;
    const cellsDrawn = cellCounts();
    cellClasses().filter((key) => !state.hiddenCells.has(key)).forEach((key) => { if (y < bottom) y = draw(variants(key, cellsDrawn), cellName(key), null, y); });
    note(':unsure', 'unsure_cells', cellsDrawn, (key) => key);
  }
  if (sitesOn()) {
    const counts = siteCounts();
    y += 14;
    pen.fillText(t('legend_sites'), left, y); y += 20;
    SITE_STATES.filter((key) => !state.hiddenSites.has(key)).forEach((key) => {
      const path = new Path2D();
      starPath(path, left + 13, y, 8); paintStar(pen, key, path);
      pen.fillStyle = '#1c1c1c'; pen.fillText(t('site_' + key), left + 34, y);
      pen.textAlign = 'right'; pen.fillText(number(counts[key]), left + 330, y); pen.textAlign = 'left';
      y += 24;
    });
  }
  if (villagesOn()) {
    const counts = villageCounts();
    y += 14;
    pen.fillText(t('legend_villages', {n: number(villages.length)}), left, y); y += 20;
    CLASSES.filter((key) => !state.hiddenVillages.has(key)).forEach((key) => {
      const path = new Path2D();
      markPath(path, data.marks[key].shape, left + 13, y, radiusOf(key)); paintMark(pen, key, path);
      pen.fillStyle = '#1c1c1c'; pen.fillText(className(key), left + 34, y);
      pen.textAlign = 'right'; pen.fillText(number(counts[key]), left + 330, y); pen.textAlign = 'left';
      y += 24;
    });
  }
}
function picture() {  // the view as a canvas of its own: title, map, legend, sources
  const size = map.getSize(), ratio = 2, side = 360, head = 84, foot = 44, width = size.x + side, height = Math.max(size.y, 420) + head + foot;
  const canvas = document.createElement('canvas');
  canvas.width = width * ratio; canvas.height = height * ratio;
  const pen = canvas.getContext('2d'), face = 'px system-ui, "Noto Sans", "DejaVu Sans", sans-serif';
  pen.scale(ratio, ratio);
  pen.fillStyle = '#fbfaf7'; pen.fillRect(0, 0, width, height);
  pen.save();
  pen.beginPath(); pen.rect(0, head, size.x, height - head - foot); pen.clip();
  pen.fillStyle = '#dddad2'; pen.fillRect(0, head, size.x, height - head - foot);
  pen.translate(0, head);
  const origin = map.getPixelBounds().min, near = isNear();
  const frame = {scale: Math.pow(2, map.getZoom()), left: origin.x, top: origin.y, width: size.x, height: height - head - foot};
  communes.eachLayer((layer) => {
    const path = new Path2D(), key = shownKey(communeOf[layer.feature.properties.code]);
    communePath(path, communeOf[layer.feature.properties.code], frame);
    pen.fillStyle = penFill(pen, near && cellViews() !== null ? pale(key) : key, 0, 0); pen.fill(path, 'evenodd');
    pen.strokeStyle = '#4a4a4a'; pen.lineWidth = 1; pen.stroke(path);
  });
  if (near) drawCells(pen, frame, [0, 0]);
  if (cellsSeen()) drawBorders(pen, frame);
  const gaps = near ? drawGaps(pen, frame) : [];
  drawVillages(pen, frame);
  drawNames(pen, frame, gaps, near);
  drawSites(pen, frame);
  pen.restore();
  pen.fillStyle = '#1c1c1c'; pen.textAlign = 'left'; pen.textBaseline = 'middle';
  pen.font = '700 20' + face; pen.fillText(titleText(), 16, 26);
  pen.font = '600 15' + face; pen.fillText(document.getElementById('headline').textContent, 16, 54);
  if (data.notice) { pen.fillStyle = '#5c1a06'; pen.font = '700 14' + face; pen.textAlign = 'right'; pen.fillText(data.notice, width - 16, 26); pen.textAlign = 'left'; }
  pen.font = '12' + face; pen.fillStyle = '#595959';
  pen.fillText(data.licences[state.lang].join(' · '), 16, height - 28, width - 32);
  pen.fillText(t('method'), 16, height - 12, width - 32);
  pictureLegend(pen, size.x + 14, head, height - foot - 20);
  return canvas;
}

// print: the page's layout is fixed before the browser takes its picture of it. Chromium prints a canvas that was cleared as opaque
// white, over the communes; an image of it prints what is seen.
let beforePrint = null;
const printed = node('img', {class: 'printed', alt: ''});
window.addEventListener('beforeprint', () => {
  beforePrint = {centre: map.getCenter(), zoom: map.getZoom(), bounds: map.getBounds(), table: state.table, villages: state.villages, moved: first.moved};
  state.villages = villagesOn();  // the printed map's zoom is another
  first.held = isNear();
  document.body.classList.add('printing');
  map.invalidateSize({animate: false});
  map.fitBounds(beforePrint.bounds, {animate: false});
  cells.draw();
  printed.src = cells.canvas.toDataURL();
  printed.style.cssText = cells.canvas.style.cssText;
  cells.canvas.replaceWith(printed);
});
window.addEventListener('afterprint', () => {
  document.body.classList.remove('printing');
  first.held = null;
  printed.replaceWith(cells.canvas);
  if (beforePrint) state.villages = beforePrint.villages;
  map.invalidateSize({animate: false});
  if (beforePrint) { map.setView(beforePrint.centre, beforePrint.zoom, {animate: false}); first.moved = beforePrint.moved; }
});
