'use strict';

// draw shows views by minute, oldest first, as columns. The last minute is
// running: its column is lighter.
function draw(svg, views, minute, clock) {
  const node = (name, attributes, text = '') => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  const size = svg.getBoundingClientRect();
  const top = 8;
  const bottom = size.height - 24; // below it stand the times
  const scale = ceiling(Math.max(...views));
  const left = 12 + 8 * scale.toLocaleString().length; // of it, the counts
  const step = Math.max(size.width - left, 1) / views.length;
  const at = (i) => clock(minute - (views.length - 1 - i) * 60_000);
  const y = (count) => bottom - (count / scale) * (bottom - top);
  const parts = [];
  for (const count of [0, scale / 2, scale]) {
    parts.push(node('line', { x1: left, x2: size.width, y1: y(count), y2: y(count) }));
    parts.push(node('text', { x: left - 8, y: y(count) + 4, 'text-anchor': 'end' }, count.toLocaleString()));
  }
  views.forEach((count, i) => {
    const column = node('rect', {
      x: left + (i + 0.15) * step, width: step * 0.7, y: y(count), height: bottom - y(count), rx: 2,
    });
    if (i === views.length - 1) column.setAttribute('class', 'running');
    column.append(node('title', {}, `${at(i)}: ${count.toLocaleString()}`));
    parts.push(column);
  });
  for (const [i, x, anchor] of [
    [0, left, 'start'], [10, left + 10.5 * step, 'middle'], [20, left + 20.5 * step, 'middle'], [views.length - 1, size.width, 'end'],
  ]) {
    parts.push(node('text', { x, y: bottom + 18, 'text-anchor': anchor }, at(i)));
  }
  svg.replaceChildren(...parts);
}

// ceiling is an even number, easy to read, that is no less than n.
function ceiling(n) {
  for (let power = 1; ; power *= 10) {
    for (const factor of [2, 4, 6, 8, 10, 12, 16]) {
      if (n <= factor * power) return factor * power;
    }
  }
}

// describe tells what the chart shows.
function describe(views, minute, clock) {
  const most = Math.max(...views);
  const first = minute - (views.length - 1) * 60_000;
  if (most === 0) return `No page views from ${clock(first)} to ${clock(minute)}.`;
  const at = minute - (views.length - 1 - views.lastIndexOf(most)) * 60_000;
  return `Page views by minute from ${clock(first)} to ${clock(minute)}. Most: ${most.toLocaleString()}, at ${clock(at)}. ` +
    `In the last full minute: ${views.at(-2).toLocaleString()}.`;
}
