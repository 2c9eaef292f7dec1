/** The log-in page: one document without anything to load, which works without scripts too. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const TOKENS = readFileSync(fileURLToPath(import.meta.resolve("@ringlight/ui/tokens.css")), "utf8");

const STYLE = `${TOKENS}
*{box-sizing:border-box}
body{margin:0;min-height:100dvh;display:grid;place-items:center;padding:24px;background:var(--rl-bg);color:var(--rl-text);font:14px/1.5 var(--rl-font)}
main{width:100%;max-width:380px;background:var(--rl-surface);border:1px solid var(--rl-line);border-radius:12px;padding:28px;box-shadow:var(--rl-shadow-pop)}
header{display:flex;gap:10px;align-items:center;font-size:16px;font-weight:600;letter-spacing:-.01em}
h1{font-size:19px;margin:18px 0 4px}
p{margin:0 0 16px;color:var(--rl-muted)}
label{display:block;font-weight:500;margin:14px 0 4px}
input{width:100%;height:38px;padding:0 10px;border:1px solid var(--rl-line-strong);border-radius:var(--rl-radius);background:var(--rl-bg);color:inherit;font:13px var(--rl-mono)}
button{width:100%;height:40px;margin-top:20px;border:0;border-radius:var(--rl-radius);background:var(--rl-accent);color:var(--rl-on-accent);font:600 14px var(--rl-font);cursor:pointer}
:focus-visible{outline:2px solid var(--rl-focus);outline-offset:2px}
.error{background:var(--rl-bad-soft);color:var(--rl-bad);border-radius:var(--rl-radius);padding:10px 12px;margin:16px 0 0}
.or{display:flex;align-items:center;gap:10px;color:var(--rl-subtle);margin:22px 0 0;font-size:12px}
.or::before,.or::after{content:"";flex:1;height:1px;background:var(--rl-line)}
code{font:12px var(--rl-mono);overflow-wrap:anywhere}
.hint{font-size:12px;color:var(--rl-subtle);margin:6px 0 0}`;

const MARK = `<svg width="24" height="24" viewBox="0 0 32 32" fill="none" stroke-width="5.5" aria-hidden="true"><circle cx="16" cy="16" r="11.5" stroke="var(--rl-tier-mem)" stroke-dasharray="29 44" transform="rotate(-90 16 16)"/><circle cx="16" cy="16" r="11.5" stroke="var(--rl-tier-ssd)" stroke-dasharray="20 53" transform="rotate(58 16 16)"/><circle cx="16" cy="16" r="11.5" stroke="var(--rl-ufs)" stroke-dasharray="17 56" transform="rotate(162 16 16)"/></svg>`;

/**
 * The chosen scheme; and a look whether there is a session after all: the cookie is not sent with a link from another site,
 * but with what this page asks for itself.
 */
const SCRIPT = `try{var t=localStorage.getItem("ringlight.theme");if(t==="light"||t==="dark")document.documentElement.dataset.theme=t}catch(e){}
fetch("/api/session").then(function(r){return r.json()}).then(function(s){if(s.loggedIn)location.replace(document.querySelector("[name=next]").value)}).catch(function(){})`;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);

/** The page. @param next where to go after the log-in */
export function loginPage({ next, error }: { readonly next: string; readonly error?: string }): string {
  const failure = error === undefined ? "" : `<p class="error" role="alert" id="failure">${escaped(error)}</p>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · Ringlight</title><style>${STYLE}</style></head>
<body><main><header>${MARK}Ringlight</header><h1>Log in</h1>
<p>This console can be reached from other machines.</p>${failure}
<form method="post" action="/login"><input type="hidden" name="next" value="${escaped(next)}">
<label for="token">Cluster token</label>
<input id="token" name="token" type="password" autocomplete="current-password" spellcheck="false" autofocus>
<p class="hint">In the file that <code>tokenFile</code> names. It makes you an operator.</p>
<div class="or">or an access key</div>
<label for="key">Access key id</label>
<input id="key" name="accessKeyId" autocomplete="username" spellcheck="false">
<label for="secret">Secret access key</label>
<input id="secret" name="secretAccessKey" type="password" autocomplete="off" spellcheck="false">
<p class="hint">A key with a policy looks at everything and changes nothing.</p>
<button type="submit">Log in</button></form></main><script>${SCRIPT}</script></body></html>`;
}
