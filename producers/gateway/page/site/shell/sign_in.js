// Signing in: an API key, once, for a cookie that scripts cannot read.

import { request } from "../api.js";
import { html, useEffect, useRef, useState } from "../library/standalone.module.js";
import { go } from "../router.js";
import { FailureText } from "./failure.js";
import { t } from "../words.js";

export function SignIn({ next }) {
  const [failure, setFailure] = useState(null);
  const [isSending, setSending] = useState(false);
  const input = useRef();
  useEffect(() => input.current.focus(), []);
  const signIn = async event => {
    event.preventDefault();
    const key = input.current.value.trim();
    if (!key) return;
    setSending(true);
    setFailure(null);
    try {
      await request("POST", "/v1/session", { headers: { Authorization: `Bearer ${key}` } });
      go(next.startsWith("/") ? next : "/", { replace: true });
    } catch (error) {
      setFailure(error);
      setSending(false);
      input.current.focus();
    }
  };
  return html`
    <form class="card sign-in" onSubmit=${signIn}>
      <h1>${t("sign_in.title")}</h1>
      <p class="muted">${t("sign_in.why")}</p>
      <input type="text" name="username" autocomplete="username" value="kascribe" hidden readonly />
      <div class="field">
        <label for="key">${t("sign_in.key")}</label>
        <input class="input" id="key" ref=${input} type="password" name="key" autocomplete="current-password" required
          spellcheck=${false} placeholder="kas_…" aria-describedby="key-problem" />
      </div>
      <div id="key-problem" role="alert">${failure && html`<${FailureText} failure=${failure} />`}</div>
      <button class="button primary" disabled=${isSending}>${t("sign_in.send")}</button>
      <p class="muted small">${t("sign_in.where")} <code>kascribe keys add NAME</code></p>
    </form>
  `;
}
