// Draws the map from the page's data block. No network, no library but Leaflet; every text goes in as text.
(function () {
  'use strict';
  var data = JSON.parse(document.getElementById('lomsong-data').textContent);
  var t = data.text, map = map_lomsong, communes = geo_json_communes;
  var byId = {}, layerOf = {}, state = {operator: data.start, commune: null};
  var CELL_ZOOM = 10, MISSING = '–';
  data.communes.forEach(function (c) { byId[c.id] = c; });
  var number = function (value, digits) {
    if (value === null || value === undefined) return MISSING;
    return value.toLocaleString(data.lang === 'vi' ? 'vi-VN' : 'en-GB', {minimumFractionDigits: digits || 0, maximumFractionDigits: digits || 0});
  };
  var fold = function (text) {
    return text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').replace(/[đĐ]/g, 'd').toLowerCase();
  };
  var node = function (tag, attributes, children) {
    var made = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (key) {
      if (key === 'text') made.textContent = attributes[key]; else if (key === 'click') made.addEventListener('click', attributes[key]); else made.setAttribute(key, attributes[key]);
    });
    (children || []).forEach(function (child) { made.appendChild(child); });
    return made;
  };
  var put = function (id, children) {
    var place = document.getElementById(id);
    place.textContent = '';
    children.forEach(function (child) { place.appendChild(child); });
  };

  // patterns: what is less sure is drawn in half tint with hatch or dots
  var SVG = 'http://www.w3.org/2000/svg';
  var svg = function (tag, attributes) {
    var made = document.createElementNS(SVG, tag);
    Object.keys(attributes).forEach(function (key) { made.setAttribute(key, attributes[key]); });
    return made;
  };
  Object.keys(data.paint).forEach(function (key) {
    var paint = data.paint[key];
    if (!paint.pattern) return;
    var pattern = svg('pattern', {id: 'p-' + key, width: 8, height: 8, patternUnits: 'userSpaceOnUse'});
    pattern.appendChild(svg('rect', {width: 8, height: 8, fill: paint.fill}));
    if (paint.pattern === 'hatch') pattern.appendChild(svg('path', {d: 'M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4', stroke: '#fff', 'stroke-width': 2}));
    else pattern.appendChild(svg('circle', {cx: 4, cy: 4, r: 1.2, fill: '#77736a'}));
    document.getElementById('patterns').appendChild(pattern);
  });
  var fillOf = function (key) { return data.paint[key].pattern ? 'url(#p-' + key + ')' : data.paint[key].fill; };
  var swatch = function (fill) {
    var made = svg('svg', {'class': 'swatch', 'aria-hidden': 'true'});
    made.appendChild(svg('rect', {width: '100%', height: '100%', fill: fill}));
    return made;
  };

  var keyOf = function (commune) { return state.operator === 'all' ? commune['class'] : commune.by[state.operator].verdict; };
  var keys = function () { return state.operator === 'all' && data.operators.length > 1 ? data.classes : data.statuses; };
  // tiles carry no operators: the pooled row is all there is, and its own verdict is shown
  if (data.operators.length === 1) keyOf = function (commune) { return commune.by.all.verdict; };

  var paintCommunes = function () {
    communes.eachLayer(function (layer) {
      var id = layer.feature.properties.code, chosen = id === state.commune;
      layer.setStyle({fillColor: fillOf(keyOf(byId[id])), fillOpacity: map.getZoom() >= CELL_ZOOM ? 0.35 : 1, color: chosen ? '#000' : '#4a4a4a', weight: chosen ? 3.5 : 1});
      if (chosen) layer.bringToFront();
    });
  };

  // adaptive cells on one canvas, drawn from CELL_ZOOM on
  var HATCH = null;
  var hatch = function (context) {
    if (HATCH) return HATCH;
    var tile = document.createElement('canvas');
    tile.width = tile.height = 8;
    var pen = tile.getContext('2d');
    pen.fillStyle = '#ddd8e6'; pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = '#fff'; pen.lineWidth = 2;
    pen.beginPath(); pen.moveTo(-2, 2); pen.lineTo(2, -2); pen.moveTo(0, 8); pen.lineTo(8, 0); pen.moveTo(6, 10); pen.lineTo(10, 6); pen.stroke();
    HATCH = context.createPattern(tile, 'repeat');
    return HATCH;
  };
  var speedFill = function (mean) {
    var i = 0;
    while (i < data.speed_breaks.length && mean >= data.speed_breaks[i]) i += 1;
    return data.speed_fills[i];
  };
  var cellKind = function (cell) { // fill, or null where the operator has nothing there
    var own = cell.by[state.operator];
    if (!own) return null;
    if (state.operator === 'all' && data.operators.length > 1) {
      var weak = data.operators.some(function (name) { return name !== 'all' && cell.by[name] && cell.by[name].weak; });
      return weak ? data.paint.partial_gap.fill : own.devices < data.min_devices ? 'few' : '#efe9dc';
    }
    return own.mean === null ? 'few' : speedFill(own.mean);
  };
  var Cells = L.Layer.extend({
    onAdd: function (on) {
      this._canvas = L.DomUtil.create('canvas', 'leaflet-zoom-hide');
      this._canvas.style.pointerEvents = 'none';
      on.createPane('cells').style.zIndex = 450;
      on.getPane('cells').style.pointerEvents = 'none';
      on.getPane('cells').appendChild(this._canvas);
      on.on('moveend zoomend resize viewreset', this.draw, this);
      this.draw();
    },
    draw: function () {
      var size = map.getSize(), ratio = window.devicePixelRatio || 1, canvas = this._canvas;
      canvas.width = size.x * ratio; canvas.height = size.y * ratio;
      canvas.style.width = size.x + 'px'; canvas.style.height = size.y + 'px';
      L.DomUtil.setPosition(canvas, map.containerPointToLayerPoint([0, 0]));
      if (map.getZoom() < CELL_ZOOM) return;
      var pen = canvas.getContext('2d');
      pen.scale(ratio, ratio);
      pen.lineWidth = 1;
      data.cells.forEach(function (cell) {
        var fill = cellKind(cell);
        if (fill === null) return;
        pen.beginPath();
        cell.rings.forEach(function (ring) {
          ring.forEach(function (point, i) {
            var p = map.latLngToContainerPoint(point);
            if (i) pen.lineTo(p.x, p.y); else pen.moveTo(p.x, p.y);
          });
          pen.closePath();
        });
        pen.globalAlpha = 0.85;
        pen.fillStyle = fill === 'few' ? hatch(pen) : fill;
        pen.fill();
        pen.globalAlpha = 1;
        pen.strokeStyle = '#4a4a4a';
        pen.lineWidth = cell.by[state.operator].weak ? 2.5 : 0.6;
        pen.stroke();
      });
      pen.font = '600 12px system-ui, "Noto Sans", sans-serif';
      pen.textAlign = 'center'; pen.lineWidth = 3; pen.strokeStyle = '#fff'; pen.fillStyle = '#1c1c1c';
      data.communes.forEach(function (commune) {
        var p = map.latLngToContainerPoint(commune.at);
        pen.strokeText(commune.name, p.x, p.y); pen.fillText(commune.name, p.x, p.y);
      });
    }
  });
  var cells = new Cells();

  var legend = function () {
    var counts = {};
    data.communes.forEach(function (c) { counts[keyOf(c)] = (counts[keyOf(c)] || 0) + 1; });
    put('legend', keys().map(function (key) {
      return node('li', {'data-key': key}, [swatch(fillOf(key)), node('span', {text: t[key]}), node('span', {'class': 'count', text: number(counts[key] || 0)})]);
    }));
    var rows = state.operator === 'all' && data.operators.length > 1
      ? [[data.paint.partial_gap.fill, t.weak_some], ['#efe9dc', t.weak_none]]
      : data.speed_fills.map(function (fill, i) {
        var breaks = data.speed_breaks;
        return [fill, i === 0 ? '< ' + breaks[0] + ' Mbps' : i === breaks.length ? '≥ ' + breaks[i - 1] + ' Mbps' : breaks[i - 1] + ' – < ' + breaks[i] + ' Mbps'];
      });
    put('legend-cells', rows.map(function (row) { return node('li', {}, [swatch(row[0]), node('span', {text: row[1]})]); })
      .concat([node('li', {}, [swatch('url(#p-insufficient_evidence)'), node('span', {text: t.few.replace('{n}', data.min_devices)})])]));
    var sum = function (wanted) { return wanted.reduce(function (n, key) { return n + (counts[key] || 0); }, 0); };
    var good = sum(['no_gap_found', 'meets_confirmed', 'meets_probable']);
    var bad = sum(['total_gap', 'partial_gap', 'gap_rest_unknown', 'confirmed_gap', 'probable_gap']);
    document.getElementById('headline').textContent = [data.technology, data.period_label, number(data.target_mbps) + ' Mbps', t.good + ' ' + good, t.bad + ' ' + bad,
      t.open + ' ' + (data.communes.length - good - bad)].join(' · ');
  };

  var topGaps = function () {
    var rows = data.top.filter(function (gap) { return state.operator === 'all' || gap.operator === state.operator; }).slice(0, 10);
    put('top-gaps', rows.length ? rows.map(function (gap) {
      return node('li', {}, [node('button', {type: 'button', click: function () { choose(gap.id, true); }}, [
        node('span', {text: gap.rank + '.'}),
        node('span', {'class': 'grow', text: gap.name + ' · ' + (gap.operator === 'all' ? t.all : gap.operator)}),
        node('span', {'class': 'count', text: number(gap.mean, 1) + ' Mbps'})])]);
    }) : [node('li', {'class': 'small', text: t.top_none})]);
  };

  var card = function () {
    var commune = byId[state.commune];
    if (!commune) { put('card', [node('p', {'class': 'small', text: t.card_hint})]); return; }
    var row = function (name) {
      var f = commune.by[name];
      var notes = f.flags.map(function (flag) { return t[flag]; });
      if (f.reason) notes.unshift(t[f.reason]);
      if (f.mean === null && f.devices > 0) notes.push(t.few.replace('{n}', data.min_devices));
      if (f.borrowed) notes.unshift(t.borrowed);
      if (f.further !== null && f.further > 0) notes.push(t.further + ': ' + number(f.further));
      notes.unshift(t.median + ' ' + number(f.median, 1) + ' · ' + t.tests + ' ' + number(f.tests));
      var chosen = name === state.operator ? 'chosen' : '';
      return [
        node('tr', {'class': chosen, 'data-operator': name}, [
          node('td', {text: name === 'all' ? t.all : name}),
          node('td', {'class': 'number', text: number(f.mean, 1)}),
          node('td', {'class': 'number', text: f.lo === null ? MISSING : number(f.lo, 1) + ' – ' + number(f.hi, 1)}),
          node('td', {'class': 'number', text: number(f.devices)})]),
        node('tr', {'class': 'notes'}, [node('td', {colspan: 4}, [
          node('div', {'class': 'verdict'}, [swatch(fillOf(f.verdict)), node('span', {text: t[f.verdict]})]),
          node('div', {text: notes.join(' · ')})])])];
    };
    var heads = [t.operator, t.mean, t.interval, t.devices];
    put('card', [
      node('h2', {}, [node('span', {text: commune.name}), node('button', {type: 'button', text: t.close, click: function () { choose(null, false); }})]),
      node('p', {'class': 'small', text: [t.code + ' ' + commune.id, data.operators.length > 1 ? t[commune['class']] : null, commune.people === null ? null : t.people + ' ' + number(commune.people),
        commune.tests_month === null ? null : t.tests_month + ' ' + number(commune.tests_month)].filter(Boolean).join(' · ')}),
      node('table', {}, [
        node('thead', {}, [node('tr', {}, heads.map(function (head, i) { return node('th', {text: head, 'class': i > 0 ? 'number' : '', scope: 'col'}); }))]),
        node('tbody', {}, data.operators.slice(1).concat(data.operators.slice(0, 1)).reduce(function (all, name) { return all.concat(row(name)); }, []))])]);
  };

  var draw = function () { paintCommunes(); cells.draw(); legend(); topGaps(); card(); };
  var keep = function () {
    var parts = ['operator=' + encodeURIComponent(state.operator)];
    if (state.commune) parts.push('commune=' + encodeURIComponent(state.commune));
    history.replaceState(null, '', '#' + parts.join('&'));
  };
  var choose = function (id, fly) {
    state.commune = id;
    if (id && fly) map.fitBounds(layerOf[id].getBounds(), {animate: !window.matchMedia('(prefers-reduced-motion: reduce)').matches, padding: [40, 40], maxZoom: 11});
    keep(); draw();
  };
  var fromHash = function () {
    var wanted = {};
    location.hash.slice(1).split('&').forEach(function (part) { var pair = part.split('='); try { wanted[pair[0]] = decodeURIComponent(pair[1] || ''); } catch (broken) { wanted[pair[0]] = ''; } });
    if (data.operators.indexOf(wanted.operator) >= 0) state.operator = wanted.operator;
    state.commune = byId[wanted.commune] ? wanted.commune : null;
    document.querySelectorAll('input[name=operator]').forEach(function (radio) { radio.checked = radio.value === state.operator; });
  };

  communes.eachLayer(function (layer) {
    var commune = byId[layer.feature.properties.code];
    layerOf[commune.id] = layer;
    layer.bindTooltip(function () { return node('span', {text: commune.name + ' · ' + t[keyOf(commune)]}); }, {sticky: true});
    layer.on('click', function () { choose(commune.id, false); });
  });
  document.querySelectorAll('input[name=operator]').forEach(function (radio) {
    radio.addEventListener('change', function () { state.operator = radio.value; keep(); draw(); });
  });
  document.getElementById('search').addEventListener('input', function (event) {
    var wanted = fold(event.target.value.trim());
    var found = wanted ? data.communes.filter(function (c) { return fold(c.name).indexOf(wanted) >= 0 || c.id === wanted; }).slice(0, 12) : [];
    put('search-results', found.map(function (c) {
      return node('li', {}, [node('button', {type: 'button', text: c.name, click: function () { choose(c.id, true); }})]);
    }));
  });
  window.addEventListener('hashchange', function () { fromHash(); draw(); });
  map.on('zoomend', paintCommunes);
  fromHash();
  cells.addTo(map);
  map.attributionControl.addAttribution('Leaflet ' + L.version + (data.notice ? ' · ' + data.notice.replace(/[<>&]/g, '') : ''));
  if (state.commune) choose(state.commune, true); else draw();
  document.documentElement.setAttribute('data-ready', 'true');
}());
