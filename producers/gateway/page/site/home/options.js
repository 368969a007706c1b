// The options of new jobs. What is chosen is kept for later visits.

import { keep, kept } from "../kept.js";
import { languageNames } from "../languages.js";
import { html, useState } from "../library/standalone.module.js";
import { Icon } from "../shell/icons.js";
import { t } from "../words.js";

export const PROFILES = [
  "summary", "key_points", "action_items", "topics", "entities", "sentiment", "chapters", "title", "redact", "translation",
];
const DEFAULTS = { language: "", words: true, split: false, hotwords: "", profiles: [], instruction: "" };
let options = read();

/** Return the options that are chosen; those of enrichment only where this deployment and the key have it. */
export function chosenOptions(session) {
  return mayEnrich(session) ? options : { ...options, profiles: [], instruction: "" };
}

export const mayEnrich = session => Boolean(session?.enrichment && session.rights.includes("enrich"));

export function Options({ session }) {
  const [shown, setShown] = useState(options);
  const set = change => {
    options = { ...options, ...change };
    keep("options", JSON.stringify(options));
    setShown(options);
  };
  return html`
    <details class="options">
      <summary><${Icon} name="chevron" />${t("options.title")}<span class="muted">${summaryOf(shown, session)}</span></summary>
      <div class="option-fields">
        <div class="field">
          <label for="language">${t("options.language")}</label>
          <select class="select" id="language" value=${shown.language} onChange=${event => set({ language: event.target.value })}>
            <option value="">${t("options.detect")}</option>
            ${languageNames().map(([code, name]) => html`<option value=${code} selected=${code === shown.language}>${name}</option>`)}
          </select>
        </div>
        <div class="field">
          <label for="hotwords">${t("options.hotwords")}</label>
          <input class="input" id="hotwords" value=${shown.hotwords} placeholder=${t("options.hotwords_hint")}
            onInput=${event => set({ hotwords: event.target.value })} />
        </div>
        <${Choice} id="words" text=${t("options.words")} is=${shown.words} set=${words => set({ words })} />
        <${Choice} id="split" text=${t("options.split")} is=${shown.split} set=${split => set({ split })} />
        ${mayEnrich(session) && html`<${Enrichment} shown=${shown} set=${set} />`}
      </div>
    </details>
  `;
}

function Enrichment({ shown, set }) {
  const toggle = (name, is) => set({ profiles: PROFILES.filter(each => (each === name ? is : shown.profiles.includes(each))) });
  return html`
    <fieldset class="wide">
      <legend>${t("options.enrich")}</legend>
      <div class="profiles">
        ${PROFILES.map(name => html`
          <${Choice} key=${name} id=${`profile-${name}`} text=${t(`profile.${name}`)} is=${shown.profiles.includes(name)}
            set=${is => toggle(name, is)} />`)}
      </div>
      <div class="field">
        <label for="instruction">${t("options.instruction")}</label>
        <textarea class="input" id="instruction" rows="2" maxlength="4000" placeholder=${t("options.instruction_hint")}
          value=${shown.instruction} onInput=${event => set({ instruction: event.target.value })}></textarea>
      </div>
    </fieldset>
  `;
}

function Choice({ id, text, is, set }) {
  return html`<label class="choice" for=${id}>
    <input type="checkbox" id=${id} checked=${is} onChange=${event => set(event.target.checked)} />${text}</label>`;
}

function summaryOf(shown, session) {
  const language = languageNames().find(([code]) => code === shown.language)?.[1] ?? t("options.detect");
  const enriched = mayEnrich(session) ? shown.profiles.map(name => t(`profile.${name}`)) : [];
  return [language, ...(shown.split ? [t("options.split_short")] : []), ...enriched].join(" · ");
}

function read() {
  try {
    const known = Object.entries(JSON.parse(kept("options")) ?? {}).filter(([name]) => name in DEFAULTS);
    return { ...DEFAULTS, ...Object.fromEntries(known) };
  } catch {
    return { ...DEFAULTS };
  }
}
