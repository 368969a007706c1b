// The jobs that the page knows: those of the archive, those that events tell of, and the uploads of this page.
//
// There is one store, outside of the views, so that uploads go on while the reader looks at a transcript. Views
// subscribe; they are told once for each frame, however many events come.

import { ApiError, events, FINAL, get, request } from "../api.js";
import { clear, merged, onEvent as applied, rowOf } from "./rows.js";
import { enqueue } from "./uploads.js";

const PAGE_SIZE = 20;
const SETTLE_MS = 600;
const POLL_MS = 5_000;
const ARCHIVE_LAG_MS = 10_000;

const state = {
  rows: [], // newest first
  next: null, // the archive's cursor
  isDeep: false, // the reader has asked for more than the first page
  archive: "on", // or "off"
  isLoading: false,
  isConnected: true,
  isPolling: false,
  failure: null, // why the list could not be read
  filter: { phase: "", name: "" },
  announcement: "",
};
const listeners = new Set();
let isDrawing = false;
let closeEvents = null;
let refreshTimer = null;
let pollTimer = null;
let reads = 0;

export const current = () => state;

/** Call `listener` after changes; return a function that stops it. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Tell the views, once for each frame. */
export function changed() {
  if (isDrawing) return;
  isDrawing = true;
  const draw = () => {
    isDrawing = false;
    listeners.forEach(listener => listener());
  };
  if (document.hidden) setTimeout(draw, 250);
  else requestAnimationFrame(draw);
}

/** Say something to readers who do not see the page: the end of a job, and not its progress. */
export function announce(text) {
  state.announcement = text;
  changed();
}

/** Read the list, and follow all jobs until the returned function is called. */
export function follow({ hasArchive, onEnded }) {
  state.archive = hasArchive ? "on" : "off";
  refresh();
  closeEvents = events("/v1/events", {
    onEvent: (phase, event) => onEvent(event, onEnded),
    onState: isConnected => {
      if (isConnected && state.isConnected === false) refresh(); // what was missed
      state.isConnected = isConnected;
      if (isConnected) stopPolling();
      changed();
    },
    onFailure: () => {
      state.isPolling = true;
      pollTimer ??= setInterval(refresh, POLL_MS);
      changed();
    },
  });
  return () => {
    closeEvents();
    clearTimeout(refreshTimer);
    stopPolling();
  };
}

function stopPolling() {
  clearInterval(pollTimer);
  pollTimer = null;
  state.isPolling = false;
}

/** Show only the jobs of a filter: {phase, name}. */
export function setFilter(filter) {
  state.filter = { ...state.filter, ...filter };
  state.next = null;
  state.isDeep = false;
  state.rows = state.rows.filter(row => row.upload);
  refresh();
}

/** Read the newest jobs, or with a cursor the next older ones. */
export async function refresh({ cursor = null } = {}) {
  if (state.archive === "off") {
    await readEach();
    return;
  }
  const read = ++reads;
  state.isLoading = true;
  changed();
  try {
    const answer = await get(`/v1/jobs?${parameters(cursor)}`);
    if (read !== reads) return;
    state.failure = null;
    take(answer.jobs);
    if (!cursor) dropDeleted(answer);
    // A refresh reads the first page again, and does not forget how far the reader went.
    if (cursor || !state.isDeep) state.next = answer.next ?? null;
    state.isDeep ||= cursor !== null;
  } catch (error) {
    if (read !== reads) return;
    if (!(error instanceof ApiError)) throw error;
    state.failure = error.status === 401 ? null : error;
  } finally {
    if (read === reads) {
      state.isLoading = false;
      changed();
    }
  }
}

export const more = () => refresh({ cursor: state.next });

function parameters(cursor) {
  const { phase, name } = state.filter;
  const given = { limit: PAGE_SIZE, ...(phase && { phase }), ...(name && { name }), ...(cursor && { cursor }) };
  return new URLSearchParams(given);
}

/** Without an archive, read each known job by itself: events alone tell no result. */
const readEach = () => Promise.all(state.rows.filter(row => row.id && !row.isRead).map(readOne));

