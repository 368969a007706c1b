// Requests to the gateway that serves the page: JSON, uploads with progress, server-sent events.
//
// Where keys are required, the cookie of `POST /v1/session` goes along by itself. A 401 leads to the sign-in.

export const PHASES = [
  "accepted", "fetching", "decoding", "transcribing", "enriching", "retrying", "completed", "failed", "cancelled",
];
export const FINAL = new Set(["completed", "failed", "cancelled"]);

/** A refusal of the gateway, or a connection that failed (`reason` is then "offline", `status` 0). */
export class ApiError extends Error {
  constructor(status, reason, message, retrySeconds = null) {
    super(message);
    Object.assign(this, { status, reason, retrySeconds });
  }
}

let onRefused = () => {};

/** Call `listener` whenever a request is refused for want of a key. */
export function onSignedOut(listener) {
  onRefused = listener;
}

/** Send a request and return the JSON of its answer (null for 204). Raises ApiError; AbortError when aborted. */
export async function request(method, path, { body, headers, signal } = {}) {
  const answer = await raw(method, path, { body, headers, signal });
  return answer.status === 204 ? null : answer.json();
}

/** Send a request and return its Response, once its status is a success. Raises ApiError. */
export async function raw(method, path, { body, headers, signal } = {}) {
  let answer;
  try {
    answer = await fetch(path, { method, body, headers, signal, credentials: "same-origin", cache: "no-cache" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "offline", "");
  }
  if (!answer.ok) throw refused(answer.status, await answer.text(), answer.headers.get("Retry-After"));
  return answer;
}

export const get = (path, options) => request("GET", path, options);

/** Upload a form; `onProgress` gets the share that is sent, from 0 to 1. Returns a promise with `abort()`. */
export function upload(path, form, { key, onProgress }) {
  const sending = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    sending.upload.addEventListener("progress", event => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    sending.addEventListener("load", () => {
      if (sending.status >= 200 && sending.status < 300) resolve(JSON.parse(sending.responseText));
      else reject(refused(sending.status, sending.responseText, sending.getResponseHeader("Retry-After")));
    });
    sending.addEventListener("error", () => reject(new ApiError(0, "offline", "")));
    sending.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    sending.open("POST", path);
    sending.setRequestHeader("Idempotency-Key", key);
    sending.send(form);
  });
  return Object.assign(done, { abort: () => sending.abort() });
}

/**
 * Follow a stream of events, and connect again whenever it ends, after the last event that arrived.
 *
 * `onEvent(name, data)` gets each event, `onState(isConnected)` each change. Returns a function that ends it. With
 * `ends`, the stream is over after a final event (204). `onFailure` is called once when it cannot be had at all.
 */
export function events(path, { onEvent, onState = () => {}, onFailure = () => {}, ends = false }) {
  let source = null;
  let last = "";
  let timer = null;
  let failures = 0;
  const open = () => {
    source = new EventSource(last ? `${path}?last_event_id=${encodeURIComponent(last)}` : path);
    source.addEventListener("open", () => {
      failures = 0;
      onState(true);
    });
    for (const phase of PHASES) {
      source.addEventListener(phase, event => {
        last = event.lastEventId || last;
        onEvent(phase, JSON.parse(event.data));
        if (ends && FINAL.has(phase)) close();
      });
    }
    source.addEventListener("cut_off", event => {
      if (JSON.parse(event.data).reason === "cursor_gone") last = "";
    });
    source.addEventListener("error", () => {
      onState(false);
      // An EventSource connects again by itself with Last-Event-ID, unless an answer was a refusal or a 204.
      if (source.readyState !== EventSource.CLOSED) return;
      failures += 1;
      last = failures > 1 ? "" : last; // the refusal may have been of a cursor that retention overtook
      if (failures === 3) onFailure();
      timer = setTimeout(open, Math.min(30_000, 1_000 * 2 ** failures));
    });
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
  };
  open();
  return close;
}

function refused(status, text, retryAfter) {
  let error = {};
  try {
    error = JSON.parse(text).error ?? {};
  } catch {
    // A proxy before the gateway answers with a page of its own.
  }
  const retrySeconds = retryAfter === null ? null : Number(retryAfter) || null;
  const refusal = new ApiError(status, error.reason ?? `http_${status}`, error.message ?? "", retrySeconds);
  if (status === 401) onRefused(refusal);
  return refusal;
}
