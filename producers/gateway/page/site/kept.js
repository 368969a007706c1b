// What this browser keeps for the reader: the language, the colour scheme, the options of uploads.

/** Return what is kept under a name; null where there is nothing, or the browser keeps nothing. */
export function kept(name) {
  try {
    return localStorage.getItem(`kascribe.${name}`);
  } catch {
    return null;
  }
}

/** Keep a text under a name; null forgets it. */
export function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(`kascribe.${name}`);
    else localStorage.setItem(`kascribe.${name}`, text);
  } catch {
    // The choice holds for this visit.
  }
}
