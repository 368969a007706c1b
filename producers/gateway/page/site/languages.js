// The languages that Whisper knows, by code, named in the reader's own.

import { language } from "./words.js";

export const CODES = `
  en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la
  mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be
  tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue
`.trim().split(/\s+/);

/** Return the name of a language in the reader's language; the code itself where the browser knows none. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames(language(), { type: "language" }).of(code === "jw" ? "jv" : code);
  } catch {
    return code;
  }
}

/** Return [code, name] of every language, sorted by name. */
export function languageNames() {
  return CODES.map(code => [code, languageName(code)]).sort((a, b) => a[1].localeCompare(b[1], language()));
}
