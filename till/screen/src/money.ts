// Money as the screen types, shows and sends it: whole minor units with their currency, never a fraction. The exponent comes from
// GET /v1/status; no locale library knows them all, and some are wrong (ICU has none for the Iraqi dinar, ISO 4217 has three).

/** An amount as the terminal sends it: whole minor units, and the currency's three letters. */
export interface Amount {
  minor: number;
  currency: string;
}

/** What the digits of an amount look like. */
export type Digits = "latin" | "arabic";

const arabicIndic = "٠١٢٣٤٥٦٧٨٩";
const eastern = "۰۱۲۳۴۵۶۷۸۹";

/** latinDigit is the digit that a character stands for, of Latin, Arabic-Indic and Eastern Arabic-Indic ones; "" for all else. */
export function latinDigit(c: string): string {
  if (c.length !== 1) return "";
  if (c >= "0" && c <= "9") return c;
  const at = Math.max(arabicIndic.indexOf(c), eastern.indexOf(c));
  return at < 0 ? "" : String(at);
}

/** arabicDigits writes the Latin digits of a text, and the marks between them, as Arabic ones. */
export function arabicDigits(text: string): string {
  return text
    .replace(/(\d),(?=\d)/g, "$1٬")
    .replace(/(\d)\.(?=\d)/g, "$1٫")
    .replace(/\d/g, (d) => arabicIndic[Number(d)]!);
}

/** plain writes an amount's number: "1,234.500". Grouped unless told otherwise; exponent is the currency's. */
export function plain(minor: number, exponent: number, grouped = true): string {
  const negative = minor < 0;
  const text = String(Math.abs(minor)).padStart(exponent + 1, "0");
  let whole = text.slice(0, text.length - exponent);
  if (grouped) whole = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const fraction = exponent ? "." + text.slice(text.length - exponent) : "";
  return (negative ? "−" : "") + whole + fraction;
}

/** Most that can be typed: twelve digits, as many as tag 9F02 and DE 4 have. */
export const maxDigits = 12;

/** typed puts one more key behind the digits typed so far; "00" and "000" are keys too. What does not fit changes nothing. */
export function typed(digits: string, key: string, max = maxDigits): string {
  let next = digits;
  for (const c of key) next += latinDigit(c);
  next = next.replace(/^0+/, "");
  return next.length > max ? digits : next;
}

/** minorOf is the amount that typed digits stand for: the decimals are implied, 10525 is KD 10.525. */
export function minorOf(digits: string): number {
  return digits === "" ? 0 : Number(digits);
}

/** parse reads an amount as it is written on a price tag, "10.525" or "5", in any of the digits; null for what is none, or too exact. */
export function parse(text: string, exponent: number): number | null {
  const s = [...text.trim()].map((c) => latinDigit(c) || (c === "٫" ? "." : c)).join("").replace(/[,٬]/g, "");
  const m = /^(\d{1,12})(?:\.(\d+))?$/.exec(s);
  if (!m) return null;
  const fraction = m[2] ?? "";
  if (fraction.length > exponent) return null;
  const minor = Number(m[1]! + fraction.padEnd(exponent, "0"));
  return Number.isSafeInteger(minor) && minor < 1e12 ? minor : null;
}

// What a currency is called in Arabic on a price tag; all others show their three letters.
const arabicNames: Record<string, string> = { KWD: "د.ك.", SAR: "ر.س.", AED: "د.إ.", BHD: "د.ب.", OMR: "ر.ع.", QAR: "ر.ق.", EGP: "ج.م.", JOD: "د.أ." };

/** arabicCurrency is a currency as it stands beside an amount in Arabic. */
export const arabicCurrency = (code: string): string => arabicNames[code] ?? code;