async function readOne(row) {
  try {
    const job = await get(`/v1/jobs/${row.id}`);
    merged(row, {
      ...job,
      text_preview: job.text?.slice(0, 200),
      created_at: job.accepted_at,
      finished_at: job.transcribed_at,
    });
    row.isRead = FINAL.has(row.phase);
  } catch (error) {
    if (error.status === 404) remove(row);
  }
  changed();
}

/** Read what was heard before the reader came; from then on, events tell. */
async function readText(row) {
  const job = await get(`/v1/jobs/${row.id}`).catch(() => null);
  if (!job?.text || row.text || FINAL.has(row.phase)) return;
  row.text = job.text;
  row.heard = [...job.text].length;
  changed();
}

function take(jobs) {
  for (const job of jobs) {
    const row = state.rows.find(each => each.id === job.job_id);
    if (row) merged(row, job);
    else state.rows.push(rowOf(job));
  }
  state.rows.filter(each => each.id && !each.text && !FINAL.has(each.phase)).forEach(readText);
  sort();
}

/** Forget jobs that the archive no longer lists, unless it may not have heard of their end yet. */
function dropDeleted({ jobs, next }) {
  const listed = new Set(jobs.map(job => job.job_id));
  const oldest = next ? Math.min(...jobs.map(job => Date.parse(job.created_at))) : 0;
  const isKept = row => !row.id || listed.has(row.id) || row.createdAt < oldest || !FINAL.has(row.phase)
    || Date.now() - row.changedAt < ARCHIVE_LAG_MS;
  state.rows = state.rows.filter(isKept);
}

function sort() {
  state.rows.sort((a, b) => b.createdAt - a.createdAt); // stable: equal ones stay in the archive's order
}

function onEvent(event, onEnded) {
  let row = state.rows.find(each => each.id === event.job_id);
  if (!row) {
    if (state.filter.phase || state.filter.name) return;
    row = rowOf({ job_id: event.job_id, created_at: event.occurred_at, phase: event.phase, metadata: event.metadata });
    state.rows.push(row);
    sort();
    settle();
  }
  const wasFinal = FINAL.has(row.phase);
  applied(row, event);
  if (FINAL.has(row.phase) && !wasFinal) {
    onEnded(row);
    if (state.archive === "on") settle(); // it learns the result a moment later
    else readOne(row);
  }
  changed();
}

/** Read the list again soon, once for many events. */
function settle() {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, SETTLE_MS);
}

/** Add files as jobs: [{file, name}]. Several are sent at a time, the others wait. */
export function addFiles(files, options, limits) {
  for (const { file, name } of files) {
    const row = rowOf({ created_at: new Date().toISOString(), phase: "uploading", name: name ?? file.name });
    row.upload = { file, options, key: crypto.randomUUID?.() ?? `page-${Date.now()}-${Math.random()}`, sent: 0 };
    row.upload.limitBytes = limits.uploadBytes;
    state.rows.unshift(row);
    enqueue(row, { changed, adopt });
  }
  changed();
}

/** Send a file of this page again: the same job, unless it never was one. */
export function again(row) {
  clear(row);
  row.createdAt = Date.now();
  row.phase = "uploading";
  row.upload.sent = 0;
  enqueue(row, { changed, adopt });
  sort();
  changed();
}

/** An upload has become a job; its first events may have come before the answer. */
function adopt(row, jobId) {
  const early = state.rows.find(each => each !== row && each.id === jobId);
  row.id = jobId;
  if (!early) return;
  state.rows = state.rows.filter(each => each !== early);
  Object.assign(row, { phase: early.phase, fraction: early.fraction, text: early.text, failure: early.failure });
}

/** Cancel a job that runs, or an upload. */
export async function cancel(row) {
  if (!row.id) {
    row.upload.sending?.abort();
    row.upload.isCancelled = true;
    remove(row);
    return;
  }
  await request("DELETE", `/v1/jobs/${row.id}`);
}

/** Delete a job that has ended, with what is stored for it. */
export async function erase(row) {
  if (row.id) {
    try {
      await request("DELETE", `/v1/jobs/${row.id}`);
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  remove(row);
}

function remove(row) {
  state.rows = state.rows.filter(each => each !== row);
  changed();
}

/** Return whether leaving the page would lose an upload. */
export const isSending = () => state.rows.some(row => row.phase === "uploading");
