// Requests to the terminal. Every one of them ends in an Answer: what came back, a problem in the terminal's own words, or the
// knowledge that nothing came back.

import type { Problem } from "./types.ts";

export type Answer<T> =
  | { kind: "done"; status: number; data: T }
  | { kind: "problem"; problem: Problem }
  | { kind: "lost" }; // no answer: whether the terminal has heard is not known

export interface Request {
  method?: "GET" | "POST";
  body?: unknown;
  override?: string; // a supervisor's yes, for this request alone
}

/** Fetch is what a request is sent with: the browser's, or a test's. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** ask sends one request, once. */
export function ask<T>(path: string, r: Request = {}, send: Fetch = fetch): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const init: RequestInit = { method: r.method ?? "GET", headers };
  if (init.method === "POST") {
    headers["Content-Type"] = "application/json"; // no form of a foreign page can send it
    init.body = JSON.stringify(r.body ?? {});
  }
  if (r.override) headers["Tillway-Override"] = r.override;
  return exchange(path, init, send, (text) => (text ? JSON.parse(text) : null) as T);
}

/** text asks for something that is no JSON: a receipt. */
export const askText = (path: string): Promise<Answer<string>> => exchange(path, {}, fetch, (text) => text);

async function exchange<T>(path: string, init: RequestInit, send: Fetch, read: (text: string) => T): Promise<Answer<T>> {
  try {
    const res = await send(path, { ...init, credentials: "same-origin", cache: "no-store" });
    const text = await res.text();
    if (res.ok) return { kind: "done", status: res.status, data: read(text) };
    return { kind: "problem", problem: problemOf(res.status, text) };
  } catch {
    return { kind: "lost" };
  }
}

function problemOf(status: number, text: string): Problem {
  try {
    const p = JSON.parse(text) as Problem;
    if (typeof p.code === "string") return p;
  } catch {
    // no problem of the terminal's: said below
  }
  return { type: "about:blank", title: "The terminal gave no answer that this screen knows", status, code: "unknown", do: "Look the last sale up before you repeat it." };
}
