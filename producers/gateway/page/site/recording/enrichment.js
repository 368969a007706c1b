// Beside the transcript: what the language model made of it, and requests for more.

import { events, get, request } from "../api.js";
import { mayEnrich, PROFILES } from "../home/options.js";
import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { FailureText } from "../shell/failure.js";
import { t } from "../words.js";
import { Answer, profileName } from "./answers.js";

const POLL_MS = 3_000;

export function Enrichment({ job, session, times, onSeek }) {
  const [enrichments, setEnrichments] = useState([]);
  const [pending, setPending] = useState(job.phase === "enriching" ? [{ id: null, names: requested(job.enrich) }] : []);
  const [failure, setFailure] = useState(job.phase === "failed" && job.stage === "enricher" ? job.failure : null);
  const waiting = useRef(pending);
  waiting.current = pending;

  const read = async () => {
    const { enrichments: found } = await get(`/v1/jobs/${job.job_id}/enrichments`);
    setEnrichments(found);
    setPending(known => known.filter(each => !isFinished(each, found, job)));
  };
  useEffect(() => void read().catch(setFailure), [job.job_id]);
  useEffect(() => {
    if (!pending.length) return undefined;
    const follow = (phase, event) => {
      if (event.job_id !== job.job_id || event.stage !== "enricher") return;
      if (phase === "failed") {
        setFailure(event.failure);
        setPending([]);
      }
      if (phase === "completed") read().catch(() => {});
    };
    const close = events("/v1/events", { onEvent: follow });
    const timer = setInterval(() => read().catch(() => {}), POLL_MS); // an event may have come before the stream was open
    return () => {
      close();
      clearInterval(timer);
    };
  }, [pending.length > 0]);

  const ask = async options => {
    setFailure(null);
    const answer = await request("POST", `/v1/jobs/${job.job_id}/enrich`, {
      body: JSON.stringify(options),
      headers: { "Content-Type": "application/json" },
    });
    setPending(known => [...known, { id: answer.enrichment_id, names: requested(options) }]);
    if (answer.is_finished) await read();
  };
  const may = mayEnrich(session);
  if (!may && !enrichments.length && !pending.length && !failure) return null;
  return html`
    <aside class="enrichment" aria-labelledby="enrichment">
      <h2 id="enrichment">${t("enrichment.title")}</h2>
      <div role="status">
        ${pending.map(each => html`<p class="waiting"><span class="spinner" aria-hidden="true"></span>
          ${t("enrichment.waiting", { names: each.names.join(", ") })}</p>`)}
      </div>
      ${failure && html`<${FailureText} failure=${failure} />`}
      ${enrichments.map(each => html`
        <div class="card answers" key=${each.enrichment_id}>
          ${each.results.map(result => html`
            <${Answer} key=${result.profile} result=${result} instruction=${each.options?.instruction} times=${times} onSeek=${onSeek} />`)}
          <p class="small muted model">${each.model}</p>
        </div>`)}
      ${may && html`<${Ask} ask=${ask} isOpen=${!enrichments.length && !pending.length} />`}
    </aside>
  `;
}

function Ask({ ask, isOpen }) {
  const [profiles, setProfiles] = useState([]);
  const [instruction, setInstruction] = useState("");
  const [failure, setFailure] = useState(null);
  const [isSending, setSending] = useState(false);
  const toggle = name => setProfiles(known => (known.includes(name) ? known.filter(each => each !== name) : [...known, name]));
  const send = async event => {
    event.preventDefault();
    const text = instruction.trim();
    if (!profiles.length && !text) return;
    setSending(true);
    setFailure(null);
    try {
      await ask({ profiles, ...(text ? { instruction: text } : {}) });
      setProfiles([]);
      setInstruction("");
    } catch (error) {
      setFailure(error);
    }
    setSending(false);
  };
  return html`
    <form class="card ask" onSubmit=${send}>
      <fieldset>
        <legend>${t(isOpen ? "enrichment.ask" : "enrichment.ask_more")}</legend>
        <div class="chips">${PROFILES.map(name => html`
          <label class="chip" key=${name}><input type="checkbox" name="profile" value=${name} checked=${profiles.includes(name)}
            onChange=${() => toggle(name)} /><span>${t(`profile.${name}`)}</span></label>`)}</div>
      </fieldset>
      <div class="field">
        <label for="ask-instruction">${t("options.instruction")}</label>
        <textarea class="input" id="ask-instruction" rows="2" maxlength="4000" placeholder=${t("options.instruction_hint")}
          value=${instruction} onInput=${event => setInstruction(event.target.value)}></textarea>
      </div>
      <div role="alert">${failure && html`<${FailureText} failure=${failure} />`}</div>
      <button class="button" disabled=${isSending || (!profiles.length && !instruction.trim())}>${t("enrichment.send")}</button>
    </form>
  `;
}

/** Return the names of what was asked for, as the reader knows them. */
function requested(options) {
  const names = (options?.profiles ?? []).map(profileName);
  return options?.instruction ? [...names, t("profile.instruction")] : names;
}

/** Return whether a request has its result. One that the job made itself has no id here: its first result is its own. */
function isFinished(each, found, job) {
  if (each.id) return found.some(enrichment => enrichment.enrichment_id === each.id);
  const wanted = JSON.stringify([...(job.enrich?.profiles ?? [])]);
  return found.some(({ options }) => !options || JSON.stringify([...(options.profiles ?? [])]) === wanted);
}
