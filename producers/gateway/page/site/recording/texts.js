// Segments as the view needs them: where each word stands, what is uncertain, what a search finds. Pure.

/** A word below this mean probability of its tokens is shown as uncertain. */
export const UNCERTAIN_BELOW = 0.5;

/** Return the segments of a stored transcript, each with its words' places in its text. */
export function segmentsOf(transcript) {
  return transcript.segments.map((segment, index) => {
    const text = segment.text.trim();
    return { ...segment, index, text, words: placed(text, segment.words ?? []) };
  });
}

/** Return words with `from` and `to` in the text. A word that does not stand there is left out. */
function placed(text, words) {
  let at = 0;
  const found = [];
  for (const word of words) {
    const shown = word.word.trim();
    const from = shown ? text.indexOf(shown, at) : -1;
    if (from < 0) continue;
    at = from + shown.length;
    found.push({ from, to: at, start: word.start, end: word.end, probability: word.probability });
  }
  return found;
}

export const isUncertain = word => word.probability < UNCERTAIN_BELOW;

/** Return the index of the last item that starts at or before a time; -1 before the first. */
export function lastStarted(items, seconds) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const OVERLAPPING = 12; // of channels apart: segments that began earlier and may still be spoken

/** Return the indices of the segments that are spoken at a time. */
export function spokenAt(segments, seconds) {
  const last = lastStarted(segments, seconds);
  const spoken = [];
  for (let index = last; index >= 0 && index > last - OVERLAPPING; index -= 1) {
    if (segments[index].end > seconds) spoken.push(index);
  }
  return spoken.reverse();
}

/** Return a text folded for search (NFKC, small letters), and for each of its units the place in the text. */
export function folded(text) {
  let whole = "";
  const places = [];
  let at = 0;
  for (const character of text) {
    const part = character.normalize("NFKC").toLowerCase();
    for (let unit = 0; unit < part.length; unit += 1) places.push(at);
    whole += part;
    at += character.length;
  }
  places.push(at);
  return { text: whole, places };
}

/** Return the terms of a query: words, and "quoted phrases". */
export function termsOf(query) {
  const found = [...query.matchAll(/"([^"]+)"|(\S+)/g)].map(([, phrase, word]) => phrase ?? word.replaceAll('"', ""));
  return [...new Set(found.map(term => folded(term.trim()).text).filter(Boolean))];
}

/**
 * Return what a query finds: for each segment with any, its [from, to] ranges, and all of them in order.
 *
 * The query as it stands comes first; only where it stands nowhere are its words looked for one by one.
 */
export function found(segments, query) {
  const whole = folded(query.trim().replaceAll('"', "")).text;
  if (!whole) return { bySegment: new Map(), all: [] };
  const texts = segments.map(segment => folded(segment.text));
  const exact = occurrences(texts, [whole]);
  const terms = termsOf(query);
  return exact.all.length || terms.length < 2 ? exact : occurrences(texts, terms);
}

function occurrences(texts, terms) {
  const bySegment = new Map();
  const all = [];
  texts.forEach(({ text, places }, segment) => {
    const ranges = merged(terms.flatMap(term => placesOf(text, places, term)));
    if (!ranges.length) return;
    bySegment.set(segment, ranges);
    ranges.forEach((range, index) => all.push({ segment, index }));
  });
  return { bySegment, all };
}

function placesOf(text, places, term) {
  const ranges = [];
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + term.length)) {
    ranges.push([places[at], places[at + term.length]]);
  }
  return ranges;
}

function merged(ranges) {
  const sorted = ranges.sort((a, b) => a[0] - b[0]);
  const kept = [];
  for (const [from, to] of sorted) {
    const last = kept.at(-1);
    if (last && from < last[1]) last[1] = Math.max(last[1], to);
    else kept.push([from, to]);
  }
  return kept;
}

/** Return the transcript as plain text: a line for each segment, as the export has it. */
export const plainText = segments => segments.map(segment => segment.text).join("\n");
