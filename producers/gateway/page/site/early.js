// Before the first paint: the colour scheme and the language that the reader chose here, so that nothing flashes.
"use strict";

{
  const kept = name => {
    try {
      return localStorage.getItem(`kascribe.${name}`);
    } catch {
      return null; // storage may be forbidden
    }
  };
  const scheme = kept("scheme");
  if (scheme === "light" || scheme === "dark") document.documentElement.dataset.scheme = scheme;
  const known = ["en", "ko"];
  const wanted = [kept("language"), ...navigator.languages].map(tag => (tag || "").slice(0, 2).toLowerCase());
  document.documentElement.lang = wanted.find(code => known.includes(code)) || "en";
}
