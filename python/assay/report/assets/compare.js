"use strict";

/** Where samples of a run's stage stand, as a reader calls it. */
function placeName(report, group) {
  return report.runs.length > 1 ? `${report.runs[group.run]} · ${group.stage}` : group.stage;
}

/** The places of a report in order, and for every prompt that occurs in several the last group of each place. */
function sharedPrompts(report) {
  const places = [];
  const prompts = new Map();
  report.groups.forEach((group, index) => {
    const place = placeName(report, group);
    if (!places.includes(place)) places.push(place);
    const key = JSON.stringify([group.prompt, group.reference]);
    if (!prompts.has(key)) prompts.set(key, new Map());
    prompts.get(key).set(place, index);
  });
  const shared = [...prompts.values()].filter((where) => where.size > 1);
  return { places: places.filter((place) => shared.some((where) => where.has(place))), shared };
}

/** How right a group is, in [0, 1]: its mean accuracy, or without that component its mean reward; null if nothing has a number. */
function rightness(group) {
  const values = group.samples
    .map((sample) => ("accuracy" in sample.components ? sample.components.accuracy : sample.total))
    .filter((value) => value !== null);
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}

/** What became of a prompt from one group to another: `better`, `worse`, `same`, or `unknown` without numbers. */
function change(before, after) {
  const [first, second] = [rightness(before), rightness(after)];
  if (first === null || second === null) return "unknown";
  return second > first ? "better" : second < first ? "worse" : "same";
}

/** The prompts that both places have, with the groups there and what changed. */
function pairsOf(report, shared, left, right) {
  return shared
    .filter((where) => where.has(left) && where.has(right))
    .map((where) => {
      const [before, after] = [report.groups[where.get(left)], report.groups[where.get(right)]];
      return { before, after, change: change(before, after) };
    });
}

const CHANGES = { better: "better", worse: "worse", same: "unchanged", unknown: "no number" };

function drawSide(report, group, title, host) {
  const side = element("div", "side", null, host);
  element("h3", "", `${title} · step ${short(group.step)} · ${short(rightness(group))} right`, side);
  const largest = Math.max(0, ...group.samples.map((sample) => Math.abs(sample.advantage || 0)));
  for (const sample of group.samples) side.append(drawSample(report, group, sample, largest, null));
}

function drawComparison(report, host) {
  const { places, shared } = sharedPrompts(report);
  const state = { left: places[0], right: places[places.length - 1], change: "", at: 0 };
  const bar = element("div", "filters", null, host);
  const count = element("p", "lead", "", host);
  const columns = element("div", "traces", null, host);
  const list = element("div", "list", null, columns);
  const reader = element("div", "reader", null, columns);
  const draw = (pair) => {
    reader.replaceChildren();
    if (!pair) { element("p", "lead", "No prompt passes the filters.", reader); return; }
    const prompt = element("div", "prompt", null, reader);
    element("div", "text", pair.before.prompt, prompt);
    element("p", "", `reference: ${pair.before.reference || "none"}`, reader);
    const sides = element("div", "sides", null, reader);
    drawSide(report, pair.before, state.left, sides);
    drawSide(report, pair.after, state.right, sides);
  };
  const redraw = () => {
    const all = pairsOf(report, shared, state.left, state.right);
    const pairs = all.filter((pair) => !state.change || pair.change === state.change);
    const tally = Object.keys(CHANGES).map((name) => [name, all.filter((pair) => pair.change === name).length]).filter(([, n]) => n);
    count.textContent = `${all.length} prompts in both: ${tally.map(([name, n]) => `${n} ${CHANGES[name]}`).join(", ")}`;
    list.replaceChildren();
    if (!pairs.length) element("div", "empty", "No prompt passes the filters.", list);
    state.at = Math.min(state.at, Math.max(pairs.length - 1, 0));
    pairs.slice(0, PAGE).forEach((pair, index) => {
      const button = element("button", "", null, list);
      button.type = "button";
      button.setAttribute("aria-current", String(index === state.at));
      const where = element("span", "where", null, button);
      element("span", `change ${pair.change}`, CHANGES[pair.change], where);
      element("span", "", `${short(rightness(pair.before))} → ${short(rightness(pair.after))}`, where);
      element("span", "line", pair.before.prompt.trim().split("\n").pop(), button);
      button.addEventListener("click", () => {
        state.at = index;
        for (const other of list.querySelectorAll("button")) other.setAttribute("aria-current", String(other === button));
        draw(pair);
      });
    });
    draw(pairs[state.at]);
  };
  const choice = (label, name, options) => {
    const select = element("select", "", null, element("label", "", label, bar));
    for (const [value, text] of options) element("option", "", text, select).value = value;
    select.value = state[name];
    select.addEventListener("input", () => { state[name] = select.value; state.at = 0; redraw(); });
  };
  choice("left", "left", places.map((place) => [place, place]));
  choice("right", "right", places.map((place) => [place, place]));
  choice("change", "change", [["", "all"], ...Object.entries(CHANGES)]);
  redraw();
}
