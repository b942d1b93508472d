// Raw DEFLATE (RFC 1951), at once: the browser's own DecompressionStream answers later, and a screenshot would be empty.
function inflate(source, size) {
  const out = new Uint8Array(size);
  let at = 0, read = 0, bits = 0, held = 0;
  const peek = (count) => {
    while (held < count) { bits |= source[read++] << held; held += 8; }  // past the end: undefined counts as 0
    return bits & ((1 << count) - 1);
  };
  const take = (count) => {
    if (!count) return 0;
    const value = peek(count);
    bits >>>= count; held -= count;
    return value;
  };
  // a code book: index = the next `most` bits, entry = symbol × 16 + length of its code
  const book = (lengths) => {
    const most = Math.max(1, ...lengths), entries = new Int32Array(1 << most);
    let code = 0;
    for (let length = 1; length <= most; length += 1, code <<= 1) {
      lengths.forEach((one, symbol) => {
        if (one !== length) return;
        let turned = 0;
        for (let bit = 0; bit < length; bit += 1) turned |= ((code >> bit) & 1) << (length - 1 - bit);
        for (let index = turned; index < entries.length; index += 1 << length) entries[index] = symbol * 16 + length;
        code += 1;
      });
    }
    return {entries, most};
  };
  const symbol = (codes) => {
    const entry = codes.entries[peek(codes.most)];
    take(entry & 15);
    return entry >> 4;
  };
  const run = (count, value) => new Array(count).fill(value);
  const fixed = [book([...run(144, 8), ...run(112, 9), ...run(24, 7), ...run(8, 8)]), book(run(30, 5))];
  const dynamic = () => {
    const [literals, distances, inner] = [take(5) + 257, take(5) + 1, take(4) + 4];
    const first = run(19, 0), order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    for (let i = 0; i < inner; i += 1) first[order[i]] = take(3);
    const codes = book(first), lengths = [];
    while (lengths.length < literals + distances) {
      const next = symbol(codes);
      if (next < 16) lengths.push(next);
      else if (next === 16) lengths.push(...run(3 + take(2), lengths[lengths.length - 1]));
      else lengths.push(...run(next === 17 ? 3 + take(3) : 11 + take(7), 0));
    }
    return [book(lengths.slice(0, literals)), book(lengths.slice(literals))];
  };
  const steps = (count, each, first) => {  // bases and extra bits of lengths and distances
    const bases = [], extras = [];
    for (let i = 0, base = first; i < count; i += 1) {
      const extra = Math.max(0, Math.floor(i / each) - 1);
      bases.push(base); extras.push(extra);
      base += 1 << extra;
    }
    return {bases, extras};
  };
  const span = steps(28, 4, 3), back = steps(30, 2, 1);
  span.bases.push(258); span.extras.push(0);
  let last = 0;
  while (!last) {
    last = take(1);
    const kind = take(2);
    if (kind === 0) {  // stored
      read -= held >> 3;  // whole bytes that were looked at ahead
      bits = 0; held = 0;
      const count = source[read] | (source[read + 1] << 8);
      out.set(source.subarray(read + 4, read + 4 + count), at);
      read += 4 + count; at += count;
      continue;
    }
    const [literals, distances] = kind === 1 ? fixed : dynamic();
    for (;;) {
      const next = symbol(literals);
      if (next < 256) { out[at++] = next; continue; }
      if (next === 256) break;
      const count = span.bases[next - 257] + take(span.extras[next - 257]);
      const way = symbol(distances), distance = back.bases[way] + take(back.extras[way]);
      for (let i = 0; i < count; i += 1, at += 1) out[at] = out[at - distance];
    }
  }
  return out;
}
