// Sending files: a few at a time, each with its progress, as jobs of POST /v1/jobs.

import { ApiError, upload } from "../api.js";

const AT_ONCE = 3;
const waiting = [];
let sending = 0;

/** Send the file of a row when its turn comes. `adopt(row, jobId)` is called once it is a job. */
export function enqueue(row, { changed, adopt }) {
  waiting.push(async () => {
    if (row.upload.isCancelled) return;
    try {
      const answer = await send(row, changed);
      row.phase = "accepted";
      adopt(row, answer.job_id);
    } catch (error) {
      if (error.name === "AbortError") return;
      row.phase = "failed";
      row.failure = error;
      if (error.reason === "idempotency_key_reused") row.upload.key += "+";
    }
    row.upload.sending = null;
    changed();
  });
  next();
}

async function next() {
  if (sending >= AT_ONCE || !waiting.length) return;
  sending += 1;
  await waiting.shift()();
  sending -= 1;
  next();
}

function send(row, changed) {
  const { file, options, key, limitBytes } = row.upload;
  if (!file.size) throw new ApiError(422, "audio_empty", "");
  if (limitBytes && file.size > limitBytes) throw new ApiError(413, "audio_too_large", "");
  row.upload.sending = upload("/v1/jobs", formOf(file, row.name, options), {
    key,
    onProgress: share => {
      row.upload.sent = share;
      changed();
    },
  });
  changed();
  return row.upload.sending;
}

/** Return the form of a job. The file comes last: what is wrong with a field is answered before it is sent. */
function formOf(file, name, options) {
  const form = new FormData();
  form.set("lane", "interactive");
  if (options.language) form.set("language", options.language);
  if (options.words) form.set("word_timestamps", "true");
  if (options.split) form.set("channels", "split");
  if (options.hotwords) form.set("hotwords", options.hotwords);
  if (options.profiles?.length) form.set("profiles", options.profiles.join(","));
  if (options.instruction) form.set("instruction", options.instruction);
  form.set("file", file, name);
  return form;
}
