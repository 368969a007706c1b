// The transcript in the document, drawn without a framework: three hours have thirty thousand words.
//
// Every segment is there from the beginning, with its text, so that the browser's own search, copying and readers of
// the screen see all of it. Its words get elements of their own only near the window. Texts are only ever text nodes.

import { duration } from "../format.js";
import { languageName } from "../languages.js";
import { hasWords, t } from "../words.js";
import { isUncertain, lastStarted, spokenAt } from "./texts.js";

const NEAR = "600px 0px";

export class TranscriptView {
  /** Draw segments into an element. `onSeek(seconds)` is called when a reader chooses a word. */
  constructor(root, { segments, language, channels, onSeek }) {
    Object.assign(this, { root, segments, language, channels, onSeek });
    this.matches = new Map();
    this.current = null; // the match that the reader is at
    this.detailed = new Set();
    this.spoken = [];
    this.cursor = null;
    this.observer = new IntersectionObserver(entries => this.#onNear(entries), { rootMargin: NEAR });
    this.items = segments.map(segment => this.#item(segment));
    root.replaceChildren(...this.items);
    this.items.forEach(item => this.observer.observe(item));
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    root.addEventListener("click", event => this.#onClick(event), { signal });
    root.addEventListener("keydown", event => this.#onKey(event), { signal });
    this.#setCursor(0, 0, { focus: false });
  }

  /** Stop following the window. */
  close() {
    this.observer.disconnect();
    this.listeners.abort();
  }

  /** Show what is spoken at a time: its words where there are times of words. Return the first such segment. */
  setTime(seconds) {
    const spoken = spokenAt(this.segments, seconds);
    for (const index of this.spoken) if (!spoken.includes(index)) this.#leave(index);
    for (const index of spoken) {
      const item = this.items[index];
      item.classList.add("spoken");
      item.setAttribute("aria-current", "true");
      this.#speak(index, seconds);
    }
    this.spoken = spoken;
    return spoken[0] ?? null;
  }

  /** Show what a search found; `current` is {segment, index} of the match that the reader is at. */
  setMatches(bySegment, current) {
    const touched = new Set([...this.matches.keys(), ...bySegment.keys()]);
    this.matches = bySegment;
    this.current = current;
    for (const index of touched) this.#draw(index);
  }

  /** Move a segment into the middle of the window unless it stands well within; return whether it moved. */
  reveal(index, { smooth = true, always = false } = {}) {
    const item = this.items[index];
    const target = item.querySelector(".now") ?? item.querySelector(".at") ?? item;
    const box = target.getBoundingClientRect();
    const room = innerHeight;
    if (!always && box.top > room * 0.14 && box.bottom < room * 0.72) return false;
    target.scrollIntoView({ block: "center", behavior: smooth ? "smooth" : "instant" });
    return true;
  }

  #item(segment) {
    const item = document.createElement("li");
    item.className = "segment";
    item.id = `segment-${segment.id}`;
    item.dataset.index = segment.index;
    const time = document.createElement("button");
    time.type = "button";
    time.className = "time numbers";
    time.tabIndex = -1; // the words are reached with the arrow keys: thousands of stops help no one
    time.textContent = duration(Math.floor(segment.start));
    time.setAttribute("aria-label", t("recording.play_from", { time: time.textContent }));
    const body = document.createElement("div");
    body.className = "said";
    body.append(...this.#labels(segment), this.#text(segment));
    if (segment.channel !== null && segment.channel !== undefined) item.dataset.channel = segment.channel % 4;
    item.append(time, body);
    return item;
  }

  #labels(segment) {
    const before = this.segments[segment.index - 1];
    const names = [];
    if (segment.channel !== null && segment.channel !== undefined && before?.channel !== segment.channel) {
      names.push(label("channel", this.channels(segment.channel)));
    }
    if (segment.language && segment.language !== this.language && before?.language !== segment.language) {
      names.push(label("badge", languageName(segment.language)));
    }
    for (const flag of segment.flags ?? []) {
      if (hasWords(`segment_flag.${flag}`)) names.push(label("badge warn", t(`segment_flag.${flag}`)));
    }
    if (!names.length) return [];
    const line = document.createElement("p");
    line.className = "labels";
    line.append(...names);
    return [line];
  }

  #text(segment) {
    const text = document.createElement("p");
    text.className = "words";
    if (segment.language ?? this.language) text.lang = segment.language ?? this.language;
    text.textContent = segment.text;
    return text;
  }

  #onNear(entries) {
    for (const { target, isIntersecting } of entries) {
      const index = Number(target.dataset.index);
      if (isIntersecting === this.detailed.has(index)) continue;
      if (isIntersecting) this.detailed.add(index);
      else if (this.cursor?.segment !== index) this.detailed.delete(index);
      this.#draw(index);
    }
  }

  /** Draw the text of a segment anew: words near the window, and what a search found everywhere. */
  #draw(index) {
    const segment = this.segments[index];
    const place = this.items[index].querySelector(".words");
    const hadFocus = place.contains(document.activeElement);
    const marks = this.matches.get(index) ?? [];
    const words = this.detailed.has(index) ? segment.words : [];
    const parts = words.length ? this.#withWords(segment, words, marks) : this.#marked(segment.text, 0, segment.text.length, marks, index);
    place.replaceChildren(...parts);
    this.items[index].lastWord = null;
    if (this.cursor?.segment === index) this.#setCursor(index, this.cursor.word, { focus: hadFocus });
  }

