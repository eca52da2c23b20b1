// The frame around the views: navigation, theme, signing in, messages.
import { useEffect, useRef, useState } from "preact/hooks";
import { explain, get, onUnauthorised, post } from "./api";
import { Icon } from "./components/icons";
import { ModelLine } from "./components/ModelCard";
import { route } from "./route";
import { info, loadAll, said } from "./store";
import { switchTheme, theme } from "./theme";
import type { Health } from "./types";
import { Library } from "./views/Library";
import { Listen } from "./views/Listen";
import { Train } from "./views/Train";

const VIEWS = { listen: ["Listen", Listen], library: ["Library", Library], train: ["Train", Train] } as const;
type ViewName = keyof typeof VIEWS;

type Stage = { name: "loading" | "ready" | "locked" } | { name: "failed"; why: string };

/** The link that the server prints carries the token behind the "#", where no server sees it. */
async function signInFromLink(): Promise<void> {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  await post("session", { token: decodeURIComponent(token) });
}

export function App() {
  const [stage, setStage] = useState<Stage>({ name: "loading" });
  const start = async () => {
    try {
      await signInFromLink().catch(() => undefined); // a stale link: the form asks again
      const health = await get<Health>("health");
      if (health.token_required && !health.signed_in) return setStage({ name: "locked" });
      await loadAll();
      setStage({ name: "ready" });
    } catch (error) {
      setStage({ name: "failed", why: explain(error) });
    }
  };
  useEffect(() => {
    onUnauthorised.call = () => setStage({ name: "locked" });
    void start();
  }, []);

  const wanted = route.value[0] ?? "listen";
  const view: ViewName = wanted in VIEWS ? (wanted as ViewName) : "listen";
  const [title, View] = VIEWS[view];
  useEffect(() => {
    document.title = `${title} · Earmark`;
  }, [title]);

  return (
    <>
      <a class="skip" href="#main" onClick={skipTo}>Skip to the content</a>
      <header class="bar">
        <a class="brand" href="#/listen"><img src="icon.svg" alt="" /><span>Earmark</span></a>
        <nav class="tabs" aria-label="Views">
          {Object.entries(VIEWS).map(([name, [label]]) => (
            <a key={name} href={`#/${name}`} aria-current={name === view ? "page" : undefined}>{label}</a>
          ))}
        </nav>
        <ThemeSwitch />
      </header>
      <main id="main" tabIndex={-1}>
        {stage.name === "loading" && <p class="soft">Loading…</p>}
        {stage.name === "locked" && <SignIn onDone={start} />}
        {stage.name === "failed" && (
          <div class="panel">
            <h1>Earmark cannot be reached</h1>
            <p>{stage.why}</p>
            <div><button type="button" class="primary" onClick={start}>Try again</button></div>
          </div>
        )}
        {stage.name === "ready" && <View />}
      </main>
      {stage.name === "ready" && (
        <footer class="row spread">
          <ModelLine />
          <span>Earmark {info.value?.version}</span>
        </footer>
      )}
      <div class="messages" role="status" aria-live="polite">
        {said.value && <p class={said.value.isBad ? "note bad" : "note"}>{said.value.text}</p>}
      </div>
    </>
  );
}

function skipTo(event: Event): void {
  event.preventDefault(); // the "#" belongs to the views
  document.getElementById("main")?.focus();
}

function ThemeSwitch() {
  const now = theme.value;
  const icon = now === "auto" ? "auto" : now === "dark" ? "moon" : "sun";
  const label = `Theme: ${now === "auto" ? "as the system" : now}`;
  return (
    <button type="button" class="icon quiet" aria-label={label} title={label} onClick={switchTheme}>
      <Icon name={icon} />
    </button>
  );
}

function SignIn({ onDone }: { onDone: () => Promise<void> }) {
  const token = useRef<HTMLInputElement>(null);
  const [why, setWhy] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await post("session", { token: token.current?.value ?? "" });
      await onDone();
    } catch (error) {
      setWhy(explain(error));
    }
  };
  return (
    <form class="panel" onSubmit={submit}>
      <h1>Sign in</h1>
      <p>The server has printed a link with a token where it was started. Open that link, or give the token here.</p>
      <label class="field">
        <span>Token</span>
        <input type="password" ref={token} autocomplete="current-password" required />
      </label>
      {why && <p class="note bad" role="alert">{why}</p>}
      <div><button class="primary">Sign in</button></div>
    </form>
  );
}
