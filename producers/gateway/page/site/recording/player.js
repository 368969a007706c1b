// The recording's sound: the browser's own player, with keys and speeds of the page's own.

import { raw } from "../api.js";
import { keep, kept } from "../kept.js";
import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { FailureText } from "../shell/failure.js";
import { t } from "../words.js";

export const STEP_SECONDS = 5;
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const FIELDS = "input, select, textarea, [contenteditable], dialog";

/**
 * Show the player. `audio` is a ref that gets the element; `onTime(seconds, isPlaying)` is called for every frame
 * while it plays, and whenever its place changes.
 */
export function Player({ jobId, audio, onTime, children }) {
  const [failure, setFailure] = useState(null);
  const [speed, setSpeed] = useState(Number(kept("speed")) || 1);
  const frame = useRef(0);
  const tell = useRef(onTime);
  tell.current = onTime;

  useEffect(() => {
    const element = audio.current;
    if (!element) return undefined;
    const draw = () => {
      tell.current(element.currentTime, !element.paused);
      cancelAnimationFrame(frame.current);
      if (!element.paused) frame.current = requestAnimationFrame(draw);
    };
    const names = ["play", "pause", "seeking", "seeked", "timeupdate", "loadedmetadata"];
    names.forEach(name => element.addEventListener(name, draw));
    return () => {
      names.forEach(name => element.removeEventListener(name, draw));
      cancelAnimationFrame(frame.current);
    };
  }, [failure]);

  useEffect(() => {
    if (!audio.current) return;
    audio.current.defaultPlaybackRate = speed;
    audio.current.playbackRate = speed;
    keep("speed", speed === 1 ? null : String(speed));
  }, [speed, failure]);

  useEffect(() => {
    const onKey = event => {
      const element = audio.current;
      if (!element || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest?.(FIELDS)) return;
      const isButton = event.target.closest?.("button, a, summary");
      if (event.key === " " && !isButton) toggle(element);
      else if (event.key === "ArrowLeft") move(element, -STEP_SECONDS);
      else if (event.key === "ArrowRight") move(element, STEP_SECONDS);
      else if (event.key === "<") setSpeed(current => SPEEDS[Math.max(0, nearest(current) - 1)]);
      else if (event.key === ">") setSpeed(current => SPEEDS[Math.min(SPEEDS.length - 1, nearest(current) + 1)]);
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  if (failure) return html`<div class="player lost"><${FailureText} failure=${failure} />${children}</div>`;
  return html`
    <div class="player" role="region" aria-label=${t("recording.player")}>
      <audio ref=${audio} controls preload="metadata" src=${`/v1/jobs/${jobId}/audio`} aria-label=${t("recording.sound")}
        onError=${() => whyNot(jobId).then(setFailure)}></audio>
      <label class="speed"><span class="unseen">${t("recording.speed")}</span>
        <select class="select numbers" title=${t("recording.speed")} value=${speed} onChange=${event => setSpeed(Number(event.target.value))}>
          ${SPEEDS.map(each => html`<option value=${each} selected=${each === speed}>${`${each.toLocaleString()}×`}</option>`)}
        </select>
      </label>
      ${children}
    </div>
  `;
}

function toggle(element) {
  if (element.paused) element.play().catch(() => {});
  else element.pause();
}

function move(element, seconds) {
  const end = Number.isFinite(element.duration) ? element.duration : Infinity;
  element.currentTime = Math.min(end, Math.max(0, element.currentTime + seconds));
}

const nearest = speed => SPEEDS.indexOf(SPEEDS.reduce((a, b) => (Math.abs(b - speed) < Math.abs(a - speed) ? b : a)));

/** Ask the gateway why there is no sound: the element does not tell. */
async function whyNot(jobId) {
  try {
    await raw("GET", `/v1/jobs/${jobId}/audio`, { headers: { Range: "bytes=0-0" } });
    return { reason: "audio_unplayable", message: "" };
  } catch (error) {
    return error;
  }
}
