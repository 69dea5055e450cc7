"use strict";

const PAGE = 200;

/** What a stage that collects decided on a sample: `kept`, the reason of its rejection, or "" where nothing was decided. */
function decisionOf(sample) {
  return sample.rejected === undefined ? "" : sample.rejected || "kept";
}

/** Whether one sample passes the filters; an empty filter passes everything, a missing reward passes no bound. */
function sampleMatches(sample, filters) {
  if (filters.status && sample.status !== filters.status) return false;
  if (filters.decision && decisionOf(sample) !== filters.decision) return false;
  if (filters.min !== null && !(sample.total !== null && sample.total >= filters.min)) return false;
  if (filters.max !== null && !(sample.total !== null && sample.total <= filters.max)) return false;
  if (!filters.search) return true;
  const wanted = filters.search.toLowerCase();
  return sample.segments.some((segment) => segment[1].toLowerCase().includes(wanted)) || (sample.answer || "").toLowerCase().includes(wanted);
}

/** Whether a group stands where the filters say, and has a sample that passes them. */
function groupMatches(group, filters) {
  if (filters.run !== null && group.run !== filters.run) return false;
  if (filters.stage && group.stage !== filters.stage) return false;
  if (filters.from !== null && group.step < filters.from) return false;
  if (filters.to !== null && group.step > filters.to) return false;
  return group.samples.some((sample) => sampleMatches(sample, filters));
}

/** The mean reward of the samples that have one, or null. */
function meanTotal(group) {
  const totals = group.samples.map((sample) => sample.total).filter((total) => total !== null);
  return totals.length ? totals.reduce((sum, total) => sum + total, 0) / totals.length : null;
}

/** The filters that the page's address names, so that a view can be sent to someone. */
function filtersFromHash(hash) {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  const bound = (name) => (query.has(name) && query.get(name) !== "" && Number.isFinite(Number(query.get(name))) ? Number(query.get(name)) : null);
  return {
    run: bound("run"), stage: query.get("stage") || "", status: query.get("status") || "", decision: query.get("decision") || "", search: query.get("search") || "",
    from: bound("from"), to: bound("to"), min: bound("min"), max: bound("max"), group: bound("group") ?? 0,
  };
}

function hashFromFilters(filters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value !== null && value !== "") query.set(name, String(value));
  return `#${query}`;
}

function advantageBar(value, largest, parent) {
  const bar = element("div", "bar", null, parent);
  if (value === null || !largest) return;
  const mark = element("i", "", null, bar);
  const width = (Math.abs(value) / largest) * 50;
  mark.style.left = `${value < 0 ? 50 - width : 50}%`;
  mark.style.width = `${width}%`;
  mark.style.background = value < 0 ? "var(--bad)" : "var(--good)";
}

const LABELS = { think: "thinking", open_think: "thinking (never closed)", answer: "answer", text: "text" };

function drawSample(report, group, sample, largest, filters) {
  const card = element("article", !filters || sampleMatches(sample, filters) ? "sample" : "sample other");
  const header = element("header", "", null, card);
  element("span", "", `sample ${sample.index}`, header);
  element("span", "total", `reward ${short(sample.total)}`, header);
  element("span", sample.status === "scored" ? "status scored" : "status other-status", sample.status, header);
  const decision = decisionOf(sample);
  if (decision) element("p", decision === "kept" ? "decided kept" : "decided", decision === "kept" ? "kept in the dataset" : `rejected: ${decision}`, card);
  if (largest) advantageBar(sample.advantage, largest, card);
  const facts = element("dl", "", null, card);
  const fact = (name, value) => { element("dt", "", name, facts); element("dd", "", value, facts); };
  if (sample.advantage !== null) fact("advantage", short(sample.advantage));
  for (const [name, value] of Object.entries(sample.components)) fact(name, short(value));
  fact("answer", sample.answer === null ? "none found" : sample.answer);
  if (sample.reason) fact("reason", sample.reason);
  if (sample.length !== null) fact("length", `${short(sample.length)}${sample.finish ? `, finish: ${sample.finish}` : ""}`);
  for (const [kind, text] of sample.segments) {
    const piece = element("div", `piece ${kind}`, null, card);
    element("span", "label", LABELS[kind] || kind, piece);
    element("div", "text", text, piece);
  }
  drawReview(report, group, sample, card);
  return card;
}

