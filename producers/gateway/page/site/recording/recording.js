// One recording: listen, read, look for words, take it away.

import { get, raw, request } from "../api.js";
import { html, useEffect, useState } from "../library/standalone.module.js";
import { go } from "../router.js";
import { ConfirmDelete } from "../shell/confirm.js";
import { FailureText } from "../shell/failure.js";
import { Icon } from "../shell/icons.js";
import { hasWords, t } from "../words.js";
import { Exports } from "./exports.js";
import { Heading } from "./heading.js";
import { Running } from "./running.js";
import { segmentsOf } from "./texts.js";
import { Transcript } from "./transcript.js";

/** Show the recording of a job; `at` (seconds) is where to begin, `query` what to look for. */
export function Recording({ jobId, at, query, session }) {
  const [job, setJob] = useState(null);
  const [transcript, setTranscript] = useState(null);
  const [name, setName] = useState("");
  const [failure, setFailure] = useState(null);
  const shownName = name || t("job.unnamed");

  const read = async () => {
    try {
      const state = await get(`/v1/jobs/${jobId}`);
      if (state.transcript_uri) {
        const whole = await get(`/v1/jobs/${jobId}/transcript`);
        setTranscript({ ...whole, segments: segmentsOf(whole) });
      }
      setJob(state);
    } catch (error) {
      setFailure(error);
    }
  };
  useEffect(() => {
    read();
    fileName(jobId).then(setName);
  }, [jobId]);
  useEffect(() => {
    document.title = `${shownName} · Kascribe`;
  }, [shownName]);

  if (failure) {
    return html`<div class="recording"><h1>${shownName}</h1><${FailureText} failure=${failure} />
      <p><a href="#/">${t("shell.to_start")}</a></p></div>`;
  }
  if (!job) return html`<p class="muted" role="status">${t("recording.loading")}</p>`;
  return html`
    <article class="recording">
      <${Heading} name=${shownName} job=${job} transcript=${transcript}>
        ${transcript && html`<${Exports} jobId=${jobId} name=${name} segments=${transcript.segments} />`}
        <${Delete} jobId=${jobId} name=${shownName} session=${session} isOver=${transcript || job.phase === "failed" || job.phase === "cancelled"} />
      <//>
      ${transcript
        ? html`<${Transcript} job=${job} transcript=${transcript} at=${at} query=${query} session=${session} />`
        : html`<${Untranscribed} job=${job} session=${session} onEnded=${read} />`}
    </article>
  `;
}

function Untranscribed({ job, session, onEnded }) {
  if (job.phase === "failed") {
    const failure = job.failure ?? { reason: "other" };
    return html`<div class="failed"><${FailureText} failure=${failure} />
      ${!hasWords(`remedy.${failure.reason}`) && html`<p>${t("remedy.other")}</p>`}
      <p><a class="button" href="#/">${t("shell.to_start")}</a></p></div>`;
  }
  if (job.phase === "cancelled") {
    return html`<div class="failed"><p class="notice">${t("recording.cancelled")}</p>
      <p><a class="button" href="#/">${t("shell.to_start")}</a></p></div>`;
  }
  return html`<${Running} key=${job.job_id} job=${job} session=${session} onEnded=${onEnded} />`;
}

function Delete({ jobId, name, session, isOver }) {
  const [isAsked, setAsked] = useState(false);
  if (!isOver || (session && !session.rights.includes("delete"))) return null;
  const close = isDeleted => {
    setAsked(false);
    if (isDeleted) go("/", { replace: true });
  };
  return html`
    <button type="button" class="button quiet small square" aria-label=${t("job.delete_of", { name })}
      title=${t("job.delete_of", { name })} onClick=${() => setAsked(true)}><${Icon} name="trash" /></button>
    ${isAsked && html`<${ConfirmDelete} name=${name} erase=${() => request("DELETE", `/v1/jobs/${jobId}`)} onClose=${close} />`}
  `;
}

/** Return the name of the job's file; empty where the recording is gone. */
async function fileName(jobId) {
  try {
    const { headers } = await raw("HEAD", `/v1/jobs/${jobId}/audio`);
    return decodeURIComponent(/filename\*=UTF-8''([^;]+)/.exec(headers.get("Content-Disposition") ?? "")?.[1] ?? "");
  } catch {
    return "";
  }
}
