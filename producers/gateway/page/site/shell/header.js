// The header: the name, the search, and the choices of language and colour scheme.

import { request } from "../api.js";
import { keep } from "../kept.js";
import { html, useEffect, useState } from "../library/standalone.module.js";
import { go } from "../router.js";
import { language, LANGUAGES, setLanguage, t } from "../words.js";
import { Icon } from "./icons.js";

export function Header({ route, session }) {
  const isSigningIn = route.parts[0] === "sign-in";
  return html`
    <header class="top">
      <a class="brand" href="#/" aria-label=${t("shell.home")}>
        <img src="page/icon.svg" alt="" width="28" height="28" /><span>Kascribe</span>
      </a>
      ${!isSigningIn && html`<${SearchField} query=${route.query.get("q") ?? ""} />`}
      <div class="choices">
        <a class="button quiet small" href="docs">${t("shell.api")}</a>
        <${LanguageChoice} />
        <${SchemeChoice} />
        ${session?.is_signed_in && html`<${SignOut} />`}
      </div>
    </header>
  `;
}

function SearchField({ query }) {
  const [text, setText] = useState(query);
  useEffect(() => setText(query), [query]);
  const search = event => {
    event.preventDefault();
    if (text.trim()) go(`/search?${new URLSearchParams({ q: text.trim() })}`);
  };
  return html`
    <form class="search" role="search" onSubmit=${search}>
      <${Icon} name="search" />
      <input class="input" type="search" name="q" aria-label=${t("shell.search")} placeholder=${t("shell.search")}
        value=${text} onInput=${event => setText(event.target.value)} autocomplete="off" enterkeyhint="search" />
    </form>
  `;
}

function LanguageChoice() {
  const other = Object.keys(LANGUAGES).find(code => code !== language());
  return html`
    <button type="button" class="button quiet small" lang=${other} onClick=${() => setLanguage(other)}>
      ${LANGUAGES[other]}
    </button>
  `;
}

const NEXT_SCHEME = { auto: "light", light: "dark", dark: "auto" };
const SCHEME_ICONS = { auto: "half", light: "sun", dark: "moon" };

function SchemeChoice() {
  const root = document.documentElement;
  const [scheme, setScheme] = useState(root.dataset.scheme ?? "auto");
  const choose = () => {
    const next = NEXT_SCHEME[scheme];
    if (next === "auto") delete root.dataset.scheme;
    else root.dataset.scheme = next;
    keep("scheme", next === "auto" ? null : next);
    setScheme(next);
  };
  const label = t(`shell.scheme_${scheme}`);
  return html`
    <button type="button" class="button quiet small square" aria-label=${label} title=${label} onClick=${choose}>
      <${Icon} name=${SCHEME_ICONS[scheme]} />
    </button>
  `;
}

function SignOut() {
  const leave = async () => {
    await request("DELETE", "/v1/session").catch(() => {});
    location.reload(); // nothing of the tenant stays in the memory of the page
  };
  return html`
    <button type="button" class="button quiet small square" aria-label=${t("shell.sign_out")} title=${t("shell.sign_out")}
      onClick=${leave}><${Icon} name="leave" /></button>
  `;
}
