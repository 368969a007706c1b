// The head of a recording: its name, what is known of it, and what deserves a second look.

import { duration, fullMoment, moment } from "../format.js";
import { languageName } from "../languages.js";
import { html } from "../library/standalone.module.js";
import { Icon } from "../shell/icons.js";
import { hasWords, t } from "../words.js";

export function Heading({ name, job, transcript, children }) {
  return html`
    <header class="recording-head">
      <a class="back small" href="#/">${t("recording.back")}</a>
      <h1>${name}</h1>
      ${transcript && html`<${Facts} job=${job} transcript=${transcript} />`}
      <div class="recording-actions">${children}</div>
    </header>
  `;
}

function Facts({ job, transcript }) {
  const { audio, provenance } = transcript;
  const at = Date.parse(job.accepted_at ?? job.transcribed_at);
  const facts = [
    html`<span class="numbers">${duration(audio.audio_duration_seconds)}</span>`,
    languagesOf(transcript).map(languageName).join(", "),
    transcript.task === "translate" && t("recording.translated"),
    audio.channel_count > 1 && transcript.segments.some(hasChannel) && t("recording.channels", { count: audio.channel_count }),
    provenance.model,
    !Number.isNaN(at) && html`<time datetime=${new Date(at).toISOString()} title=${fullMoment(at)}>${moment(at)}</time>`,
  ].filter(Boolean);
  return html`<p class="facts muted">${facts.map((fact, index) => html`${index > 0 && " · "}${fact}`)}</p>`;
}

const hasChannel = segment => segment.channel !== null && segment.channel !== undefined;

/** Return the languages of a transcript, the one that is spoken longest first. */
function languagesOf(transcript) {
  const lengths = new Map(transcript.language ? [[transcript.language, Infinity]] : []);
  for (const { language, start, end } of transcript.segments) {
    if (language) lengths.set(language, (lengths.get(language) ?? 0) + end - start);
  }
  return [...lengths].sort((a, b) => b[1] - a[1]).map(([language]) => language);
}

/** The flags of a transcript in plain words, each with what to do. */
export function Flags({ transcript }) {
  const flags = [...transcript.flags].filter(flag => hasWords(`flagged.${flag}`));
  if (!flags.length) return null;
  const { audio } = transcript;
  const values = {
    declared: duration(audio.declared_duration_seconds ?? audio.audio_duration_seconds),
    decoded: duration(audio.decoded_duration_seconds ?? audio.audio_duration_seconds),
  };
  return html`<ul class="notice warn flags" aria-label=${t("recording.flags")}>
    ${flags.map(flag => html`<li><${Icon} name="warning" /><span>${t(`flagged.${flag}`, values)}</span></li>`)}</ul>`;
}
