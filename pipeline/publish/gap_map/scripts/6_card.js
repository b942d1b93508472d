// The card: a commune's operators side by side, why each has its verdict and rank, its gap areas, the chosen cell.
const copyButton = (text, name) => node('button', {type: 'button', class: 'copy', text: name || t('copy'), title: text, click: (event) => copied(event.currentTarget, text)});
const confidence = () => ({confidence: told(percent(rules.confidence))});
const places = (at) => at[0].toFixed(5) + ', ' + at[1].toFixed(5);

// the sentences of `lomsong explain`, from the same figures
function why(row, commune) {
  const say = (key, values) => t(key, Object.fromEntries(Object.entries(values || {}).map(([name, value]) => [name, typeof value === 'number' || value === null ? told(value, name.endsWith('_mbps') || ['interval', 'people'].includes(values.gate)) : value])));
  const lines = [say('explain_data', {test_count: row.tests, sample_count: row.samples, device_count: row.devices, date_count: row.dates, months: row.window})];
  if (row.failed > 0) lines.push(say('explain_failed', {failed_test_count: row.failed, share: percent(row.failure_rate)}));
  if (row.devices > 0 && row.mean === null) lines.push(say('explain_private', {asked: data.min_devices}));
  if (row.devices > 0 && row.mean !== null) {
    lines.push(say('explain_mean', {mean_mbps: row.mean, target: data.target_mbps, median_mbps: row.median, low: percent(row.low_share), raw_mean_mbps: row.raw}));
    if (row.lo !== null) lines.push(say('explain_interval', {...confidence(), lo_mbps: row.lo, hi_mbps: row.hi}));
    if (row.people_lo !== null) lines.push(say('explain_people', {weighted_mean_mbps: row.people_mean, weighted_lo_mbps: row.people_lo, weighted_hi_mbps: row.people_hi}));
    if (row.margin !== null) lines.push(say(row.verdict.startsWith('meets') ? 'explain_margin_pass' : 'explain_margin_gap', {share: percent(row.margin)}));
    if (row.chance !== null) lines.push(say('explain_probability', {chance: percent(row.chance)}));
  }
  lines.push(...reasons(row, say));
  if (row.flags.length) lines.push(say('explain_flags', {flags: row.flags.map((flag) => t(flag)).join(', ')}));
  if (['confirmed_gap', 'meets_confirmed'].includes(row.verdict)) {
    lines.push(row.looks === 1 ? say('explain_first_look') : say('explain_looks', {look_count: row.looks}));
  } else {
    lines.push(row.further !== null ? say('explain_decide', {count: row.further, share: percent(rules.decide_probability)}) : row.undecided ? say('explain_' + row.undecided)
      : say('explain_at_least', {count: Math.max(1, rules.confirmed_min_devices - row.devices)}));
  }
  const gaps = data.gaps.filter((gap) => gap.commune === commune.index && commune.rows[gap.operator] === row).map((gap) => gap.id);
  if (gaps.length) lines.push(say('explain_gaps', {gaps: gaps.slice(0, 12).join(', ') + (gaps.length > 12 ? ' … (' + gaps.length + ')' : '')}));
  return lines;
}
function reasons(row, say) {
  if (row.verdict === 'no_data') return [say('explain_no_data', {reason: t(row.reason)})];
  const below = row.mean !== null && row.mean < data.target_mbps, target = data.target_mbps;
  const figures = {min_devices: row.devices, min_samples: row.samples, min_dates: row.dates, confirmed_min_devices: row.devices,
    confirmed_min_samples: row.samples, confirmed_min_dates: row.dates, min_hours_apart: row.hours, leave_one_out: row.worst,
    posterior: row.chance, crossed: row.borrowed_chance === null ? null : percent(row.borrowed_chance), interval: below ? row.hi : row.lo, people: below ? row.people_hi : row.people_lo,
    q_value: below ? row.q_gap : row.q_meets};
  const asked = Object.assign({}, rules, {interval: target, people: target, q_value: rules.max_q, leave_one_out: target, posterior: rules.meets_gap_probability,
    crossed: percent(rules.crossed_min_probability), capped: rules.fast_test_mbps, recent_month: rules.recent_min_devices});
  const failed = row.gates.map((gate) => say(gate in figures && figures[gate] === null ? 'gate_unknown' : 'gate_' + gate,
    {found: gate in figures ? figures[gate] : '', asked: gate in asked ? asked[gate] : '', gate, margin: rules.capped_margin, ratio: rules.fast_test_ratio}));
  if (row.borrowed && row.verdict === 'confirmed_gap') {
    return [say('explain_borrowed', {chance: percent(row.borrowed_chance), rate: percent(rules.borrowed_false_discovery_rate)}), ...failed];
  }
  if (row.borrowed && row.verdict === 'meets_confirmed') {
    return [say('explain_borrowed_pass', {chance: percent(row.borrowed_miss), rate: percent(rules.borrowed_false_discovery_rate)}), ...failed];
  }
  const lines = row.verdict === 'borderline' ? [say('explain_open')] : [];
  if (['confirmed_gap', 'meets_confirmed'].includes(row.verdict)) return [...lines, say('explain_passed')];
  return failed.length ? [...lines, say('explain_failed_gates'), ...failed] : lines;
}
// a probability below one is never written as 100 %
const surely = (share) => (share === null ? MISSING : share >= 0.9995 ? '>' + number(99.9, 1) : number(100 * share, 1)) + ' %';
// how the rank comes about: people × depth × probability, and the weights that apply
function rankLine(gap) {
  const weights = [], p = rules.priority;
  if (gap.commune['class'] === 'total_gap') weights.push('× ' + told(1 + p.total_gap_weight) + ' (' + t('total_gap') + ')');
  if (gap.facilities) weights.push('× ' + told(1 + p.facility_weight * Math.min(gap.facilities, p.facility_cap)) + ' (' + t('facilities') + ' ' + number(gap.facilities) + ')');
  if (gap.road) weights.push('× ' + told(1 + p.road_weight) + ' (' + t('road') + ')');
  const values = {rank: number(gap.rank), lo: number(gap.lo), hi: number(gap.hi), efficiency: number(gap.efficiency), people: number(gap.commune.people),
    depth: number(gap.depth, 3), chance: surely(gap.chance), waiting: number(gap.waiting), index: number(gap.index), weights: weights.join(' ')};
  const hint = [gap.cause ? t('cause') + ': ' + t(gap.cause) : '', gap.action ? t('action') + ': ' + t(gap.action) : ''].filter(Boolean).join(' · ');
  const line = gap.waiting === null ? t('rank_only', values) : t(weights.length ? 'rank_weighted' : 'rank_why', values);
  return node('p', {class: 'rank'}, [node('span', {text: line}), hint ? node('span', {class: 'small block', text: hint}) : null]);
}

