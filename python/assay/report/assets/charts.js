"use strict";

const DARK = typeof window !== "undefined" && window.matchMedia("(prefers-color-scheme: dark)").matches;
const COLOURS = DARK
  ? ["#5aaeee", "#f58f52", "#3fc99c", "#e8a6ca", "#f2bd45", "#8ed6ff", "#b4b4b4"]
  : ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"];
const WIDTH = 420, HEIGHT = 210, LEFT = 46, RIGHT = 10, TOP = 8, BOTTOM = 22;

/** A number short enough for a label; null and undefined as a dash. */
function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e12 || (size > 0 && size < 1e-3)) return value.toExponential(1);
  if (size >= 1e9) return `${Number((value / 1e9).toPrecision(4))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(4))}M`;
  if (size >= 1e4) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(4)));
}

/** About `count` round numbers from `low` to `high`. */
function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
    found.push(Number((index * step).toPrecision(12)));
  }
  return found;
}

/** Exponential moving average that starts unbiased and steps over gaps; `weight` 0 changes nothing. */
function smooth(values, weight) {
  let sum = 0, norm = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    norm = weight * norm + (1 - weight);
    return sum / norm;
  });
}

/** The smallest and largest drawn value over all curves, with their error bars. */
function extent(curves) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const curve of curves) {
    curve.x.forEach((x, index) => {
      const y = curve.y[index];
      if (y === null) return;
      const error = curve.error.length ? curve.error[index] || 0 : 0;
      left = Math.min(left, x); right = Math.max(right, x);
      low = Math.min(low, y - error); high = Math.max(high, y + error);
    });
  }
  if (left === right) { left -= 0.5; right += 0.5; }
  const room = high > low ? (high - low) * 0.05 : Math.abs(high) * 0.1 || 0.5;
  return { left, right, low: low - room, high: high + room };
}

/** An SVG path through the points, broken at gaps. */
function path(curve, values, toX, toY) {
  let pen = false, drawn = "";
  values.forEach((value, index) => {
    if (value === null) { pen = false; return; }
    drawn += `${pen ? "L" : "M"}${toX(curve.x[index]).toFixed(1)} ${toY(value).toFixed(1)}`;
    pen = true;
  });
  return drawn;
}

function svg(name, attributes, parent) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}

function element(name, className, text, parent) {
  const node = document.createElement(name);
  if (className) node.className = className;
  // Model text reaches the page here and nowhere else, and always as text.
  if (text !== undefined && text !== null) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function drawAxes(image, area, toX, toY, boundaries) {
  for (const value of ticks(area.low, area.high, 5)) {
    svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: toY(value), y2: toY(value) }, image);
    svg("text", { x: LEFT - 5, y: toY(value) + 3, "text-anchor": "end" }, image).textContent = short(value);
  }
  for (const value of ticks(area.left, area.right, 5)) {
    svg("text", { x: toX(value), y: HEIGHT - 6, "text-anchor": "middle" }, image).textContent = short(value);
  }
  for (const boundary of boundaries) {
    if (boundary.x <= area.left || boundary.x >= area.right) continue;
    svg("line", { class: "boundary", x1: toX(boundary.x), x2: toX(boundary.x), y1: TOP, y2: HEIGHT - BOTTOM }, image);
    svg("text", { x: toX(boundary.x) + 3, y: TOP + 9 }, image).textContent = boundary.stage;
  }
}

function drawCurve(image, curve, weight, toX, toY) {
  const colour = COLOURS[curve.run % COLOURS.length];
  const dash = curve.run >= COLOURS.length ? "5 3" : "none";
  const line = { fill: "none", stroke: colour, "stroke-width": 1.6, "stroke-linejoin": "round", "stroke-dasharray": dash };
  if (weight > 0) svg("path", { ...line, class: "raw", d: path(curve, curve.y, toX, toY) }, image);
  svg("path", { ...line, d: path(curve, smooth(curve.y, weight), toX, toY) }, image);
  curve.x.forEach((x, index) => {
    const y = curve.y[index];
    if (y === null) return;
    const error = curve.error.length ? curve.error[index] : null;
    if (error) svg("line", { stroke: colour, x1: toX(x), x2: toX(x), y1: toY(y - error), y2: toY(y + error) }, image);
    if (curve.x.length <= 12) svg("circle", { fill: colour, cx: toX(x), cy: toY(y), r: 2.4 }, image);
  });
}