function drawGroup(group, report, filters, host) {
  host.replaceChildren();
  if (!group) { element("p", "lead", "Choose a group on the left.", host); return; }
  const place = report.runs.length > 1 ? `${report.runs[group.run]} · ` : "";
  element("h3", "", `${place}${group.stage} · step ${short(group.step)} · group ${group.id} · ${group.samples.length} ${group.samples.length === 1 ? "sample" : "samples"} · mean reward ${short(meanTotal(group))}`, host);
  const prompt = element("div", "prompt", null, host);
  element("div", "text", group.prompt, prompt);
  element("p", "", `reference: ${group.reference || "none"}`, host);
  const largest = Math.max(0, ...group.samples.map((sample) => Math.abs(sample.advantage || 0)));
  const cards = element("div", "group", null, host);
  for (const sample of group.samples) cards.append(drawSample(report, group, sample, largest, filters));
}

function drawList(report, filters, host, choose) {
  host.replaceChildren();
  const found = report.groups.map((group, index) => [group, index]).filter(([group]) => groupMatches(group, filters));
  if (!found.length) element("div", "empty", report.groups.length ? "No group passes the filters." : "No samples have been written.", host);
  let shown = 0;
  const more = () => {
    for (const [group, index] of found.slice(shown, shown + PAGE)) {
      const button = element("button", "", null, host);
      button.dataset.group = index;
      if (index === filters.group) button.setAttribute("aria-current", "true");
      const where = element("span", "where", null, button);
      element("span", "", `${group.stage} · step ${short(group.step)}`, where);
      element("span", "", `reward ${short(meanTotal(group))}`, where);
      element("span", "line", group.prompt.trim().split("\n").pop(), button);
      button.addEventListener("click", () => choose(index));
    }
    shown += PAGE;
    if (shown < found.length) {
      const button = element("button", "", `${found.length - shown} more`, host);
      button.addEventListener("click", () => { button.remove(); more(); });
    }
  };
  more();
  return found;
}

function drawFilters(report, filters, host, changed) {
  const field = (label, name, build) => {
    const box = element("label", "", label, host);
    const input = build(box);
    input.name = name;
    const given = filters[name];
    input.value = given === null ? "" : given;
    input.addEventListener("input", () => {
      const numeric = input.type === "number" || name === "run";
      filters[name] = numeric ? (input.value === "" ? null : Number(input.value)) : input.value;
      changed();
    });
  };
  const choice = (options) => (box) => {
    const select = element("select", "", null, box);
    element("option", "", "all", select).value = "";
    for (const [value, text] of options) element("option", "", text, select).value = value;
    return select;
  };
  const input = (type) => (box) => { const made = element("input", "", null, box); made.type = type; made.step = "any"; return made; };
  const distinct = (values) => [...new Set(values)].map((value) => [value, value]);
  if (report.runs.length > 1) field("run", "run", choice(report.runs.map((name, index) => [index, name])));
  field("stage", "stage", choice(distinct(report.groups.map((group) => group.stage))));
  field("from step", "from", input("number"));
  field("to step", "to", input("number"));
  field("status", "status", choice(distinct(report.groups.flatMap((group) => group.samples.map((sample) => sample.status)))));
  if (report.decisions.length) field("decision", "decision", choice(distinct(report.groups.flatMap((group) => group.samples.map(decisionOf)).filter((name) => name))));
  field("reward from", "min", input("number"));
  field("reward to", "max", input("number"));
  field("text contains", "search", input("search"));
}

function drawTraces(report, host) {
  const state = element("p", "review-state", null, host);
  state.id = "review-state";
  showReviewState(report, "");
  const filters = filtersFromHash(window.location.hash);
  const bar = element("div", "filters", null, host);
  const count = element("p", "lead", "", host);
  const columns = element("div", "traces", null, host);
  const list = element("div", "list", null, columns);
  const reader = element("div", "reader", null, columns);
  const choose = (index) => {
    filters.group = index;
    window.history.replaceState(null, "", hashFromFilters(filters));
    for (const button of list.querySelectorAll("button[data-group]")) {
      button.setAttribute("aria-current", String(Number(button.dataset.group) === index));
    }
    drawGroup(report.groups[index], report, filters, reader);
  };
  const changed = () => {
    const found = drawList(report, filters, list, choose);
    count.textContent = `${found.length} of ${report.groups.length} groups`;
    if (found.length && !found.some(([, index]) => index === filters.group)) filters.group = found[0][1];
    if (found.length) choose(filters.group); else drawGroup(null, report, filters, reader);
  };
  drawFilters(report, filters, bar, changed);
  changed();
}
