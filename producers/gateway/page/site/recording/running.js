// A job that is not transcribed yet: how far it is, and its text as it comes.

import { FINAL, events, request } from "../api.js";
import { percent } from "../format.js";
import { onEvent, rowOf } from "../home/rows.js";
import { html, useEffect, useState } from "../library/standalone.module.js";
import { FailureText } from "../shell/failure.js";
import { t } from "../words.js";

/** Follow a job; `onEnded()` is called when it has a transcript, or ended without. */
export function Running({ job, session, onEnded }) {
  const [row] = useState(() => rowOf(job));
  const [, redraw] = useState(0);
  const [failure, setFailure] = useState(null);
  useEffect(() => {
    let frame = 0;
    const draw = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => redraw(count => count + 1));
    };
    const close = events(`/v1/jobs/${job.job_id}/events`, {
      ends: true,
      onEvent: (phase, event) => {
        onEvent(row, event);
        // The transcript is there when the transcriber has ended, whatever the enricher still does.
        if (FINAL.has(phase) || event.stage === "enricher") onEnded();
        else draw();
      },
      onFailure: onEnded, // the state tells how the job stands
    });
    return () => {
      close();
      cancelAnimationFrame(frame);
    };
  }, [job.job_id]);
  const cancel = () => request("DELETE", `/v1/jobs/${job.job_id}`).catch(setFailure);
  const isKnown = row.fraction !== null && row.fraction !== undefined;
  return html`
    <section class="running" aria-label=${t("recording.running")}>
      <p class="running-head">
        <span class=${`badge ${row.phase === "retrying" ? "warn" : "live"}`} role="status">${t(`phase.${row.phase}`)}</span>
        ${isKnown && html`<span class="numbers muted">${percent(row.fraction)}</span>`}
        ${(!session || session.rights.includes("delete")) && html`
          <button type="button" class="button quiet small" onClick=${cancel}>${t("recording.cancel")}</button>`}
      </p>
      <div class="progress" role="progressbar" aria-label=${t(`phase.${row.phase}`)} aria-valuemin="0" aria-valuemax="100"
        aria-valuenow=${isKnown ? Math.round(row.fraction * 100) : undefined}>
        <span class=${isKnown ? "bar" : "bar unknown"} style=${{ transform: isKnown ? `scaleX(${row.fraction})` : "" }}></span>
      </div>
      ${row.failure && html`<p class="notice warn">${t("job.retrying")}</p>`}
      ${failure && html`<${FailureText} failure=${failure} />`}
      ${row.text && html`<p class="live-text">${row.text}</p>`}
    </section>
  `;
}