  #withWords(segment, words, marks) {
    const parts = [];
    let at = 0;
    words.forEach((word, number) => {
      parts.push(...this.#marked(segment.text, at, word.from, marks, segment.index));
      const element = document.createElement("span");
      element.className = isUncertain(word) ? "word uncertain" : "word";
      if (isUncertain(word)) element.title = t("recording.uncertain_word", { percent: Math.round(word.probability * 100) });
      element.dataset.word = number;
      element.append(...this.#marked(segment.text, word.from, word.to, marks, segment.index));
      parts.push(element);
      at = word.to;
    });
    parts.push(...this.#marked(segment.text, at, segment.text.length, marks, segment.index));
    return parts;
  }

  /** Return the nodes of a piece of a text: what a search found is in <mark>. */
  #marked(text, from, to, marks, segment) {
    const nodes = [];
    let at = from;
    marks.forEach(([start, end], index) => {
      if (end <= from || start >= to) return;
      const [first, last] = [Math.max(start, from), Math.min(end, to)];
      if (first > at) nodes.push(document.createTextNode(text.slice(at, first)));
      const mark = document.createElement("mark");
      if (this.current?.segment === segment && this.current.index === index) mark.className = "at";
      mark.textContent = text.slice(first, last);
      nodes.push(mark);
      at = last;
    });
    if (at < to) nodes.push(document.createTextNode(text.slice(at, to)));
    return nodes;
  }

  #speak(index, seconds) {
    const { words } = this.segments[index];
    const item = this.items[index];
    if (!words.length) return;
    if (!this.detailed.has(index)) {
      this.detailed.add(index);
      this.#draw(index);
    }
    const number = lastStarted(words, seconds);
    if (item.lastWord === number) return;
    item.lastWord = number;
    item.querySelector(".now")?.classList.remove("now");
    if (number >= 0) item.querySelector(`[data-word="${number}"]`)?.classList.add("now");
  }

  #leave(index) {
    const item = this.items[index];
    item.classList.remove("spoken");
    item.removeAttribute("aria-current");
    item.querySelector(".now")?.classList.remove("now");
    item.lastWord = null;
  }

  #onClick(event) {
    const item = event.target.closest(".segment");
    if (!item || !getSelection().isCollapsed) return; // the reader selects text
    const segment = this.segments[item.dataset.index];
    const word = event.target.closest(".word");
    if (word) this.#choose(segment.index, Number(word.dataset.word));
    else if (event.target.closest(".time, .words")) this.#choose(segment.index, 0);
  }

  #choose(index, number) {
    const segment = this.segments[index];
    this.#setCursor(index, number, { focus: true });
    this.onSeek(segment.words[number]?.start ?? segment.start);
  }

  /** Arrow keys move between words and segments, Enter plays from there. */
  #onKey(event) {
    if (!event.target.closest(".words") || event.ctrlKey || event.metaKey || event.altKey) return;
    const { segment, word } = this.cursor;
    const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    if (event.key === "Enter") this.#choose(segment, word);
    else if (event.key in steps) this.#step(...steps[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #step(segments, words) {
    let { segment, word } = this.cursor;
    word = segments ? 0 : word + words;
    segment += segments;
    if (word < 0) {
      segment -= 1;
      word = Math.max(0, (this.segments[segment]?.words.length ?? 0) - 1);
    } else if (!segments && word >= Math.max(1, this.segments[segment].words.length)) {
      segment += 1;
      word = 0;
    }
    if (segment < 0 || segment >= this.segments.length) return;
    this.#setCursor(segment, word, { focus: true });
  }

  /** Let the keyboard stand at a word, or at a segment without words: the only stop of the transcript. */
  #setCursor(index, number, { focus }) {
    if (!this.segments.length) return;
    this.element?.removeAttribute("tabindex");
    this.element?.removeAttribute("role");
    this.cursor = { segment: index, word: number };
    if (focus && !this.detailed.has(index)) {
      this.detailed.add(index);
      this.#draw(index);
      return; // which sets the cursor, too
    }
    const place = this.items[index].querySelector(".words");
    this.element = place.querySelector(`[data-word="${number}"]`) ?? place;
    this.element.tabIndex = 0;
    if (this.element !== place) this.element.setAttribute("role", "button");
    if (focus) this.element.focus({ preventScroll: false });
  }
}

function label(kind, text) {
  const element = document.createElement("span");
  element.className = kind;
  element.textContent = text;
  return element;
}