/** What stands under the pointer: the value of each curve nearest to `x`, if it reaches that far. */
function nearest(curves, x, reach) {
  const found = [];
  for (const curve of curves) {
    let best = -1;
    curve.x.forEach((step, index) => {
      if (curve.y[index] === null || Math.abs(step - x) > reach) return;
      if (best < 0 || Math.abs(step - x) < Math.abs(curve.x[best] - x)) best = index;
    });
    if (best >= 0) found.push({ run: curve.run, step: curve.x[best], value: curve.y[best] });
  }
  return found;
}

function drawChart(chart, context) {
  const box = element("div", "chart");
  const header = element("header", "", null, box);
  element("span", "", chart.name, header);
  const value = element("span", "value", "", header);
  const curves = chart.curves.filter((curve) => context.visible.has(curve.run));
  const image = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${chart.name} over steps` }, box);
  if (!curves.length) return box;
  const area = extent(curves);
  const toX = (x) => LEFT + ((x - area.left) / (area.right - area.left)) * (WIDTH - LEFT - RIGHT);
  const toY = (y) => TOP + ((area.high - y) / (area.high - area.low)) * (HEIGHT - TOP - BOTTOM);
  drawAxes(image, area, toX, toY, chart.joined ? context.boundaries : []);
  for (const curve of curves) drawCurve(image, curve, context.weight, toX, toY);
  const cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" }, image);
  image.addEventListener("pointermove", (event) => {
    const bounds = image.getBoundingClientRect();
    const share = (((event.clientX - bounds.left) / bounds.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
    const found = nearest(curves, area.left + share * (area.right - area.left), (area.right - area.left) / 20);
    cursor.setAttribute("visibility", found.length ? "visible" : "hidden");
    if (!found.length) { value.textContent = ""; return; }
    cursor.setAttribute("x1", toX(found[0].step)); cursor.setAttribute("x2", toX(found[0].step));
    const many = context.visible.size > 1;
    const values = found.map((hit) => (many ? `${context.names[hit.run]} ` : "") + short(hit.value));
    value.textContent = `step ${short(found[0].step)}: ${values.join(", ")}`;
  });
  image.addEventListener("pointerleave", () => { cursor.setAttribute("visibility", "hidden"); value.textContent = ""; });
  return box;
}

function drawCharts(report, host) {
  const context = { visible: new Set(report.runs.map((_, index) => index)), weight: 0, boundaries: report.boundaries, names: report.runs };
  const controls = element("div", "legend", null, host);
  const body = element("div", "", null, host);
  const redraw = () => {
    body.replaceChildren();
    let heading = null, grid = null;
    for (const chart of report.charts) {
      if (chart.group !== heading) {
        heading = chart.group;
        element("h3", "", heading, body);
        grid = element("div", "charts", null, body);
      }
      grid.append(drawChart(chart, context));
    }
    if (!report.charts.length) element("p", "lead", "No metrics have been written.", body);
  };
  report.runs.forEach((name, index) => {
    const label = element("label", "", null, controls);
    const box = element("input", "", null, label);
    box.type = "checkbox"; box.checked = true;
    box.addEventListener("change", () => { if (box.checked) context.visible.add(index); else context.visible.delete(index); redraw(); });
    const key = element("span", "key", null, label);
    key.style.background = COLOURS[index % COLOURS.length];
    label.append(name);
  });
  const label = element("label", "", "smoothing ", controls);
  const slider = element("input", "", null, label);
  Object.assign(slider, { type: "range", min: "0", max: "0.98", step: "0.02", value: "0" });
  slider.addEventListener("input", () => { context.weight = Number(slider.value); redraw(); });
  redraw();
}
