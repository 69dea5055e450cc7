"use strict";

const STATUS_COLOURS = { scored: "#009e73", undecided: "#e69f00", limit: "#56b4e9", invalid_reference: "#cc79a7", unavailable: "#d55e00" };

function table(columns, rows, host) {
  const scroll = element("div", "scroll", null, host);
  const made = element("table", "", null, scroll);
  const head = element("tr", "", null, element("thead", "", null, made));
  for (const column of columns) element("th", column.number ? "number" : "", column.title, head);
  const body = element("tbody", "", null, made);
  for (const row of rows) {
    const line = element("tr", "", null, body);
    for (const column of columns) {
      const cell = element("td", column.number ? "number" : "", null, line);
      column.draw(row, cell);
    }
  }
}

const textColumn = (title, name) => ({ title, draw: (row, cell) => { cell.textContent = row[name]; } });
const numberColumn = (title, name) => ({ title, number: true, draw: (row, cell) => { cell.textContent = short(row[name]); } });
const pairColumn = (title, name) => ({
  title, number: true,
  draw: (row, cell) => {
    const pair = row[name];
    if (!pair) cell.textContent = "–";
    else cell.textContent = row.steps > 1 ? `${short(pair[0])} → ${short(pair[1])}` : short(pair[1]);
  },
});

function drawBeforeAfter(report, host) {
  const many = report.runs.length > 1;
  table([
    ...(many ? [textColumn("run", "run")] : []),
    textColumn("metric", "metric"),
    { title: "before", number: true, draw: (row, cell) => { cell.textContent = withError(row.before, row.before_error); } },
    { title: "after", number: true, draw: (row, cell) => { cell.textContent = withError(row.after, row.after_error); } },
    { title: "change", number: true, draw: (row, cell) => {
      if (row.before === null || row.after === null) { cell.textContent = "–"; return; }
      const change = row.after - row.before;
      cell.textContent = (change > 0 ? "+" : "") + short(change);
    } },
  ], report.before_after, host);
}

function drawStages(report, host) {
  const many = report.runs.length > 1;
  const pairs = report.columns.map((name) => pairColumn(name, name)).filter((column) => report.stages.some((row) => row[column.title]));
  table([
    ...(many ? [textColumn("run", "run")] : []), textColumn("stage", "stage"), textColumn("kind", "kind"),
    numberColumn("steps", "steps"), numberColumn("seconds", "seconds"),
    ...(report.stages.some((row) => row["CPU seconds"] !== null) ? [numberColumn("CPU seconds", "CPU seconds")] : []), ...pairs,
  ], report.stages, host);
  element("p", "lead", "a → b: mean over the first and over the last tenth of the stage's rows.", host);
}

function drawStatuses(report, host) {
  const many = report.runs.length > 1;
  const names = [...new Set(report.statuses.flatMap((row) => Object.keys(row.counts)))];
  const order = [...Object.keys(STATUS_COLOURS), ...names].filter((name, index, all) => names.includes(name) && all.indexOf(name) === index);
  table([
    ...(many ? [textColumn("run", "run")] : []), textColumn("stage", "stage"),
    ...order.map((name) => ({ title: name, number: true, draw: (row, cell) => { cell.textContent = short(row.counts[name] || 0); } })),
    { title: "share", draw: (row, cell) => {
      const stack = element("div", "stack", null, cell);
      for (const name of order) {
        const part = element("span", "", null, stack);
        part.style.flex = String(row.counts[name] || 0);
        part.style.background = STATUS_COLOURS[name] || "#7f7f7f";
        part.title = name;
      }
    } },
    textColumn("counted in", "source"),
  ], report.statuses, host);
}

function section(id, title, host) {
  const made = element("section", "", null, host);
  made.id = id;
  element("h2", "", title, made);
  return made;
}

/** The sections of a report in order: id, title, whether there is anything to show, and what draws it. */
const SECTIONS = [
  ["alarms", "Alarms", (report) => report.alarms.length, drawAlarms],
  ["before-after", "Before and after", (report) => report.before_after.length, drawBeforeAfter],
  ["evaluations", "Evaluations", (report) => report.evaluations.length, drawEvaluations],
  ["stages", "Stages", (report) => report.stages.length, drawStages],
  ["cost", "Cost beside the plan", (report) => report.costs.length, drawCosts],
  ["curves", "Curves", () => true, drawCharts],
  ["decisions", "What was collected", (report) => report.decisions.length, drawDecisions],
  ["statuses", "How items were scored", (report) => report.statuses.length, drawStatuses],
  ["compare", "Side by side", (report) => sharedPrompts(report).places.length > 1, drawComparison],
  ["traces", "Traces", () => true, drawTraces],
];

function drawPage(report) {
  const host = document.getElementById("page");
  host.replaceChildren();
  loadReviews(report);
  const top = element("header", "top", null, host);
  element("h1", "", report.title, top);
  element("p", "lead", report.subtitle, top);
  for (const about of report.descriptions) element("p", "about", about, top);
  const shown = SECTIONS.filter(([, , there]) => there(report));
  const contents = element("nav", "", null, top);
  for (const [id, title] of shown) {
    // No link: the address holds the filters of the traces.
    const button = element("button", id === "alarms" ? "jump alarm" : "jump", id === "alarms" ? `${title} (${report.alarms.length})` : title, contents);
    button.type = "button";
    button.addEventListener("click", () => document.getElementById(id).scrollIntoView({ behavior: "smooth" }));
  }
  if (report.notes.length) {
    const list = element("ul", "", null, element("div", "notes", null, host));
    for (const note of report.notes) element("li", "", note, list);
  }
  for (const [id, title, , draw] of shown) draw(report, section(id, title, host));
  for (const recipe of report.recipes) {
    const made = section("recipe", `Settings of ${recipe.run}`, host);
    const details = element("details", "", null, made);
    element("summary", "", "the resolved recipe", details);
    element("pre", "", recipe.text, details);
  }
}

drawPage(JSON.parse(document.getElementById("report").textContent));
