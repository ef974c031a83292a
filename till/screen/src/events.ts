// The terminal's event stream (GET /v1/events), read with fetch and not with EventSource: a page has to see that it was logged out,
// and that a connection is dead which nobody has closed.

/** One event: its name, its data, and its id where it has one. */
export interface ServerEvent {
  event: string;
  data: string;
  id?: string;
}

/** Parser puts a stream's text together to events (WHATWG HTML, 9.2.6). */
export class Parser {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id: string | undefined;

  /** push takes the next text and gives the events that are whole with it. */
  push(text: string): ServerEvent[] {
    const out: ServerEvent[] = [];
    this.rest += text;
    for (;;) {
      const m = /\r\n|\n|\r(?!$)/.exec(this.rest);
      if (!m) return out;
      const line = this.rest.slice(0, m.index);
      this.rest = this.rest.slice(m.index + m[0].length);
      const e = this.line(line);
      if (e) out.push(e);
    }
  }

  private line(line: string): ServerEvent | undefined {
    if (line === "") {
      const e = this.data.length ? { event: this.event || "message", data: this.data.join("\n"), ...(this.id !== undefined && { id: this.id }) } : undefined;
      this.event = "";
      this.data = [];
      this.id = undefined;
      return e;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return undefined; // a comment: the stream lives
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    if (field === "data") this.data.push(value);
    if (field === "id" && !value.includes("\0")) this.id = value;
    return undefined;
  }
}

/** What a stream tells its owner. */
export interface Listener {
  /** The stream is open: what follows is true now. */
  open(): void;
  event(e: ServerEvent): void;
  /** The stream is gone, and is tried again. */
  lost(): void;
  /** The terminal refused: with 401 and 403 somebody has to log in, and nothing is tried until follow is called anew. */
  refused(status: number): void;
}

const silence = 25_000; // ms without a byte after which a connection is taken for dead: the terminal writes every ten seconds
const pauses = [250, 500, 1000, 2000]; // ms before each try; the last again and again

/** follow reads the stream until stop is called. after: the last row that is known; only newer ones are sent then. */
export function follow(url: string, listener: Listener, after = ""): () => void {
  let stopped = false;
  let lastId = after;
  let abort = new AbortController();
  let tries = 0;

  async function once(): Promise<boolean> {
    abort = new AbortController();
    let watch = setTimeout(() => abort.abort(), silence);
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (lastId !== "") headers["Last-Event-ID"] = lastId;
      const res = await fetch(url, { headers, credentials: "same-origin", cache: "no-store", signal: abort.signal });
      if (res.status === 401 || res.status === 403) {
        if (!stopped) listener.refused(res.status);
        return false;
      }
      if (!res.ok || !res.body) return true;
      const parser = new Parser();
      const decoder = new TextDecoder();
      const reader = res.body.getReader();
      let opened = false;
      for (;;) {
        const { done, value } = await reader.read();
        if (done || stopped) return !stopped;
        clearTimeout(watch);
        watch = setTimeout(() => abort.abort(), silence);
        for (const e of parser.push(decoder.decode(value, { stream: true }))) {
          if (!opened) {
            opened = true;
            tries = 0;
            listener.open();
          }
          if (e.id !== undefined) lastId = e.id;
          listener.event(e);
        }
      }
    } catch {
      return !stopped;
    } finally {
      clearTimeout(watch);
    }
  }

  void (async () => {
    while (!stopped && (await once())) {
      listener.lost();
      await new Promise((r) => setTimeout(r, pauses[Math.min(tries++, pauses.length - 1)]));
    }
  })();
  return () => {
    stopped = true;
    abort.abort();
  };
}
