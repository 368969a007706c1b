// Search in all recordings: where the words were said, each place a link that plays from there.

import { get } from "../api.js";
import { duration, fullMoment, moment } from "../format.js";
import { languageName } from "../languages.js";
import { html, useEffect, useState } from "../library/standalone.module.js";
import { jobPath } from "../router.js";
import { FailureText } from "../shell/failure.js";
import { t } from "../words.js";

const SEVERAL = 20;

export function Search({ query, session }) {
  const [pages, setPages] = useState({ results: [], next: null });
  const [state, setState] = useState("waiting"); // "ready", "loading"
  const [failure, setFailure] = useState(null);

  const read = async (cursor, signal) => {
    setState("loading");
    setFailure(null);
    try {
      const asked = new URLSearchParams({ q: query, limit: SEVERAL, ...(cursor ? { cursor } : {}) });
      const answer = await get(`/v1/search?${asked}`, { signal });
      setPages(known => ({ results: [...(cursor ? known.results : []), ...answer.results], next: answer.next }));
    } catch (error) {
      if (error.name === "AbortError") return;
      setFailure(error);
    }
    setState("ready");
  };
  useEffect(() => {
    setPages({ results: [], next: null });
    if (!session) return undefined; // it says whether there is an archive
    setFailure(session.archive ? null : { reason: "archive_off" });
    if (!query.trim() || !session.archive) return setState("ready");
    const leaving = new AbortController();
    read(null, leaving.signal);
    return () => leaving.abort();
  }, [query, session]);

  const isEmpty = state === "ready" && !failure && query.trim() && !pages.results.length;
  return html`
    <section class="search-results">
      <h1>${query.trim() ? t("search.title", { query: query.trim() }) : t("shell.search")}</h1>
      <p class="muted" role="status">${state === "loading" && t("recording.loading")}${isEmpty && t("search.none")}</p>
      ${isEmpty && html`<p class="muted">${t("search.none_hint")}</p>`}
      ${!query.trim() && html`<p class="muted">${t("search.hint")}</p>`}
      ${failure && html`<${Why} failure=${failure} retry=${() => read(null)} />`}
      ${pages.results.length > 0 && html`<ul class="results">
        ${pages.results.map(result => html`<${Result} key=${result.job.job_id} result=${result} query=${query} />`)}</ul>`}
      ${pages.next && html`<button type="button" class="button more" disabled=${state === "loading"}
        onClick=${() => read(pages.next)}>${t("jobs.more")}</button>`}
    </section>
  `;
}

function Why({ failure, retry }) {
  if (failure.reason === "archive_off") {
    return html`<div class="notice archive-off"><strong>${t("search.archive_off")}</strong>
      <span>${t("search.archive_off_hint")}${" "}<code>KASCRIBE_ARCHIVE_URL</code></span></div>`;
  }
  return html`<div class="problem" role="alert"><${FailureText} failure=${failure} />
    <button type="button" class="button small" onClick=${retry}>${t("jobs.reload")}</button></div>`;
}

function Result({ result: { job, hits, hit_count: count }, query }) {
  const at = Date.parse(job.created_at);
  const facts = [
    job.language && languageName(job.language),
    job.audio_duration_seconds && html`<span class="numbers">${duration(job.audio_duration_seconds)}</span>`,
    html`<time datetime=${job.created_at} title=${fullMoment(at)}>${moment(at)}</time>`,
  ].filter(Boolean);
  const left = count - hits.length;
  return html`
    <li class="card result">
      <h2><a href=${`#${jobPath(job.job_id, { q: query })}`}>${job.name ?? t("job.unnamed")}</a></h2>
      <p class="facts small muted">${facts.map((fact, index) => html`${index > 0 && " · "}${fact}`)}</p>
      ${hits.length > 0 && html`<ul class="hits">${hits.map(hit => html`
        <li><a href=${`#${jobPath(job.job_id, { t: hit.start, q: query })}`}>
          <span class="time numbers">${duration(Math.floor(hit.start))}</span>
          <span lang=${job.language ?? undefined}><${Highlighted} text=${hit.text} ranges=${hit.highlights} /></span></a></li>`)}</ul>`}
      ${left > 0 && html`<p class="small"><a href=${`#${jobPath(job.job_id, { q: query })}`}>${t("search.more_hits", { count: left })}</a></p>`}
    </li>
  `;
}

function Highlighted({ text, ranges }) {
  const parts = [];
  let at = 0;
  // Ranges count characters, and texts of this language count UTF-16 units.
  const characters = [...text];
  for (const [from, to] of ranges) {
    if (from > at) parts.push(characters.slice(at, from).join(""));
    parts.push(html`<mark>${characters.slice(Math.max(at, from), to).join("")}</mark>`);
    at = Math.max(at, to);
  }
  parts.push(characters.slice(at).join(""));
  return parts;
}
