// Search within the transcript: how often, the next, the previous.

import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { Icon } from "../shell/icons.js";
import { t } from "../words.js";
import { found } from "./texts.js";

const TYPING_MS = 120;

/** `onFound(bySegment, current, isAsked)` shows what is found; `isAsked`: the reader typed or stepped, no link did. */
export function Find({ segments, query, onFound }) {
  const [text, setText] = useState(query);
  const [result, setResult] = useState({ bySegment: new Map(), all: [] });
  const [position, setPosition] = useState(0);
  const input = useRef();
  const isAsked = useRef(false);

  useEffect(() => setText(query), [query]);
  useEffect(() => {
    const timer = setTimeout(() => {
      setResult(found(segments, text));
      setPosition(0);
    }, text === query ? 0 : TYPING_MS);
    return () => clearTimeout(timer);
  }, [segments, text]);
  useEffect(() => onFound(result.bySegment, result.all[position] ?? null, isAsked.current), [result, position]);
  useEffect(() => {
    const onKey = event => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest?.("input, select, textarea, dialog")) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  const count = result.all.length;
  const step = by => {
    isAsked.current = true;
    if (count) setPosition((position + by + count) % count);
  };
  const type = event => {
    isAsked.current = true;
    setText(event.target.value);
  };
  const onKey = event => {
    if (event.key === "Enter") {
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      setText("");
    }
  };
  const state = !text.trim() ? "" : count ? t("find.count", { position: position + 1, count }) : t("find.none");
  return html`
    <div class="find" role="search" aria-label=${t("find.label")}>
      <${Icon} name="search" />
      <input ref=${input} class="input" type="search" value=${text} placeholder=${t("find.label")} aria-label=${t("find.label")}
        aria-keyshortcuts="/" autocomplete="off" onInput=${type} onKeyDown=${onKey} />
      <span class="found small numbers muted" role="status">${state}</span>
      <button type="button" class="button quiet small square up" disabled=${!count} aria-label=${t("find.previous")}
        title=${t("find.previous")} onClick=${() => step(-1)}><${Icon} name="chevron" /></button>
      <button type="button" class="button quiet small square" disabled=${!count} aria-label=${t("find.next")}
        title=${t("find.next")} onClick=${() => step(1)}><${Icon} name="chevron" /></button>
    </div>
  `;
}
