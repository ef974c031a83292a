// What the customer's display says in words of its own; prompts come from the terminal in both languages. A missing language is a
// type error.

import { arabicCurrency } from "./money.ts";

/** A Pair is one text in both languages. */
export interface Pair {
  ar: string;
  en: string;
}

export const words = {
  toPay: { ar: "المبلغ المطلوب", en: "To pay" },
  toCard: { ar: "يُعاد إلى بطاقتك", en: "Back to your card" },
  toHold: { ar: "مبلغ للحجز", en: "To be held" },
  toVoid: { ar: "إلغاء عملية سابقة", en: "Taking back a payment" },
  paid: { ar: "تم الدفع", en: "Paid" },
  paidPart: { ar: "تم دفع جزء", en: "Paid in part" },
  returned: { ar: "أُعيد إلى بطاقتك", en: "Paid back to your card" },
  held: { ar: "تم الحجز، ولم يُخصم شيء", en: "Held, nothing is taken yet" },
  taken: { ar: "أُخذ من المبلغ المحجوز", en: "Taken of what was held" },
  voided: { ar: "أُلغيت العملية السابقة", en: "The earlier payment is taken back" },
  onReceipt: { ar: "انظر الإيصال", en: "See your receipt" },
  subject: { ar: "مقبولة، بشرط موافقة البنك لاحقاً", en: "Accepted, subject to your bank's approval" },
  goods: { ar: "المشتريات", en: "Goods" },
  tip: { ar: "إكرامية", en: "Tip" },
  cash: { ar: "نقد يُسلَّم لك", en: "Cash to you" },
  asked: { ar: "المبلغ المطلوب", en: "Asked" },
  approvedPart: { ar: "وافق البنك على", en: "Your bank approves" },
  rest: { ar: "الباقي", en: "Still to pay" },
  removeCard: { ar: "أخرج البطاقة", en: "REMOVE CARD" },
  leaveIn: { ar: "اترك البطاقة في القارئ", en: "Leave the card in the reader" },
  notCharged: { ar: "لم يُخصم منك شيء", en: "You have not been charged" },
  unchanged: { ar: "لم يتغير شيء في حسابك", en: "Nothing has changed on your account" },
  thanks: { ar: "شكراً لك", en: "Thank you" },
  welcome: { ar: "أهلاً وسهلاً", en: "Welcome" },
  wait: { ar: "يرجى الانتظار", en: "Please wait" },
  signSlip: { ar: "يرجى التوقيع على الإيصال", en: "Please sign the receipt" },
  askCashier: { ar: "يرجى سؤال البائع", en: "Please ask the cashier" },
  training: { ar: "تدريب – ليست عملية دفع", en: "Training, not a payment" },
} satisfies Record<string, Pair>;

/** unit is what stands beside an amount. */
export const unit = (currency: string): Pair => ({ ar: arabicCurrency(currency), en: currency });
