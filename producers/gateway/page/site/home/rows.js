// One row of the list: what is known of a job. Functions on values, without requests.

import { FINAL } from "../api.js";

const ORDER = ["uploading", "accepted", "fetching", "decoding", "transcribing", "retrying", "enriching"];
let count = 0;

/** Return the row of a job as `GET /v1/jobs` tells it, or of as much of one as is known. */
export function rowOf(job) {
  count += 1;
  const row = { id: job.job_id ?? null, key: `row-${count}`, createdAt: Date.now(), changedAt: 0, text: "", heard: 0 };
  return merged(row, job, { isNew: true });
}

/** Take what a summary tells. Events may have told of a later phase already. */
export function merged(row, job, { isNew = false } = {}) {
  row.name = row.upload ? row.name : (job.name ?? row.name ?? null);
  row.createdAt = row.upload ? row.createdAt : (time(job.created_at) ?? row.createdAt);
  row.finishedAt = time(job.finished_at) ?? row.finishedAt ?? null;
  row.status = job.status ?? row.status ?? null;
  row.language = job.language ?? row.language ?? null;
  row.duration = job.audio_duration_seconds ?? row.duration ?? null;
  row.flags = job.flags ?? row.flags ?? [];
  row.preview = job.text_preview ?? row.preview ?? "";
  row.enrichments = job.enrichment_count ?? row.enrichments ?? 0;
  row.metadata = job.metadata ?? row.metadata ?? {};
  if (isNew || isLater(job.phase, row.phase)) {
    row.phase = job.phase;
    row.fraction = job.fraction ?? row.fraction ?? null;
    row.failure = job.failure ?? null;
  } else if (job.phase === row.phase && job.failure) {
    row.failure = job.failure; // with what to do about it
  }
  return row;
}

/** Take an event of the job's stream. */
export function onEvent(row, event) {
  if (event.phase === "accepted" && FINAL.has(row.phase)) clear(row); // requested again
  row.phase = event.phase;
  row.changedAt = Date.now();
  row.fraction = event.fraction ?? (event.phase === "completed" ? 1 : row.fraction);
  row.failure = event.failure ?? null;
  if (event.phase === "retrying") Object.assign(row, { text: "", heard: 0 });
  if (event.text) append(row, event.text, event.text_offset ?? row.heard);
}

/** Forget what an earlier attempt told. */
export function clear(row) {
  Object.assign(row, { fraction: null, failure: null, text: "", heard: 0, preview: "", isRead: false });
}

function append(row, text, offset) {
  // Offsets count characters, and texts of this language count UTF-16 units.
  const characters = [...text];
  if (offset === row.heard) row.text += text;
  else if (offset < row.heard) row.text = [...row.text].slice(0, offset).join("") + text;
  else row.text += ` … ${text}`; // an event is missing
  row.heard = offset + characters.length;
}

function isLater(phase, known) {
  if (phase === undefined || phase === known) return false;
  if (FINAL.has(known)) return FINAL.has(phase);
  return FINAL.has(phase) || ORDER.indexOf(phase) >= ORDER.indexOf(known);
}

function time(text) {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? null : ms;
}
