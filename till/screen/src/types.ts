// What the terminal sends, as far as the screens read it: the JSON of packages till and terminal.

import type { Amount } from "./money.ts";

export type Kind = "sale" | "forced" | "refund" | "void" | "preauth" | "increment" | "completion" | "balance";

export type State =
  | "Ready" | "AwaitCard" | "CardTalk" | "Sending" | "Asking" | "FinishApproved" | "FinishDeclined" | "FinishUnable"
  | "FinishUnanswered" | "AgreementOnline" | "AgreementOffline" | "Approved" | "Declined" | "Cancelled" | "Reversed";

export interface Outcome {
  code: string;
  happened: string;
  do: string;
  happened_ar?: string;
  do_ar?: string;
  may_retry: boolean;
}

export interface Sale {
  id: number;
  kind: Kind;
  state: State;
  batch: number;
  left_out?: number;
  amount: Amount;
  tip?: Amount;
  cashback?: Amount;
  approved?: Amount;
  of?: number;
  by?: string;
  reference?: string;
  key?: string;
  started: string;
  updated: string;
  tid: string;
  mid: string;
  stan?: number;
  invoice?: number;
  pan?: string;
  language?: string; // what the card prefers, pairs of letters
  label?: string;
  scheme?: string;
  entry?: string;
  cvm?: string;
  signature?: boolean;
  rc?: string;
  rrn?: string;
  auth?: string;
  host_text?: string;
  way?: "online" | "offline" | "deferred" | "voice";
  balance?: Amount;
  twin?: number;
  training?: boolean;
  outcome?: Outcome;
}

export interface Health {
  ok: boolean;
  name: string;
  state: string;
  cause?: string;
}

export interface LinkHealth extends Health {
  host?: string;
  warnings?: string[];
}

export interface BatchStatus {
  number: number;
  count: number;
  sum?: Amount;
  cut_off?: string;
  warning?: string;
  settling?: Batch[];
}

export interface Batch {
  acquirer: string;
  number: number;
  state: string;
  reason?: string;
  opened?: string;
  fixed?: string;
  closed?: string;
}

export interface Snapshot {
  version: number;
  sale?: number;
  state: State;
  amount?: Amount;
  prompt?: string;
  text?: string;
  text_ar?: string;
  advice?: string;
  advice_ar?: string;
  warning?: string;
  warning_ar?: string;
  confirm?: boolean;
  language?: string;
  pin?: { entry: number; digits: number; socket?: string };
  last?: Sale;
  reader: Health;
  stripe?: Health;
  host: LinkHealth;
  journal: number;
  owed: number;
  parked: number;
  oldest?: string;
  owed_sum?: Amount;
  card_left?: boolean;
  batch?: BatchStatus;
  quarantined?: number;
  clock?: string;
  display?: { text: string; language: string }[]; // lines that a cash register has put on the customer's display
}

export interface JournalRow {
  seq: number;
  time: string;
  kind: "sale" | "debt" | "stray" | "signon" | "batch" | "start";
  from?: State;
  event?: string;
  to?: string;
  note?: string;
  record?: Sale;
}

export interface PrinterStatus {
  name: string;
  ready: boolean;
  cause?: string;
  waiting: number;
  held?: { what: string; sale?: number; copy?: string };
}

/** One state event of GET /v1/events. */
export interface StateEvent {
  snapshot: Snapshot;
  printer?: PrinterStatus;
  training?: boolean;
}

export interface Terminal {
  tid: string;
  mid: string;
  merchant: string;
  location: string[];
  currency: string;
  exponent: number;
  kinds: Kind[];
  profile: string;
  version: string;
}

export interface Status {
  terminal: Terminal;
  snapshot: Snapshot;
  keys?: Health;
  printer?: PrinterStatus;
  open?: boolean;
}

export interface Me {
  name: string;
  role: string;
  ecr?: boolean;
  may: string[];
  open: boolean;
  training?: boolean;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail?: string;
  do: string;
  title_ar?: string;
  detail_ar?: string;
  do_ar?: string;
}

const finals = new Set<State>(["Approved", "Declined", "Cancelled", "Reversed"]);

/** final says that a state is the sale's last. */
export const final = (s: State): boolean => finals.has(s);

/** part is what the bank approved of it, of a payment that stands or may: one that was undone moved nothing. */
const part = (s: Sale): Amount | undefined => (s.approved?.minor && (s.state === "Approved" || !final(s.state)) ? s.approved : undefined);

/** taken is the money that a payment moved or holds, or was to. */
export const taken = (s: Sale): Amount => part(s) ?? s.amount;

/** partial says that the bank approved less than was asked for, and that the rest is to be paid in another way. */
export const partial = (s: Sale): boolean => taken(s).minor < s.amount.minor;
