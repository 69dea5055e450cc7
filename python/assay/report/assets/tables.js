"use strict";

/** Seconds as a person says them. */
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${short(seconds * 1000)} ms`;
  if (seconds < 600) return `${short(seconds)} s`;
  if (seconds < 36000) return `${short(seconds / 60)} min`;
  return `${short(seconds / 3600)} h`;
}

function withError(value, error) {
  return error === null || error === undefined ? short(value) : `${short(value)} ± ${short(error)}`;
}

/** Planned over measured, less 1, as a signed share; a dash if either is missing. */
function planError(planned, measured) {
  if (planned === null || measured === null || !measured) return "–";
  const error = planned / measured - 1;
  return `${error > 0 ? "+" : ""}${Math.round(100 * error)} %`;
}

function drawEvaluations(report, host) {
  const many = report.runs.length > 1;
  const has = (name) => report.evaluations.some((row) => row[name] !== null);
  const column = (title, name, draw) => ({ title, number: true, draw: (row, cell) => { cell.textContent = draw ? draw(row) : withError(row[name], row[`${name}_error`]); } });
  table([
    ...(many ? [textColumn("run", "run")] : []), textColumn("stage", "stage"), column("problems", "n"), column("accuracy", "accuracy"),
    ...(has("clean") ? [column("not in the training data", "clean")] : []),
    ...(has("pass") ? [column("pass@k", "pass", (row) => (row.pass_k === null ? "–" : `@${row.pass_k} ${withError(row.pass, row.pass_error)}`))] : []),
    ...(has("cons") ? [column("cons@k", "cons", (row) => (row.cons_k === null ? "–" : `@${row.cons_k} ${withError(row.cons, row.cons_error)}`))] : []),
    column("length", "length"), column("thinks", "thinks"), ...(has("cut off") ? [column("cut off", "cut off")] : []),
    ...(has("unjudged") ? [column("not judged", "unjudged")] : []),
  ], report.evaluations, host);
}

function drawAlarms(report, host) {
  const many = report.runs.length > 1;
  table([
    ...(many ? [textColumn("run", "run")] : []), textColumn("stage", "stage"), numberColumn("step", "step"),
    { title: "alarm", draw: (row, cell) => element("strong", "down", row.alarm, cell) }, textColumn("what happened", "message"),
    { title: "figures", draw: (row, cell) => { cell.textContent = Object.entries(row.figures).map(([name, value]) => `${name} ${short(value)}`).join(", "); } },
  ], report.alarms, host);
}

function drawCosts(report, host) {
  const many = report.runs.length > 1;
  const time = (title, name) => ({ title, number: true, draw: (row, cell) => { cell.textContent = duration(row[name]); } });
  const priced = report.costs.some((row) => row["planned dollars"] !== null);
  table([
    ...(many ? [textColumn("run", "run")] : []), textColumn("stage", "stage"), time("planned", "planned"), time("took", "seconds"),
    { title: "error", number: true, draw: (row, cell) => { cell.textContent = planError(row.planned, row.seconds); } },
    ...(report.costs.some((row) => row["CPU seconds"] !== null) ? [
      time("CPU time", "CPU seconds"),
      { title: "error", number: true, draw: (row, cell) => { cell.textContent = planError(row.planned, row["CPU seconds"]); } },
    ] : []),
    numberColumn("device hours planned", "planned hours"), numberColumn("used", "measured hours"),
    ...(priced ? [numberColumn("dollars planned", "planned dollars"), numberColumn("spent", "measured dollars")] : []),
    textColumn("planned bottleneck", "bottleneck"),
  ], report.costs, host);
  element("p", "lead", `Planned for ${report.hardware.join("; ")}, over the steps that were made (assay plan RUN).`, host);
}

function drawDecisions(report, host) {
  const many = report.runs.length > 1;
  for (const row of report.decisions) {
    const total = row.kept + Object.values(row.rejected).reduce((sum, count) => sum + count, 0);
    const box = element("div", "decision", null, host);
    element("h3", "", `${many ? `${row.run} · ` : ""}${row.stage}: ${short(row.kept)} of ${short(total)} samples of ${row.model} kept`, box);
    const grid = element("div", "bars", null, box);
    for (const [name, count] of [["kept", row.kept], ...Object.entries(row.rejected)]) {
      element("span", "", name, grid);
      const bar = element("span", "hbar", null, grid);
      const fill = element("i", name === "kept" ? "kept" : "", null, bar);
      fill.style.width = `${total ? (100 * count) / total : 0}%`;
      element("span", "amount", `${short(count)} · ${total ? Math.round((100 * count) / total) : 0} %`, grid);
    }
  }
}
