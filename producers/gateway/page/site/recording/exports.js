// What a reader takes away: the transcript as a file in any format, or as text on the clipboard.

import { html, useState } from "../library/standalone.module.js";
import { Icon } from "../shell/icons.js";
import { t } from "../words.js";
import { plainText } from "./texts.js";

const FORMATS = [
  ["text", "txt"], ["srt", "srt"], ["vtt", "vtt"], ["tsv", "tsv"], ["json", "json"], ["verbose_json", "verbose.json"],
  ["full", "kascribe.json"],
];
const SHOWN_MS = 2_500;
const COPY_STATES = { ready: "recording.copy", done: "recording.copied", refused: "recording.not_copied" };

export function Exports({ jobId, name, segments }) {
  const stem = (name || jobId).replace(/\.[^.]{1,5}$/, "");
  const close = event => {
    if (event.key === "Escape" && event.currentTarget.open) {
      event.currentTarget.open = false;
      event.currentTarget.querySelector("summary").focus();
    }
  };
  const leave = event => {
    if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
  };
  return html`
    <details class="menu" onKeyDown=${close} onFocusOut=${leave}>
      <summary class="button small">${t("recording.download")}<${Icon} name="chevron" /></summary>
      <ul class="card">
        ${FORMATS.map(([format, extension]) => html`
          <li><a href=${`/v1/jobs/${jobId}/transcript?as=${format}`} download=${`${stem}.${extension}`}>
            <span>${t(`format.${format}`)}</span><span class="muted">.${extension}</span></a></li>`)}
        <li><a href=${`/v1/jobs/${jobId}/audio`} download=${name || jobId}>
          <span>${t("format.audio")}</span></a></li>
      </ul>
    </details>
    <${Copy} text=${() => plainText(segments)} />
  `;
}

function Copy({ text }) {
  const [state, setState] = useState("ready");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setState("done");
    } catch {
      setState("refused");
    }
    setTimeout(setState, SHOWN_MS, "ready");
  };
  return html`
    <button type="button" class="button small" onClick=${copy}>
      ${state === "done" && html`<${Icon} name="check" />`}${t(COPY_STATES[state])}
    </button>
    <span class="unseen" role="status">${state !== "ready" && t(COPY_STATES[state])}</span>
  `;
}
