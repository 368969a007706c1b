// Times, durations and sizes, as the reader's language writes them.

import { language } from "./words.js";

/** Write seconds as 1:02:03 or 2:03. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : String(part))).join(":");
}

const UNITS = [[60, "second", 1], [3600, "minute", 60], [86_400, "hour", 3600]];

/** Write a moment (ms since the epoch) as "5 minutes ago", and after a day as a date. */
export function moment(ms, now = Date.now()) {
  const seconds = (now - ms) / 1000;
  const unit = UNITS.find(([limit]) => seconds < limit);
  if (!unit) {
    const year = new Date(ms).getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
    return new Date(ms).toLocaleDateString(language(), { year, month: "short", day: "numeric" });
  }
  const ago = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  return ago.format(unit[1] === "second" ? 0 : -Math.floor(seconds / unit[2]), unit[1]);
}

/** Write a moment in full. */
export const fullMoment = ms => new Date(ms).toLocaleString(language(), { dateStyle: "long", timeStyle: "medium" });

export const percent = share => share.toLocaleString(language(), { style: "percent", maximumFractionDigits: 0 });

/** Write a size in bytes, such as 12 MB. */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(units.length - 1, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(1000)));
  const form = { style: "unit", unit: units[step], maximumFractionDigits: step > 1 ? 1 : 0 };
  return (bytes / 1000 ** step).toLocaleString(language(), form);
}