function operatorRows(commune, i) {
  const row = commune.rows[i], chosen = i === state.operator, notes = [];
  if (row.borrowed) notes.push(t('borrowed_note', confidence()));
  if (row.reason) notes.push(t(row.reason));
  if (row.mean === null && row.devices > 0) notes.push(t('few', {n: data.min_devices}));
  notes.push(t('median') + ' ' + speed(row.median), t('upload') + ' ' + number(row.upload, 1), t('latency') + ' ' + number(row.latency, 0) + ' ms', t('tests') + ' ' + number(row.tests));
  if (row.window !== data.window_months) notes.push(t('window_of', {n: row.window}));
  const rank = priorities.find((gap) => gap.commune === commune && gap.operator === i);
  const change = row.change && row.change !== 'no_change' && row.change !== 'not_comparable'
    ? node('div', {class: 'change'}, [swatch(row.change), node('span', {text: t(row.change) + ' (' + speed(row.former_mean) + ' → ' + speed(row.mean) + ' Mbps)'})]) : null;
  return [
    node('tr', {class: chosen ? 'chosen' : '', 'data-operator': operators[i]}, [
      node('th', {scope: 'row', text: operatorName(i)}), node('td', {class: 'number', text: speed(row.mean)}),
      node('td', {class: 'number', text: row.lo === null ? MISSING : speed(row.lo) + ' – ' + speed(row.hi)}),
      node('td', {class: 'number', text: number(row.devices)})]),
    node('tr', {class: 'notes'}, [node('td', {colspan: 4}, [
      node('div', {class: 'verdict'}, [swatch(borrowedKey(row, row.verdict)), node('span', {text: t(row.verdict)})]), change,
      node('div', {text: notes.join(' · ')}), rank ? rankLine(rank) : null,
      node('details', {open: chosen}, [node('summary', {text: t('why')}),
        node('ul', {class: 'why', 'data-why': operators[i]}, why(row, commune).map((line) => node('li', {text: line.replace(/^ +– /, '– '), class: /^ +– /.test(line) ? 'gate' : ''})))])])])];
}
function gapLines(commune) {
  const gaps = data.gaps.filter((gap) => gap.commune === commune.index && gapShown(gap));
  if (!gaps.length) return [];
  return [node('h3', {text: t('gap_areas')}), node('ul', {class: 'gaps'}, gaps.map((gap) => node('li', {'data-gap': gap.id}, [
    node('button', {type: 'button', class: 'link', text: operatorName(gap.operator) + ' #' + gap.id.split('/').pop(), title: t('fly'), click: () => flyTo(gap.at)}),
    node('span', {text: ' ' + [t(gap.state), speed(gap.mean) + ' Mbps', number(gap.devices) + ' ' + t('devices').toLowerCase(), number(gap.km2, 1) + ' km²',
      gap.people === null ? '' : number(gap.people) + ' ' + t('people').toLowerCase()].filter(Boolean).join(' · ')}),
    copyButton(gap.id, t('copy_gap')), copyButton(places(gap.at), t('copy_place'))])))];
}
const isPooledRow = (i) => operators[i] === 'all' && !pooled;
function cellPart() {
  if (state.cell === null) return [];
  const id = cellId(state.cell), rows = operators.map((_, i) => (isPooledRow(i) ? {devices: null} : cellRow(state.cell, i)));
  return [node('h3', {id: 'card-cell', text: t('cell') + ' ' + id}), node('p', {class: 'small', text: t('cell_note', {n: cellResolution(state.cell)})}),
    node('table', {class: 'cell'}, [node('thead', {}, [node('tr', {}, ['operator', 'mean', 'median', 'devices', 'tests'].map((key, i) => node('th', {scope: 'col', class: i ? 'number' : '', text: t(key)})))]),
      node('tbody', {}, rows.map((row, i) => (row.devices === null ? null : node('tr', {'data-cell-operator': operators[i], class: i === state.operator ? 'chosen' : ''}, [
        node('th', {scope: 'row', text: operatorName(i) + (row.weak ? ' – ' + t('weak') : row.fast ? ' – ' + t('fast') : '')}), node('td', {class: 'number', text: speed(row.mean)}),
        node('td', {class: 'number', text: speed(row.median)}), node('td', {class: 'number', text: number(row.devices)}), node('td', {class: 'number', text: number(row.tests)})]))))]),
    node('p', {class: 'buttons'}, [copyButton(id, t('copy_cell')), copyButton(places(cellCentre(state.cell)), t('copy_place'))])];
}
function card() {
  const commune = state.commune, place = document.getElementById('card'), below = document.getElementById(commune ? 'legends' : 'views');
  if (place.nextElementSibling !== below) below.before(place);  // an open card stands above the legend
  if (!commune) { put('card', [node('p', {class: 'small', text: t('card_hint')})]); return; }
  // operators are never pooled into one mean: of all together only the counts are said
  const order = operators.map((_, i) => i).filter((i) => !isPooledRow(i)), all = commune.rows[0];
  put('card', [
    node('h2', {}, [node('span', {text: commune.name, tabindex: -1}), node('button', {type: 'button', id: 'close-card', text: t('close'), click: () => { choose(null); map.getContainer().focus({preventScroll: true}); }})]),
    node('p', {class: 'small', text: [t('code') + ' ' + commune.id, commune.district, pooled ? '' : t(commune['class']), commune.people === null ? '' : t('people') + ' ' + number(commune.people),
      pooled || all.tests === null ? '' : t('tests') + ' ' + number(all.tests), pooled || !all.devices ? '' : t('devices') + ' ' + number(all.devices),
      commune.tests_month === null ? '' : t('tests_month') + ' ' + number(commune.tests_month)].filter(Boolean).join(' · ')}),
    node('table', {}, [node('thead', {}, [node('tr', {}, ['operator', 'mean', 'interval', 'devices'].map((key, i) => node('th', {text: t(key, confidence()), class: i ? 'number' : '', scope: 'col'})))]),
      node('tbody', {}, order.flatMap((i) => operatorRows(commune, i)))]),
    node('p', {class: 'buttons'}, [copyButton(places(commune.at), t('copy_place')), copyButton(commune.id, t('copy_code'))]),
    ...sitePart(commune), ...villagePart(commune), ...gapLines(commune), ...cellPart(),
    commune.formers ? node('p', {class: 'small', text: t('formers') + ': ' + commune.formers}) : null]);
}
