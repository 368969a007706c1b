// The page's start: words, the session, and the view of the current place.

import { get, onSignedOut } from "./api.js";
import { Home } from "./home/home.js";
import { Anywhere } from "./home/new_job.js";
import { html, render, useEffect, useState } from "./library/standalone.module.js";
import { Recording } from "./recording/recording.js";
import { Search } from "./recording/search.js";
import { go, here, useRoute } from "./router.js";
import { Header } from "./shell/header.js";
import { SignIn } from "./shell/sign_in.js";
import { loadWords, onLanguage, t } from "./words.js";

const SIGN_IN = "/sign-in";

function App() {
  const route = useRoute();
  const [session, setSession] = useState(undefined); // null: it could not be read
  const [, redraw] = useState(0);
  const [name, id] = route.parts;
  const isSigningIn = name === "sign-in";

  useEffect(() => onLanguage(() => redraw(count => count + 1)), []);
  useEffect(() => {
    onSignedOut(() => {
      setSession(undefined);
      if (here().path !== SIGN_IN) go(SIGN_IN + nextOf(here()), { replace: true });
    });
  }, []);
  useEffect(() => {
    if (!session && !isSigningIn) get("/v1/session").then(setSession, error => error.status === 401 || setSession(null));
  }, [isSigningIn]);
  useEffect(() => {
    if (name !== "jobs") document.title = titleOf(name, route.query);
    // A new view is read from its beginning; the first one is, anyway.
    if (App.path !== undefined && App.path !== route.path && !isSigningIn) document.querySelector("main")?.focus();
    App.path = route.path;
  }, [route, document.documentElement.lang]);

  return html`
    <a class="skip" href="#main" onClick=${skip}>${t("shell.skip")}</a>
    <${Header} route=${route} session=${session} />
    <main id="main" tabindex="-1" class=${isSigningIn ? "narrow" : ""}>
      <${View} route=${route} name=${name} id=${id} session=${session} />
    </main>
    <${Anywhere} session=${session} />
  `;
}

function View({ route, name, id, session }) {
  const query = route.query.get("q") ?? "";
  if (session === undefined && name !== "sign-in") return null;
  if (name === undefined) return html`<${Home} session=${session} />`;
  if (name === "jobs" && id) {
    const at = route.query.has("t") ? Number(route.query.get("t")) : undefined;
    return html`<${Recording} key=${id} jobId=${id} at=${at} query=${query} session=${session} />`;
  }
  if (name === "search") return html`<${Search} query=${query} session=${session} />`;
  if (name === "sign-in") return html`<${SignIn} next=${route.query.get("next") ?? "/"} />`;
  return html`<h1>${t("shell.not_found")}</h1><p><a href="#/">${t("shell.to_start")}</a></p>`;
}

function nextOf({ path, query }) {
  const text = query.toString();
  return path === "/" ? "" : `?${new URLSearchParams({ next: path + (text ? `?${text}` : "") })}`;
}

function titleOf(name, query) {
  const titles = { search: query.get("q") || t("shell.search"), "sign-in": t("sign_in.title") };
  return titles[name] ? `${titles[name]} · Kascribe` : "Kascribe";
}

function skip(event) {
  event.preventDefault(); // the place in the address is the view's
  document.querySelector("main").focus();
}

await loadWords();
const root = document.getElementById("app");
root.textContent = "";
render(html`<${App} />`, root);
