// The start: what to transcribe, and what was transcribed.

import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { t } from "../words.js";
import { JobList } from "./job_list.js";
import { NewJob } from "./new_job.js";
import { announce, current, follow, subscribe } from "./store.js";

/** Show the start; `session` is null where it could not be read. */
export function Home({ session }) {
  const [, redraw] = useState(0);
  const said = useRef("");
  useEffect(() => subscribe(() => redraw(count => count + 1)), []);
  const hasArchive = session?.archive ?? true;
  useEffect(() => follow({ hasArchive, onEnded: row => announce(ending(row)) }), [hasArchive]);
  const state = current();
  said.current = state.announcement;
  return html`
    <h1 class="unseen">${t("home.title")}</h1>
    <${NewJob} session=${session} />
    <${JobList} state=${state} session=${session} />
    <p class="unseen" role="status">${said.current}</p>
  `;
}

function ending(row) {
  return t(`home.said_${row.phase}`, { name: row.name ?? t("job.unnamed") });
}
