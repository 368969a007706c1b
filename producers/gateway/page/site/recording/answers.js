// What the language model made of the transcript, as a reader likes it: text, lists, times to listen at, doubts.

import { duration } from "../format.js";
import { languageName } from "../languages.js";
import { html } from "../library/standalone.module.js";
import { Icon } from "../shell/icons.js";
import { FailureText } from "../shell/failure.js";
import { hasWords, t } from "../words.js";

const CITATIONS = new Set(["segment_ids", "segment_id"]);
const HIDDEN = new Set(["transcript_uri", "exports", ...CITATIONS]);
const HEADS = ["title", "task", "text", "name", "summary", "sentiment"];
/** Fields that an entry begins with: the first of them that it has. */

export const profileName = profile => (hasWords(`profile.${profile}`) ? t(`profile.${profile}`) : spaced(profile));

/** Show a result. `times` gives the start of each segment by its id; `onSeek(seconds)` plays from there. */
export function Answer({ result, instruction, times, onSeek }) {
  const doubts = new Map();
  for (const doubt of result.doubts ?? []) doubts.set(doubt.path, [...(doubts.get(doubt.path) ?? []), doubt]);
  const shown = { doubts, used: new Set(), times, onSeek };
  const title = result.profile === "instruction" ? instruction || t("profile.instruction") : profileName(result.profile);
  const body = hasOutput(result) ? html`<${Value} value=${result.output} path="$" shown=${shown} name=${result.profile} />` : null;
  return html`
    <section class="answer" data-profile=${result.profile}>
      <h3>${title}</h3>
      ${result.failure && html`<${FailureText} failure=${result.failure} />`}
      ${result.status === "skipped" && html`<p class="muted">${t("answer.skipped")}</p>`}
      ${body}
      <${Review} result=${result} />
      <${OtherDoubts} doubts=${result.doubts ?? []} output=${result.output} shown=${shown} />
    </section>
  `;
}

const hasOutput = result => result.output !== null && result.output !== undefined;

/** Reasons to review the answer as a whole. */
function Review({ result }) {
  const notes = (result.flags ?? []).filter(flag => hasWords(`answer_flag.${flag}`)).map(flag => t(`answer_flag.${flag}`));
  if (result.truncated) notes.push(t("answer.truncated"));
  if (result.coverage < 1 && hasOutput(result)) notes.push(t("answer.coverage", { percent: Math.floor(result.coverage * 100) }));
  return notes.map(note => html`<p class="doubt"><${Icon} name="warning" /><span>${note}</span></p>`);
}

function Value({ value, path, shown, name }) {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return html`<${List} values=${value} path=${path} shown=${shown} />`;
  if (typeof value === "object") return html`<${Entry} value=${value} path=${path} shown=${shown} name=${name} />`;
  const paragraphs = String(value).split(/\n{2,}/);
  return html`${paragraphs.map(text => html`<p class="prose">${text}</p>`)}<${Doubts} path=${path} shown=${shown} />`;
}

function List({ values, path, shown }) {
  if (!values.length) return html`<p class="muted">${t("answer.nothing")}</p>`;
  return html`<ul class="points">${values.map((value, index) => html`
    <li><${Value} value=${value} path=${`${path}[${index}]`} shown=${shown} /></li>`)}</ul>`;
}

/** An object: its main text, further fields by name, and where it was said. */
function Entry({ value, path, shown, name }) {
  const fields = Object.entries(value).filter(([field, each]) => !HIDDEN.has(field) && each !== null && each !== "");
  const head = HEADS.find(field => typeof value[field] === "string" && value[field]) ?? null;
  const isOnlyList = fields.length === 1 && typeof fields[0][1] === "object";
  const cited = [value.segment_ids ?? value.segment_id ?? []].flat().filter(id => shown.times.has(id));
  return html`
    ${head && html`<p class=${head === "title" || head === "sentiment" ? "head" : "prose"}>${worded(head, value[head])}</p>
      <${Doubts} path=${`${path}.${head}`} shown=${shown} />`}
    ${isOnlyList && !head && html`<${Value} value=${fields[0][1]} path=${`${path}.${fields[0][0]}`} shown=${shown} />`}
    ${!isOnlyList && fields.filter(([field]) => field !== head).map(([field, each]) => html`
      <${Field} key=${field} field=${field} value=${each} path=${`${path}.${field}`} shown=${shown} name=${name} />`)}
    ${cited.length > 0 && html`<p class="cited">${cited.map(id => html`
      <button type="button" class="cite numbers" onClick=${() => shown.onSeek(shown.times.get(id))}
        aria-label=${t("recording.play_from", { time: duration(Math.floor(shown.times.get(id))) })}>
        ${duration(Math.floor(shown.times.get(id)))}</button>`)}</p>`}
    <${Doubts} path=${path} shown=${shown} />
  `;
}

function Field({ field, value, path, shown }) {
  if (typeof value === "object") {
    return html`<div class="sub"><h4>${fieldName(field)}</h4><${Value} value=${value} path=${path} shown=${shown} /></div>`;
  }
  const isText = typeof value === "string" && value.length > 60;
  if (isText) return html`<p class="prose">${value}</p><${Doubts} path=${path} shown=${shown} />`;
  return html`<p class="fact"><span class="muted">${fieldName(field)}</span> ${worded(field, value)}</p>
    <${Doubts} path=${path} shown=${shown} />`;
}

/** The doubts about a statement, under it. */
function Doubts({ path, shown }) {
  const doubts = shown.doubts.get(path) ?? [];
  return doubts.map(doubt => html`<${DoubtText} doubt=${doubt} shown=${shown} />`);
}

function DoubtText({ doubt, shown }) {
  const start = shown.times.get(doubt.segment_id);
  return html`<p class="doubt"><${Icon} name="warning" /><span>${t(`doubt.${doubt.rule}`, { detail: doubt.detail })}
    ${start !== undefined && html` <button type="button" class="cite numbers" onClick=${() => shown.onSeek(start)}
      aria-label=${t("recording.play_from", { time: duration(Math.floor(start)) })}>${duration(Math.floor(start))}</button>`}
  </span></p>`;
}

/** Doubts whose statement is not shown by itself. */
function OtherDoubts({ doubts, output, shown }) {
  const left = doubts.filter(doubt => !isShown(doubt.path, output));
  return left.map(doubt => html`<${DoubtText} doubt=${doubt} shown=${shown} />`);
}

/** Return whether a path leads to something that is shown: all but citations, and nothing for a path of another form. */
function isShown(path, output) {
  if (path === "$") return output !== null && output !== undefined;
  let value = output;
  for (const [, name, index] of path.slice(1).matchAll(/\.([\w-]+)|\[(\d+)\]/g)) {
    if (name && HIDDEN.has(name)) return false;
    value = value?.[name ?? Number(index)];
  }
  return value !== undefined && value !== null && value !== "";
}

function worded(field, value) {
  if (field === "sentiment" && hasWords(`sentiment.${value}`)) return t(`sentiment.${value}`);
  if (field === "kind" && hasWords(`kind.${value}`)) return t(`kind.${value}`);
  if (field === "language" && /^[a-z]{2,3}$/.test(value)) return languageName(value);
  return typeof value === "number" ? value.toLocaleString() : String(value);
}

const fieldName = field => (hasWords(`field.${field}`) ? t(`field.${field}`) : spaced(field));
const spaced = name => name.replaceAll(/[_-]+/g, " ").replace(/^./, first => first.toUpperCase());
