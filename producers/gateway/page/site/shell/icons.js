// Icons, drawn with lines in the colour of the text. They are ornaments: labels say what buttons do.

import { html } from "../library/standalone.module.js";

const SHAPES = {
  search: "M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14Zm5-2 4.5 4.5",
  upload: "M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3",
  microphone: "M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3Zm-7-4a7 7 0 0 0 14 0M12 18v3",
  stop: "M7 7h10v10H7z",
  close: "M6 6l12 12M18 6 6 18",
  sun: "M12 16a4 4 0 1 1 0-8 4 4 0 0 1 0 8ZM12 3v2m0 14v2M5.6 5.6 7 7m10 10 1.4 1.4M3 12h2m14 0h2M5.6 18.4 7 17M17 7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z",
  half: "M12 4a8 8 0 1 0 0 16V4Zm0 0a8 8 0 0 1 0 16",
  trash: "M5 7h14M10 7V4h4v3m-7 0 1 13h8l1-13M10 11v5m4-5v5",
  again: "M20 12a8 8 0 1 1-2.5-5.8M20 4v4.5h-4.5",
  chevron: "M8 10l4 4 4-4",
  check: "M5 12.5l4.5 4.5L19 7.5",
  warning: "M12 9v4.5m0 3v.01M10.3 4.5 2.8 17.5A2 2 0 0 0 4.5 20.5h15a2 2 0 0 0 1.7-3L13.7 4.5a2 2 0 0 0-3.4 0Z",
  leave: "M14 4h4a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1h-4M10 8l-4 4 4 4m-4-4h10",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${SHAPES[name]} /></svg>`;
}
