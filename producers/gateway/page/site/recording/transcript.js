// A finished transcript with its sound: what is spoken is marked, and the text follows it until the reader scrolls.

import { html, useEffect, useMemo, useRef, useState } from "../library/standalone.module.js";
import { t } from "../words.js";
import { Enrichment } from "./enrichment.js";
import { Find } from "./find.js";
import { Flags } from "./heading.js";
import { Player } from "./player.js";
import { TranscriptView } from "./transcript_view.js";

const OWN_SCROLL_MS = 900; // what scrolls for so long after the page scrolled by itself is not the reader
const SCROLL_KEYS = new Set(["PageUp", "PageDown", "Home", "End"]);

export function Transcript({ job, transcript, at, query, session }) {
  const audio = useRef();
  const list = useRef();
  const view = useRef();
  const ownScroll = useRef(0);
  const hasBegun = useRef(false);
  const [follows, setFollows] = useState(true);
  const following = useRef(true);
  const setFollowing = is => {
    following.current = is; // at once: the next frame may come before the view is drawn
    setFollows(is);
  };
  const { segments } = transcript;
  const times = useMemo(() => new Map(segments.map(segment => [segment.id, segment.start])), [segments]);

  const reveal = (index, options) => {
    if (view.current?.reveal(index, options)) ownScroll.current = performance.now();
  };
  const show = (seconds, isPlaying = true) => {
    hasBegun.current ||= isPlaying || seconds > 0;
    if (!hasBegun.current) return; // nothing is spoken before the reader plays
    const index = view.current?.setTime(seconds) ?? null;
    if (index !== null && following.current) reveal(index);
  };
  const seek = (seconds, { plays = true } = {}) => {
    setFollowing(true);
    if (audio.current) {
      audio.current.currentTime = seconds + 0.001; // the word's own time, not the end of the one before
      if (plays) audio.current.play().catch(() => {}); // a browser may want a click first
    }
    show(seconds + 0.001);
  };

  useEffect(() => {
    const names = index => channelName(index, transcript.audio.channel_count);
    view.current = new TranscriptView(list.current, { segments, language: transcript.language, channels: names, onSeek: seek });
    return () => view.current.close();
  }, [segments, document.documentElement.lang]);
  useEffect(() => {
    if (at === undefined || Number.isNaN(at)) return;
    seek(at, { plays: navigator.userActivation?.hasBeenActive ?? false });
    const index = view.current?.setTime(at + 0.001) ?? segments.findLastIndex(segment => segment.start <= at);
    if (index >= 0) reveal(index, { smooth: false, always: true });
  }, [at, segments]);
  useEffect(() => {
    const leave = () => {
      if (following.current && audio.current && !audio.current.paused) setFollowing(false);
    };
    // A scroll bar sends no event of its own: what moves long after the page moved itself is the reader.
    const onScroll = () => performance.now() - ownScroll.current > OWN_SCROLL_MS && leave();
    const onWheel = event => event.target.closest(".enrichment") || leave();
    const onKey = event => SCROLL_KEYS.has(event.key) && leave();
    const leaving = new AbortController();
    const options = { passive: true, signal: leaving.signal };
    addEventListener("scroll", onScroll, options);
    addEventListener("wheel", onWheel, options);
    addEventListener("touchmove", onWheel, options);
    addEventListener("keydown", onKey, options);
    return () => leaving.abort();
  }, []);

  const onFound = (bySegment, current, isAsked) => {
    view.current?.setMatches(bySegment, current);
    if (!current || !(isAsked || at === undefined)) return; // a link with a time begins there
    if (isAsked && audio.current && !audio.current.paused) setFollowing(false);
    reveal(current.segment);
  };
  const catchUp = () => {
    setFollowing(true);
    show(audio.current?.currentTime ?? 0);
  };

  return html`
    <${Flags} transcript=${transcript} />
    <div class="columns">
      <section class="transcript" aria-labelledby="transcript-title">
        <h2 id="transcript-title" class="unseen">${t("recording.transcript")}</h2>
        ${segments.length > 0 && html`<${Find} segments=${segments} query=${query} onFound=${onFound} />`}
        ${segments.length > 0 && html`<p id="transcript-keys" class="unseen">${t("recording.keys")}</p>`}
        ${segments.length === 0 && html`<p class="notice">${t("recording.no_speech")}</p>`}
        <ol class=${`segments ${isSplit(segments) ? "split" : ""}`} ref=${list} aria-describedby=${segments.length ? "transcript-keys" : undefined}></ol>
      </section>
      <${Enrichment} job=${job} session=${session} times=${times} onSeek=${seek} />
    </div>
    <${Player} jobId=${job.job_id} audio=${audio} onTime=${show}>
      ${!follows && html`<button type="button" class="button small follow" onClick=${catchUp}>${t("recording.follow")}</button>`}
    <//>
  `;
}

const isSplit = segments => segments.some(segment => segment.channel !== null && segment.channel !== undefined);

/** Of stereo, the sides have names. */
function channelName(index, count) {
  if (count === 2) return t(index === 0 ? "recording.left" : "recording.right");
  return t("recording.channel", { number: index + 1 });
}
