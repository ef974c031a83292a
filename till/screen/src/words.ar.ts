import type { en } from "./words.en.ts";

export const ar: Record<keyof typeof en, string> = {
  charge: "تحصيل",
  connecting: "جارٍ الاتصال بالجهاز…",
  lost: "لا اتصال بالجهاز. لا يمكن طلب أي عملية حتى يعود.",
};
