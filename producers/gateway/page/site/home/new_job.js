// What to transcribe: files that are dropped, pasted or chosen, or a recording.

import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { here, go } from "../router.js";
import { Icon } from "../shell/icons.js";
import { t } from "../words.js";
import { chosenOptions, Options } from "./options.js";
import { Recorder } from "./recorder.js";
import { addFiles, isSending } from "./store.js";

/** Start jobs with the options that are chosen now. */
export function start(files, session) {
  if (files.length === 0) return;
  addFiles(files, chosenOptions(session), { uploadBytes: session?.upload_limit_bytes });
  if (here().path !== "/") go("/");
}

export function NewJob({ session }) {
  const input = useRef();
  const [isRecording, setRecording] = useState(false);
  if (session && !session.rights.includes("transcribe")) return null;
  const choose = event => {
    start([...event.target.files].map(file => ({ file })), session);
    event.target.value = ""; // the same file may be chosen again
  };
  const send = recording => {
    setRecording(false);
    start([recording], session);
  };
  return html`
    <section class="card new-job" aria-labelledby="new-job">
      <h2 id="new-job">${t("new.title")}</h2>
      <p class="muted">${t("new.how")}</p>
      ${isRecording
        ? html`<${Recorder} onSend=${send} onClose=${() => setRecording(false)} />`
        : html`
          <div class="actions">
            <button type="button" class="button primary" onClick=${() => input.current.click()}>
              <${Icon} name="upload" />${t("new.choose")}
            </button>
            <button type="button" class="button" onClick=${() => setRecording(true)}>
              <${Icon} name="microphone" />${t("new.record")}
            </button>
          </div>`}
      <input ref=${input} class="files" type="file" multiple hidden accept="audio/*,video/*,.opus,.mka,.amr,.wma,.ac3"
        onChange=${choose} aria-label=${t("new.choose")} />
      <${Options} session=${session} />
    </section>
  `;
}

/** Take files that are dropped or pasted anywhere on the page, and guard uploads against leaving it. */
export function Anywhere({ session }) {
  const [isOver, setOver] = useState(false);
  const latest = useRef(session);
  latest.current = session;
  useEffect(() => listen(setOver, latest), []);
  return html`<div class="drop-here" aria-hidden="true" hidden=${!isOver}><span>${t("new.drop_here")}</span></div>`;
}

function listen(setOver, session) {
  let depth = 0;
  const hasFiles = event => event.dataTransfer?.types.includes("Files") && mayUpload(session.current);
  const listeners = {
    dragenter: event => hasFiles(event) && setOver((depth += 1) > 0),
    dragleave: event => hasFiles(event) && setOver((depth = Math.max(0, depth - 1)) > 0),
    dragover: event => hasFiles(event) && event.preventDefault(),
    drop: event => {
      depth = 0;
      setOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      start(filesIn(event.dataTransfer), session.current);
    },
    paste: event => mayUpload(session.current) && start(filesIn(event.clipboardData), session.current),
    beforeunload: event => isSending() && event.preventDefault(),
  };
  for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
  return () => Object.entries(listeners).forEach(([name, listener]) => removeEventListener(name, listener));
}

const mayUpload = session => here().path !== "/sign-in" && (!session || session.rights.includes("transcribe"));

function filesIn(transfer) {
  const items = [...transfer.items].filter(item => item.kind === "file" && !item.webkitGetAsEntry?.()?.isDirectory);
  return items.map(item => ({ file: item.getAsFile() })).filter(({ file }) => file);
}
