// Sites of a plan: a star each, runners-up hollow. What they cover is modelled, not measured, so they are points of their own and colour nothing.
const SITE_PX = 16;
const SITE_STATES = ['chosen', 'runner_up'];
const sites = (data.sites || []).map((site) => ({...site, commune: site.commune < 0 ? null : data.communes[site.commune], plane: plane(site.at)}));
const sitesOn = () => sites.length > 0 && state.sites;
const siteRows = (site) => (isAll() ? site.rows : site.rows.filter((row) => row.operator === state.operator));
const siteVisible = (site) => siteRows(site).length > 0 && !state.hiddenSites.has(site.state);
const STAR = Array.from({length: 10}, (_, i) => { const r = i % 2 ? 0.45 : 1.15, turn = Math.PI * i / 5; return [r * Math.sin(turn), -r * Math.cos(turn)]; });
function starPath(path, x, y, r) {
  STAR.forEach(([dx, dy], i) => { if (i) path.lineTo(x + dx * r, y + dy * r); else path.moveTo(x + dx * r, y + dy * r); });
  path.closePath();
}
function paintStar(pen, key, path) {
  pen.lineJoin = 'round';
  pen.strokeStyle = '#ffffff'; pen.lineWidth = 4.5; pen.stroke(path);
  pen.fillStyle = data.site_marks[key].fill; pen.fill(path);
  pen.strokeStyle = '#1c1c1c'; pen.lineWidth = 1.4; pen.stroke(path);
}
function drawSites(pen, frame) {
  if (!sitesOn()) return;
  const paths = Object.fromEntries(SITE_STATES.map((key) => [key, new Path2D()]));
  sites.filter(siteVisible).forEach((site) => {
    const x = site.plane[0] * frame.scale - frame.left, y = site.plane[1] * frame.scale - frame.top;
    if (x > -12 && y > -12 && x < frame.width + 12 && y < frame.height + 12) starPath(paths[site.state], x, y, 9);
  });
  [...SITE_STATES].reverse().forEach((key) => paintStar(pen, key, paths[key]));
}
function siteAt(latlng) {  // the nearest that is drawn there
  if (!sitesOn()) return null;
  const [x, y] = plane(latlng);
  let best = null, nearest = SITE_PX / Math.pow(2, map.getZoom());
  sites.forEach((site) => {
    const far = Math.hypot(site.plane[0] - x, site.plane[1] - y);
    if (far <= nearest && siteVisible(site)) { best = site; nearest = far; }
  });
  return best;
}

const starSwatch = (key) => svg('svg', {class: 'mark', 'aria-hidden': 'true', viewBox: '0 0 26 16'}, [
  svg('path', {d: 'M' + STAR.map((at) => at.join(',')).join('L') + 'Z', transform: 'translate(13 8) scale(6.5)', fill: data.site_marks[key].fill, stroke: '#1c1c1c', 'stroke-width': 0.2})]);
const siteCounts = () => Object.fromEntries(SITE_STATES.map((key) => [key, sites.filter((site) => site.state === key && siteRows(site).length > 0).length]));
function siteLegend() {
  if (!sites.length) return;
  const counts = siteCounts(), on = sitesOn();
  document.getElementById('sites').checked = on;
  document.getElementById('legend-sites-unit').textContent = on ? t('legend_sites') : '';
  put('legend-sites', on ? SITE_STATES.map((key) => legendItem(key, counts[key], 0, state.hiddenSites, t('site_' + key), starSwatch(key))) : []);
}
const siteTitle = (site) => (site.rank === null ? '' : number(site.rank) + '. ') + site.name;
const siteText = (row) => operatorName(row.operator) + ': ' + t('site_' + row.action) + ' · ' + t('sites_closed', {n: number(row.closed), lo: number(row.lo), hi: number(row.hi)});
function siteLines(site) {  // of the pointer's box
  return [node('strong', {text: siteTitle(site)}), node('span', {class: 'mark-line'}, [starSwatch(site.state), node('span', {text: t('site_' + site.state) + ' – ' + t('sites_modelled')})]),
    ...siteRows(site).map((row) => node('span', {text: siteText(row)}))];
}
function sitePart(commune) {  // of the card: the plan's sites in the commune
  const own = sites.filter((site) => site.commune === commune && siteRows(site).length > 0);
  if (!own.length) return [];
  return [node('details', {id: 'card-sites', open: true}, [node('summary', {text: t('sites_of', {n: number(own.length)})}), node('p', {class: 'small', text: t('legend_sites')}),
    node('ul', {class: 'villages'}, own.map((site) => node('li', {'data-site': site.name}, [starSwatch(site.state), node('span', {}, [
      node('button', {type: 'button', class: 'link', text: siteTitle(site), title: t('fly'), click: () => flyTo(site.at)}),
      ...siteRows(site).map((row) => node('span', {class: 'small block', text: siteText(row)}))])])))])];
}
