// A failure in words: what happened, and what to do.

import { html } from "../library/standalone.module.js";
import { hasWords, t } from "../words.js";

/** Show a failure: an ApiError, or the {reason, message, remedy} of a job. */
export function FailureText({ failure }) {
  const { reason, message, remedy } = failure;
  const heading = hasWords(`failure.${reason}`) ? t(`failure.${reason}`) : t("failure.other");
  const advice = hasWords(`remedy.${reason}`) ? t(`remedy.${reason}`) : remedy;
  return html`
    <div class="notice bad">
      <strong>${heading}</strong>
      ${advice && html`<span>${capital(advice)}</span>`}
      ${message && html`<span class="small muted" lang="en">${capital(message)}</span>`}
    </div>
  `;
}

const capital = text => text.charAt(0).toUpperCase() + text.slice(1);
