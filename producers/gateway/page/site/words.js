// The words of the page, in the reader's language: `t("home.drop")`, `t("home.files", {count: 3})`.
//
// The language is that of <html lang>, which early.js sets. Every file of words/ has the same keys. An entry is a text
// with {names}, or one text for each plural form of {count}.

import { kept, keep } from "./kept.js";

export const LANGUAGES = { en: "English", ko: "한국어" };

let words = {};
let plurals = new Intl.PluralRules("en");
const listeners = new Set();

export const language = () => document.documentElement.lang;

/** Load the words of the current language; resolve once `t` knows them. */
export async function loadWords() {
  const code = language();
  words = (await import(`./words/${code}.js`)).default;
  plurals = new Intl.PluralRules(code);
  listeners.forEach(listener => listener(code));
}

/** Change the language, and keep the choice for later visits. */
export async function setLanguage(code) {
  keep("language", code);
  document.documentElement.lang = code;
  await loadWords();
}

/** Call `listener` after each change of the language; return a function that stops it. */
export function onLanguage(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Return the text of a key, with its {names} replaced by `values`. A number is written as the language does. */
export function t(key, values = {}) {
  const entry = words[key] ?? key;
  const text = typeof entry === "string" ? entry : (entry[plurals.select(values.count)] ?? entry.other);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? value.toLocaleString(language()) : (value ?? "");
  });
}

/** Return whether there is a text for a key, as for reasons of failures that a later gateway may add. */
export const hasWords = key => key in words;
