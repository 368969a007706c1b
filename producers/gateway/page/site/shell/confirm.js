// Asks before a recording is deleted.

import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { t } from "../words.js";
import { FailureText } from "./failure.js";

/** Ask, and call `erase()` when the reader agrees; `onClose(isDeleted)` follows in any case. */
export function ConfirmDelete({ name, erase, onClose }) {
  const dialog = useRef();
  const [failure, setFailure] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const kept = useRef();
  useEffect(() => {
    dialog.current.showModal();
    kept.current.focus();
  }, []);
  const agree = async () => {
    setBusy(true);
    try {
      await erase();
      onClose(true);
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  };
  return html`
    <dialog ref=${dialog} aria-labelledby="confirm-title" aria-describedby="confirm-text" onClose=${() => onClose(false)}>
      <h2 id="confirm-title">${t("confirm.title", { name })}</h2>
      <p id="confirm-text" class="muted">${t("confirm.text")}</p>
      ${failure && html`<${FailureText} failure=${failure} />`}
      <div class="actions">
        <button type="button" class="button" ref=${kept} onClick=${() => dialog.current.close()}>${t("confirm.keep")}</button>
        <button type="button" class="button danger" disabled=${isBusy} onClick=${agree}>${t("confirm.delete")}</button>
      </div>
    </dialog>
  `;
}
