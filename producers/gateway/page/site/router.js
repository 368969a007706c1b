// Where the reader is: `#/jobs/ID?t=12.3` is {path: "/jobs/ID", parts: ["jobs", "ID"], query: URLSearchParams}.

import { useEffect, useState } from "./library/standalone.module.js";

export function here() {
  const [path, query = ""] = (location.hash.replace(/^#/, "") || "/").split("?", 2);
  return { path, parts: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

/** Go to a place; `replace` leaves no entry in the browser's history. */
export function go(path, { replace = false } = {}) {
  if (replace) location.replace(`#${path}`);
  else location.hash = path;
}

export const jobPath = (id, query = {}) => {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined)).toString();
  return `/jobs/${encodeURIComponent(id)}${text ? `?${text}` : ""}`;
};

/** Return the current place, and draw again when it changes. */
export function useRoute() {
  const [route, setRoute] = useState(here);
  useEffect(() => {
    const follow = () => setRoute(here());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}
