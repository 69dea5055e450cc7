"use strict";

/** The marks of this page by sample: `{ run, row }`, where `row` is what a line of reviews.jsonl holds. */
const REVIEWS = new Map();

/** What names a sample: its run's position, stage, step, group and index. */
function sampleKey(group, sample) {
  return JSON.stringify([group.run, group.stage, group.step, String(group.id), sample.index]);
}

/** The line of reviews.jsonl for a sample; a group whose id is a whole number keeps it as a number. */
function reviewRow(group, sample, mark, note) {
  const id = /^-?\d{1,15}$/.test(group.id) ? Number(group.id) : group.id;
  return { stage: group.stage, step: group.step, group_id: id, index: sample.index, mark, note };
}

/** The lines for one run, as they are downloaded. */
function reviewLines(reviews, run) {
  return [...reviews.values()].filter((entry) => entry.run === run).map((entry) => `${JSON.stringify(entry.row)}\n`).join("");
}

/** Marks as the run's file has them, into the map; the last mark of a sample counts. */
function takeReviews(reviews, rows) {
  for (const { run, ...row } of rows) {
    reviews.set(JSON.stringify([run, row.stage, row.step, String(row.group_id), row.index]), { run, row });
  }
}

function storageName(report) { return `assay-reviews:${report.title}`; }

/** A page that was opened again shows what was marked before; a browser that keeps nothing for files shows the run's own. */
function loadReviews(report) {
  takeReviews(REVIEWS, report.reviews);
  if (report.token) return;
  try {
    takeReviews(REVIEWS, JSON.parse(window.localStorage.getItem(storageName(report)) || "[]"));
  } catch { /* nothing kept */ }
}

function keepReviews(report) {
  try {
    window.localStorage.setItem(storageName(report), JSON.stringify([...REVIEWS.values()].map((entry) => ({ run: entry.run, ...entry.row }))));
  } catch { /* the download is there */ }
}

/** Marks a sample; with `assay report --serve` the mark is in the run's folder before it counts here. */
async function setReview(report, group, sample, mark, note) {
  const row = reviewRow(group, sample, mark, note);
  if (report.token) {
    const answer = await fetch("reviews", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Review-Token": report.token },
      body: JSON.stringify({ run: group.run, review: row }),
    }).catch(() => null);
    if (!answer || !answer.ok) {
      showReviewState(report, answer ? `not saved: ${(await answer.text()).slice(0, 200)}` : "not saved: the server is gone; start assay report --serve again");
      return false;
    }
  }
  REVIEWS.set(sampleKey(group, sample), { run: group.run, row });
  keepReviews(report);
  showReviewState(report, "");
  return true;
}

function showReviewState(report, problem) {
  const host = document.getElementById("review-state");
  if (!host) return;
  host.replaceChildren();
  const tally = { accept: 0, reject: 0, note: 0 };
  for (const entry of REVIEWS.values()) tally[entry.row.mark] = (tally[entry.row.mark] || 0) + 1;
  const shown = Object.entries(tally).filter(([, count]) => count).map(([mark, count]) => `${count} ${{ accept: "accepted", reject: "rejected", note: "noted" }[mark]}`);
  element("span", problem ? "down" : "", problem || (shown.length ? `Reviewed: ${shown.join(", ")}.` : "No sample has been reviewed. Accept, reject or annotate samples below."), host);
  if (report.token) { element("span", "soft", "Marks are saved in the run's reviews.jsonl.", host); return; }
  report.runs.forEach((name, run) => {
    const text = reviewLines(REVIEWS, run);
    if (!text) return;
    const button = element("button", "action", report.runs.length > 1 ? `Download reviews of ${name}` : "Download reviews.jsonl", host);
    button.type = "button";
    button.addEventListener("click", () => {
      const link = element("a", "", null, host);
      link.href = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
      link.download = report.runs.length > 1 ? `${name}-reviews.jsonl` : "reviews.jsonl";
      link.click();
      URL.revokeObjectURL(link.href);
      link.remove();
    });
  });
}

/** The buttons and the note under a sample. */
function drawReview(report, group, sample, card) {
  const bar = element("footer", "review", null, card);
  const buttons = {};
  const note = element("input", "", null);
  const show = () => {
    const entry = REVIEWS.get(sampleKey(group, sample));
    for (const [mark, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(!!entry && entry.row.mark === mark));
    card.dataset.mark = entry ? entry.row.mark : "";
  };
  const mark = async (name) => {
    bar.classList.add("busy");
    await setReview(report, group, sample, name, note.value);
    bar.classList.remove("busy");
    show();
  };
  for (const [name, label] of [["accept", "Accept"], ["reject", "Reject"]]) {
    const button = element("button", `mark ${name}`, label, bar);
    button.type = "button";
    button.addEventListener("click", () => mark(name));
    buttons[name] = button;
  }
  Object.assign(note, { type: "text", placeholder: "note", maxLength: 10000, ariaLabel: "note on this sample" });
  const before = REVIEWS.get(sampleKey(group, sample));
  note.value = before ? before.row.note || "" : "";
  note.addEventListener("change", () => {
    const entry = REVIEWS.get(sampleKey(group, sample));
    mark(entry ? entry.row.mark : "note");
  });
  bar.append(note);
  show();
}
