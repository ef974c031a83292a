// What the screen knows, as a function of what the terminal has told it. Nothing here asks, waits or draws.

import { final } from "./types.ts";
import type { JournalRow, Sale, StateEvent } from "./types.ts";

/** How the connection is: "login" waits for a person. */
export type Link = "connecting" | "on" | "off" | "login";

export interface Model {
  link: Link;
  news: StateEvent | null; // the last state; it is true while link is "on"
  at: number; // when it came, ms
  recent: Sale[]; // the last sales, newest first
  following: number; // the sale that this window has seen running, or has ordered; 0: none
  shown: Sale | null; // whose outcome stands on the screen until somebody has seen it
}

export const initial: Model = { link: "connecting", news: null, at: 0, recent: [], following: 0, shown: null };

export type Message =
  | { type: "open" }
  | { type: "lost" }
  | { type: "refused" }
  | { type: "state"; state: StateEvent; now: number }
  | { type: "row"; row: JournalRow }
  | { type: "recent"; sales: Sale[] }
  | { type: "ordered"; sale: Sale }
  | { type: "found"; sale: Sale }
  | { type: "seen" };

/** How many sales a window keeps. */
export const kept = 30;

/** How old an outcome may be that a page shows which has only just been opened, ms: who reloads in mid-sale must see its end. */
const fresh = 3 * 60_000;

export function reduce(m: Model, msg: Message): Model {
  switch (msg.type) {
    case "open":
      return m; // the first state says that it is on
    case "lost":
      return m.link === "login" ? m : { ...m, link: m.news ? "off" : "connecting" };
    case "refused":
      return { ...initial, link: "login", following: m.following };
    case "state":
      return arrived(m, msg.state, msg.now);
    case "row": {
      const sale = msg.row.record;
      return sale && belongs(m, sale) ? { ...m, recent: put(m.recent, sale) } : m;
    }
    case "recent":
      return { ...m, recent: msg.sales.filter((s) => belongs(m, s)).reduce(put, m.recent) };
    case "ordered":
      return ended(m, msg.sale, { following: msg.sale.id });
    case "found":
      return ended({ ...m, recent: put(m.recent, msg.sale) }, msg.sale, { following: 0 });
    case "seen":
      return { ...m, shown: null };
  }
}

/** ended shows a sale's outcome where it has one. */
function ended(m: Model, sale: Sale, rest: Partial<Model>): Model {
  const next = { ...m, ...rest };
  return final(sale.state) ? { ...next, following: 0, shown: sale } : next;
}

/** belongs says that a payment is of the world that the screen is in: training and real ones never stand beside each other. */
const belongs = (m: Model, sale: Sale): boolean => m.news === null || !!sale.training === !!m.news.training;

function arrived(was: Model, state: StateEvent, now: number): Model {
  const switched = was.news !== null && !!was.news.training !== !!state.training;
  const m = switched ? { ...was, news: null, shown: null, following: 0 } : was;
  const next: Model = { ...m, link: "on", news: state, at: now };
  if (m.news === null) next.recent = m.recent.filter((s) => belongs(next, s));
  const snap = state.snapshot;
  if (runs(next)) return { ...next, following: snap.sale!, shown: null }; // a new amount: the previous one leaves the screen
  const last = snap.last;
  if (!last || !belongs(next, last)) return next;
  const before = m.news?.snapshot.last?.id;
  const first = m.news === null;
  const isNew = switched ? false : first ? m.following === last.id || now - Date.parse(last.updated) < fresh : before !== last.id;
  if (isNew) return { ...next, shown: last, following: m.following === last.id ? 0 : m.following, recent: put(next.recent, last) };
  if (m.shown?.id === last.id) return { ...next, shown: last };
  return next;
}

/** runs says that a sale is running. */
export function runs(m: Model): boolean {
  const s = m.news?.snapshot;
  return !!s && !!s.sale && s.state !== "Ready" && !final(s.state);
}

/** missing is a sale that this window saw running, and that is over without a word of its end: the daemon was started anew. */
export function missing(m: Model): number {
  return m.link === "on" && !runs(m) && m.following !== 0 && m.news?.snapshot.last?.id !== m.following ? m.following : 0;
}

/** put takes a sale into a list, once, newest first, the later record of two. */
export function put(list: Sale[], sale: Sale): Sale[] {
  const old = list.find((s) => s.id === sale.id);
  if (old && Date.parse(old.updated) > Date.parse(sale.updated)) return list;
  return [sale, ...list.filter((s) => s.id !== sale.id)].sort((a, b) => b.id - a.id).slice(0, kept);
}

/** What stands in the middle of the screen. */
export type Scene = "running" | "outcome" | "entry";

export const scene = (m: Model): Scene => (runs(m) ? "running" : m.shown ? "outcome" : "entry");
