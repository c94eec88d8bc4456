// A line chart as SVG.
const SVG = "http://www.w3.org/2000/svg";

/** @param {string} tag @param {Record<string, string|number>} props @param {string} [text] */
function svg(tag, props, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A round number of which about `parts` make `most`.
 * @param {number} most @param {number} parts */
function stepOf(most, parts) {
  const rough = most / parts;
  const ten = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((x) => x * ten).find((x) => x >= rough) ?? 10 * ten;
}

/** Points (x, y) with y from 0 on; null breaks the line. `label` says all of it in words; `x` stands under the line,
 * and `end` under its end.
 * @param {any} place which gets it, as wide as that is @param {{x: number, y: number|null}[]} points
 * @param {{label: string, x: string, end: string, mean?: number}} words */
export function drawLine(place, points, words) {
  const width = Math.max(280, place.clientWidth || 800), height = 220, left = 44, right = 8, top = 10, bottom = 34;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words.label, class: "chart" });
  const ys = points.map((point) => point.y ?? 0);
  const most = Math.max(1, ...ys) * 1.05;
  const x0 = points[0]?.x ?? 0, x1 = Math.max(points.at(-1)?.x ?? 1, x0 + 1e-9);
  const x = (/** @type {number} */ value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
  const y = (/** @type {number} */ value) => height - bottom - (value / most) * (height - top - bottom);
  const step = stepOf(most, 4);
  for (let value = 0; value <= most; value += step) {
    chart.append(svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, String(+value.toFixed(6))));
  }
  if (words.mean !== undefined) {
    chart.append(svg("line", { x1: left, x2: width - right, y1: y(words.mean), y2: y(words.mean), class: "mean" }));
  }
  let path = "", isDown = false;
  for (const point of points) {
    if (point.y !== null) path += `${isDown ? "L" : "M"}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`;
    isDown = point.y !== null;
  }
  chart.append(svg("path", { d: path, class: "line" }),
    svg("text", { x: left, y: height - 8 }, words.x),
    svg("text", { x: width - right, y: height - 8, "text-anchor": "end" }, words.end));
  place.replaceChildren(chart);
}
