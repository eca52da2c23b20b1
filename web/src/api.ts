// Requests to the server. Addresses are relative to the page, so that a proxy may put both below a
// path of its own.
import type { Fault, TrackAnswer } from "./types";

export class Refused extends Error {
  constructor(readonly status: number, readonly fault: Fault) {
    super(fault.message);
  }
}

const UNREACHABLE: Fault = {
  code: "unreachable",
  message: "The server does not answer.",
  hint: "Look whether “earmark serve” is still running.",
};

/** What is called when the server wants a token. */
export const onUnauthorised: { call: () => void } = { call: () => undefined };

export function address(url: string): string {
  return url.startsWith("/") ? url.slice(1) : url;
}

export function faultOf(status: number, text: string): Fault {
  try {
    const { error } = JSON.parse(text) as { error?: Fault };
    if (error?.message) return error;
  } catch {
    // no JSON: a proxy's page, or nothing
  }
  const message = status === 413 ? "The file is too large for this server." :
    `The server answered with status ${status}.`;
  return { code: String(status), message, hint: "" };
}

/** What went wrong and what to do, as one line. */
export function inWords({ message, hint }: Pick<Fault, "message" | "hint">): string {
  if (!hint) return message;
  return /[.!?]$/.test(message) ? `${message} ${hint}` : `${message}: ${hint}`;
}

/** The same of a file; empty where nothing is wrong with it. */
export function fileFault({ result, hint }: TrackAnswer): string {
  return result.error ? inWords({ message: result.error, hint }) : "";
}

/** Text for a person of anything that was thrown. */
export function explain(error: unknown): string {
  if (error instanceof Refused) return inWords(error.fault);
  return error instanceof Error ? error.message : String(error);
}

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`api/v1/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new Refused(0, UNREACHABLE);
  }
  const text = await answer.text();
  if (answer.status === 401) onUnauthorised.call();
  if (!answer.ok) throw new Refused(answer.status, faultOf(answer.status, text));
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(path: string) => request<T>("GET", path);
export const post = <T>(path: string, body?: unknown) => request<T>("POST", path, body);
export const put = <T>(path: string, body: unknown) => request<T>("PUT", path, body);
export const patch = <T>(path: string, body: unknown) => request<T>("PATCH", path, body);
export const remove = (path: string) => request<void>("DELETE", path);

export async function getJson<T>(url: string): Promise<T> {
  const answer = await fetch(address(url));
  if (!answer.ok) throw new Refused(answer.status, faultOf(answer.status, await answer.text()));
  return (await answer.json()) as T;
}

export interface Upload<T> {
  answer: Promise<T>;
  abort: () => void;
}

/** Send a form and hear how much of it has gone; `fetch` cannot tell. `ok` says which statuses
 * are an answer rather than a refusal. */
export function upload<T>(
  path: string,
  form: FormData,
  ok: (status: number) => boolean,
  onSent: (share: number) => void,
): Upload<T> {
  const xhr = new XMLHttpRequest();
  const answer = new Promise<T>((resolve, reject) => {
    xhr.open("POST", `api/v1/${path}`);
    xhr.upload.onprogress = (event) => onSent(event.lengthComputable ? event.loaded / event.total : 0);
    xhr.upload.onload = () => onSent(1);
    xhr.onerror = () => reject(new Refused(0, UNREACHABLE));
    xhr.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    xhr.onload = () => {
      if (xhr.status === 401) onUnauthorised.call();
      if (ok(xhr.status)) {
        try {
          const body = JSON.parse(xhr.responseText) as { error?: unknown };
          if (!body.error) return resolve(body as T);
        } catch {
          // falls through to the refusal
        }
      }
      const after = Number(xhr.getResponseHeader("Retry-After"));
      const refusal = new Refused(xhr.status, faultOf(xhr.status, xhr.responseText));
      reject(Object.assign(refusal, { retryAfterS: after || null }));
    };
    xhr.send(form);
  });
  return { answer, abort: () => xhr.abort() };
}
