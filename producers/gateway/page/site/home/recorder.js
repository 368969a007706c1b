// Recording: speak, stop, listen, send.

import { duration } from "../format.js";
import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { Icon } from "../shell/icons.js";
import { language, t } from "../words.js";
import { open, problemOf, whyNot } from "./microphone.js";

/** Record one file; `onSend({file, name})` gets it, `onClose()` when the reader gives up. */
export function Recorder({ onSend, onClose }) {
  const [problem, setProblem] = useState(whyNot);
  const [microphone, setMicrophone] = useState(null);
  const [recording, setRecording] = useState(null);
  useEffect(() => {
    if (whyNot() || recording) return undefined;
    let isOver = false;
    let opened = null;
    open().then(
      each => {
        opened = each;
        if (isOver) each.stop();
        else setMicrophone(each);
      },
      error => isOver || setProblem(problemOf(error)),
    );
    return () => {
      isOver = true;
      opened?.stop();
    };
  }, []);

  if (problem) return html`<${Problem} problem=${problem} onClose=${onClose} />`;
  if (recording) return html`<${Review} recording=${recording} onSend=${onSend} onClose=${onClose} />`;
  if (!microphone) return html`<p class="muted" role="status">${t("recorder.asking")}</p>`;
  const stop = async seconds => {
    const stopped = await microphone.stop();
    setRecording({ ...stopped, seconds, at: new Date() });
  };
  return html`<${Running} microphone=${microphone} onStop=${stop} />`;
}

function Problem({ problem, onClose }) {
  return html`
    <div class="notice bad" role="alert">
      <strong>${t(`recorder.${problem}`)}</strong><span>${t(`recorder.${problem}_remedy`)}</span>
    </div>
    <div class="actions"><button type="button" class="button" onClick=${onClose}>${t("recorder.close")}</button></div>
  `;
}

function Running({ microphone, onStop }) {
  const began = useRef(performance.now());
  const meter = useRef();
  const button = useRef();
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    button.current.focus();
    let frame = 0;
    const measure = () => {
      meter.current.style.setProperty("--level", microphone.level().toFixed(3));
      frame = requestAnimationFrame(measure);
    };
    measure();
    const clock = setInterval(() => setSeconds((performance.now() - began.current) / 1000), 250);
    return () => {
      cancelAnimationFrame(frame);
      clearInterval(clock);
    };
  }, []);
  return html`
    <div class="recorder">
      <span class="recording-dot" aria-hidden="true"></span>
      <span class="numbers" role="timer" aria-label=${t("recorder.length")}>${duration(seconds)}</span>
      <span class="meter" ref=${meter} aria-hidden="true"><span></span></span>
      <button type="button" class="button primary" ref=${button}
        onClick=${() => onStop((performance.now() - began.current) / 1000)}><${Icon} name="stop" />${t("recorder.stop")}</button>
    </div>
  `;
}

function Review({ recording, onSend, onClose }) {
  const [address] = useState(() => URL.createObjectURL(recording.blob));
  const button = useRef();
  useEffect(() => {
    button.current.focus();
    return () => URL.revokeObjectURL(address);
  }, []);
  const send = () => {
    const at = recording.at.toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
    const name = `${t("recorder.name", { at }).replace(/[/:\\]/g, ".")}.${recording.ending}`;
    onSend({ file: new File([recording.blob], name, { type: recording.blob.type }), name });
  };
  return html`
    <div class="recorder">
      <audio controls src=${address} aria-label=${t("recorder.listen")}></audio>
      <span class="muted numbers">${duration(recording.seconds)}</span>
    </div>
    <div class="actions">
      <button type="button" class="button primary" ref=${button} onClick=${send}><${Icon} name="upload" />${t("recorder.send")}</button>
      <button type="button" class="button quiet" onClick=${onClose}>${t("recorder.discard")}</button>
    </div>
  `;
}
