// One job of the list: how it stands, its text as it comes, and what can be done with it.

import { FINAL } from "../api.js";
import { duration, fullMoment, moment, percent } from "../format.js";
import { languageName } from "../languages.js";
import { html, useState } from "../library/standalone.module.js";
import { jobPath } from "../router.js";
import { FailureText } from "../shell/failure.js";
import { Icon } from "../shell/icons.js";
import { hasWords, t } from "../words.js";
import { again, cancel } from "./store.js";

const SHOWN_CHARACTERS = 220;
const PREVIEW_CHARACTERS = 200;

export function JobRow({ row, session, onDelete }) {
  const isRunning = !FINAL.has(row.phase);
  const name = row.name ?? t("job.unnamed");
  return html`
    <li class="job" data-phase=${row.phase} data-job=${row.id}>
      <div class="job-head">
        <div class="job-names">
          <h3>${row.id ? html`<a href=${`#${jobPath(row.id)}`}>${name}</a>` : name}</h3>
          <p class="job-facts muted small"><${Facts} row=${row} /></p>
        </div>
        <${Actions} row=${row} name=${name} isRunning=${isRunning} session=${session} onDelete=${onDelete} />
      </div>
      ${isRunning ? html`<${Progress} row=${row} />` : html`<${Outcome} row=${row} />`}
    </li>
  `;
}

function Facts({ row }) {
  const facts = [
    row.language && languageName(row.language),
    row.duration && html`<span class="numbers">${duration(row.duration)}</span>`,
    row.enrichments > 0 && t("job.enrichments", { count: row.enrichments }),
    html`<time datetime=${new Date(row.createdAt).toISOString()} title=${fullMoment(row.createdAt)}>${moment(row.createdAt)}</time>`,
  ].filter(Boolean);
  const flags = (row.flags ?? []).filter(flag => hasWords(`flag.${flag}`));
  return html`
    ${row.phase !== "completed" && html`<${Phase} row=${row} />`}
    ${flags.map(flag => html`<span class="badge warn">${t(`flag.${flag}`)}</span>`)}
    <span>${facts.map((fact, index) => html`${index > 0 && " · "}${fact}`)}</span>
  `;
}

function Phase({ row }) {
  const kind = { failed: "bad", cancelled: "", retrying: "warn" }[row.phase] ?? "live";
  return html`<span class=${`badge ${kind}`}>${t(`phase.${row.phase}`)}</span>`;
}

function Progress({ row }) {
  const share = row.phase === "uploading" ? row.upload?.sent : row.fraction;
  const isKnown = share !== null && share !== undefined && !(row.phase === "uploading" && !row.upload.sending);
  return html`
    <div class="progress" role="progressbar" aria-label=${t(`phase.${row.phase}`)} aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${isKnown ? Math.round(share * 100) : undefined}>
      <span class=${isKnown ? "bar" : "bar unknown"} style=${{ transform: isKnown ? `scaleX(${share})` : "" }}></span>
    </div>
    <p class="job-progress small muted">
      ${isKnown && html`<span class="numbers">${percent(share)}</span>`}
      ${row.failure && html`<span>${t("job.retrying")}</span>`}
    </p>
    ${row.text && html`<p class="job-text live">${tail(row.text)}</p>`}
  `;
}

function Outcome({ row }) {
  if (row.phase === "failed") return html`<${FailureText} failure=${row.failure ?? { reason: "other" }} />`;
  const text = row.preview || row.text;
  if (row.status === "no_speech") return html`<p class="job-text muted">${t("job.no_speech")}</p>`;
  return text ? html`<p class="job-text">${beginning(text)}</p>` : null;
}

function Actions({ row, name, isRunning, session, onDelete }) {
  const [failure, setFailure] = useState(null);
  const mayDelete = !session || session.rights.includes("delete");
  const stop = () => cancel(row).catch(setFailure);
  return html`
    <div class="job-actions">
      ${!isRunning && row.phase !== "completed" && row.upload && html`
        <button type="button" class="button small" aria-label=${t("job.again_of", { name })} onClick=${() => again(row)}>
          <${Icon} name="again" />${t("job.again")}</button>`}
      ${isRunning && (mayDelete || !row.id) && html`<${IconButton} icon="close" label=${t("job.cancel_of", { name })} onClick=${stop} />`}
      ${!isRunning && (mayDelete || !row.id) && html`<${IconButton} icon="trash" label=${t("job.delete_of", { name })} onClick=${onDelete} />`}
      ${failure && html`<span class="small" role="alert">${failure.message || t("failure.other")}</span>`}
    </div>
  `;
}

function IconButton({ icon, label, onClick }) {
  return html`<button type="button" class="button quiet small square" aria-label=${label} title=${label} onClick=${onClick}>
    <${Icon} name=${icon} /></button>`;
}

/** Previews of the archive are cut after 200 characters. */
function beginning(text) {
  return text.length < PREVIEW_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

function tail(text) {
  return text.length <= SHOWN_CHARACTERS ? text : `…${text.slice(-SHOWN_CHARACTERS)}`;
}
