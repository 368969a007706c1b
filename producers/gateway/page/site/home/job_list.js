// The list of jobs, its filters, and what it says when there are none.

import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { ConfirmDelete } from "../shell/confirm.js";
import { FailureText } from "../shell/failure.js";
import { t } from "../words.js";
import { JobRow } from "./job_row.js";
import { erase, more, refresh, setFilter } from "./store.js";

const TYPING_MS = 300;

export function JobList({ state, session }) {
  const [asked, setAsked] = useState(null);
  const shown = state.rows.filter(row => passes(row, state.filter));
  const isFiltered = Boolean(state.filter.phase || state.filter.name);
  return html`
    <section class="jobs" aria-labelledby="jobs">
      <div class="jobs-head">
        <h2 id="jobs">${t("jobs.title")}</h2>
        ${(isFiltered || shown.length > 0) && html`<${Filters} filter=${state.filter} />`}
      </div>
      ${state.isPolling && html`<p class="notice warn" role="status">${t("jobs.polling")}</p>`}
      ${state.archive === "off" && html`<p class="notice small archive-off">${t("jobs.archive_off")}${" "}<code>KASCRIBE_ARCHIVE_URL</code></p>`}
      ${state.failure && html`
        <div class="problem" role="alert"><${FailureText} failure=${state.failure} />
          <button type="button" class="button small" onClick=${() => refresh()}>${t("jobs.reload")}</button></div>`}
      ${shown.length > 0 && html`
        <ul class="card job-rows">
          ${shown.map(row => html`<${JobRow} key=${row.key} row=${row} session=${session} onDelete=${() => setAsked(row)} />`)}
        </ul>`}
      ${shown.length === 0 && !state.isLoading && !state.failure && html`<${Empty} isFiltered=${isFiltered} />`}
      ${shown.length === 0 && state.isLoading && html`<p class="muted" role="status">${t("jobs.loading")}</p>`}
      ${state.next && html`
        <button type="button" class="button more" disabled=${state.isLoading} onClick=${() => more()}>${t("jobs.more")}</button>`}
      ${asked && html`<${ConfirmDelete} name=${asked.name ?? t("job.unnamed")} erase=${() => erase(asked)}
        onClose=${() => setAsked(null)} />`}
    </section>
  `;
}

function Filters({ filter }) {
  const [name, setName] = useState(filter.name);
  const timer = useRef();
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = event => {
    setName(event.target.value);
    clearTimeout(timer.current);
    timer.current = setTimeout(text => setFilter({ name: text.trim() }), TYPING_MS, event.target.value);
  };
  return html`
    <div class="filters" role="group" aria-label=${t("jobs.filters")}>
      <input class="input" type="search" aria-label=${t("jobs.name")} placeholder=${t("jobs.name")} value=${name} onInput=${type} />
      <select class="select" aria-label=${t("jobs.phase")} value=${filter.phase}
        onChange=${event => setFilter({ phase: event.target.value })}>
        ${["", "completed", "failed", "cancelled", "transcribing"].map(phase => html`
          <option value=${phase} selected=${phase === filter.phase}>${t(phase ? `phase.${phase}` : "jobs.all")}</option>`)}
      </select>
    </div>
  `;
}

function Empty({ isFiltered }) {
  return html`<p class="empty muted">${t(isFiltered ? "jobs.none_found" : "jobs.none")}</p>`;
}

/** The archive filters what it lists; events and uploads come without. */
function passes(row, { phase, name }) {
  if (phase && row.phase !== phase) return false;
  return !name || (row.name ?? "").toLowerCase().includes(name.toLowerCase());
}
