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
  const height = svg.getBoundingClientRect().height - 24; // below it stand the times
  const top = 14; // above it, the highest line's number
  const scale = ceiling(Math.max(...views));
  const y = (count) => height - (count / scale) * (height - top);
  const parts = [];
  for (const count of [0, scale / 2, scale]) {
    parts.push(node('line', { x1: '0', x2: '100%', y1: y(count), y2: y(count) }));
    if (count > 0) parts.push(node('text', { x: '0', y: y(count) - 4 }, count.toLocaleString()));
  }
  const step = 100 / views.length;
  views.forEach((count, i) => {
    const at = minute - (views.length - 1 - i) * 60_000;
    const column = node('rect', {
      x: `${(i + 0.15) * step}%`, width: `${step * 0.7}%`, y: y(count), height: height - y(count), rx: 2,
    });
    if (i === views.length - 1) column.setAttribute('class', 'running');
    column.append(node('title', {}, `${clock(at)}: ${count.toLocaleString()}`));
    parts.push(column);
  });
  for (const [i, anchor] of [[0, 'start'], [10, 'middle'], [20, 'middle'], [views.length - 1, 'end']]) {
    const x = { start: 0, middle: (i + 0.5) * step, end: 100 }[anchor];
    const at = minute - (views.length - 1 - i) * 60_000;
    parts.push(node('text', { x: `${x}%`, y: height + 18, 'text-anchor': anchor }, clock(at)));
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
